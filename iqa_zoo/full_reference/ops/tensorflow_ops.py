"""The primitives for TensorFlow; see the package.

Everything is computed in float32, whatever the policy of Keras, with sizes that may be
known only when the graph runs. Gradients are finite everywhere.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from iqa_zoo.full_reference.ops.checks import CUBIC, LUMA, check_shapes, wrong_type

Plane = Any

# Below it the gradients of roots are 0: they would grow without bound.
_TINY = 1e-12

absolute = tf.abs
maximum = tf.maximum
minimum = tf.minimum
where = tf.where
exp = tf.exp
log = tf.math.log
cos = tf.cos
sin = tf.sin
arctan2 = tf.atan2


def pair_of(
    name: str, reference: Any, distorted: Any, data_range: float, least: int
) -> tuple[Plane, Plane, bool]:
    """Two checked batches (batch, height, width, channels), and whether of one."""
    images = [tf.convert_to_tensor(image) for image in (reference, distorted)]
    for image in images:
        if image.dtype != tf.uint8 and not image.dtype.is_floating:
            raise wrong_type(name, image.dtype.name)
    shapes = [
        () if image.shape.rank is None else image.shape.as_list() for image in images
    ]
    check_shapes(name, *shapes, least)
    rank = len(shapes[0])
    images = [tf.cast(image, tf.float32) for image in images]
    if data_range != 255:
        images = [image * (255 / data_range) for image in images]
    if rank == 2:
        images = [image[..., None] for image in images]
    if rank < 4:
        images = [image[None] for image in images]
    return images[0], images[1], rank < 4


def run(
    core: Callable[[Plane, Plane], tuple[Any, Any]],
    references: Plane,
    distorteds: Plane,
    one: bool,
    return_map: bool,
) -> tuple[Any, Any]:
    """The scores and, where asked for, the maps of a batch."""
    scores, plane = core(references, distorteds)
    scores = tf.cast(scores, tf.float32)
    if not return_map:
        return (scores[0] if one else scores), None
    plane = plane() if callable(plane) else plane
    plane = tf.cast(tf.reduce_mean(plane, -1), tf.float32)
    return (scores[0], plane[0]) if one else (scores, plane)


def is_symbolic(*images: Any) -> bool:
    """Whether any is a Keras tensor, which stands for values and has none."""
    return any(isinstance(image, keras.KerasTensor) for image in images)


def in_a_layer(function: Callable[[Any, Any], Any], *images: Any) -> Any:
    """`function` of two images as part of a Keras model that is being built."""

    class Comparison(keras.layers.Layer):
        def call(self, first: Any, second: Any) -> Any:
            return function(first, second)

    # In float32 whatever the policy, and without casting what comes in to it.
    return Comparison(dtype="float32", autocast=False)(*images)


# Images to planes.


def luma(image: Plane, rounded: bool = True) -> Plane:
    """MATLAB's grey; rounded half up, with the gradient of the unrounded one, or not.

    An image of one channel is its own grey and is never rounded.
    """
    if image.shape[-1] == 1:
        return image
    grey = mixed(image, [LUMA])[0]
    if not rounded:
        return grey
    # In float64: which half is rounded up decides single grey levels.
    exact = mixed(tf.cast(image, tf.float64), [LUMA])[0]
    whole = tf.cast(tf.floor(exact + 0.5), tf.float32)
    return grey + tf.stop_gradient(whole - grey)


def channels(image: Plane) -> Plane:
    """An image as a plane of all its channels."""
    return image


def mixed(image: Plane, matrix: Any) -> list[Plane]:
    """Weighted sums of an image's channels, not rounded: one plane a row.

    `image` may also be a plane of three channels or of one, which counts for all three.
    """
    weights = np.asarray(matrix, np.float64)
    if image.shape[-1] == 1:
        return [image * float(total) for total in weights.sum(1)]
    # No matrix product: GPUs round its factors to ten bits unless told otherwise.
    parts = tf.split(image, image.shape[-1], -1)
    return [
        tf.add_n([part * float(w) for part, w in zip(parts, row, strict=True)])
        for row in weights
    ]


def double(plane: Plane) -> Plane:
    """The plane in float64, for what float32 has too few digits for."""
    return tf.cast(plane, tf.float64)


# Filters.


def padded(plane: Plane, sides: tuple[Any, Any, Any, Any], padding: str) -> Plane:
    """The plane with `sides` (top, bottom, left, right) more rows and columns."""
    top, bottom, left, right = sides
    if padding == "replicate":
        rows = [tf.repeat(plane[:, :1], top, 1), tf.repeat(plane[:, -1:], bottom, 1)]
        plane = tf.concat([rows[0], plane, rows[1]], 1)
        rows = [tf.repeat(plane[:, :, :1], left, 2)]
        rows += [plane, tf.repeat(plane[:, :, -1:], right, 2)]
        return tf.concat(rows, 2)
    mode = {"zero": "CONSTANT", "symmetric": "SYMMETRIC", "reflect": "REFLECT"}
    return tf.pad(plane, [(0, 0), (top, bottom), (left, right), (0, 0)], mode[padding])


def separable(
    plane: Plane, column: Any, row: Any, padding: str = "valid", step: int = 1
) -> Plane:
    """Correlation with `column` (downwards), then `row`; every `step`-th sample."""
    column, row = np.asarray(column), np.asarray(row)
    plane = _around(plane, len(column), len(row), padding)
    plane = _correlated(plane, column[:, None])[:, ::step]
    return _correlated(plane, row[None])[:, :, ::step]


def filtered(plane: Plane, kernel: Any, padding: str = "valid", step: int = 1) -> Plane:
    """Correlation with a 2-D kernel; every `step`-th sample of it."""
    kernel = np.asarray(kernel)
    plane = _around(plane, *kernel.shape, padding)
    return every(_correlated(plane, kernel), step)


def box(plane: Plane, size: int, padding: str = "valid") -> Plane:
    """Means of all windows of `size` x `size`."""
    return tf.nn.avg_pool2d(_around(plane, size, size, padding), size, 1, "VALID")


def _around(plane: Plane, height: int, width: int, padding: str) -> Plane:
    """The plane with as much padding as a window of that size needs."""
    if padding == "valid":
        return plane
    sides = (height // 2, (height - 1) // 2, width // 2, (width - 1) // 2)
    return padded(plane, sides, padding)


def _correlated(plane: Plane, kernel: Any) -> Plane:
    """Correlation without padding, each channel by itself."""
    if _has_gpu():
        # Convolutions may round their factors to ten bits there; sums do not.
        return _shifted_sum(plane, kernel)
    kernel = tf.constant(kernel[..., None, None], plane.dtype)
    kernel = tf.tile(kernel, (1, 1, plane.shape[-1], 1))
    return tf.nn.depthwise_conv2d(plane, kernel, (1, 1, 1, 1), "VALID")


@cache
def _has_gpu() -> bool:
    return bool(tf.config.list_physical_devices("GPU"))


def _shifted_sum(plane: Plane, kernel: Any) -> Plane:
    """What `_correlated` gives, as a sum of shifted planes."""
    height, width = (
        side - reach + 1 for side, reach in zip(size(plane), kernel.shape, strict=True)
    )
    found = 0.0
    for i, j in zip(*np.nonzero(kernel), strict=True):
        shifted = plane[:, i : i + height, j : j + width]
        found = found + float(kernel[i, j]) * shifted
    return found


def cropped(plane: Plane, margin: int) -> Plane:
    """The plane without `margin` rows and columns at each side."""
    return plane[:, margin:-margin, margin:-margin]


def together(
    function: Callable[[Plane], Plane], planes: Sequence[Plane]
) -> list[Plane]:
    """`function` of each plane, which treats all channels alike."""
    return tf.split(function(tf.concat(planes, -1)), len(planes), -1)


# Sampling.


def every(plane: Plane, step: int) -> Plane:
    """Every `step`-th row and column, from the first."""
    return plane if step == 1 else plane[:, ::step, ::step]


def halved(plane: Plane, padding: str) -> Plane:
    """Means of 2 x 2 pixels side by side, from the first row and column.

    An odd last row or column is averaged with its padding, or dropped for "valid".
    """
    return _blocks(plane, 2, 0, padding)


def downsampled(plane: Plane, padding: str) -> Plane:
    """MATLAB metrics' first step: to a short side of about 256 by means of F x F.

    F = max(1, short side / 256 rounded half up); the windows' middles are samples 0, F,
    2F, ... So with F of 3 and more the first window begins outside the image.
    """
    height, width = size(plane)
    if isinstance(height, int) and isinstance(width, int):
        factor: Any = max(1, int(min(height, width) / 256 + 0.5))
    else:
        # Half of 256 added and whole parts of 256 counted: exact in integers.
        factor = tf.maximum(1, (tf.minimum(height, width) + 128) // 256)
    return _blocks(plane, factor, (factor - 1) // 2, padding)


def _blocks(plane: Plane, factor: Any, before: Any, padding: str) -> Plane:
    """Means of blocks, the first of which begins `before` pixels outside the plane."""
    if isinstance(factor, int) and factor == 1:
        return plane
    sides = []
    for length in size(plane):
        count = length // factor if padding == "valid" else -(-length // factor)
        sides += [count, count * factor - before - length]
    height, bottom, width, right = sides
    if padding != "valid":
        larger = max if isinstance(factor, int) else tf.maximum
        after = [
            larger(side, 0) if isinstance(side, int) else tf.maximum(side, 0)
            for side in (bottom, right)
        ]
        plane = padded(plane, (before, after[0], before, after[1]), padding)
    plane = plane[:, : height * factor, : width * factor]
    shape = (-1, height, factor, width, factor, plane.shape[-1])
    return tf.reduce_mean(tf.reshape(plane, shape), (2, 4))


def expanded(plane: Plane, taps: Any, like: Plane) -> Plane:
    """A pyramid's step up to the size of `like`, twice that of `plane` or one less.

    Zeros between the samples, four times the filter of five symmetric `taps` a side;
    the border pixels of `plane` are repeated.
    """
    even = 2 * np.array([taps[0], taps[2], taps[4]])
    odd = 2 * np.array([0, taps[1], taps[3]])
    plane = padded(plane, (1, 1, 1, 1), "replicate")
    columns = [_correlated(plane, taps[:, None]) for taps in (even, odd)]
    plane = _woven(columns, 1)
    plane = _woven([_correlated(plane, taps[None]) for taps in (even, odd)], 2)
    height, width = size(like)
    return plane[:, :height, :width]


def _woven(planes: Sequence[Plane], axis: int) -> Plane:
    """Two planes' rows (axis 1) or columns (axis 2) in turn."""
    height, width = size(planes[0])
    doubled = (2 * height, width) if axis == 1 else (height, 2 * width)
    shape = (-1, *doubled, planes[0].shape[-1])
    return tf.reshape(tf.stack(planes, axis + 1), shape)


