"""`iqa-zoo map`: its files and how it ends."""

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from iqa_zoo import maps
from iqa_zoo.cli import main
from iqa_zoo.errors import ImageError, WeightsError
from iqa_zoo.images import read_image
from iqa_zoo.maps import QualityMap

VALUES = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)


def iqa_zoo(*args):
    """The result of a command line, with an error that is none of ours raised."""
    result = CliRunner().invoke(main, ["map", *map(str, args)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def photo(tmp_path):
    Image.new("RGB", (400, 300), (90, 120, 90)).save(tmp_path / "a.png")
    return tmp_path / "a.png"


@pytest.fixture
def asked(monkeypatch):
    """What `quality_map` is given; it gives `VALUES`."""
    given = []

    def quality_map(image, model, **more):
        given.append((image, model, more))
        return QualityMap(image, "diqa.own", VALUES, 100, "lower_is_better")

    monkeypatch.setattr(maps, "quality_map", quality_map)
    return given


def test_a_picture_and_numbers(photo, asked, tmp_path):
    out, raw, grey = (tmp_path / name for name in ("m.png", "m.npy", "g.png"))
    result = iqa_zoo(photo, "-o", out, "--raw", raw)
    assert result.exit_code == 0 and result.stdout == ""
    assert result.stderr == (
        "iqa-zoo: diqa.own: 4 x 3 places of 100 pixels a side, 0 to 1, lower is "
        "better\n"
    )
    assert asked == [(str(photo), None, {"reference": None, "engine": "auto"})]
    np.testing.assert_array_equal(np.load(raw), VALUES)
    with Image.open(out) as picture:
        assert picture.height == 300 and picture.width > 400
    result = iqa_zoo(photo, "--raw", grey, "-m", "runs/x", "--reference", "b.png")
    assert asked[-1][1:] == ("runs/x", {"reference": "b.png", "engine": "auto"})
    np.testing.assert_array_equal(
        read_image(grey)[..., 0], np.rint(255 * (1 - VALUES)).astype(np.uint8)
    )
    iqa_zoo(photo, "--raw", grey, "--overwrite", "--range", "0", "2")
    np.testing.assert_array_equal(
        read_image(grey)[..., 0], np.rint(255 * (1 - VALUES / 2)).astype(np.uint8)
    )


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ((), "Name a picture"),
        (("-o", "m.gif"), "End the name of m.gif with .png or .jpg or .jpeg"),
        (("--raw", "m.jpg"), "End the name of m.jpg with .npy or .png"),
        (("-o", "m.png", "--range", "1", "1"), "does not ascend"),
        (("-o", "m.png", "--range", "1"), "requires 2 arguments"),
    ],
)
def test_wrong_use(photo, asked, more, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = iqa_zoo(photo, *more)
    assert result.exit_code == 2 and said in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_files_that_are_there_stay(photo, asked, tmp_path):
    (tmp_path / "m.png").write_bytes(b"old")
    result = iqa_zoo(photo, "-o", tmp_path / "m.png")
    assert result.exit_code == 2 and "--overwrite replaces it" in result.stderr
    assert (tmp_path / "m.png").read_bytes() == b"old" and not asked
    assert iqa_zoo(photo, "-o", tmp_path / "m.png", "--overwrite").exit_code == 0


@pytest.mark.parametrize(
    ("error", "status"),
    [(ImageError("empty", "a.png: it is empty"), 1), (WeightsError("no weights"), 3)],
)
def test_failures(photo, monkeypatch, tmp_path, error, status):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(maps, "quality_map", fail)
    result = iqa_zoo(photo, "-o", tmp_path / "m.png")
    assert result.exit_code == status and str(error) in result.stderr


def test_no_folder(photo, asked, tmp_path):
    result = iqa_zoo(photo, "-o", tmp_path / "no" / "m.png")
    assert result.exit_code == 3 and "Cannot write" in result.stderr
