"""Light and dark: brightness, contrast, sharpness, and few steps of grey."""

import numpy as np
from numpy.typing import NDArray

from iqa_zoo.distortions.blur import smoothed
from iqa_zoo.distortions.colour import from_lab, to_lab
from iqa_zoo.distortions.types import Image


def brighten(image: Image, strength: float, random: np.random.Generator) -> Image:
    """KADID-10k 16: a curve on RGB and on the lightness of Lab, mixed 2 to 1."""
    lab = to_lab(image)
    lifted = from_lab(100 * _curve(lab[..., 0] / 100, strength), lab[..., 1:])
    mixed: Image = (2 * _curve(image, strength) + lifted.clip(0, 1)) / 3
    return mixed


def darken(image: Image, strength: float, random: np.random.Generator) -> Image:
    """KADID-10k 17: the curve of `brighten` bent the other way, on RGB."""
    return _curve(image, -strength)


def _curve(values: Image, strength: float) -> Image:
    """A parabola through (0, 0), (0.5, 0.5 + strength / 2) and (1, 1), clipped."""
    middle = 0.5 + strength / 2
    curved: Image = (2 - 4 * middle) * values**2 + (4 * middle - 1) * values
    return curved.clip(0, 1)


def mean_shift(image: Image, offset: float, random: np.random.Generator) -> Image:
    """KADID-10k 18, DB-CNN 8 and 9: every value by the same amount."""
    return image + np.float32(offset)


def contrast(image: Image, strength: float, random: np.random.Generator) -> Image:
    """KADID-10k 25: a spline that steepens or flattens the mid tones.

    At -0.2 its points lie on the diagonal. So at 0 (level 3) it is a little steeper
    than that and no identity, in the authors' code (`imcontrastc.m`) as here, and a
    photo's error grows with |strength + 0.2|, not with |strength|.
    """
    from scipy.interpolate import CubicSpline

    bend = strength / 4
    x, y = [0, 0.3, 0.5, 0.7, 1], [0, 0.25 - bend, 0.5, 0.75 + bend, 1]
    curve = CubicSpline(x, y, bc_type="not-a-knot")
    # The values are 255ths, so that a table holds them all.
    table = curve(np.arange(256) / 255).astype(np.float32)
    curved: Image = table[np.rint(image * 255).astype(int)]
    return curved


def narrow(image: Image, darkest: float, random: np.random.Generator) -> Image:
    """DB-CNN 5: the middle 98 % of each channel squeezed about mid grey."""
    low, high = np.percentile(image, (1, 99), axis=(0, 1), keepdims=True)
    share = ((image - low) / np.maximum(high - low, 1e-6)).clip(0, 1)
    squeezed: Image = darkest + share * (1 - 2 * darkest)
    return squeezed


def sharpen(image: Image, strength: float, random: np.random.Generator) -> Image:
    """KADID-10k 24: unsharp masking of the lightness of Lab, sigma 3."""
    lab = to_lab(image)
    lightness = lab[..., 0]
    edges = lightness - smoothed(lightness, 3, 13)
    return from_lab(lightness + np.float32(strength) * edges, lab[..., 1:])


def quantisation(image: Image, count: float, random: np.random.Generator) -> Image:
    """KADID-10k 22: few levels, between thresholds that Otsu's criterion chooses."""
    levels = np.rint(image * 255).astype(int)
    histogram = np.bincount(levels.ravel(), minlength=256)
    thresholds = otsu(histogram, int(count))
    values = np.concatenate([[0], thresholds[1:] / 255, [1]]).astype(np.float32)
    return values[np.searchsorted(thresholds, levels, side="left")]


def otsu(histogram: NDArray[np.integer], count: int) -> NDArray[np.integer]:
    """The thresholds that split values into classes of least variance (Otsu, 1979).

    Dynamic programming over the last value of each class: exact, and with as few
    classes as there are values where `count` asks for more.

    Args:
        histogram: how often each value occurs, (values,).
        count: how many thresholds.

    Returns:
        The last value of each class but the last one, ascending (count,).
    """
    weight = np.concatenate([[0], np.cumsum(histogram)]).astype(float)
    first = np.concatenate([[0], np.cumsum(histogram * np.arange(len(histogram)))])
    # gain[i, j]: the squared mean times the weight of a class of the values i..j-1,
    # which the least variance makes as large as can be.
    mass = weight[None, :] - weight[:, None]
    moment = first[None, :] - first[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(mass > 0, moment**2 / mass, 0.0)
    gain[np.tril_indices(len(gain))] = -np.inf
    best, back = gain[0], []
    for _ in range(count):
        total = best[:, None] + gain
        back.append(total.argmax(0))
        best = total.max(0)
    end, ends = len(histogram), []
    for previous in reversed(back):
        end = previous[end]
        ends.append(end - 1)
    return np.array(ends[::-1])