def imresize(plane: Plane, height: Any, width: Any, method: str = "bicubic") -> Plane:
    """MATLAB's `imresize` to a size, antialiased where it shrinks.

    Args:
        plane: float.
        height: rows wanted.
        width: columns wanted.
        method: "bicubic" (Keys, a = -0.5) or "bilinear".

    Source: MATLAB's documented kernels; borders are symmetric, weights sum to 1. Not
    rounded, as MATLAB is for uint8.
    """
    for axis, count in ((1, height), (2, width)):
        index, weights = _resize_taps(size(plane)[axis - 1], count, method)
        shape = (-1, 1, 1) if axis == 1 else (-1, 1)
        # Summed tap by tap: a matrix product loses digits on GPUs.
        picked = tf.gather(plane, index, axis=axis)
        weights = tf.reshape(weights, (*tf.unstack(tf.shape(weights)), *shape[1:]))
        plane = tf.reduce_sum(picked * weights, axis + 1)
    return plane


def _resize_taps(length: Any, count: Any, method: str) -> tuple[Any, Any]:
    """Which samples of `length` make each of `count`, and their weights."""
    scale = tf.cast(count, tf.float64) / tf.cast(length, tf.float64)
    shrink = tf.minimum(scale, 1)
    support = {"bicubic": 4, "bilinear": 2}[method] / shrink
    middle = (tf.cast(tf.range(count), tf.float64) + 0.5) / scale - 0.5
    first = tf.cast(tf.floor(middle - support / 2), tf.int32)
    index = first[:, None] + tf.range(tf.cast(tf.math.ceil(support), tf.int32) + 2)
    distance = tf.abs(middle[:, None] - tf.cast(index, tf.float64)) * shrink
    if method == "bilinear":
        weights = tf.maximum(1 - distance, 0)
    else:
        near, far = (
            a + distance * (b + distance * (c + distance * d)) for a, b, c, d in CUBIC
        )
        weights = tf.where(distance <= 1, near, tf.where(distance <= 2, far, 0))
    weights /= tf.reduce_sum(weights, 1, keepdims=True)
    index %= 2 * length
    return tf.minimum(index, 2 * length - 1 - index), tf.cast(weights, tf.float32)


