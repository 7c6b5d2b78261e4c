"""Gaussian scale mixtures of neighbourhoods, for NumPy and for TensorFlow."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iqa_zoo.full_reference.ops import numpy_ops

Plane = Any

# Variances that are smaller than the largest by this factor are rounding.
_RANK = 1e-12
_BAND = 1 << 15  # neighbourhoods that are multiplied at once


def corner(ops: Any, plane: Plane, height: Any, width: Any) -> Plane:
    """The first rows and columns of a plane."""
    if ops is numpy_ops:
        return plane[:height, :width]
    return plane[:, :height, :width]


def tail(ops: Any, plane: Plane, start: int) -> Plane:
    """A plane without its first rows and columns, `start` of each."""
    if ops is numpy_ops:
        return plane[start:, start:]
    return plane[:, start:, start:]


def scale_mixture(ops: Any, plane: Plane, size: int) -> tuple[Plane, Sequence[Any]]:
    """Blocks as multiples of one Gaussian: how strong each is, and the Gaussian.

    Its covariance is that of all neighbourhoods of `size` x `size`; a block v has
    vᵀ C⁻¹ v / size², where what is no variance but rounding does not count.

    Args:
        ops: the module of primitives.
        plane: float64, of one channel; its sides are multiples of `size`.
        size: of a block.

    Returns:
        A plane of one number a block, and the variances along the Gaussian's axes as
        values.
    """
    if ops is numpy_ops:
        return _numpy_mixture(plane, size)
    return _tensor_mixture(plane, size)


def _numpy_mixture(
    plane: NDArray[np.float64], size: int
) -> tuple[NDArray[np.float64], list[float]]:
    height, width = plane.shape
    inner = height - size + 1, width - size + 1
    count = inner[0] * inner[1]
    sums, products = np.zeros(size**2), np.zeros((size**2, size**2))
    step = max(1, _BAND // inner[1])
    for top in range(0, inner[0], step):
        strip = plane[top : min(top + step, inner[0]) + size - 1]
        vectors = np.stack(
            [
                strip[i : len(strip) - size + 1 + i, j : j + inner[1]].ravel()
                for i in range(size)
                for j in range(size)
            ]
        )
        sums += vectors.sum(1)
        products += vectors @ vectors.T
    means = sums / count
    variances, axes = np.linalg.eigh(products / count - np.outer(means, means))
    variances = np.maximum(variances, 0)
    used = variances > _RANK * variances[-1]
    scaled = axes[:, used] / np.sqrt(variances[used])
    blocks = plane.reshape(height // size, size, width // size, size)
    vectors = blocks.transpose(1, 3, 0, 2).reshape(size**2, -1)
    energy = np.square(scaled.T @ vectors).sum(0) / size**2
    return energy.reshape(height // size, width // size), variances.tolist()


def _tensor_mixture(plane: Any, size: int) -> tuple[Any, list[Any]]:
    import tensorflow as tf

    plane = plane[..., 0]
    height, width = tf.shape(plane)[1], tf.shape(plane)[2]
    inner = height - size + 1, width - size + 1
    shifted = [
        tf.reshape(
            plane[:, i : i + inner[0], j : j + inner[1]], (-1, inner[0] * inner[1])
        )
        for i in range(size)
        for j in range(size)
    ]
    vectors = tf.stack(shifted, 1)
    vectors -= tf.reduce_mean(vectors, 2, keepdims=True)
    count = tf.cast(inner[0] * inner[1], plane.dtype)
    covariance = tf.matmul(vectors, vectors, transpose_b=True) / count
    variances, axes = tf.linalg.eigh(covariance)
    variances = tf.maximum(variances, 0)
    used = variances > _RANK * variances[:, -1:]
    scale = tf.where(used, tf.math.rsqrt(tf.where(used, variances, 1)), 0)
    blocks = tf.reshape(plane, (-1, height // size, size, width // size, size))
    vectors = tf.reshape(
        tf.transpose(blocks, (0, 2, 4, 1, 3)),
        (-1, size**2, (height // size) * (width // size)),
    )
    along = tf.matmul(axes * scale[:, None], vectors, transpose_a=True)
    energy = tf.reduce_sum(along * along, 1) / size**2
    energy = tf.reshape(energy, (-1, height // size, width // size, 1))
    return energy, tf.unstack(variances, axis=-1)
