"""`quality_map`: what it gives, its picture, and wrong use of it."""

import io

import numpy as np
import pytest
from PIL import Image

import iqa_zoo
from iqa_zoo import maps
from iqa_zoo.errors import ImageError, UnknownNameError, UsageError
from iqa_zoo.maps import QualityMap, drawing, map_models, mapping, overlay
from tests.helpers import native, tiny


class Halves:
    """In an engine's place: bad at the left, good at the right."""

    cell = 16

    def __init__(self, *_):
        self.asked = []

    def map(self, image, threads):
        self.asked.append(image)
        rows, columns = (4 * (n // self.cell) for n in image.shape[:2])
        values = np.ones((rows, columns), np.float32)
        values[:, columns // 2 :] = 0
        return values


@pytest.fixture
def halves(monkeypatch):
    engine = Halves()
    monkeypatch.setattr(mapping, "make_tiled", lambda entry, name: engine)
    return engine


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    with native.packaged(*native.KINDS):
        yield {name: native.make_run(folder / name, name) for name in native.KINDS}


PHOTO = np.random.default_rng(3).integers(0, 256, (100, 171, 3), np.uint8)


def test_what_it_gives(runs, halves, tmp_path):
    found = iqa_zoo.quality_map(PHOTO, runs["small-framed"])
    assert (found.path, found.model) == ("<array>", runs["small-framed"])
    assert found.values.shape == (24, 40) and found.side == 4
    assert found.direction == "lower_is_better"
    Image.fromarray(PHOTO).save(tmp_path / "a.png")
    for image in (tmp_path / "a.png", (tmp_path / "a.png").read_bytes()):
        again = iqa_zoo.quality_map(image, runs["small-patches"])
        np.testing.assert_array_equal(again.values, found.values)
        np.testing.assert_array_equal(halves.asked[-1], PHOTO)
        assert again.direction == "higher_is_better"
    floats = PHOTO / 255
    iqa_zoo.quality_map(floats, runs["small-patches"], value_range=(0, 1))
    np.testing.assert_array_equal(halves.asked[-1], PHOTO)


def test_pairs(runs, halves):
    run = runs["small-pair"]
    iqa_zoo.quality_map(PHOTO, run, reference=255 - PHOTO)
    np.testing.assert_array_equal(halves.asked[-1][..., :3], PHOTO)
    np.testing.assert_array_equal(halves.asked[-1][..., 3:], 255 - PHOTO)
    with pytest.raises(UsageError, match="compares a photo with its original"):
        iqa_zoo.quality_map(PHOTO, run)
    with pytest.raises(UsageError, match="takes no reference"):
        iqa_zoo.quality_map(PHOTO, runs["small-patches"], reference=PHOTO)
    with pytest.raises(ImageError) as error:
        iqa_zoo.quality_map(PHOTO, run, reference=PHOTO[1:])
    assert error.value.code == "different_sizes"


def test_what_has_no_map(runs, tmp_path):
    run = tiny.make_run(tmp_path / "run", content=b"none")
    with pytest.raises(UsageError, match=r"has no map of places.*small-patches"):
        iqa_zoo.quality_map(PHOTO, run)
    assert {"cnniqa", *native.KINDS} <= set(map_models())
    assert "nima-mobilenetv2" not in map_models()


def test_photos_that_fail(runs, halves, monkeypatch):
    run = runs["small-patches"]
    for image, code in (
        (PHOTO[:9], "too_small"),
        (b"none", "unknown_format"),
        ("no.png", "not_found"),
    ):
        with pytest.raises(ImageError) as error:
            iqa_zoo.quality_map(image, run)
        assert error.value.code == code

    def full(image, threads):
        raise MemoryError

    monkeypatch.setattr(halves, "map", full)
    with pytest.raises(ImageError) as error:
        iqa_zoo.quality_map(PHOTO, run)
    assert error.value.code == "out_of_memory"
    nan = np.full((2, 2), np.nan, np.float32)
    monkeypatch.setattr(halves, "map", lambda image, threads: nan)
    with pytest.raises(ImageError) as error:
        iqa_zoo.quality_map(PHOTO, run)
    assert error.value.code == "non_finite"


def test_wrong_arguments(runs):
    with pytest.raises(UnknownNameError, match="small-patches"):
        iqa_zoo.quality_map(PHOTO, "small-patch")
    with pytest.raises(UnknownNameError, match="litert"):
        iqa_zoo.quality_map(PHOTO, runs["small-patches"], engine="lite-rt")
    with pytest.raises(UsageError, match="threads"):
        iqa_zoo.quality_map(PHOTO, runs["small-patches"], threads=0)


def test_a_model_is_asked_where_none_is_named(runs, halves, monkeypatch):
    monkeypatch.setattr(mapping, "DEFAULT", runs["small-patches"])
    assert iqa_zoo.quality_map(PHOTO).model == runs["small-patches"]
    assert maps.DEFAULT in map_models()


def bad_left(side=10, size=(20, 36), direction="lower_is_better", ends=(0.1, 0.9)):
    """A map whose left half is bad."""
    values = np.full(size, ends[0], np.float32)
    values[:, : size[1] // 2] = ends[1]
    if direction == "higher_is_better":
        values = ends[0] + ends[1] - values
    return QualityMap("a.png", "m", values, side, direction)


@pytest.mark.parametrize("direction", ["lower_is_better", "higher_is_better"])
def test_the_picture_is_yellow_where_it_is_bad(direction):
    photo = np.full((204, 367, 3), 90, np.uint8)
    picture = np.asarray(overlay(photo, bad_left(direction=direction))).astype(int)
    assert picture.shape[0] >= 204 and picture.shape[1] > 367
    red, _, blue = np.moveaxis(picture[:204, :367], -1, 0)
    assert (red - blue)[:, :175].min() > 60  # yellow
    assert (blue - red)[:, 185:].min() > 20  # blue, the rest without a place too
    scale = picture[:, 367:].reshape(-1, 3)
    assert (scale.min(1) > 200).any()  # its numbers
    assert len(np.unique(scale, axis=0)) > 50


def test_colours_get_lighter_steadily():
    """So that they can be told apart without hues."""
    bar = np.linspace(0, 1, 64, dtype=np.float32)[None]
    colours = drawing._mixed(np.full(bar.shape, 128, np.uint8), bar)
    light = colours[0] @ [0.299, 0.587, 0.114]
    assert (np.diff(light) > 0).all()


def test_the_range_of_colours():
    found = bad_left()
    assert drawing.value_span(found, None) == pytest.approx((0.1, 0.9))
    assert drawing.shares(found, 0.1, 0.9)[0, [0, -1]] == pytest.approx([1, 0])
    assert drawing.shares(found, 0.0, 1.0)[0, [0, -1]] == pytest.approx([0.9, 0.1])
    assert drawing.shares(found, 0.5, 0.6)[0, [0, -1]] == pytest.approx([1, 0])
    assert not drawing.shares(bad_left(ends=(2, 2)), 2, 2).any()
    for span in ((1, 1), (1, 0)):
        with pytest.raises(UsageError, match="does not ascend"):
            overlay(np.zeros((200, 360, 3), np.uint8), found, span)


@pytest.mark.parametrize(
    ("size", "drawn"), [((40, 60), (213, 320)), ((3000, 1000), (1600, 533))]
)
def test_photos_are_drawn_so_that_numbers_can_be_read(size, drawn):
    found = bad_left(side=20, size=(size[0] // 20, size[1] // 20))
    picture = overlay(np.zeros((*size, 3), np.uint8), found)
    assert picture.height >= drawn[0] and drawn[1] < picture.width < drawn[1] + 300
    picture.save(io.BytesIO(), "PNG")


@pytest.mark.export
def test_a_network(runs):
    for name in native.KINDS:
        more = {"reference": 255 - PHOTO} if name == "small-pair" else {}
        found = iqa_zoo.quality_map(PHOTO, runs[name], **more)
        assert found.values.shape == (12, 21) and found.side == native.CELL
        assert found.values.dtype == np.float32 and np.ptp(found.values) > 1e-4