# Elementwise, beyond TensorFlow's own.


def sqrt(plane: Plane) -> Plane:
    """The root, exactly 0 and of gradient 0 where there is nothing to draw it of."""
    positive = plane > _TINY
    return tf.where(positive, tf.sqrt(tf.where(positive, plane, 1)), 0)


def power(plane: Plane, exponent: float) -> Plane:
    """A power of what is not negative; gradients as of `sqrt`."""
    positive = plane > _TINY
    return tf.where(positive, tf.where(positive, plane, 1) ** exponent, 0)


def magnitude(first: Plane, second: Plane) -> Plane:
    """√(a² + b²)."""
    return sqrt(first * first + second * second)


def slope(plane: Plane, smooth: Any, difference: Any) -> Plane:
    """The length of the gradient, "valid": `smooth` along a side, `difference` across.

    Both have as many taps.
    """
    return magnitude(
        separable(plane, smooth, difference), separable(plane, difference, smooth)
    )


# One number an image.


def mean(plane: Plane) -> Plane:
    """The mean over rows, columns and channels."""
    return tf.reduce_mean(plane, (1, 2, 3))


def total(plane: Plane) -> Plane:
    """The sum over rows, columns and channels."""
    return tf.reduce_sum(plane, (1, 2, 3))


def deviation(plane: Plane, ddof: int = 0) -> Plane:
    """The standard deviation of a plane of one channel; `ddof` 1 divides by n - 1."""
    height, width = size(plane)
    count = tf.cast(height * width, plane.dtype)
    apart = plane - spread(mean(plane))
    return sqrt(total(apart * apart) / (count - ddof))


