"""Decoded images and arrays of any kind into upright RGB."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from iqa_zoo.errors import UsageError
from iqa_zoo.images.limits import CONVERT, Limits, check_size, image_error

Pixels = NDArray[np.uint8]

# EXIF orientation: what brings the picture upright (Exif 2.32, tag 0x0112).
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_SIXTEEN_BITS = {"I;16", "I;16L", "I;16B", "I;16N"}
_WITH_ALPHA = {"LA", "La", "PA", "RGBA", "RGBa"}
_OPAQUE = {"1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr"}


def check_tiff(image: Any, name: str, limits: Limits) -> None:
    """Raise ImageError for a TIFF image that is too large, or none to be scored."""
    # A tile is allocated whole, however small the image that it is for.
    tags = image.tag_v2
    check_size((tags.get(322, 1), tags.get(323, 1)), name, limits)
    # A raw photo (DNG, NEF, ARW) is a TIFF whose first page is only a preview.
    if 50706 in tags or tags.get(254, 0) & 1:
        raise image_error("refused_format", name, f"raw photos are not read. {CONVERT}")


def upright_rgb(image: Image.Image, name: str) -> Pixels:
    """A PIL image's pixels, upright, as uint8 RGB `(height, width, 3)`."""
    image.load()
    try:
        turn = _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # a damaged block says nothing about the picture
        turn = None
    rgb = _rgb(image, name)
    if turn is not None:
        rgb = rgb.transpose(turn)
    return np.ascontiguousarray(np.asarray(rgb))


def _rgb(image: Image.Image, name: str) -> Image.Image:
    if image.mode in _SIXTEEN_BITS:
        return _upper_bits(image)
    if image.mode in _WITH_ALPHA or "transparency" in image.info:
        return _on_white(image.convert("RGBA"))
    if image.mode not in _OPAQUE:
        raise image_error(
            "refused_format",
            name,
            f"{image.mode} pixels have no stated black and white. Convert it to 8 or "
            "16 bits, or pass the array with value_range.",
        )
    if image.mode == "CMYK":
        return _from_inks(image)
    return image.convert("RGB")


def _from_inks(image: Image.Image) -> Image.Image:
    light = np.asarray(image)
    # Pillow takes every CMYK JPEG for one of Adobe's, whose inks are inverted.
    if image.format != "JPEG" or "adobe" in image.info:
        light = 255 - light
    # Rounded down, as TensorFlow does; Pillow rounds to the nearest.
    rgb = light[:, :, :3].astype(np.uint16) * light[:, :, 3:] // 255
    return Image.fromarray(rgb.astype(np.uint8))


def _upper_bits(image: Image.Image) -> Image.Image:
    levels = np.asarray(image).astype(np.uint16)
    tags: Any = getattr(image, "tag_v2", {})
    bits = tags.get(258, (16,))[0]  # BitsPerSample; 12 bits also come as 16
    grey = (levels >> (bits - 8)).astype(np.uint8)
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        grey[levels == clear] = 255
    return Image.fromarray(grey).convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGB", image.size, "white")
    white.paste(image.convert("RGB"), mask=image.getchannel("A"))
    return white


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
        return np.asarray(_on_white(Image.fromarray(array)))
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
