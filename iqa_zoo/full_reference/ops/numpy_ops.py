"""The primitives for NumPy arrays, by NumPy, OpenCV and SciPy; see the package.

Results do not depend on the number of OpenCV's threads.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iqa_zoo.errors import ImageError
from iqa_zoo.full_reference.ops.checks import CUBIC, LUMA, check_shapes, wrong_type
from iqa_zoo.images import opencv

Plane = NDArray[Any]
Taps = Sequence[float] | NDArray[Any]

# `LUMA` in units of 2 ** -23.
_LUMA_BITS = tuple(round(weight * (1 << 23)) for weight in LUMA)

#: Bytes of one plane of a strip: a handful of them fit the second cache of a core.
_STRIP = 1 << 16

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


def run(
    core: Callable[[Plane, Plane], tuple[float, Plane | None]],
    references: list[Plane],
    distorteds: list[Plane],
    one: bool,
    return_map: bool,
) -> tuple[Any, Any]:
    """The scores and, where asked for, the maps of pairs, one after the other."""
    scores, maps = [], []
    for reference, distorted in zip(references, distorteds, strict=True):
        score, plane = core(reference, distorted)
        scores.append(float(score))
        if return_map:
            plane = plane() if callable(plane) else plane
            plane = plane.mean(-1) if plane.ndim == 3 else plane
            maps.append(plane.astype(np.float32, copy=False))
    if one:
        return scores[0], maps[0] if maps else None
    return np.array(scores), np.stack(maps) if maps else None


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
    if _is_grey(image):
        return channels(image)
    weights = np.array([LUMA])
    if not rounded:
        return mixed(image, weights)[0]
    cv2 = opencv()
    grey = np.empty(image.shape[:2], np.float32)
    for rows in _strips(len(image), image.shape[1] * 4):
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


def channels(image: Plane) -> Plane:
    """An image as a plane of all its channels."""
    image = image[..., 0] if image.ndim == 3 and _is_grey(image) else image
    return image.astype(np.float32, copy=False)


def mixed(image: Plane, matrix: Any) -> list[Plane]:
    """Weighted sums of an image's channels, not rounded: one plane a row.

    `image` may also be a plane of three channels or of one, which counts for all three.
    """
    weights = np.asarray(matrix, np.float32)
    if _is_grey(image):
        grey = channels(image)
        return [grey * total for total in weights.sum(1)]
    cv2 = opencv()
    planes = [np.empty(image.shape[:2], np.float32) for _ in weights]
    for rows in _strips(len(image), image.shape[1] * 12):
        sums = cv2.transform(image[rows].astype(np.float32, copy=False), weights)
        for plane, row in zip(planes, cv2.split(sums), strict=True):
            plane[rows] = row
    return planes


def double(plane: Plane) -> Plane:
    """The plane in float64, for what float32 has too few digits for."""
    return plane.astype(np.float64)


def _is_grey(image: Plane) -> bool:
    return image.ndim == 2 or image.shape[2] == 1


# Filters.


def padded(plane: Plane, sides: tuple[int, int, int, int], padding: str) -> Plane:
    """The plane with `sides` (top, bottom, left, right) more rows and columns."""
    return opencv().copyMakeBorder(plane, *sides, _border(padding))


def separable(
    plane: Plane, column: Taps, row: Taps, padding: str = "valid", step: int = 1
) -> Plane:
    """Correlation with `column` (downwards), then `row`; every `step`-th sample."""
    found = opencv().sepFilter2D(
        plane, -1, np.asarray(row), np.asarray(column), borderType=_border(padding)
    )
    return every(_inner(found, len(column), len(row), padding), step)


def filtered(plane: Plane, kernel: Any, padding: str = "valid", step: int = 1) -> Plane:
    """Correlation with a 2-D kernel; every `step`-th sample of it."""
    kernel = np.asarray(kernel, np.float64)
    found = opencv().filter2D(plane, -1, kernel, borderType=_border(padding))
    return every(_inner(found, *kernel.shape, padding), step)


def box(plane: Plane, size: int, padding: str = "valid") -> Plane:
    """Means of all windows of `size` x `size`."""
    found = opencv().boxFilter(plane, -1, (size, size), borderType=_border(padding))
    return _inner(found, size, size, padding)


def _border(padding: str) -> int:
    cv2 = opencv()
    kinds = {
        "valid": cv2.BORDER_REPLICATE,  # what it fills is cut off
        "zero": cv2.BORDER_CONSTANT,
        "replicate": cv2.BORDER_REPLICATE,
        "symmetric": cv2.BORDER_REFLECT,
        "reflect": cv2.BORDER_REFLECT_101,
    }
    return int(kinds[padding])


def _inner(plane: Plane, height: int, width: int, padding: str) -> Plane:
    """For "valid", what a window of that size has reached without padding."""
    if padding != "valid":
        return plane
    bottom = len(plane) - (height - 1) // 2
    right = plane.shape[1] - (width - 1) // 2
    return plane[height // 2 : bottom, width // 2 : right]


def cropped(plane: Plane, margin: int) -> Plane:
    """The plane without `margin` rows and columns at each side."""
    return plane[margin : len(plane) - margin, margin : plane.shape[1] - margin]


def together(
    function: Callable[[Plane], Plane], planes: Sequence[Plane]
) -> list[Plane]:
    """`function` of each plane, which treats all channels alike."""
    return [function(plane) for plane in planes]


# Sampling.


def every(plane: Plane, step: int) -> Plane:
    """Every `step`-th row and column, from the first."""
    return plane if step == 1 else plane[::step, ::step]


def halved(plane: Plane, padding: str) -> Plane:
    """Means of 2 x 2 pixels side by side, from the first row and column.

    An odd last row or column is averaged with its padding, or dropped for "valid".
    """
    return _blocks(plane, 2, 0, padding)


def downsampled(plane: Plane, padding: str) -> Plane:
    """MATLAB metrics' first step: to a short side of about 256 by means of F x F.

    F = max(1, short side / 256 rounded half up); the windows' middles are samples 0, F,
    2F, ... So with F of 3 and more the first window begins outside the image. `plane`
    may be an image too; it is not rounded then.
    """
    factor = max(1, int(min(plane.shape[:2]) / 256 + 0.5))
    return _blocks(plane, factor, (factor - 1) // 2, padding)


def _blocks(plane: Plane, factor: int, before: int, padding: str) -> Plane:
    """Means of blocks, the first of which begins `before` pixels outside the plane."""
    if factor == 1:
        return channels(plane)
    cv2 = opencv()
    sides = []
    for length in plane.shape[:2]:
        count = length // factor if padding == "valid" else -(-length // factor)
        sides += [count, count * factor - before - length]
    height, bottom, width, right = sides
    if before or bottom > 0 or right > 0:
        after = max(bottom, 0), max(right, 0)
        plane = padded(plane, (before, after[0], before, after[1]), padding)
    plane = plane[: height * factor, : width * factor]
    if plane.ndim == 3 and plane.shape[2] == 1:
        plane = plane[..., 0]
    means = np.empty((height, width, *plane.shape[2:]), np.float32)
    for rows in _strips(height, plane[:factor].size * 4):
        strip = plane[rows.start * factor : rows.stop * factor]
        strip = strip.astype(np.float32, copy=False)
        shape = (width, rows.stop - rows.start)
        means[rows] = cv2.resize(strip, shape, interpolation=cv2.INTER_AREA)
    return means


def expanded(plane: Plane, taps: Taps, like: Plane) -> Plane:
    """A pyramid's step up to the size of `like`, twice that of `plane` or one less.

    Zeros between the samples, four times the filter of five symmetric `taps` a side;
    the border pixels of `plane` are repeated.
    """
    cv2 = opencv()
    even = 2 * np.array([taps[0], taps[2], taps[4]])
    odd = 2 * np.array([0, taps[1], taps[3]])
    whole = np.empty((2 * len(plane), 2 * plane.shape[1], *plane.shape[2:]), np.float32)
    for top, column in enumerate((even, odd)):
        for left, row in enumerate((even, odd)):
            whole[top::2, left::2] = cv2.sepFilter2D(
                plane, -1, row, column, borderType=cv2.BORDER_REPLICATE
            )
    return whole[: like.shape[0], : like.shape[1]]


def imresize(plane: Plane, height: int, width: int, method: str = "bicubic") -> Plane:
    """MATLAB's `imresize` to a size, antialiased where it shrinks.

    Args:
        plane: float.
        height: rows wanted.
        width: columns wanted.
        method: "bicubic" (Keys, a = -0.5) or "bilinear".

    Source: MATLAB's documented kernels; borders are symmetric, weights sum to 1. Not
    rounded, as MATLAB is for uint8.
    """
    plane = plane.astype(np.float32, copy=False)
    # In the order in which there is less to do.
    if height < len(plane):
        return _resized_columns(_resized_rows(plane, height, method), width, method)
    return _resized_rows(_resized_columns(plane, width, method), height, method)


def _resized_columns(plane: Plane, count: int, method: str) -> Plane:
    turned = np.ascontiguousarray(plane.swapaxes(0, 1))
    return np.ascontiguousarray(_resized_rows(turned, count, method).swapaxes(0, 1))


def _resized_rows(plane: Plane, count: int, method: str) -> Plane:
    length = len(plane)
    if count == length:
        return plane
    from scipy.sparse import csr_array

    index, weights = resize_taps(length, count, method)
    starts = np.arange(0, index.size + 1, index.shape[1])
    cells = weights.astype(np.float32).ravel(), index.ravel(), starts
    resized = csr_array(cells, (count, length)) @ plane.reshape(length, -1)
    return resized.reshape(count, *plane.shape[1:])


def resize_taps(length: int, count: int, method: str) -> tuple[Plane, Plane]:
    """Which samples of `length` make each of `count`, and their weights.

    Returns:
        Both (count, taps): indices, and float64 weights whose rows sum to 1.
    """
    scale = count / length
    shrink = min(scale, 1.0)
    support = {"bicubic": 4, "bilinear": 2}[method] / shrink
    middle = (np.arange(count) + 0.5) / scale - 0.5
    first = np.floor(middle - support / 2).astype(int)
    index = first[:, None] + np.arange(int(np.ceil(support)) + 2)
    distance = np.abs(middle[:, None] - index) * shrink
    if method == "bilinear":
        weights = np.maximum(0, 1 - distance)
    else:
        near, far = (np.polynomial.polynomial.polyval(distance, c) for c in CUBIC)
        weights = np.where(distance <= 1, near, np.where(distance <= 2, far, 0))
    weights /= weights.sum(1, keepdims=True)
    index %= 2 * length
    index = np.minimum(index, 2 * length - 1 - index)
    used = (weights != 0).any(0)
    return index[:, used], weights[:, used]


# Elementwise, beyond NumPy's own.


def magnitude(first: Plane, second: Plane) -> Plane:
    """√(a² + b²)."""
    # The last bits of OpenCV's depend on where in memory the planes lie.
    square = first * first
    square += second * second
    return np.sqrt(square, out=square)


def slope(plane: Plane, smooth: Taps, difference: Taps) -> Plane:
    """The length of the gradient, "valid": `smooth` along a side, `difference` across.

    Both have as many taps.
    """
    cv2 = opencv()
    along, across = np.asarray(smooth, np.float64), np.asarray(difference, np.float64)
    border = _border("valid")
    found = cv2.sepFilter2D(plane, -1, across, along, borderType=border)
    found *= found
    other = cv2.sepFilter2D(plane, -1, along, across, borderType=border)
    other *= other
    found += other
    np.sqrt(found, out=found)
    return _inner(found, len(along), len(along), "valid")


# One number an image.


def mean(plane: Plane) -> float:
    """The mean over rows, columns and channels, summed in float64."""
    return total(plane) / plane.size


def total(plane: Plane) -> float:
    """The sum over rows, columns and channels, in float64."""
    return float(sum(opencv().sumElems(plane)))


def deviation(plane: Plane, ddof: int = 0) -> float:
    """The standard deviation of a plane of one channel; `ddof` 1 divides by n - 1."""
    _, found = opencv().meanStdDev(plane)
    return float(found[0, 0]) * (plane.size / (plane.size - ddof)) ** 0.5


def mean_square(first: Plane, second: Plane | None = None) -> float:
    """The mean of squares, of a plane or image or of the difference of two."""
    return _norm("NORM_L2SQR", first, second) / first.size


def mean_absolute(first: Plane, second: Plane | None = None) -> float:
    """The mean of absolute values; of what, as for `mean_square`."""
    return _norm("NORM_L1", first, second) / first.size


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
    return (low + high) / 2


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


# Work that fits the cache.


def tiled(
    function: Callable[..., Any], planes: Sequence[Plane], margin: int = 0
) -> Any:
    """`function(*planes)`, strip by strip of rows.

    Args:
        function: takes planes and gives a plane, or a tuple of them, with `margin` rows
            fewer, each row of which depends on the `margin` + 1 rows from the same
            number on: "valid" filters and elementwise operations do.
        planes: of one height.
        margin: as above.
    """
    height = len(planes[0]) - margin
    outs: Any = None
    for rows in _strips(height, planes[0][:1].size * 4, 4 * margin):
        strip = slice(rows.start, rows.stop + margin)
        found = function(*(plane[strip] for plane in planes))
        if rows == slice(0, height):
            return found
        parts = found if isinstance(found, tuple) else (found,)
        if outs is None:
            outs = [np.empty((height, *p.shape[1:]), p.dtype) for p in parts]
        for out, part in zip(outs, parts, strict=True):
            out[rows] = part
    return tuple(outs) if isinstance(found, tuple) else outs[0]


def _strips(height: int, row_bytes: int, least: int = 1) -> list[slice]:
    """Pieces of `height` rows, of about `_STRIP` bytes and at least `least` rows."""
    step = max(_STRIP // row_bytes, least, 1)
    return [slice(top, min(top + step, height)) for top in range(0, height, step)]
