"""Decoded images and arrays of any kind into upright RGB."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from iqa_zoo.errors import UsageError
from iqa_zoo.images.limits import CONVERT, Limits, check_size, image_error
from iqa_zoo.images.profiles import Conversion, to_srgb

Pixels = NDArray[np.uint8]

# EXIF orientation (Exif 2.32, tag 0x0112): whether rows and columns change places, and
# whether the rows and the columns of the picture as it is stored then run backwards.
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: (False, 1, -1),
    3: (False, -1, -1),
    4: (False, -1, 1),
    5: (True, 1, 1),
    6: (True, -1, 1),
    7: (True, -1, -1),
    8: (True, 1, -1),
}
_AS_STORED = (False, 1, 1)

_BAND = 4_000_000  # pixels that are converted at once
_SIXTEEN_BITS = {"I;16", "I;16L", "I;16B", "I;16N"}
_WITH_ALPHA = {"LA", "La", "PA", "RGBA", "RGBa"}
_GREYS = {"1", "L", "LA", "La"}
_OPAQUE = {"1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr"}


def check_tiff(image: Any, name: str, limits: Limits) -> None:
    """Raise ImageError for a TIFF image that is too large, or none to be scored."""
    # A tile is allocated whole, however small the image that it is for.
    tags = image.tag_v2
    check_size((tags.get(322, 1), tags.get(323, 1)), name, limits)
    # A raw photo (DNG, NEF, ARW) is a TIFF whose first page is only a preview, and the
    # photo lies in a page below that.
    if 50706 in tags or (tags.get(254, 0) & 1 and 330 in tags):
        raise image_error("refused_format", name, f"raw photos are not read. {CONVERT}")


def orientation_of(image: Image.Image) -> tuple[bool, int, int]:
    """How to bring an image upright: whether to swap its axes, and which to turn.

    Most formats must be loaded before, as Pillow would load them here.
    """
    try:
        if image.format == "HEIF":  # which its decoder has turned as its boxes say
            return _AS_STORED
        exif = image.getexif()
        if image.format == "AVIF":  # without what XMP says, which does not count there
            exif = Image.Exif()
            exif.load(image.info.get("exif", b""))
        return _UPRIGHT.get(exif.get(_ORIENTATION, 1), _AS_STORED)
    except Exception:  # a damaged block says nothing about the picture
        return _AS_STORED


def upright_rgb(image: Image.Image, name: str) -> Pixels:
    """A PIL image's pixels, upright, in sRGB, as uint8 RGB `(height, width, 3)`.

    Works on a band of rows after the other, so that a large image is not held in
    memory in more than two forms.
    """
    image.load()
    swap, rows, columns = orientation_of(image)
    to_rgb = _converter(image, name)
    width, height = image.size
    step = max(1, _BAND // width)
    if step >= height and (swap, rows, columns) == _AS_STORED:
        return np.ascontiguousarray(to_rgb(image))
    upright = np.empty((width, height, 3) if swap else (height, width, 3), np.uint8)
    stored = (upright.transpose(1, 0, 2) if swap else upright)[::rows, ::columns]
    for top in range(0, height, step):
        band = image.crop((0, top, width, min(top + step, height)))
        stored[top : top + step] = to_rgb(band)
    return upright


def _converter(image: Image.Image, name: str) -> Callable[[Image.Image], Pixels]:
    """What makes uint8 RGB of a part of `image`."""
    profile = image.info.get("icc_profile")
    if image.mode in _SIXTEEN_BITS:
        tags: Any = getattr(image, "tag_v2", {})
        bits = tags.get(258, (16,))[0]  # BitsPerSample; 12 bits also come as 16
        inverted = tags.get(262) == 0  # white is 0, which Pillow leaves as it is
        return functools.partial(_upper_bits, bits, inverted, to_srgb(profile, "L"))
    if image.mode in _WITH_ALPHA or "transparency" in image.info:
        mode = "L" if image.mode in _GREYS else "RGB"
        return functools.partial(_on_white, mode, to_srgb(profile, mode))
    if image.mode not in _OPAQUE:
        raise image_error(
            "refused_format",
            name,
            f"{image.mode} pixels have no stated black and white. Convert it to 8 or "
            "16 bits, or pass the array with value_range.",
        )
    if image.mode == "CMYK":
        # Pillow takes every CMYK JPEG for one of Adobe's, whose inks are inverted.
        inverted = image.format == "JPEG" and "adobe" not in image.info
        return functools.partial(_from_inks, inverted, to_srgb(profile, "CMYK"))
    mode = "L" if image.mode in _GREYS else "RGB"
    return functools.partial(_from_opaque, mode, to_srgb(profile, mode))


def _from_opaque(mode: str, convert: Conversion | None, image: Image.Image) -> Pixels:
    # Converting what has the mode already would copy it.
    if image.mode != mode and (convert or mode == "RGB"):
        image = image.convert(mode)
    if convert:
        image = convert(image)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _from_inks(
    inverted: bool, convert: Conversion | None, image: Image.Image
) -> Pixels:
    inks = np.asarray(image)
    if inverted:
        inks = 255 - inks
    if convert:
        return np.asarray(convert(Image.fromarray(inks, "CMYK")))
    light = 255 - inks
    # Rounded down, as TensorFlow does; Pillow rounds to the nearest.
    rgb = light[:, :, :3].astype(np.uint16) * light[:, :, 3:] // 255
    mixed: Pixels = rgb.astype(np.uint8)
    return mixed


def _upper_bits(
    bits: int, inverted: bool, convert: Conversion | None, image: Image.Image
) -> Pixels:
    levels = np.asarray(image).astype(np.uint16)
    grey = (levels >> (bits - 8)).astype(np.uint8)
    if inverted:
        grey = 255 - grey
    if convert:
        rgb = np.array(convert(Image.fromarray(grey)))
    else:
        rgb = np.repeat(grey[:, :, None], 3, axis=2)
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        rgb[levels == clear] = 255
    return rgb


def _on_white(mode: str, convert: Conversion | None, image: Image.Image) -> Pixels:
    image = image.convert("RGBA")
    opaque = image.convert(mode)
    colours = convert(opaque) if convert else opaque.convert("RGB")
    white = Image.new("RGB", image.size, "white")
    white.paste(colours, mask=image.getchannel("A"))
    return np.asarray(white)


def from_array(
    array: NDArray[Any], value_range: tuple[float, float] | None, limits: Limits
) -> Pixels:
    """An array's pixels as uint8 RGB `(height, width, 3)`; see `read_image`."""
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        raise UsageError(
            f"An array of shape {array.shape} is no image. Allowed are "
            "(height, width) and (height, width, 1, 3 or 4)."
        )
    height, width, channels = array.shape
    check_size((width, height), "", limits)
    array = _grey_levels(array, value_range)
    if channels == 4:
        return _on_white("RGB", None, Image.fromarray(array))
    if channels == 1:
        array = np.repeat(array, 3, axis=2)
    return np.ascontiguousarray(array)


