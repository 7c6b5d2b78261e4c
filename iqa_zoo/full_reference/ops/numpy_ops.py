"""The primitives for NumPy arrays, by NumPy, OpenCV and SciPy; see the package.

Results do not depend on the number of OpenCV's threads.
"""

import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from iqa_zoo.errors import ImageError
from iqa_zoo.full_reference.ops.checks import LUMA, check_shapes, wrong_type
from iqa_zoo.full_reference.ops.numpy_filters import (
    Plane,
    box,
    channels,
    cropped,
    every,
    filtered,
    is_grey,
    padded,
    separable,
    slope,
    strips,
    tiled,
    together,
)
from iqa_zoo.full_reference.ops.numpy_sampling import (
    downsampled,
    expanded,
    halved,
    imresize,
)
from iqa_zoo.images import opencv
from iqa_zoo.threads import cores

__all__ = [
    "absolute",
    "arctan2",
    "box",
    "channels",
    "columns",
    "constant",
    "cos",
    "cropped",
    "deviation",
    "double",
    "downsampled",
    "every",
    "exp",
    "expanded",
    "filtered",
    "halved",
    "imresize",
    "largest",
    "largest_absolute",
    "log",
    "luma",
    "magnitude",
    "maximum",
    "mean",
    "mean_absolute",
    "mean_square",
    "median",
    "minimum",
    "mixed",
    "padded",
    "power",
    "response",
    "rows",
    "separable",
    "sin",
    "size",
    "slope",
    "smallest",
    "spectrum",
    "spread",
    "sqrt",
    "tiled",
    "together",
    "total",
    "weighted",
    "where",
]

# `LUMA` in units of 2 ** -23.
_LUMA_BITS = tuple(round(weight * (1 << 23)) for weight in LUMA)

sqrt = np.sqrt
power = np.power
absolute = np.abs
maximum = np.maximum
minimum = np.minimum
where = np.where
exp = np.exp
log = np.log
cos = np.cos
sin = np.sin
arctan2 = np.arctan2


def pair_of(
    name: str, reference: Any, distorted: Any, data_range: float, least: int
) -> tuple[list[Plane], list[Plane], bool]:
    """Two checked batches of images (height, width, channels), and whether of one."""
    arrays = [np.asarray(image) for image in (reference, distorted)]
    check_shapes(name, arrays[0].shape, arrays[1].shape, least)
    for array in arrays:
        _check_values(name, array, data_range)
    one = arrays[0].ndim < 4
    if arrays[0].ndim == 2:
        arrays = [array[..., None] for array in arrays]
    if one:
        arrays = [array[None] for array in arrays]
    first, second = ([_scaled(image, data_range) for image in a] for a in arrays)
    return first, second, one


#: Numbers in the images that are worked on at the same time, if more than one is.
AT_ONCE = 2**24
#: Seconds a pair below which threads wait for each other more than they do.
WORTH_THREADS = 0.03


