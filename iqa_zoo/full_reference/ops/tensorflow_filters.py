"""Filters for TensorFlow's tensors."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import tensorflow as tf

#: A tensor (batch, height, width, channels).
Plane = Any

# Below it the gradients of roots are 0: they would grow without bound.
TINY = 1e-12


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
    height, width = kernel.shape
    plane = _around(plane, height, width, padding)
    return every(_correlated(plane, kernel), step)


def box(plane: Plane, size: int, padding: str = "valid") -> Plane:
    """Means of all windows of `size` x `size`."""
    return tf.nn.avg_pool2d(_around(plane, size, size, padding), size, 1, "VALID")


def slope(plane: Plane, smooth: Any, difference: Any) -> Plane:
    """The length of the gradient, "valid": `smooth` along a side, `difference` across.

    Both have as many taps.
    """
    return magnitude(
        separable(plane, smooth, difference), separable(plane, difference, smooth)
    )


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
    found: list[Plane] = tf.split(function(tf.concat(planes, -1)), len(planes), -1)
    return found


def every(plane: Plane, step: int) -> Plane:
    """Every `step`-th row and column, from the first."""
    return plane if step == 1 else plane[:, ::step, ::step]


def size(plane: Plane) -> tuple[Any, Any]:
    """Height and width: numbers where they are known, else scalar tensors."""
    dynamic = tf.shape(plane)
    height, width = (
        dynamic[axis] if plane.shape[axis] is None else plane.shape[axis]
        for axis in (1, 2)
    )
    return height, width


def sqrt(plane: Plane) -> Plane:
    """The root, exactly 0 and of gradient 0 where there is nothing to draw it of."""
    positive = plane > TINY
    return tf.where(positive, tf.sqrt(tf.where(positive, plane, 1)), 0)


def magnitude(first: Plane, second: Plane) -> Plane:
    """√(a² + b²)."""
    return sqrt(first * first + second * second)
