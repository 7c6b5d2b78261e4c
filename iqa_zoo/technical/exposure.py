"""Exposure: how light a photo is, and what is lost in black and white."""

from typing import Any, NamedTuple

import numpy as np

from iqa_zoo.technical.noise import block_means
from iqa_zoo.technical.planes import checked, grey

CELL = 4  # pixels a side that are averaged first, so that noise widens no quantile
SHADOW, HIGHLIGHT = 2, 253  # levels of 0..255 from which on a pixel is clipped


class Exposure(NamedTuple):
    """How light a photo is, all 0 (black) to 1 (white).

    Attributes:
        mean: of the grey levels.
        dark: grey that 5 % of the picture are below.
        median: grey that half of it is below.
        light: grey that 95 % are below.
        shadows: share of pixels that are clipped to black in all channels.
        highlights: share that are clipped to white in any channel.
    """

    mean: float
    dark: float
    median: float
    light: float
    shadows: float
    highlights: float


def measure(image: Any) -> float:
    """How near the middle of the tones is to mid grey: 1 there, 0 at black or white.

    1 - |2 m - 1| with the mean m of the three quantiles of `statistics`, which noise
    does not move. Higher is better, within reason: night and snow are no faults.

    Args:
        image: uint8 (height, width, 3) RGB or (height, width) grey, 4 a side or more.

    Raises:
        UsageError: `image` is not as described.
    """
    found = statistics(image)
    middle = (found.dark + found.median + found.light) / 3
    return 1 - abs(2 * middle - 1)


def statistics(image: Any) -> Exposure:
    """Mean, quantiles and clipped shares of the grey levels.

    Quantiles are those of means over 4 x 4 pixels.

    Args:
        image: uint8 (height, width, 3) RGB or (height, width) grey, 4 a side or more.

    Raises:
        UsageError: `image` is not as described.
    """
    plane = grey(image, CELL)
    image = checked(image)
    planes = image if image.ndim == 3 else image[..., None]
    dark, median, light = np.quantile(block_means(plane, CELL), (0.05, 0.5, 0.95)) / 255
    return Exposure(
        mean=float(plane.mean(dtype=float)) / 255,
        dark=float(dark),
        median=float(median),
        light=float(light),
        shadows=float((planes.max(-1) <= SHADOW).mean()),
        highlights=float((planes.max(-1) >= HIGHLIGHT).mean()),
    )
