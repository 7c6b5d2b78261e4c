"""NumPy planes of other sizes: means of blocks, pyramids and MATLAB's `imresize`."""

from collections.abc import Callable

import numpy as np

from iqa_zoo.full_reference.ops.checks import CUBIC
from iqa_zoo.full_reference.ops.numpy_filters import (
    Plane,
    Taps,
    channels,
    padded,
    strips,
)
from iqa_zoo.images import opencv


def halved(
    plane: Plane, padding: str, of: Callable[[Plane], Plane] = channels
) -> Plane:
    """Means of 2 x 2 pixels side by side, from the first row and column.

    An odd last row or column is averaged with its padding, or dropped for "valid".
    `of` as for `downsampled`.
    """
    return _blocks(plane, 2, 0, padding, of)


def downsampled(
    plane: Plane, padding: str, of: Callable[[Plane], Plane] = channels
) -> Plane:
    """MATLAB metrics' first step: to a short side of about 256 by means of F x F.

    F = max(1, short side / 256 rounded half up); the windows' middles are samples 0, F,
    2F, ... So with F of 3 and more the first window begins outside the image.

    Args:
        plane: a plane, or an image.
        padding: what lies outside.
        of: what to take the means of, from a plane or an image; of each pixel alone.
    """
    factor = max(1, int(min(plane.shape[:2]) / 256 + 0.5))
    return _blocks(plane, factor, (factor - 1) // 2, padding, of)


def _blocks(
    plane: Plane,
    factor: int,
    before: int,
    padding: str,
    of: Callable[[Plane], Plane],
) -> Plane:
    """Means of blocks, the first of which begins `before` pixels outside the plane."""
    if factor == 1:
        return of(plane)
    cv2 = opencv()
    length, across = plane.shape[:2]
    round_up = 0 if padding == "valid" else factor - 1
    height, width = (length + round_up) // factor, (across + round_up) // factor
    right = width * factor - before - across
    means = None
    for rows in strips(height, factor * across * 4, 32 // factor):
        top, bottom = rows.start * factor - before, rows.stop * factor - before
        strip = of(plane[max(top, 0) : bottom, : across + min(right, 0)])
        sides = (max(-top, 0), max(bottom - length, 0), before, max(right, 0))
        if any(sides):
            strip = padded(strip, sides, padding)
        if means is None:
            means = np.empty((height, width, *strip.shape[2:]), np.float32)
        size = (width, rows.stop - rows.start)
        means[rows] = cv2.resize(strip, size, interpolation=cv2.INTER_AREA)
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
