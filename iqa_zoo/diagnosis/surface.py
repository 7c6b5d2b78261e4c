"""What lies over a photo: noise, blocks, merged pixels and bands of one colour."""

import math

import numpy as np
from numpy.typing import NDArray

from iqa_zoo.diagnosis.look import Channels, Look, Profile
from iqa_zoo.diagnosis.reading import Reading
from iqa_zoo.images import opencv
from iqa_zoo.technical import noise
from iqa_zoo.technical.blockiness import GRID

# Texture is mostly grey: as much of what looks like noise in grey may be texture.
_TEXTURE = 4.5
_NOTHING_BUT = 30  # levels that only noise has where all blocks are clipped
_IMPULSE = 60  # levels from the median of its neighbours, at black or white
_IMPULSE_NOISE = 600  # levels of noise that a share of 1 of such pixels counts as
_IMPULSES = 0.003  # their share, and ...
_IMPULSES_A_LEVEL = 0.0004  # ... over the noise's deviation, from which on it is they
_FLAT = 0.2  # mean step in grey levels, below which there is nothing to see
_AROUND = 33  # rows or columns that a row's or a column's steps are compared with
_MERGED = 0.15  # of the mean around, below which two columns are taken for equal
_SMALL, _MIDDLE = 6, 49  # steps from 1, from 6 and from 49 levels on
_LEVEL = 0.35  # share of steps of 0 that a banded photo has at least


def noisy(look: Look) -> Reading:
    """Noise in grey levels: of the differences between channels, grey, or impulses."""
    grey = look.part_noise
    if math.isnan(grey):  # no block is free of black and white
        grey = noise.quietest(noise.second_differences(look.part_plane), None)
        if grey < _NOTHING_BUT:
            return Reading(None, "black and white hide it")
    colour = np.nan_to_num(_colour_noise(look.part_channels))
    impulses = _impulses(look.part_channels[1])
    value = max(grey - _TEXTURE, colour, _IMPULSE_NOISE * impulses)
    is_impulses = impulses > max(_IMPULSES, _IMPULSES_A_LEVEL * grey)
    return Reading(
        value,
        f"noise of {grey:.1f} grey levels, {colour:.1f} in the colours"
        + (f", {100 * impulses:.1f} % stray pixels" if is_impulses else ""),
        "impulses" if is_impulses else "colour" if colour > grey else "grain",
    )


def blocky(look: Look) -> Reading:
    """How much steeper steps are at one place of a period of 8 than at all others."""
    profiles = look.step_profiles
    if min(profile.mean() for profile in profiles) < _FLAT:
        return Reading(None, "there is too little in it to see blocks")
    ratios = [
        _outstanding(profile / np.maximum(_around(profile), _FLAT))
        for profile in profiles
    ]
    value = float(np.mean(ratios))
    return Reading(
        value, f"steps on a grid of {GRID} pixels are {value:.2f} times those beside it"
    )


def pixelated(look: Look) -> Reading:
    """The share of rows and of columns that repeat the one before."""
    shares = []
    for profile in look.step_profiles:
        around = _around(profile)
        there = around > _FLAT
        if there.mean() < 0.5:
            return Reading(None, "there is too little in it to see single pixels")
        shares.append(float((profile < _MERGED * around)[there].mean()))
    value = min(shares)
    return Reading(value, f"{100 * value:.0f} % of the rows and columns are repeated")


def banded(look: Look) -> Reading:
    """Small steps that are missing between flat areas and larger steps."""
    cv2 = opencv()
    values = []
    for channel in range(3):
        counts = cv2.calcHist(
            [look.step_sizes], [channel], None, [256], [0, 256]
        ).ravel()
        small, middle = counts[1:_SMALL].sum(), counts[_SMALL:_MIDDLE].sum()
        if small + middle > 0.005 * counts.sum():
            level = counts[0] / counts.sum()
            share = middle / (small + middle)
            values.append(float(share * min(1.0, level / _LEVEL)))
    if not values:
        return Reading(None, "there are no slopes that could be banded")
    value = min(values)
    return Reading(
        value, f"{100 * value:.0f} % of the steps between flat areas are coarse"
    )


def _colour_noise(channels: Channels) -> float:
    """The noise of a channel, from the differences to green; NaN if all is clipped."""
    cv2 = opencv()
    red, green, blue = channels
    lightest = cv2.max(cv2.max(red, green), blue)
    darkest = cv2.min(cv2.min(red, green), blue)
    clipped = (darkest == 0) | (lightest == 255)
    deviations = [
        noise.quietest(
            noise.second_differences(cv2.subtract(one, green, dtype=cv2.CV_32F)),
            clipped,
        )
        for one in (red, blue)
    ]
    return max(deviations) / math.sqrt(2)


def _impulses(green: NDArray[np.uint8]) -> float:
    """The share of pixels that are black or white beside quite other ones."""
    cv2 = opencv()
    far = cv2.absdiff(green, cv2.medianBlur(green, 3)) > _IMPULSE
    return np.count_nonzero(far & ((green == 0) | (green == 255))) / green.size


def _around(profile: Profile) -> Profile:
    """The running mean, the ends repeated."""
    padded = np.pad(profile, _AROUND // 2, "edge")
    mean: Profile = np.convolve(padded, np.full(_AROUND, 1 / _AROUND), "valid")
    return mean


def _outstanding(profile: Profile) -> float:
    """The largest mean at an offset of the grid over the next largest."""
    means = sorted(profile[start::GRID].mean() for start in range(GRID))
    return float(means[-1] / means[-2])
