"""A map laid over its photo, with a scale of numbers beside it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from iqa_zoo.errors import UsageError
from iqa_zoo.images import Pixels, fit_image, opencv
from iqa_zoo.maps.mapping import QualityMap

#: The longer side of a drawn photo has at most, and at least, so many pixels.
MOST, LEAST = 1600, 320
#: How much of a place's colour is the map's; the rest is the photo in grey.
OPACITY = 0.6
_TICKS = 5


def overlay(
    image: Pixels, found: QualityMap, span: tuple[float, float] | None = None
) -> Image.Image:
    """A photo in grey under the colours of its map: yellow is bad, blue is good.

    The colours are those of Cividis, which is made for eyes that confuse red and green:
    they go from dark to light as well. A scale beside the photo says which numbers they
    stand for.

    Args:
        image: uint8 (height, width, 3), the photo.
        found: its map.
        span: the lowest and the highest value that colours tell apart; None for the
            map's own, which shows the most, but is another one for each photo.

    Raises:
        UsageError: `span` does not ascend.
    """
    low, high = value_span(found, span)
    height, width, _ = image.shape
    longer = max(height, width)
    ratio = min(max(1.0, LEAST / longer), MOST / longer)
    size = round(ratio * height), round(ratio * width)
    grey = np.asarray(Image.fromarray(fit_image(image, size)).convert("L"))
    rows, columns = found.values.shape
    # The photo's rest that is in no place looks like the place beside it.
    tall, wide = (max(1, round(ratio * found.side * n)) for n in (rows, columns))
    cv2 = opencv()
    worse = shares(found, low, high)
    covered = cv2.resize(worse, (wide, tall), interpolation=cv2.INTER_NEAREST_EXACT)
    covered = covered[: size[0], : size[1]]
    rest = [(0, whole - part) for whole, part in zip(size, covered.shape, strict=True)]
    mixed = _mixed(grey, np.pad(covered, rest, "edge"))
    return _with_scale(Image.fromarray(mixed), found, low, high)


def value_span(
    found: QualityMap, span: tuple[float, float] | None
) -> tuple[float, float]:
    """The values between which colours and greys change; see `overlay`."""
    if span is None:
        return float(found.values.min()), float(found.values.max())
    low, high = span
    if not low < high:
        raise UsageError(f"The range {low:g} to {high:g} does not ascend.")
    return low, high


def shares(found: QualityMap, low: float, high: float) -> NDArray[np.float32]:
    """How bad each place is, float32 (rows, columns): from 0 at one value to 1."""
    if low == high:  # nothing is worse than anything else
        return np.zeros_like(found.values)
    share = (found.values - low) / (high - low)
    if found.direction == "higher_is_better":
        share = 1 - share
    clipped: NDArray[np.float32] = share.clip(0, 1).astype(np.float32)
    return clipped


def _mixed(grey: NDArray[np.uint8], worse: NDArray[np.float32]) -> Pixels:
    """Grey levels (h, w) under the colours of shares (h, w)."""
    cv2 = opencv()
    levels = np.rint(255 * worse).astype(np.uint8)
    colours = cv2.applyColorMap(levels, cv2.COLORMAP_CIVIDIS)[..., ::-1]
    mixed = OPACITY * colours + (1 - OPACITY) * grey[..., None]
    pixels: Pixels = np.rint(mixed).astype(np.uint8)
    return pixels


def _with_scale(
    picture: Image.Image, found: QualityMap, low: float, high: float
) -> Image.Image:
    """A picture with a bar of colours at its right, the worst at the top."""
    width, height = picture.size
    size = max(12, min(width, height) // 36)
    font: Any = ImageFont.load_default(size)
    space = size // 2
    tall = max(height, 12 * size)
    worst, best = (high, low) if found.direction == "lower_is_better" else (low, high)
    levels = np.linspace(1, 0, _TICKS)
    texts = [f"{best + (worst - best) * level:.3g}" for level in levels]
    wide = max(font.getlength(text) for text in [*texts, "better"])
    canvas = Image.new("RGB", (width + 4 * space + size + round(wide), tall), "black")
    canvas.paste(picture, (0, 0))
    top, bottom = 2 * size, tall - 2 * size
    bar = np.repeat(np.linspace(1, 0, bottom - top, dtype=np.float32)[:, None], size, 1)
    middle = np.full(bar.shape, 128, np.uint8)
    left = width + space
    canvas.paste(Image.fromarray(_mixed(middle, bar)), (left, top))
    pen = ImageDraw.Draw(canvas)
    pen.text((left, size // 3), "worse", "white", font)
    pen.text((left, bottom + size // 3), "better", "white", font)
    for level, text in zip(levels, texts, strict=True):
        y = top + (1 - level) * (bottom - top - 1)
        pen.line([(left + size, y), (left + size + space, y)], "white")
        pen.text((left + size + 2 * space, y), text, "white", font, anchor="lm")
    return canvas
