"""Light and colour: exposure, clipping, contrast and casts."""

import functools
import math

import numpy as np
from numpy.typing import NDArray

from iqa_zoo.diagnosis.look import Look
from iqa_zoo.diagnosis.reading import Mask, Reading
from iqa_zoo.images import opencv
from iqa_zoo.technical.exposure import HIGHLIGHT, SHADOW
from iqa_zoo.technical.noise import block_means

_TILE = 32  # pixels a side
_CELL = 4  # pixels a side that are averaged, so that noise does not count
_PATCH = 8  # pixels a side of what the colour of the light is estimated from
_CLIPPED_TILE = 0.5  # share of a tile's pixels
# The colour of the light in good photos: warmth log(R / B) and tint log(R B / G^2),
# and how far they spread.
_USUAL, _SPREAD = np.array([0.06, -0.06]), np.array([0.20, 0.13])
_DARKEST, _LIGHTEST = 5, 250  # beyond them a channel has lost its colour
_COLOURED = 60  # patches that are neither, at least


def underexposed(look: Look) -> Reading:
    """The mean grey level times that of the lightest places, 0 to 1."""
    _, light, mean = _tones(look)
    return Reading(
        mean * light,
        f"the mean level is {100 * mean:.0f} % of white, that of the lightest places "
        f"{100 * light:.0f} %",
        places=functools.partial(_dark, look),
    )


def overexposed(look: Look) -> Reading:
    """The same, counted from white: of the mean and of the darkest places, 0 to 1."""
    dark, _, mean = _tones(look)
    return Reading(
        (1 - mean) * (1 - dark),
        f"the mean level is {100 * mean:.0f} % of white, that of the darkest places "
        f"{100 * dark:.0f} %",
        places=functools.partial(_light, look),
    )


def clipped(look: Look) -> Reading:
    """The share of pixels that are black, or that are white in a channel."""
    cv2 = opencv()
    red, green, blue = look.copy_channels
    most = cv2.max(cv2.max(red, green), blue)
    shadows, highlights = most <= SHADOW, most >= HIGHLIGHT
    dark, light = (np.count_nonzero(m) / m.size for m in (shadows, highlights))
    worse = shadows if dark > light else highlights
    return Reading(
        max(dark, light),
        f"{100 * dark:.0f} % of the pixels are black, {100 * light:.0f} % are white in "
        "a channel",
        "shadows" if dark > light else "highlights",
        lambda: block_means(worse.astype(np.float32), _TILE) > _CLIPPED_TILE,
    )


def low_contrast(look: Look) -> Reading:
    """The grey levels from the darkest to the lightest places, 0 to 1."""
    dark, light, _ = _tones(look)
    return Reading(
        light - dark,
        f"grey levels from the darkest to the lightest places span "
        f"{100 * (light - dark):.0f} % of the scale",
    )


def colour_cast(look: Look) -> Reading:
    """How unusual the colour of the light is, in standard deviations of good photos.

    The light is the mean of three estimates: the brightest twentieth, the 6-norm of all
    and the 5-norm of the slopes. Where coloured things deceive them they differ, which
    is added to the deviation.

    Source:
        van de Weijer, Gevers, Gijsenij, Edge-based color constancy, TIP 2007.
    """
    cv2 = opencv()
    height, width, _ = look.copy.shape
    patches = cv2.resize(
        look.copy, (width // _PATCH, height // _PATCH), interpolation=cv2.INTER_AREA
    ).astype(np.float32)
    coloured = (patches.max(-1) < _LIGHTEST) & (patches.min(-1) > _DARKEST)
    slopes = _slopes(patches)[coloured[1:-1, 1:-1]]
    if len(slopes) < _COLOURED:
        return Reading(None, "almost all is black, white or without one of the colours")
    colours = patches[coloured]
    sums = colours.sum(1)
    lightest = colours[sums >= np.quantile(sums, 0.95)].mean(0)
    estimates = np.array([lightest, _norm(colours, 6), _norm(slopes, 5)])
    red, green, blue = np.log(np.maximum(estimates, 1e-3)).T
    light = np.stack([red - blue, red + blue - 2 * green], axis=1)
    deviation = np.sqrt(_SPREAD**2 + light.var(0))
    warmth, tint = light.mean(0)
    away = (light.mean(0) - _USUAL) / deviation
    if abs(away[0]) > abs(away[1]):
        kind = "warm" if away[0] > 0 else "cool"
    else:
        kind = "magenta" if away[1] > 0 else "green"
    return Reading(
        math.hypot(*away),
        f"the light is {kind}: red is {math.exp(warmth):.2f} times blue, green "
        f"{math.exp(-tint / 2):.2f} times their mean",
        kind,
    )


def _tones(look: Look) -> tuple[float, float, float]:
    """The 1 % and 99 % quantiles of grey cells, and the mean, 0 to 1."""
    cells = block_means(look.copy_plane, _CELL).ravel() / 255
    dark, light = np.quantile(cells, (0.01, 0.99))
    return float(dark), float(light), float(cells.mean(dtype=float))


def _dark(look: Look) -> Mask:
    mask: Mask = block_means(look.copy_plane, _TILE) < 255 * 0.25
    return mask


def _light(look: Look) -> Mask:
    mask: Mask = block_means(look.copy_plane, _TILE) > 255 * 0.75
    return mask


def _slopes(patches: NDArray[np.float32]) -> NDArray[np.float32]:
    """The gradient's length in each channel, without the outermost patches."""
    cv2 = opencv()
    smooth = cv2.GaussianBlur(patches, (5, 5), 1)
    across = smooth[1:-1, 2:] - smooth[1:-1, :-2]
    down = smooth[2:, 1:-1] - smooth[:-2, 1:-1]
    slopes: NDArray[np.float32] = np.sqrt(across**2 + down**2)
    return slopes


def _norm(colours: NDArray[np.float32], power: int) -> NDArray[np.float64]:
    """The Minkowski mean of colours (n, 3)."""
    norm: NDArray[np.float64] = np.linalg.norm(
        colours.astype(np.float64), power, axis=0
    ) / len(colours) ** (1 / power)
    return norm
