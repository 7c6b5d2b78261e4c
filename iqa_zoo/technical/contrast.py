"""Contrast: how far light and dark are apart."""

import math
from typing import Any

import numpy as np

from iqa_zoo.technical.noise import block_means
from iqa_zoo.technical.planes import grey

CELL = 2  # pixels a side that are averaged first, which halves the noise


def measure(image: Any, *, noise_std: float = 0.0) -> float:
    """Root mean square contrast: the standard deviation of grey, 0 to 0.5.

    Taken of means over 2 x 2 pixels, less what noise adds to it; higher is more
    contrast, and below 0.1 a photo looks flat.

    Args:
        image: uint8 (height, width, 3) RGB or (height, width) grey, 2 a side or more.
        noise_std: standard deviation of the noise in grey levels.

    Raises:
        UsageError: `image` is not as described.
    """
    cells = block_means(grey(image, CELL), CELL)
    variance = float(cells.var(dtype=float)) - (noise_std / CELL) ** 2
    return math.sqrt(max(variance, 0)) / 255


def tone_range(image: Any) -> float:
    """Difference of the 99 % and the 1 % quantile of grey, 0 to 1.

    Args:
        image: uint8 (height, width, 3) RGB or (height, width) grey, 2 a side or more.

    Raises:
        UsageError: `image` is not as described.
    """
    low, high = _ends(image)
    return (high - low) / 255


def michelson(image: Any) -> float:
    """(high - low) / (high + low) of the quantiles of `tone_range`; 0 where black.

    Args:
        image: uint8 (height, width, 3) RGB or (height, width) grey, 2 a side or more.

    Raises:
        UsageError: `image` is not as described.
    """
    low, high = _ends(image)
    return (high - low) / (high + low) if high else 0.0


def _ends(image: Any) -> tuple[float, float]:
    low, high = np.quantile(block_means(grey(image, CELL), CELL), (0.01, 0.99))
    return float(low), float(high)