def _grey_levels(
    array: NDArray[Any], value_range: tuple[float, float] | None
) -> Pixels:
    if value_range is None:
        if array.dtype == np.uint8:
            return array
        raise UsageError(
            f"An array of {array.dtype} does not say which values are black and white. "
            "Pass uint8, or the two values, as in value_range=(0, 1)."
        )
    if array.dtype.kind not in "buif":
        raise UsageError(f"An array of {array.dtype} holds no grey levels.")
    check_range(value_range)
    black, white = value_range
    if not np.isfinite(array).all():
        raise image_error("non_finite", "", "the array holds NaN or infinity.")
    slack = (white - black) / 510
    if array.min() < black - slack or array.max() > white + slack:
        raise UsageError(
            f"The array holds values from {array.min()} to {array.max()}, outside "
            f"value_range={value_range}. State the range that it has."
        )
    levels = (array - np.float32(black)) * np.float32(255 / (white - black))
    grey: Pixels = np.rint(levels.clip(0, 255)).astype(np.uint8)
    return grey


def check_range(value_range: Any) -> None:
    """Raise UsageError unless `value_range` is two numbers, the lower one first."""
    try:
        black, white = map(float, value_range)
    except (TypeError, ValueError):
        black = white = np.nan
    if not (np.isfinite(black) and np.isfinite(white) and black < white):
        raise UsageError(
            f"value_range={value_range} is no range. Give black, white: (0, 1)."
        )
