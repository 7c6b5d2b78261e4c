"""`iqa-zoo diagnose`: its formats, pictures and exit statuses."""

import csv
import io
import json
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from iqa_zoo.cli import main
from iqa_zoo.diagnosis import FLAGS, diagnose, to_data
from iqa_zoo.images import read_image


def iqa_zoo(*args):
    """The result of a command line, with an error that is none of ours raised."""
    result = CliRunner().invoke(main, ["diagnose", *map(str, args)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory, photos):
    """A good photo, a bad one, a damaged file and one that is no image."""
    folder = tmp_path_factory.mktemp("photos")
    for name in ("astronaut.jpg", "astronaut_noise.jpg"):
        (folder / name).write_bytes((photos / name).read_bytes())
    data = (photos / "astronaut.jpg").read_bytes()
    (folder / "torn.jpg").write_bytes(data[: len(data) // 2])
    (folder / "notes.txt").write_text("none")
    return folder


def test_text(folder):
    result = iqa_zoo(folder / "astronaut_noise.jpg", folder / "astronaut.jpg")
    lines = result.stdout.splitlines()
    bad = diagnose(folder / "astronaut_noise.jpg")
    assert lines[0] == f"{folder}/astronaut_noise.jpg: {bad.verdict}"
    assert lines[1].split()[:2] == ["noisy", bad.flags["noisy"].severity]
    assert lines[1].endswith(bad.flags["noisy"].evidence)
    assert f"{folder}/astronaut.jpg: nothing wrong found" in lines
    assert result.stderr == "iqa-zoo: 2 diagnosed, 1 with faults\n"
    assert result.exit_code == 0


def test_what_cannot_be_told_is_said(tmp_path):
    Image.new("RGB", (200, 200), (90, 120, 90)).save(tmp_path / "flat.png")
    result = iqa_zoo(tmp_path / "flat.png")
    assert "  blurred       cannot tell  there are no edges to judge by" in (
        result.stdout.splitlines()
    )


def test_failures_and_folders(folder):
    result = iqa_zoo(folder, "none.jpg")
    lines = [line for line in result.stdout.splitlines() if not line.startswith(" ")]
    assert [line.partition(": ")[2].split(" ")[0] for line in lines[2:]] == [
        "truncated",
        "not_found",
    ]
    assert result.stderr == (
        "iqa-zoo: 2 diagnosed, 1 with faults, 2 failed, 1 other file left out\n"
    )
    assert result.exit_code == 1


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_json(form, folder):
    result = iqa_zoo(folder, "--format", form)
    rows = (
        json.loads(result.stdout)
        if form == "json"
        else [json.loads(line) for line in result.stdout.splitlines()]
    )
    good = diagnose(folder / "astronaut.jpg")
    assert rows[0] == {**to_data(good), "error": None, "message": None}
    assert rows[1]["flags"]["noisy"]["verdict"] == "yes"
    assert rows[2]["error"] == "truncated"
    assert len(rows) == 3


def test_csv(folder):
    result = iqa_zoo(folder, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout, newline="")))
    good, bad, torn = rows
    assert set(FLAGS) < set(good)
    assert good["verdict"] == "nothing wrong found"
    assert {good[flag] for flag in FLAGS} <= {"no", "cannot tell"}
    assert bad["noisy"] in ("slight", "strong")
    assert float(bad["noisy_score"]) >= 0.5
    assert (torn["error"], torn["verdict"], torn["noisy"]) == ("truncated", "", "")


def test_a_picture(folder, tmp_path):
    out = tmp_path / "faults.png"
    photo = folder / "astronaut_noise.jpg"
    assert iqa_zoo(photo, "-o", out).exit_code == 0
    picture = np.asarray(Image.open(out))
    image = read_image(photo)
    assert picture.shape[0] > image.shape[0]
    np.testing.assert_array_equal(
        picture[-image.shape[0] :, : image.shape[1]], image
    )  # noise is everywhere, which no box says
    before = out.read_bytes()
    again = iqa_zoo(photo, "-o", out)
    assert again.exit_code == 2
    assert "--overwrite replaces it" in again.stderr
    assert out.read_bytes() == before
    assert iqa_zoo(photo, "-o", out, "--overwrite").exit_code == 0


def test_pictures_of_several(folder, tmp_path):
    again = tmp_path / "astronaut.jpg"
    again.write_bytes((folder / "astronaut.jpg").read_bytes())
    out = tmp_path / "out"
    out.mkdir()
    assert iqa_zoo(folder, again, "-o", out).exit_code == 1
    names = {path.name for path in out.iterdir()}
    assert names == {"astronaut.png", "astronaut_noise.png", "astronaut-2.png"}


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["-o", "out.txt"], "end its name with one of .png"),
        (["--overwrite"], "--overwrite needs --out"),
        (["--format", "xml"], "'xml' is not one of"),
    ],
)
def test_wrong_use(args, message, folder):
    result = iqa_zoo(folder / "astronaut.jpg", *args)
    assert result.exit_code == 2
    assert message in result.stderr


def test_several_need_a_folder(folder, tmp_path):
    result = iqa_zoo(folder, "-o", tmp_path / "faults.png")
    assert result.exit_code == 2
    assert "For several photos --out is a folder" in result.stderr


def test_an_empty_folder(tmp_path):
    result = iqa_zoo(tmp_path)
    assert result.exit_code == 1
    assert f"no images in {tmp_path}" in result.stderr


def test_no_tensorflow(folder):
    program = (
        "import sys; from iqa_zoo.cli import main\n"
        f"try: main(['diagnose', {str(folder / 'astronaut.jpg')!r}])\n"
        "except SystemExit: pass\n"
        "heavy = {'tensorflow', 'keras', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def noise(monkeypatch):
    """A model that names the same for each photo but for small ones."""
    from iqa_zoo import naming
    from iqa_zoo.errors import ImageError

    def name(image):
        if min(image.shape[:2]) < 224:
            raise ImageError("too_small", "too small", "the image")
        return [naming.NamedDistortion("dbcnn_noise", 4, 0.934)]

    asked = []
    monkeypatch.setattr(naming, "namer", lambda model: asked.append(model) or name)
    return asked


def test_distortion(folder, tmp_path, noise):
    photo, small = folder / "astronaut.jpg", tmp_path / "small.png"
    Image.new("RGB", (100, 300)).save(small)
    result = iqa_zoo(photo, small, "--distortion", "scnn.kodak")
    assert noise == ["scnn.kodak"]
    lines = [line for line in result.stdout.splitlines() if "looks like" in line]
    assert lines == ["  looks like    dbcnn_noise, level 4, probability 0.93"]

    rows = csv.reader(
        io.StringIO(
            iqa_zoo(photo, small, "--distortion", "a", "--format", "csv").stdout
        )
    )
    assert [row[-3:] for row in rows] == [
        ["distortion", "distortion_level", "distortion_probability"],
        ["dbcnn_noise", "4", "0.934"],
        ["", "", ""],
    ]
    first, second = json.loads(
        iqa_zoo(photo, small, "--distortion", "a", "--format", "json").stdout
    )
    named = {"kind": "dbcnn_noise", "level": 4, "probability": 0.934}
    assert (first["distortion"], second["distortion"]) == (named, None)
    assert "distortion" not in json.loads(iqa_zoo(photo, "--format", "jsonl").stdout)
