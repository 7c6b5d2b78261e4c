"""Blockiness: the grid of 8 x 8 pixels that JPEG leaves."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iqa_zoo.technical.planes import Plane, grey

GRID = 8  # pixels
LEAST = 4 * GRID


def measure(image: Any) -> float:
    """How much steeper steps are on a grid of 8 pixels than beside it.

    The mean step between neighbouring pixels at the columns of the grid, over the
    median of those at the seven other offsets; likewise for rows; the mean of both.
    The grid may begin anywhere, as in a crop: the steepest offset counts.

    Args:
        image: uint8 (height, width, 3) RGB or (height, width) grey, 32 a side or more.

    Returns:
        1 without blocks, more with them: lower is better; NaN for a flat image.

    Raises:
        UsageError: `image` is not as described.
    """
    plane = grey(image, LEAST)
    ratios = [offset_ratio(steps(plane, axis), GRID) for axis in (0, 1)]
    return float(np.mean(ratios))


def wang(image: Any) -> float:
    """Wang, Sheikh and Bovik's JPEG quality: about 1 bad to 10 good.

    It takes the grid to begin at the top left, and other damage than JPEG's does not
    lower it in order.

    Args:
        image: uint8 (height, width, 3) RGB or (height, width) grey, 32 a side or more.

    Returns:
        The score; NaN where no sign of a step ever changes, as in a flat image.

    Raises:
        UsageError: `image` is not as described.

    Source:
        Wang, Sheikh, Bovik, No-reference perceptual quality assessment of JPEG
        compressed images, ICIP 2002.
    """
    plane = grey(image, LEAST)
    found = np.mean([_wang_features(plane), _wang_features(plane.T)], axis=0)
    border, within, changes = (float(feature) for feature in found)
    if not (border and within > 0 and changes):
        return math.nan
    shape: float = border**-0.02398886 * within**0.01601664 * changes**0.00642859
    return -245.8909 + 261.9373 * shape


def steps(plane: Plane, axis: int) -> NDArray[np.float64]:
    """The mean absolute step from each row (axis 0) or column (axis 1) to the next."""
    step = np.abs(np.diff(plane, axis=axis))
    means: NDArray[np.float64] = step.mean(axis=1 - axis, dtype=np.float64)
    return means


def offset_ratio(means: NDArray[np.float64], period: int) -> float:
    """The mean at the steepest offset of a period over the median of the others."""
    offsets = [float(means[start::period].mean()) for start in range(period)]
    largest = max(offsets)
    others = float(np.median([m for m in offsets if m != largest] or [largest]))
    return largest / others if others else (math.inf if largest else math.nan)


def _wang_features(plane: Plane) -> tuple[float, float, float]:
    """B, A and Z of the paper, along rows."""
    step = np.diff(plane, axis=1).astype(np.float64)
    columns = plane.shape[1]
    size = np.abs(step)
    border = size[:, GRID - 1 : GRID * (columns // GRID - 1) : GRID].mean()
    within = (GRID * size.mean() - border) / (GRID - 1)
    changes = (step[:, :-1] * step[:, 1:] < 0).mean()
    return border, within, changes
