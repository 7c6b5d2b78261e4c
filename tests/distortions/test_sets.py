"""Sets of distorted pictures: whole, kept, and with a table of what each is."""

import csv
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from iqa_zoo.cli import main
from iqa_zoo.data.manifest import read_labels
from iqa_zoo.distortions import KINDS, distort, sets, table
from iqa_zoo.errors import OutputError, UsageError
from iqa_zoo.images import read_image
from tests.helpers.pictures import smooth


def iqa_zoo(*args):
    result = CliRunner().invoke(main, [str(arg) for arg in args])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def photos(tmp_path):
    """Two photos of one name in two folders, one of them with an odd name."""
    for number, name in enumerate(("a/été 1\n.png", "b/c.png", "d/c.png")):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True)
        Image.fromarray(smooth(60, 70, seed=number)).save(path)
    return tmp_path / "photos"


def content(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_set(photos, tmp_path):
    out = tmp_path / "set"
    options = ("--out", out, "--kinds", "jpeg,white_noise", "--seed", 7)
    result = iqa_zoo("distort", photos, *options, "--levels", "2,4")
    assert result.exit_code == 0 and result.stdout == ""
    assert result.stderr == f"iqa-zoo: 12 pictures in {out}, 0 failed\n"
    with open(out / "manifest.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == table.COLUMNS
    assert [(r["distortion"], r["level"]) for r in rows[:4]] == [
        ("jpeg", "2"),
        ("jpeg", "4"),
        ("white_noise", "2"),
        ("white_noise", "4"),
    ]
    originals = {read_image(p).tobytes() for p in photos.rglob("*.png")}
    assert {read_image(out / r["reference"]).tobytes() for r in rows} == originals
    for row in rows:
        reference = read_image(out / row["reference"])
        damaged = read_image(out / row["image"])
        wanted = distort(reference, row["distortion"], int(row["level"]), seed=7)
        np.testing.assert_array_equal(damaged, wanted)
        assert row["seed"] == "7"
        mse = np.square(damaged - 1.0 * reference).mean()
        assert float(row["mse"]) == pytest.approx(mse, abs=1e-3)


def test_its_table_is_read_as_others(photos, tmp_path):
    iqa_zoo("distort", photos, "--out", tmp_path / "set", "--kinds", "jpeg,darken")
    labels = read_labels(
        tmp_path / "set" / "manifest.csv",
        tmp_path / "set",
        mos="mse",
        reference="reference",
        distortion="distortion",
        level="level",
        range=(0, 255**2),
        direction="lower_is_better",
    )
    assert len(labels.names) == 30
    assert set(labels.distortion) == {"jpeg", "darken"}
    assert labels.level[:5] == (1, 2, 3, 4, 5)
    assert {path.name for path in labels.reference} == {"reference.png"}


def test_what_is_there_is_kept(photos, tmp_path):
    out = tmp_path / "set"
    whole = ("distort", photos, "--out", out, "--kinds", "jpeg,impulse_noise")
    assert iqa_zoo(*whole).exit_code == 0
    before = content(out)
    times = {path: path.stat().st_mtime_ns for path in before}
    # As after a run that was killed: no table yet, a picture not made, one damaged.
    (out / "manifest.csv").unlink()
    lost, damaged = sorted(out.rglob("*-3-0.png"))[:2]
    lost.unlink()
    damaged.write_bytes(damaged.read_bytes()[:99])
    assert iqa_zoo(*whole).exit_code == 0
    assert content(out) == before
    kept = {p for p in before if p.stat().st_mtime_ns == times[p]}
    assert kept == before.keys() - {lost, damaged, out / "manifest.csv"}


def test_pictures_of_another_size_are_made_again(photos, tmp_path):
    out = tmp_path / "set"
    whole = ("distort", photos, "--out", out, "--kinds", "jpeg")
    assert iqa_zoo(*whole).exit_code == 0
    before = content(out)
    one, other = sorted(out.rglob("jpeg-3-0.png"))[:2]
    Image.fromarray(smooth(20, 30)).save(one)
    for path, left in ((other.parent, 99), (one.parent, 0)):
        reference = path / "reference.png"
        reference.write_bytes(reference.read_bytes()[:left])
    assert iqa_zoo(*whole).exit_code == 0
    assert content(out) == before


def test_sets_grow(photos, tmp_path):
    grown, whole = tmp_path / "grown", tmp_path / "whole"
    for kind in ("jpeg", "gaussian_blur"):
        iqa_zoo("distort", photos, "--out", grown, "--kinds", kind, "--levels", "3-4")
    kinds = "jpeg,gaussian_blur"
    iqa_zoo("distort", photos, "--out", whole, "--kinds", kinds, "--levels", "3-4")
    found = (grown / "manifest.csv").read_bytes()
    assert found == (whole / "manifest.csv").read_bytes()
    # Within the photos it is no photo, and what was taken away leaves the table.
    inside = photos / "set"
    iqa_zoo("distort", photos, "--out", inside, "--kinds", "jpeg")
    again = iqa_zoo("distort", photos, "--out", inside, "--kinds", "jpeg")
    assert "15 pictures" in again.stderr
    next(inside.rglob("jpeg-2-0.png")).unlink()
    assert len(table.read_manifest(inside)) == 14


def test_bad_photos_are_told(photos, tmp_path):
    out = tmp_path / "set"
    (photos / "b" / "bad.png").write_bytes(b"no image")
    Image.fromarray(smooth(20, 30)).save(photos / "small.png")
    result = iqa_zoo(
        "distort", photos, "nothing.jpg", "--out", out, "--levels", "1",
        "--kinds", "non_eccentricity_patch,darken",
    )  # fmt: skip
    assert result.exit_code == 1
    assert "bad.png" in result.stderr and "nothing.jpg: there is no" in result.stderr
    assert "small.png: non_eccentricity_patch: An image of 30 x 20" in result.stderr
    assert f"7 pictures in {out}, 3 failed" in result.stderr
    assert len(table.read_manifest(out)) == 7
    empty = tmp_path / "empty"
    empty.mkdir()
    result = iqa_zoo("distort", empty, "--out", out)
    assert result.exit_code == 1 and f"no images in {empty}" in result.stderr


def test_wrong_use(photos, tmp_path):
    for arguments, said in (
        (("--out", tmp_path / "set", "--kinds", "jpg"), "Did you mean jpeg"),
        (("--out", tmp_path / "set", "--levels", "0"), "'0' cannot be meant"),
        (("--out", tmp_path / "set", "--levels", "4-2"), "'4-2' cannot be meant"),
        (("--out", tmp_path / "set", "--seed", "-1"), "-1"),
        ((), "--out"),
    ):
        result = iqa_zoo("distort", photos, *arguments)
        assert result.exit_code == 2 and said in result.stderr
    assert not (tmp_path / "set").exists()
    other = tmp_path / "other"
    other.mkdir()
    (other / "manifest.csv").write_text("image,mos\na,1\n")
    result = iqa_zoo("distort", photos, "--out", other)
    assert result.exit_code == 2 and "no table of distorted pictures" in result.stderr
    assert [p.name for p in other.iterdir()] == ["manifest.csv"]


def test_a_link_that_leads_to_itself(photos, tmp_path):
    (photos / "loop.png").symlink_to(photos / "loop.png")
    out = tmp_path / "set"
    result = iqa_zoo("distort", photos, "--out", out, "--kinds", "jpeg")
    assert result.exit_code == 1
    assert "loop.png" in result.stderr
    assert f"15 pictures in {out}, 1 failed" in result.stderr


def test_no_folder_can_be_made(photos, tmp_path):
    photo = next(photos.rglob("c.png"))
    result = iqa_zoo("distort", photo, "--out", photo, "--kinds", "jpeg")
    assert result.exit_code == 3 and "a file has that name" in result.stderr
    assert "no images" not in result.stderr
    (tmp_path / "file").write_bytes(b"")
    result = iqa_zoo("distort", photos, "--out", tmp_path / "file", "--kinds", "jpeg")
    assert result.exit_code == 3 and "Cannot make the folder" in result.stderr


def test_interrupted(photos, tmp_path, monkeypatch):
    real = sets.distort_by
    left = [4]

    def distort_some(*arguments, **options):
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    monkeypatch.setattr(sets, "distort_by", distort_some)
    result = iqa_zoo("distort", photos, "--out", tmp_path / "set", "--kinds", "jpeg")
    assert (
        result.exit_code == 130 and "the same command makes the rest" in result.stderr
    )
    assert len(table.read_manifest(tmp_path / "set")) == 3


def test_list():
    result = iqa_zoo("distort", "--list")
    assert [line.split()[1] for line in result.stdout.splitlines()] == list(KINDS)


def test_unreadable_table(tmp_path):
    (tmp_path / "manifest.csv").mkdir()
    with pytest.raises(OutputError, match="Cannot read"):
        table.read_manifest(tmp_path)
    (tmp_path / "manifest.csv").rmdir()
    columns = ",".join(table.COLUMNS)
    (tmp_path / "manifest.csv").write_text(f"{columns}\na,b,jpeg,two,0,1\n")
    with pytest.raises(UsageError, match="two"):
        table.read_manifest(tmp_path)


GOOD = ("photo-0123456789ab/jpeg-2-0.png", "photo-0123456789ab/reference.png")


@pytest.mark.parametrize(
    "row",
    [
        (GOOD[0].replace("2", "6"), GOOD[1], "jpeg", 6, 0, 1.5),
        (GOOD[0].replace("-0", "--1"), GOOD[1], "jpeg", 2, -1, 1.5),
        (f"../{GOOD[0]}", f"../{GOOD[1]}", "jpeg", 2, 0, 1.5),
        ("../jpeg-2-0.png", "../reference.png", "jpeg", 2, 0, 1.5),
        (GOOD[0], f"../{GOOD[1]}", "jpeg", 2, 0, 1.5),
        ("x" * 5000 + GOOD[0], "x" * 5000 + GOOD[1], "jpeg", 2, 0, 1.5),
        (*GOOD, "darken", 2, 0, 1.5),
    ],
)
def test_rows_of_no_set(tmp_path, row):
    path = tmp_path / "manifest.csv"
    good = ",".join(map(str, (*GOOD, "jpeg", 2, 0, 1.5)))
    path.write_text("\n".join([",".join(table.COLUMNS), good]))
    assert table.read_manifest(tmp_path) == []  # in order, but its picture is gone
    path.write_text(path.read_text() + "\n" + ",".join(map(str, row)))
    with pytest.raises(UsageError, match="no row of a set") as caught:
        table.read_manifest(tmp_path)
    assert len(str(caught.value)) < 500


def test_the_table_of_something_else(tmp_path):
    (tmp_path / "manifest.csv").write_text("image,mos\n")
    with pytest.raises(UsageError, match="its columns are not image, reference"):
        table.read_manifest(tmp_path)


def test_imports_no_tensorflow(photos, tmp_path):
    program = (
        "import sys\n"
        "from iqa_zoo.cli import main\n"
        "try:\n"
        "    main(sys.argv[1:])\n"
        "except SystemExit as end:\n"
        "    assert end.code == 0, end.code\n"
        "loaded = {'tensorflow', 'keras', 'ai_edge_litert'} & sys.modules.keys()\n"
        "sys.exit(', '.join(loaded) or 0)\n"
    )
    command = ["distort", str(photos), "--out", str(tmp_path / "set"), "--levels", "1"]
    done = subprocess.run(
        [sys.executable, "-c", program, *command, "--kinds", "jpeg,contrast"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