def mean_square(first: Plane, second: Plane | None = None) -> Plane:
    """The mean of squares, of a plane or image or of the difference of two."""
    apart = first if second is None else first - second
    return mean(apart * apart)


def mean_absolute(first: Plane, second: Plane | None = None) -> Plane:
    """The mean of absolute values; of what, as for `mean_square`."""
    return mean(tf.abs(first if second is None else first - second))


def largest_absolute(first: Plane, second: Plane) -> Plane:
    """The largest absolute difference of two planes or images."""
    return largest(tf.abs(first - second))


def largest(plane: Plane) -> Plane:
    """The largest value."""
    return tf.reduce_max(plane, (1, 2, 3))


def smallest(plane: Plane) -> Plane:
    """The smallest value."""
    return tf.reduce_min(plane, (1, 2, 3))


def median(plane: Plane) -> Plane:
    """The median; of an even number of values the mean of the middle two."""
    values = tf.sort(tf.reshape(plane, (tf.shape(plane)[0], -1)), -1)
    count = tf.shape(values)[1]
    return (values[:, (count - 1) // 2] + values[:, count // 2]) / 2


def spread(value: Plane) -> Plane:
    """A value (batch,), ready for operators with planes."""
    return tf.reshape(value, (-1, 1, 1, 1))


# Spectra.


def spectrum(plane: Plane) -> Plane:
    """The Fourier transform, of whose columns the first half stands for both."""
    turned = tf.signal.rfft2d(tf.transpose(plane, (0, 3, 1, 2)))
    return tf.transpose(turned, (0, 2, 3, 1))


def weighted(spectrum: Plane, weights: Plane) -> Plane:
    """A spectrum, each frequency by its weight."""
    return spectrum * tf.cast(weights, spectrum.dtype)


def response(spectrum: Plane, weights: Plane, like: Plane) -> Plane:
    """The plane of a weighted spectrum, of the size of `like`."""
    turned = tf.transpose(weighted(spectrum, weights), (0, 3, 1, 2))
    plane = tf.signal.irfft2d(turned, size(like))
    return tf.transpose(plane, (0, 2, 3, 1))


# Shapes.


def size(plane: Plane) -> tuple[Any, Any]:
    """Height and width: numbers where they are known, else scalar tensors."""
    dynamic = tf.shape(plane)
    height, width = (
        dynamic[axis] if plane.shape[axis] is None else plane.shape[axis]
        for axis in (1, 2)
    )
    return height, width


def rows(count: Any) -> Plane:
    """0, 1, ... downwards, as a plane of one column."""
    return tf.reshape(tf.cast(tf.range(count), tf.float32), (1, -1, 1, 1))


def columns(count: Any) -> Plane:
    """0, 1, ... to the right, as a plane of one row."""
    return tf.reshape(tf.cast(tf.range(count), tf.float32), (1, 1, -1, 1))


def constant(array: Any) -> Plane:
    """A plane (height, width) with the same values for all images."""
    return tf.constant(np.asarray(array, np.float32)[None, ..., None])


def tiled(
    function: Callable[..., Any], planes: Sequence[Plane], margin: int = 0
) -> Any:
    """`function(*planes)`: TensorFlow divides its work itself."""
    return function(*planes)