def run(
    core: Callable[[Plane, Plane], tuple[float, Plane]],
    references: list[Plane],
    distorteds: list[Plane],
    one: bool,
    return_map: bool,
) -> tuple[Any, Any]:
    """The scores and, where asked for, the maps of pairs; slow ones on all cores."""

    def measured(reference: Plane, distorted: Plane) -> tuple[float, Any]:
        score, plane = core(reference, distorted)
        if return_map:
            plane = plane() if callable(plane) else plane
            plane = plane.mean(-1) if plane.ndim == 3 else plane
            plane = plane.astype(np.float32, copy=False)
        return float(score), plane if return_map else None

    if one:
        return measured(references[0], distorteds[0])
    begun = time.perf_counter()
    found = list(map(measured, references[:1], distorteds[:1]))
    is_slow = time.perf_counter() - begun > WORTH_THREADS
    # Not many large ones at once: each takes memory.
    threads = min(cores(), AT_ONCE // references[0].size) if is_slow else 1
    rest = references[1:], distorteds[1:]
    if threads > 1:
        with ThreadPoolExecutor(threads) as pool:
            found += pool.map(measured, *rest)
    else:
        found += map(measured, *rest)
    maps = np.stack([plane for _, plane in found]) if found and return_map else None
    return np.array([score for score, _ in found]), maps


def _check_values(name: str, image: Plane, data_range: float) -> None:
    if image.dtype != np.uint8 and image.dtype.kind != "f":
        raise wrong_type(name, image.dtype)
    if not image.size or (image.dtype == np.uint8 and data_range >= 255):
        return
    low, high = float(image.min()), float(image.max())
    if not np.isfinite([low, high]).all():
        raise ImageError("non_finite", f"{name}: an image has NaN or infinite values.")
    if low < 0 or high > data_range:
        raise ImageError(
            "not_an_image",
            f"{name}: an image has values from {low:g} to {high:g}, outside 0 to "
            f"{data_range:g}. Clip it, or give data_range, the value of white.",
        )


def _scaled(image: Plane, data_range: float) -> Plane:
    """An image on 0..255: uint8 as it is where white is 255, else float32."""
    image = np.ascontiguousarray(image)
    if image.dtype == np.uint8 and data_range == 255:
        return image
    return (image * (255 / data_range)).astype(np.float32)


# Images to planes.


def luma(image: Plane, rounded: bool = True) -> Plane:
    """MATLAB's grey of an image; rounded half up, as its uint8 is, or not.

    An image of one channel is its own grey and is never rounded.
    """
    if is_grey(image):
        return channels(image)
    weights = np.array([LUMA])
    if not rounded:
        return mixed(image, weights)[0]
    cv2 = opencv()
    grey = np.empty(image.shape[:2], np.float32)
    for rows in strips(len(image), image.shape[1] * 4):
        if image.dtype == np.uint8:
            # In whole numbers, which gives all 256³ colours the same grey as float64.
            parts = cv2.split(image[rows])
            exact = np.multiply(parts[0], _LUMA_BITS[0], dtype=np.int32)
            for part, weight in zip(parts[1:], _LUMA_BITS[1:], strict=True):
                exact += np.multiply(part, weight, dtype=np.int32)
            exact += 1 << 22
            grey[rows] = exact >> 23
        else:
            # In float64: which half is rounded up decides single grey levels.
            exact = cv2.transform(image[rows].astype(np.float64), weights)
            grey[rows] = np.floor(exact + 0.5)
    return grey


def mixed(image: Plane, matrix: Any) -> list[Plane]:
    """Weighted sums of an image's channels, not rounded: one plane a row.

    `image` may also be a plane of three channels or of one, which counts for all three.
    """
    weights = np.asarray(matrix, np.float32)
    if is_grey(image):
        grey = channels(image)
        return [grey * total for total in weights.sum(1)]
    cv2 = opencv()
    planes = [np.empty(image.shape[:2], np.float32) for _ in weights]
    for rows in strips(len(image), image.shape[1] * 12):
        sums = cv2.transform(image[rows].astype(np.float32, copy=False), weights)
        for plane, row in zip(planes, cv2.split(sums), strict=True):
            plane[rows] = row
    return planes


def double(plane: Plane) -> Plane:
    """The plane in float64, for what float32 has too few digits for."""
    return plane.astype(np.float64)


# Elementwise, beyond NumPy's own.


def magnitude(first: Plane, second: Plane) -> Plane:
    """√(a² + b²)."""
    # The last bits of OpenCV's depend on where in memory the planes lie.
    square = first * first
    square += second * second
    return np.sqrt(square, out=square)


# One number an image.


def mean(plane: Plane) -> float:
    """The mean over rows, columns and channels, summed in float64."""
    return total(plane) / int(plane.size)


def total(plane: Plane) -> float:
    """The sum over rows, columns and channels, in float64."""
    return float(sum(opencv().sumElems(plane)))


def deviation(plane: Plane, ddof: int = 0) -> float:
    """The standard deviation of a plane of one channel; `ddof` 1 divides by n - 1."""
    _, found = opencv().meanStdDev(plane)
    count = int(plane.size)
    return float(found[0, 0]) * math.sqrt(count / (count - ddof))


def mean_square(first: Plane, second: Plane | None = None) -> float:
    """The mean of squares, of a plane or image or of the difference of two."""
    return _norm("NORM_L2SQR", first, second) / int(first.size)


def mean_absolute(first: Plane, second: Plane | None = None) -> float:
    """The mean of absolute values; of what, as for `mean_square`."""
    return _norm("NORM_L1", first, second) / int(first.size)


def largest_absolute(first: Plane, second: Plane) -> float:
    """The largest absolute difference of two planes or images."""
    return _norm("NORM_INF", first, second)


def _norm(kind: str, first: Plane, second: Plane | None) -> float:
    cv2 = opencv()
    pair = (first,) if second is None else (first, second)
    return float(cv2.norm(*pair, getattr(cv2, kind)))


def largest(plane: Plane) -> float:
    """The largest value."""
    return float(plane.max())


def smallest(plane: Plane) -> float:
    """The smallest value."""
    return float(plane.min())


def median(plane: Plane) -> float:
    """The median; of an even number of values the mean of the middle two."""
    places = (plane.size - 1) // 2, plane.size // 2
    low, high = np.partition(plane, places, axis=None)[list(places)].tolist()
    return float(low + high) / 2


def spread(value: float) -> float:
    """A value, ready for operators with planes."""
    return value


# Spectra.


def spectrum(plane: Plane) -> Plane:
    """The Fourier transform, of whose columns the first half stands for both."""
    from scipy import fft

    return fft.rfft2(plane)


def weighted(spectrum: Plane, weights: Plane) -> Plane:
    """A spectrum, each frequency by its weight."""
    return spectrum * weights


def response(spectrum: Plane, weights: Plane, like: Plane) -> Plane:
    """The plane of a weighted spectrum, of the size of `like`."""
    from scipy import fft

    return fft.irfft2(spectrum * weights, like.shape[:2], overwrite_x=True)


# Shapes.


def size(plane: Plane) -> tuple[int, int]:
    """Height and width."""
    return plane.shape[0], plane.shape[1]


def rows(count: int) -> Plane:
    """0, 1, ... downwards, as a plane of one column."""
    return np.arange(count, dtype=np.float32)[:, None]


def columns(count: int) -> Plane:
    """0, 1, ... to the right, as a plane of one row."""
    return np.arange(count, dtype=np.float32)[None]


def constant(array: Any) -> Plane:
    """A plane (height, width) with the same values for all images."""
    return np.asarray(array, np.float32)
