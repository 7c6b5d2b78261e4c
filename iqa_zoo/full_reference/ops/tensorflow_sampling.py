"""TensorFlow's planes of other sizes: means of blocks, pyramids and `imresize`."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from iqa_zoo.full_reference.ops.checks import CUBIC
from iqa_zoo.full_reference.ops.tensorflow_filters import (
    Plane,
    _correlated,
    padded,
    size,
)


def halved(
    plane: Plane, padding: str, of: Callable[[Plane], Plane] | None = None
) -> Plane:
    """Means of 2 x 2 pixels side by side, from the first row and column.

    An odd last row or column is averaged with its padding, or dropped for "valid".
    `of` as for `downsampled`.
    """
    return _blocks(of(plane) if of else plane, 2, 0, padding)


def downsampled(
    plane: Plane, padding: str, of: Callable[[Plane], Plane] | None = None
) -> Plane:
    """MATLAB metrics' first step: to a short side of about 256 by means of F x F.

    F = max(1, short side / 256 rounded half up); the windows' middles are samples 0, F,
    2F, ... So with F of 3 and more the first window begins outside the image.

    Args:
        plane: a plane, or an image.
        padding: what lies outside.
        of: what to take the means of, from a plane or an image; of each pixel alone.
    """
    plane = of(plane) if of else plane
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
