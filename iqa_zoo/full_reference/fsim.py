"""FSIM and FSIMc: likeness of phase congruency and of gradients, and of colours.

Zhang, Zhang, Mou and Zhang, "FSIM: A feature similarity index for image quality
assessment", TIP 2011. As the authors' MATLAB code has it: Kovesi's phase congruency
with a threshold for noise, on images shrunk to a short side of about 256 pixels.

Each oriented filter is taken apart into its even and its odd half, so that both
responses are real planes and half of the spectrum is enough.
"""

import functools
import math
from typing import Any

from iqa_zoo.full_reference.ops import Plane, apply, numpy_ops, similarity

LEAST = 16  # pixels a side
# The authors' weights of red, green and blue, rounded to three digits.
YIQ = ((0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312))
SCHARR = (3 / 16, 10 / 16, 3 / 16), (1.0, 0.0, -1.0)
CONGRUENCY, GRADIENT, COLOUR = 0.85, 160, 200  # constants T1, T2, T3 = T4
COLOUR_POWER = 0.03
# Phase congruency, `phasecong2.m`: wavelengths 6 to 48 pixels, four orientations.
SCALES, ORIENTATIONS = 4, 4
WAVELENGTH, TIMES = 6, 2
BANDWIDTH = 0.55  # sigma of the logarithm of the frequency, as a ratio
ANGLE = math.pi / ORIENTATIONS / 1.2  # sigma of the orientation
CUTOFF, ORDER = 0.45, 15  # of the low-pass filter that rounds off the spectrum
NOISE, REDUCED = 2, 1.7  # standard deviations above the noise, and what divides them
SMALL = 1e-4  # the authors' guard of a division


def fsim(
    reference: Any, distorted: Any, *, data_range: float = 255, return_map: bool = False
) -> Any:
    """How alike the features of two images are, in grey.

    Args:
        reference: (height, width), (height, width, channels) or (batch, height, width,
            channels), of 1 or 3 channels (RGB), uint8 or floating; NumPy or TensorFlow.
        distorted: of the same shape.
        data_range: the value of white; black is 0.
        return_map: give also where they are alike, before weighting, at the size to
            which the images are shrunk.

    Returns:
        One score an image, 0 to 1, higher is better; see `ops.apply` for types.

    Raises:
        UsageError: the shapes differ.
        ImageError: no images, NaN, values out of range, or sides below 16 pixels.
    """
    return apply(
        _fsim,
        reference,
        distorted,
        least=LEAST,
        data_range=data_range,
        return_map=return_map,
    )


def fsimc(
    reference: Any, distorted: Any, *, data_range: float = 255, return_map: bool = False
) -> Any:
    """How alike the features and the colours of two images are.

    Like `fsim`, which is its first factor. Of images of one channel it is `fsim`.
    """
    return apply(
        _fsimc,
        reference,
        distorted,
        least=LEAST,
        data_range=data_range,
        return_map=return_map,
    )


def _fsim(ops: Any, reference: Plane, distorted: Plane) -> tuple[Any, Plane]:
    return _alike(ops, reference, distorted, colour=False)


def _fsimc(ops: Any, reference: Plane, distorted: Plane) -> tuple[Any, Plane]:
    return _alike(ops, reference, distorted, colour=True)


def _alike(
    ops: Any, reference: Plane, distorted: Plane, colour: bool
) -> tuple[Any, Plane]:
    rows = YIQ if colour else YIQ[:1]
    first, second = (
        ops.mixed(ops.downsampled(image, "zero"), rows)
        for image in (reference, distorted)
    )
    one, other = (_phase_congruency(ops, planes[0]) for planes in (first, second))
    slope, other_slope = (scharr(ops, planes[0]) for planes in (first, second))
    alike = similarity(one, other, CONGRUENCY)
    alike = alike * similarity(slope, other_slope, GRADIENT)
    if colour:
        chroma = similarity(first[1], second[1], COLOUR)
        chroma = chroma * similarity(first[2], second[2], COLOUR)
        alike = alike * real_power(ops, chroma, COLOUR_POWER)
    return weighted_mean(ops, alike, ops.maximum(one, other)), alike


def real_power(ops: Any, plane: Plane, exponent: float) -> Plane:
    """The real part of a power, which is complex where the base is negative."""
    size = ops.power(ops.absolute(plane), exponent)
    return ops.where(plane < 0, math.cos(exponent * math.pi) * size, size)


def weighted_mean(ops: Any, plane: Plane, weight: Plane) -> Any:
    """The mean of a plane; the plain one where all weights are 0."""
    weight = weight + 1e-12
    return ops.total(plane * weight) / ops.total(weight)


