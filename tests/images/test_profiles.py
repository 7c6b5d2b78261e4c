"""Colours are brought to sRGB, which is what people see and networks were shown."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from iqa_zoo.errors import ImageError
from iqa_zoo.images import pixels, profiles, read_image
from tests.helpers.pictures import (
    ADOBE_RGB,
    DISPLAY_P3,
    SRGB,
    encoded,
    grey_profile,
    ink_profile,
    rgb_profile,
    smooth,
)

PICTURE = smooth(45, 67)
IMAGE = Image.fromarray(PICTURE)
OWN = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
FORMS = {"JPEG": {"quality": 95}, "PNG": {}, "TIFF": {}, "WEBP": {"lossless": True}}
FORMS["AVIF"] = {"quality": 95}


def in_srgb(levels: np.ndarray, primaries, gamma: float = 2.2) -> np.ndarray:
    """The same by arithmetic: an exponent, two matrices, sRGB's curve (IEC 61966)."""
    linear = (levels / 255) ** gamma @ np.array(primaries)
    linear = (linear @ np.linalg.inv(np.array(SRGB))).clip(0, 1)
    curve = np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055
    )
    return 255 * curve


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("primaries", [DISPLAY_P3, ADOBE_RGB])
def test_colours_of_a_profile_become_those_of_srgb(form, primaries):
    profile = rgb_profile(primaries)
    plain = read_image(encoded(IMAGE, form, **FORMS[form]))
    data = encoded(IMAGE, form, icc_profile=profile, **FORMS[form])
    found = read_image(data)
    difference = np.abs(found - in_srgb(plain, primaries))
    assert difference.max() <= 3 and difference.mean() < 0.7
    assert np.abs(found - plain.astype(int)).max() > 20
    assert np.array_equal(read_image(Image.open(io.BytesIO(data))), found)


@pytest.mark.parametrize("form", FORMS)
def test_a_profile_of_srgb_changes_no_bit(form):
    plain = read_image(encoded(IMAGE, form, **FORMS[form]))
    data = encoded(IMAGE, form, icc_profile=OWN, **FORMS[form])
    assert np.array_equal(read_image(data), plain)


@pytest.mark.parametrize(
    "profile",
    [
        b"junk",
        rgb_profile(DISPLAY_P3)[:200],
        rgb_profile(DISPLAY_P3)[:132] + b"\xff" * 300,
        bytes(500),
        grey_profile(1.0),  # of other pixels
        ink_profile(),
    ],
)
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_profile_that_says_nothing_is_ignored(profile, form):
    data = encoded(IMAGE, form, icc_profile=profile)
    assert np.array_equal(read_image(data), read_image(encoded(IMAGE, form)))


def test_a_profile_of_absurd_size_is_ignored(monkeypatch):
    monkeypatch.setattr(profiles, "_LARGEST", 100)
    data = encoded(IMAGE, "PNG", icc_profile=rgb_profile(DISPLAY_P3))
    assert np.array_equal(read_image(data), PICTURE)


@pytest.mark.parametrize("bits", [8, 16])
def test_greys_of_a_profile(bits):
    levels = PICTURE[:, :, 0]
    stored = levels if bits == 8 else levels.astype(np.uint16) * 257
    data = encoded(Image.fromarray(stored), "PNG", icc_profile=grey_profile(1.8))
    found = read_image(data)
    expected = in_srgb(np.repeat(levels[:, :, None], 3, axis=2), SRGB, 1.8)
    assert np.abs(found - expected).max() <= 3
    assert (found == found[:, :, :1]).all()


def test_palettes_and_transparency():
    profile = rgb_profile(DISPLAY_P3)
    indexed = IMAGE.quantize(16)
    colours = np.asarray(indexed.convert("RGB"))
    found = read_image(encoded(indexed, "PNG", icc_profile=profile))
    assert np.abs(found - in_srgb(colours, DISPLAY_P3)).max() <= 3
    alpha = np.zeros((45, 67), np.uint8)
    alpha[:, 30:] = 255
    both = Image.fromarray(np.dstack([PICTURE, alpha]))
    found = read_image(encoded(both, "PNG", icc_profile=profile))
    assert (found[:, :30] == 255).all()
    expected = in_srgb(PICTURE[:, 30:], DISPLAY_P3)
    assert np.abs(found[:, 30:] - expected).max() <= 3


@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
def test_inks_of_a_profile(form):
    inks = Image.fromarray(np.dstack([PICTURE, PICTURE[:, :, 0] // 3]), "CMYK")
    profile = ink_profile()
    options = {"quality": 100, "subsampling": 0} if form == "JPEG" else {}
    data = encoded(inks, form, icc_profile=profile, **options)
    transform = ImageCms.buildTransform(
        io.BytesIO(profile), ImageCms.createProfile("sRGB"), "CMYK", "RGB"
    )
    expected = np.asarray(transform.apply(inks)).astype(int)
    found = read_image(data)
    assert np.abs(found - expected).mean() < (3 if form == "JPEG" else 0.01)
    plain = read_image(encoded(inks, form, **options)).astype(int)
    assert np.abs(found - plain).mean() > 10
    if form == "JPEG":  # without Adobe's mark inks are stored as they are
        mark = data.index(b"\xff\xee")
        bare = data[:mark] + data[mark + 16 :]
        assert np.abs(read_image(bare).astype(int) - found).mean() > 20


MODES = ["1", "L", "P", "LA", "RGB", "RGBA", "CMYK", "I;16"]


@pytest.mark.parametrize("mode", MODES)
def test_bands_of_rows_change_no_bit(mode, monkeypatch):
    image = IMAGE.convert("RGB" if mode == "I;16" else mode)
    if mode == "I;16":
        image = Image.fromarray(PICTURE[:, :, 0].astype(np.uint16) * 200)
    kinds = {"CMYK": ink_profile(), "L": grey_profile(1.0), "I;16": grey_profile(1.0)}
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        profile = kinds.get(mode, rgb_profile(DISPLAY_P3))
        data = encoded(image, "TIFF", icc_profile=profile, exif=exif)
        monkeypatch.setattr(pixels, "_BAND", 10**9)
        whole = read_image(data)
        for band in (1, 67 * 7, 67 * 44):
            monkeypatch.setattr(pixels, "_BAND", band)
            assert np.array_equal(read_image(data), whole)


def test_greys_with_transparency_are_converted_as_without():
    grey = smooth(20, 30)[..., 0]
    profile = grey_profile(1.0)
    plain, clear = Image.fromarray(grey), Image.fromarray(grey).convert("LA")
    expected = read_image(encoded(plain, "PNG", icc_profile=profile))
    assert np.abs(expected[..., 0].astype(int) - grey).max() > 20
    found = read_image(encoded(clear, "PNG", icc_profile=profile))
    np.testing.assert_array_equal(found, expected)


def test_too_little_memory_for_a_profile_is_no_damaged_profile(monkeypatch):
    data = encoded(
        Image.fromarray(smooth(20, 30)), "PNG", icc_profile=rgb_profile(ADOBE_RGB, 1.5)
    )
    with monkeypatch.context() as patch:

        def fails(*arguments):
            raise MemoryError

        patch.setattr(ImageCms, "buildTransform", fails)
        with pytest.raises(ImageError) as caught:
            read_image(data)
        assert caught.value.code == "out_of_memory"
    assert (read_image(data) != smooth(20, 30)).any()
