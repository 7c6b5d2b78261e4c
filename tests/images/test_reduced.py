"""Large JPEG files are decoded at a reduced scale, which no score may feel."""

import io

import numpy as np
import pytest
from PIL import Image

from iqa_zoo import registry
from iqa_zoo.errors import ImageError, UnknownNameError
from iqa_zoo.images import Limits, Photo, fit_by, read_image
from iqa_zoo.images.decoding import Encoded
from iqa_zoo.scoring import Scorer
from tests.helpers.pictures import DISPLAY_P3, encoded, rgb_profile, smooth

#: How far a score on the scale from 1 to 10 may move; docs/images.md promises it.
TOLERANCE = 0.05
RULE = {"size": [500, 500], "fit": "stretch", "shrink": "area", "enlarge": "corner"}


@pytest.fixture
def scales(monkeypatch):
    """The scales at which images are decoded, in order."""
    asked = []
    real = Encoded.pixels

    def pixels(encoded, scale=1):
        asked.append(scale)
        return real(encoded, scale)

    monkeypatch.setattr(Encoded, "pixels", pixels)
    return asked


def flat(width: int, height: int, form: str = "JPEG", **options) -> bytes:
    return encoded(Image.new("RGB", (width, height), (9, 99, 200)), form, **options)


@pytest.mark.parametrize(
    "size, changes, expected",
    [
        ((2000, 2000), {}, 2),
        ((2000, 1998), {}, 1),  # less than four times as high
        ((2000, 2001), {}, 1),  # sides of halves
        ((2002, 2000), {}, 2),
        ((6000, 6000), {}, 4),
        ((6002, 6000), {}, 2),
        ((5996, 6000), {}, 2),
        ((1600, 1200), {"size": [224, 224]}, 1),  # small enough to decode whole
        ((2400, 1800), {"size": [224, 224]}, 2),
        ((4000, 3000), {"size": [224, 224]}, 4),
        ((4000, 3000), {"size": [224, 224], "shrink": "nearest"}, 1),
    ],
)
def test_the_scale_follows_from_the_photo_and_the_rule(size, changes, expected, scales):
    rule = RULE | changes
    fitted = Photo(flat(*size)).fitted(rule)
    assert scales == [expected]
    assert fitted.shape == (*rule["size"], 3)
    assert np.abs(fitted.astype(int) - (9, 99, 200)).max() <= 2


@pytest.mark.parametrize("form", ["PNG", "BMP"])
def test_other_formats_are_decoded_whole(form, scales):
    Photo(flat(2000, 2000, form)).fitted(RULE)
    assert scales == [1]


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("mode", ["RGB", "CMYK", "progressive", "profile"])
def test_all_kinds_of_jpeg_are_close_to_whole_ones(mode, orientation, scales):
    image = Image.fromarray(smooth(2000, 2100))
    options = {"quality": 90}
    if mode == "progressive":
        options["progressive"] = True
    elif mode == "profile":
        options["icc_profile"] = rgb_profile(DISPLAY_P3)
    else:
        image = image.convert(mode)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(image, "JPEG", exif=exif, **options)
    photo = Photo(data)
    assert (photo.width < photo.height) == (orientation == 6)
    fitted = photo.fitted(RULE).astype(int)
    assert scales == [2]
    assert np.abs(fitted - fit_by(RULE, read_image(data))).max() <= 3


def test_the_limits_are_those_of_the_file():
    data = flat(2000, 2000)
    with pytest.raises(ImageError) as caught:
        Photo(data, limits=Limits(pixels=3_999_999))
    assert caught.value.code == "too_many_pixels"


def test_a_truncated_photo_is_not_decoded():
    with pytest.raises(ImageError) as caught:
        Photo(flat(2000, 2000)[:-2]).fitted(RULE)
    assert caught.value.code == "truncated"


def test_rules_of_one_photo_do_not_change_each_other(scales):
    data = encoded(Image.fromarray(smooth(3000, 4000)), "JPEG")
    rules = [RULE, RULE | {"size": [224, 224]}, RULE | {"shrink": "nearest"}, RULE]
    photo = Photo(data)
    together = [photo.fitted(rule) for rule in rules]
    assert scales == [2, 4, 1]
    for rule, fitted in zip(rules, together, strict=True):
        assert np.array_equal(Photo(data).fitted(rule), fitted)


