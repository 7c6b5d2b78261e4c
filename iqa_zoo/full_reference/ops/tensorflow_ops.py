"""The primitives for TensorFlow; see the package.

Everything is computed in float32, whatever the policy of Keras, with sizes that may be
known only when the graph runs. Gradients are finite everywhere.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from iqa_zoo.full_reference.ops.checks import LUMA, check_shapes, wrong_type
from iqa_zoo.full_reference.ops.tensorflow_filters import (
    TINY,
    Plane,
    box,
    cropped,
    every,
    filtered,
    magnitude,
    padded,
    separable,
    size,
    slope,
    sqrt,
    together,
)
from iqa_zoo.full_reference.ops.tensorflow_sampling import (
    downsampled,
    expanded,
    halved,
    imresize,
)

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
    first, second = (
        () if image.shape.rank is None else image.shape.as_list() for image in images
    )
    check_shapes(name, first, second, least)
    rank = len(first)
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

    class Comparison(keras.layers.Layer):  # type: ignore[misc]
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


# Elementwise, beyond TensorFlow's own.


def power(plane: Plane, exponent: float) -> Plane:
    """A power of what is not negative; gradients as of `sqrt`."""
    positive = plane > TINY
    return tf.where(positive, tf.where(positive, plane, 1) ** exponent, 0)


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
