"""Noise: the standard deviation of what varies from pixel to pixel."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iqa_zoo.images import opencv
from iqa_zoo.technical.planes import Plane, checked, grey

# Differences of differences along both axes: a plane gives 0, white noise of standard
# deviation 1 gives 6 (Immerkaer, CVIU 1996).
_SECOND = np.array([1, -2, 1], np.float32)
_GAIN = 6
BLOCK = 16  # pixels a side
_QUIETEST = 0.1  # share of the blocks that are taken to have no texture
# What the quietest tenth of blocks of pure noise lies below all of it by.
_BIAS = 1.12
_CLIPPED = 0.01  # share of black and white pixels from which on a block says nothing
LEAST = 2 * BLOCK


def measure(image: Any) -> float:
    """Standard deviation of the noise, in grey levels; lower is better.

    The root mean square of Immerkaer's filter in blocks of 16 x 16 pixels; of these the
    10 % quantile times 1.12, so that texture does not count. Blocks with more than 1 %
    of black or white pixels are left out. Clean photos have 0.9 to 2.8. Noise that is
    drawn for each channel alone is 0.668 times as strong in grey.

    Args:
        image: uint8 (height, width, 3) RGB or (height, width) grey, 32 a side or more.

    Returns:
        0 or more; NaN where all blocks are clipped.

    Raises:
        UsageError: `image` is not as described.
    """
    return from_grey(grey(image, LEAST))


def channels(image: Any) -> tuple[float, float, float]:
    """The same for red, green and blue, each alone.

    Args:
        image: uint8 (height, width, 3) RGB, 32 a side or more.

    Raises:
        UsageError: `image` is not as described.
    """
    image = checked(image)
    red, green, blue = (
        measure(image[..., channel] if image.ndim == 3 else image)
        for channel in range(3)
    )
    return red, green, blue


def immerkaer(image: Any) -> float:
    """Immerkaer's estimate, in grey levels: texture counts as noise.

    Args:
        image: uint8 (height, width, 3) RGB or (height, width) grey, 3 a side or more.

    Raises:
        UsageError: `image` is not as described.

    Source:
        Immerkaer, Fast noise variance estimation, CVIU 1996.
    """
    residue = second_differences(grey(image, 3))[1:-1, 1:-1]
    return math.sqrt(math.pi / 2) / _GAIN * float(np.abs(residue).mean(dtype=float))


def second_differences(plane: Plane) -> Plane:
    """Immerkaer's filter, beyond the borders 0, which makes edges of them."""
    cv2 = opencv()
    residue: Plane = cv2.sepFilter2D(
        plane, cv2.CV_32F, _SECOND, _SECOND, borderType=cv2.BORDER_CONSTANT
    )
    return residue


def from_grey(plane: Plane) -> float:
    """`measure` of grey levels, float32 (height, width), 32 a side or more."""
    return quietest(second_differences(plane), (plane <= 0) | (plane >= 255))


def quietest(residue: Plane, clipped: NDArray[np.bool_] | None) -> float:
    """The deviation of noise that left `residue` under `second_differences`.

    Args:
        residue: (height, width).
        clipped: likewise, the pixels that are black or white; None to count them too.

    Returns:
        That of the quietest tenth of the blocks; NaN where all are clipped.
    """
    power = block_means(residue * residue)
    if clipped is not None:
        power = power[block_means(clipped.astype(np.float32)) <= _CLIPPED]
    if not power.size:
        return math.nan
    return _BIAS / _GAIN * math.sqrt(float(np.quantile(power, _QUIETEST)))


def block_means(plane: Plane, block: int = BLOCK) -> NDArray[np.float32]:
    """Means over whole blocks, from the top left."""
    cv2 = opencv()
    rows, columns = plane.shape[0] // block, plane.shape[1] // block
    means: NDArray[np.float32] = cv2.resize(
        plane[: rows * block, : columns * block],
        (columns, rows),
        interpolation=cv2.INTER_AREA,
    )
    return means