def mosaic(
    pictures: list[np.ndarray], height: int, width: int, seed: int
) -> np.ndarray:
    """A large photo of real photos at their own size, as sharp as they are."""
    random = np.random.default_rng(seed)
    made = np.zeros((height, width, 3), np.uint8)
    for top in range(0, height, 512):
        for left in range(0, width, 768):
            part = made[top : top + 512, left : left + 768]
            part[:] = pictures[random.integers(len(pictures))][
                : part.shape[0], : part.shape[1]
            ]
    return made


def large_photos(kodak, clive, sizes):
    files = sorted(kodak.glob("*.png"))
    tiles = [np.asarray(Image.open(path).convert("RGB")) for path in files]
    tiles = [tile for tile in tiles if tile.shape[:2] == (512, 768)]
    people = sorted((clive / "images").iterdir())
    random = np.random.default_rng(1)
    for number, (height, width) in enumerate(sizes):
        yield mosaic(tiles, height, width, number)
        tile = Image.fromarray(tiles[number % len(tiles)])
        enlarged = np.asarray(tile.resize((width, height), Image.BICUBIC))
        noise = random.normal(0, 20, (height, width, 1)).astype(np.int16)
        yield (enlarged + noise).clip(0, 255).astype(np.uint8)
        photo = Image.open(people[60 * number]).convert("RGB")
        yield np.asarray(photo.resize((width, height), Image.LANCZOS))


def own_models() -> list[str]:
    """The models with weights that come with the package."""
    cards = {name: registry.model_card(name) for name in registry.list_models()}
    found = [
        f"{name}.{tag}"
        for name, card in cards.items()
        for tag, weights in card.get("weights", {}).items()
        if weights["kind"] == "own"
    ]
    return found or pytest.skip("no weights are shipped")


def check(photos, models, tmp_path):
    scorer = Scorer(models)
    for number, pixels in enumerate(photos):
        path = tmp_path / "photo.jpg"
        image = Image.fromarray(pixels)
        image.save(path, quality=(85, 90, 95)[number % 3], subsampling=2)
        reduced = scorer(path)
        whole = scorer(read_image(path))
        for one, other in zip(reduced, whole, strict=True):
            assert abs(one.value - other.value) <= TOLERANCE, (number, pixels.shape)
        if number == 0:
            data = path.read_bytes()
            for source in (str(path), data, io.BytesIO(data)):
                again = scorer(source)
                assert [r.distribution for r in again] == [
                    r.distribution for r in reduced
                ]
            listed = list(scorer.score([path, data, path]))
            assert [r.value for r in listed] == [r.value for r in reduced] * 3


@pytest.mark.weights
def test_scores_of_large_photos_stay_within_the_tolerance(kodak, clive, tmp_path):
    check(large_photos(kodak, clive, [(2448, 3264)]), own_models(), tmp_path)


@pytest.mark.slow
@pytest.mark.weights
def test_scores_of_very_large_photos_stay_within_the_tolerance(kodak, clive, tmp_path):
    sizes = [(2000, 3000), (2100, 2800), (3000, 4000), (3024, 4032), (4000, 6000)]
    check(large_photos(kodak, clive, [*sizes, (6008, 8016)]), own_models(), tmp_path)


def test_grey_files_are_decoded_whole(tmp_path):
    grey = Image.fromarray(smooth(2000, 2000)[..., 0])
    data = encoded(grey, "JPEG", quality=90)
    rule = RULE | {"size": [200, 200]}
    np.testing.assert_array_equal(
        Photo(data).fitted(rule), fit_by(rule, read_image(data))
    )


def test_rules_that_are_not_known_are_told_for_large_files_too():
    data = encoded(Image.fromarray(smooth(2000, 2000)), "JPEG")
    rule = RULE | {"size": [200, 200]}
    for name in ("fit", "shrink", "enlarge"):
        with pytest.raises(UnknownNameError):
            Photo(data).fitted(rule | {name: "bogus"})