def scharr(ops: Any, plane: Plane) -> Plane:
    """The size of the gradient, by Scharr's filters."""
    across, along = SCHARR
    return ops.magnitude(
        ops.separable(plane, across, along, "zero"),
        ops.separable(plane, along, across, "zero"),
    )


def _phase_congruency(ops: Any, plane: Plane) -> Plane:
    """How much the phases of all frequencies agree, 0 to 1."""
    radial, angular = _bank(ops, *ops.size(plane))
    bands = [ops.weighted(ops.spectrum(plane), part) for part in radial]
    energies: Any = 0
    amplitudes: Any = 0
    for even, odd, gain, first_gain in angular:
        evens = [ops.response(band, even, plane) for band in bands]
        # The odd half of a filter is imaginary: a quarter of a turn makes it real.
        odds = [ops.response(band * -1j, odd, plane) for band in bands]
        sizes = [ops.magnitude(*pair) for pair in zip(evens, odds, strict=True)]
        real, imaginary = sum(evens[1:], evens[0]), sum(odds[1:], odds[0])
        size = ops.magnitude(real, imaginary) + SMALL
        apart = sum(
            ops.absolute(e * imaginary - o * real)
            for e, o in zip(evens, odds, strict=True)
        )
        energy = (real * real + imaginary * imaginary - apart) / size
        # The noise's power, from the median of the finest scale, which has most of it:
        # its amplitudes have Rayleigh's distribution.
        power = ops.median(sizes[0] * sizes[0]) / math.log(2) / first_gain
        level = ops.spread(ops.sqrt(power * gain) * _THRESHOLD)
        energies = energies + ops.maximum(energy - level, 0)
        amplitudes = amplitudes + sum(sizes[1:], sizes[0])
    return energies / (amplitudes + 1e-12)


_THRESHOLD = (math.sqrt(math.pi / 2) + NOISE * math.sqrt(2 - math.pi / 2)) / REDUCED


def _bank(ops: Any, height: Any, width: Any) -> Any:
    return (_kept_bank if ops is numpy_ops else _made_bank)(ops, height, width)


def _made_bank(ops: Any, height: Any, width: Any) -> Any:
    """The filters, over half of the frequencies.

    Returns:
        For each scale the radial part; for each orientation the even and the odd half
        of the angular part, the sum over all frequencies of the squares of all scales'
        even filters together, and that of the finest filter's.
    """
    # Values as planes have them, since the sides may be tensors of integers.
    high, wide = (ops.largest(side) + 1 for side in (ops.rows(height), ops.rows(width)))
    column = ops.columns(width // 2 + 1)
    y, turned_y = _frequencies(ops, ops.rows(height), high)
    x, turned_x = _frequencies(ops, column, wide)
    # Half of the columns stand for two each.
    twice = ops.where((column == 0) | (2 * column == wide), 1.0, 2.0)
    square = x * x + y * y
    radius = ops.sqrt(ops.where(square == 0, 1.0, square))
    rounded = ops.where(
        square == 0, 0.0, 1 / (1 + ops.power(radius / CUTOFF, 2 * ORDER))
    )
    radial = [
        ops.exp(-((ops.log(radius * length) / math.log(BANDWIDTH)) ** 2) / 2) * rounded
        for length in (WAVELENGTH * TIMES**scale for scale in range(SCALES))
    ]
    whole = sum(radial[1:], radial[0])
    angular = []
    for number in range(ORIENTATIONS):
        angle = number * math.pi / ORIENTATIONS
        one = _spread(ops, ops.arctan2(-y, x) - angle)
        other = _spread(ops, ops.arctan2(-turned_y, turned_x) - angle)
        even, odd = (one + other) / 2, (one - other) / 2
        gain = ops.total(twice * (whole * even) ** 2)
        finest = radial[0] * radial[0] * (even * even + odd * odd)
        angular.append((even, odd, gain, ops.total(twice * finest)))
    return radial, angular


_kept_bank = functools.lru_cache(maxsize=4)(_made_bank)


def _frequencies(ops: Any, index: Plane, count: Any) -> tuple[Plane, Plane]:
    """The frequencies of Fourier samples, and those of what mirrors them.

    From -1/2 to 1/2 where the count is odd, as the authors have it.
    """
    found = ops.where(2 * index < count, index, index - count) / (count - count % 2)
    return found, ops.where(2 * index == count, found, -found)


def _spread(ops: Any, angle: Plane) -> Plane:
    """The angular part of a filter, by the angle to its middle."""
    apart = ops.arctan2(ops.sin(angle), ops.cos(angle))
    return ops.exp(-((apart / ANGLE) ** 2) / 2)
