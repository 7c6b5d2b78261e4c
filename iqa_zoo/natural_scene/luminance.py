"""From pixels to normalised luminance, which BRISQUE, NIQE and PIQE begin with.

MSCN stands for mean-subtracted, contrast-normalised. All is computed in float64, on
tiles that fit the processor's cache, whose results do not depend on how many there are.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iqa_zoo.errors import ImageError, UsageError
from iqa_zoo.images import Pixels, opencv

FloatArray = NDArray[np.float64]

#: What the authors' window is: 7 x 7, a Gaussian of 7/6 pixels, summing to 1.
_WINDOW = np.exp(-0.5 * (np.arange(-3, 4) / (7 / 6)) ** 2)
_WINDOW /= _WINDOW.sum()

#: MATLAB's rgb2gray.
_LUMA = np.array([[0.298936021293775, 0.587043074451121, 0.114020904255103]])
_ROUNDING = np.append(_LUMA, [[0.5]], axis=1)

#: MATLAB's imresize(image, 0.5): a cubic (a = -0.5) of twice the width. The other four
#: taps are the mirror image.
_HALVING = (-3 / 256, -9 / 256, 29 / 256, 111 / 256)

# Where the photo is flat, only rounding residue is left, and its sign would decide.
_DEAD_ZONE = 1e-9

_TILE = 64, 512  # rows and columns, so that a few such arrays stay in the cache


def luma(image: Pixels, *, least: tuple[int, int] = (1, 1)) -> FloatArray:
    """The luminance as MATLAB's rgb2gray weighs it, before it is rounded.

    Args:
        image: uint8 (height, width, 3), RGB, or (height, width), which is grey already.
        least: the fewest pixels that the shorter and the longer side may have.

    Returns:
        float64 (height, width), 0 to 255.

    Raises:
        UsageError: another type or shape.
        ImageError: `too_small`.
    """
    check(image, least)
    if image.ndim == 2:
        return image.astype(np.float64)
    cv2 = opencv()
    grey = np.empty(image.shape[:2])
    for rows, columns in tiles(grey.shape):
        grey[rows, columns] = cv2.transform(
            image[rows, columns].astype(np.float64), _LUMA
        )
    return grey


def grey_levels(image: Pixels, *, least: tuple[int, int] = (1, 1)) -> Pixels:
    """`luma` rounded, as uint8 (height, width); same arguments and errors."""
    check(image, least)
    if image.ndim == 2:
        return image
    cv2 = opencv()
    grey = np.empty(image.shape[:2], np.uint8)
    for rows, columns in tiles(grey.shape):
        exact = cv2.transform(image[rows, columns].astype(np.float64), _ROUNDING)
        grey[rows, columns] = exact  # rounded down
    return grey


def check(image: Any, least: tuple[int, int]) -> None:
    """Raise UsageError or ImageError where `image` is not what `luma` takes."""
    fits = isinstance(image, np.ndarray) and (
        image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)
    )
    if not fits or image.dtype != np.uint8:
        what = (
            f"An array of {image.dtype} {image.shape}"
            if isinstance(image, np.ndarray)
            else f"A {type(image).__name__}"
        )
        raise UsageError(
            f"{what} cannot be measured. Pass what read_image returns, uint8 "
            "(height, width, 3), or grey levels, uint8 (height, width)."
        )
    height, width = image.shape[:2]
    shorter, longer = sorted((height, width))
    if shorter < least[0] or longer < least[1]:
        raise ImageError(
            "too_small",
            f"The image: {width} x {height} pixels are too few; {least[1]} x "
            f"{least[0]} are needed, or as many the other way round.",
        )


def halved(grey: Pixels) -> FloatArray:
    """MATLAB's imresize(grey, 0.5): bicubic, antialiased, borders mirrored, unrounded.

    Args:
        grey: uint8 (height, width).

    Returns:
        float64 of half the height and width, rounded up; exact.
    """
    cv2 = opencv()
    padded = cv2.copyMakeBorder(grey, 3, 4, 3, 4, cv2.BORDER_REFLECT)
    half = np.empty([(side + 1) // 2 for side in grey.shape])
    for rows, columns in tiles(half.shape):
        tile = padded[
            2 * rows.start : 2 * rows.stop + 6, 2 * columns.start : 2 * columns.stop + 6
        ]
        # Numbers are multiples of 1/65536, and around 0 so small that float32 has them.
        narrow = _half_the_rows(cv2.transpose(tile).astype(np.float32) - 128)
        np.add(_half_the_rows(cv2.transpose(narrow)), 128.0, out=half[rows, columns])
    return half


def _half_the_rows(padded: NDArray[np.float32]) -> NDArray[np.float32]:
    """2 n rows and 3 beyond each end, filtered, as n rows."""
    cv2 = opencv()
    last = len(padded) - 7
    # The rows under a tap and those under its mirror image.
    pairs = [
        cv2.add(padded[tap : tap + last : 2], padded[7 - tap : 7 - tap + last : 2])
        for tap in range(4)
    ]
    outer, inner = (
        cv2.addWeighted(pairs[tap], _HALVING[tap], pairs[tap + 1], _HALVING[tap + 1], 0)
        for tap in (0, 2)
    )
    half: NDArray[np.float32] = cv2.add(outer, inner)
    return half


def mscn(
    grey: NDArray[Any], padding: str, dtype: type[np.floating[Any]] = np.float64
) -> NDArray[Any]:
    """How far each pixel is from its neighbourhood, in terms of that one's contrast.

    (I - mean) / (deviation + 1), with mean and deviation under the Gaussian window;
    less than 1e-9 in size is 0.

    Args:
        grey: (height, width), 0 to 255.
        padding: what lies beyond the border: "zero" or "replicate".
        dtype: what the result is rounded to. The sums over many pixels that BRISQUE
            and NIQE take are as good from float32.

    Returns:
        (height, width) of that type.
    """
    cv2 = opencv()
    normalised = np.empty(grey.shape, dtype)
    for place, values, mean, deviation in _local(grey, padding):
        deviation += 1
        tile = cv2.subtract(values, mean)
        tile /= deviation
        tile[np.abs(tile) < _DEAD_ZONE] = 0
        normalised[place] = tile
    return normalised


def local_deviation(grey: NDArray[Any], padding: str) -> FloatArray:
    """The deviation that `mscn` divides by, before 1 is added: (height, width)."""
    deviations = np.empty(grey.shape)
    for place, _, _, deviation in _local(grey, padding):
        deviations[place] = deviation
    return deviations


_Place = tuple[slice, slice]


def _local(
    grey: NDArray[Any], padding: str
) -> Iterator[tuple[_Place, FloatArray, FloatArray, FloatArray]]:
    """Tile by tile: where it is, its values, their local means and deviations."""
    cv2 = opencv()
    borders = {"zero": cv2.BORDER_CONSTANT, "replicate": cv2.BORDER_REPLICATE}
    padded = cv2.copyMakeBorder(grey, 3, 3, 3, 3, borders[padding])
    for rows, columns in tiles(grey.shape):
        tile = padded[rows.start : rows.stop + 6, columns.start : columns.stop + 6]
        tile = tile.astype(np.float64)
        inside = slice(3, -3), slice(3, -3)
        mean = cv2.sepFilter2D(tile, -1, _WINDOW, _WINDOW)[inside]
        mean_square = cv2.sepFilter2D(tile * tile, -1, _WINDOW, _WINDOW)[inside]
        variance = cv2.absdiff(mean_square, cv2.multiply(mean, mean))
        deviation = np.sqrt(variance, out=variance)
        yield (rows, columns), tile[inside], mean, deviation


def tiles(shape: tuple[int, ...]) -> Iterator[_Place]:
    """Rows and columns of tiles that cover an array of that height and width."""
    height, width = shape
    for top in range(0, height, _TILE[0]):
        for left in range(0, width, _TILE[1]):
            bottom = min(top + _TILE[0], height)
            yield slice(top, bottom), slice(left, min(left + _TILE[1], width))
