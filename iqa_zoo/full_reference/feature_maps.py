"""Metrics over the feature maps of a network, from whichever network the maps are.

`pyramid` compares histograms of what the maps respond to, in ever smaller cells:
Amirshahi, Pedersen and Yu, "Image quality assessment by comparing CNN features between
images", JIST 2016. `revived` takes a traditional metric of each pair of maps:
Amirshahi, Pedersen and Beghdadi, "Reviving traditional image quality metrics using
CNNs", CIC 2018. What the papers leave open is decided here and said below.

The maps of an image are a sequence of arrays (height, width, channels), one a layer,
in NumPy alone; `iqa_zoo.comparing` has the networks.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iqa_zoo.errors import ImageError, UnknownNameError, UsageError
from iqa_zoo.full_reference import CEILING, pixel, ssim
from iqa_zoo.full_reference.ops import Plane, numpy_ops

Maps = Sequence[NDArray[np.float32]]

#: Of the pyramid: 1, 2 x 2, 4 x 4 and 8 x 8 cells, of weights 1, 1/2, 1/4 and 1/8.
LEVELS = 4
CELLS = 2 ** (LEVELS - 1)


def _decibels(ops: Any, first: Plane, second: Plane) -> float:
    """PSNR up to `CEILING`, since some maps of different images are equal."""
    return min(float(pixel.signal_to_noise(ops, first, second)), CEILING)


def _likeness(ops: Any, first: Plane, second: Plane) -> float:
    """SSIM without shrinking, of planes on 0..255."""
    luminance, structure = ssim.terms(
        ops, ssim.gaussian(ops), ssim.CONSTANTS, first, second
    )
    found: float = ops.mean(luminance * structure)
    return found


#: The metrics that `revived` knows: the formula, and the least side of a map.
REVIVED: dict[str, tuple[Callable[[Any, Plane, Plane], Any], int]] = {
    "lmse": (pixel.laplacian_error, 3),
    "mae": (pixel.absolute_error, 1),
    "md": (pixel.largest_error, 1),
    "mse": (pixel.squared_error, 1),
    "nae": (pixel.normalised_error, 1),
    "psnr": (_decibels, 1),
    "sc": (pixel.structural_content, 1),
    "ssim": (_likeness, len(ssim.WINDOW)),
}


def pyramid(reference: Maps, distorted: Maps) -> float:
    """How alike the features of two images are, and where: 0 to 1, higher is better.

    Each layer's maps are divided into 1, 2 x 2, 4 x 4 and 8 x 8 cells. In a cell, bin c
    of the histogram is the sum of the positive values of channel c, divided by the sum
    of all bins; two histograms intersect in the sum of the lesser bins, from 0 to 1. A
    layer's likeness is the mean over the cells of a level, averaged over levels with
    the weights 1, 1/2, 1/4 and 1/8; the result is the geometric mean over layers.

    Args:
        reference: the maps of one image, 8 x 8 or larger.
        distorted: those of another, of the same shapes.

    Raises:
        UsageError: there are no maps, or the shapes differ.
        ImageError: code "too_small": a layer's maps have fewer than 8 a side.
    """
    _check(reference, distorted, CELLS)
    layers = [_layer(*pair) for pair in zip(reference, distorted, strict=True)]
    return float(math.prod(layers) ** (1 / len(layers)))


def revived(metric: str, reference: Maps, distorted: Maps) -> float:
    """A traditional metric of feature maps in place of pixels.

    Each pair of maps is brought to 0..255 by the range of the reference's map, which
    the other's may leave, and measured like a grey image; averaged over the maps of a
    layer, then over layers. Maps that are the same everywhere in the reference have no
    range and are left out. Infinite values (structural content where the distorted
    image's map is empty) count as `CEILING`, and so does PSNR above it.

    Args:
        metric: a key of `REVIVED`. SSIM is that of full resolution, since maps are
            small already.
        reference: the maps of one image.
        distorted: those of another, of the same shapes.

    Returns:
        The score, with the range and the direction of the metric; NaN where all of the
        reference's maps are flat.

    Raises:
        UnknownNameError: no such metric.
        UsageError: there are no maps, or the shapes differ.
        ImageError: code "too_small": the maps have fewer values a side than the metric
            needs.
    """
    if metric not in REVIVED:
        raise UnknownNameError("metric of feature maps", metric, REVIVED)
    formula, least = REVIVED[metric]
    _check(reference, distorted, least)
    layers = []
    for first, second in zip(reference, distorted, strict=True):
        values = [formula(numpy_ops, *planes) for planes in _scaled(first, second)]
        if values:
            layers.append(np.mean(np.nan_to_num(values, nan=math.nan, posinf=CEILING)))
    return float(np.mean(layers)) if layers else math.nan


def _check(reference: Maps, distorted: Maps, least: int) -> None:
    shapes = [[array.shape for array in maps] for maps in (reference, distorted)]
    if not shapes[0] or shapes[0] != shapes[1] or {len(s) for s in shapes[0]} != {3}:
        raise UsageError(
            f"Feature maps of the shapes {shapes[0]} and {shapes[1]} cannot be "
            "compared. Give (height, width, channels) a layer, of images of one size."
        )
    side = min(min(shape[:2]) for shape in shapes[0])
    if side < least:
        raise ImageError(
            "too_small",
            f"Feature maps of {side} a side are too small; {least} are needed. Give a "
            "larger image, or layers nearer to it.",
        )


def _layer(reference: NDArray[np.float32], distorted: NDArray[np.float32]) -> float:
    """How alike the histograms of one layer are."""
    cells = [_finest(maps) for maps in (reference, distorted)]
    likeness = weights = 0.0
    for level in reversed(range(LEVELS)):
        first, second = (_shares(sums) for sums in cells)
        # The sum of the lesser shares, which add up to 1: exactly 1 for equal ones. Of
        # those that share nothing rounding may leave less than 0.
        alike = np.maximum(1 - np.abs(first - second).sum(-1) / 2, 0)
        # Without any response there is nothing in common with a cell that has some.
        alike[first.any(-1) != second.any(-1)] = 0
        likeness += 2.0**-level * float(alike.mean())
        weights += 2.0**-level
        cells = [sums[::2] + sums[1::2] for sums in cells] if level else cells
        cells = [sums[:, ::2] + sums[:, 1::2] for sums in cells] if level else cells
    return likeness / weights


def _finest(maps: NDArray[np.float32]) -> NDArray[np.float64]:
    """Sums of what is positive in 8 x 8 cells, (8, 8, channels)."""
    sums = np.maximum(maps, 0).astype(np.float64)
    for axis in (0, 1):
        starts = np.arange(CELLS) * sums.shape[axis] // CELLS
        sums = np.add.reduceat(sums, starts, axis)
    return sums


def _shares(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Histograms that add up to 1, or to 0 where there is nothing."""
    whole = sums.sum(-1, keepdims=True)
    shares: NDArray[np.float64] = sums / np.where(whole > 0, whole, 1)
    return shares


def _scaled(
    reference: NDArray[np.float32], distorted: NDArray[np.float32]
) -> list[tuple[Plane, Plane]]:
    """The pairs of maps whose reference has a range, which becomes 0..255."""
    low, high = reference.min((0, 1)), reference.max((0, 1))
    return [
        (
            _plane(reference[..., channel], low[channel], high[channel]),
            _plane(distorted[..., channel], low[channel], high[channel]),
        )
        for channel in np.flatnonzero(high > low)
    ]


def _plane(map_: NDArray[np.float32], low: np.float32, high: np.float32) -> Plane:
    """A map whose values `low` and `high` become 0 and 255."""
    return ((map_ - low) * (255 / (high - low))).astype(np.float32)
