"""VSI: likeness of what draws the eye, of gradients and of colours.

Zhang, Shen and Li, "VSI: A visual saliency-induced index for perceptual image quality
assessment", TIP 2014, as the authors' MATLAB code has it, with their saliency SDSP.
"""

import functools
from typing import Any

import numpy as np

from iqa_zoo.full_reference.fsim import real_power, scharr, weighted_mean
from iqa_zoo.full_reference.ops import Plane, apply, similarity

LEAST = 16  # pixels a side
LMN = ((0.06, 0.63, 0.27), (0.30, 0.04, -0.35), (0.34, -0.60, 0.17))
SALIENCY, GRADIENT, COLOUR = 1.27, 386, 130  # constants C1, C2, C3
GRADIENT_POWER, COLOUR_POWER = 0.4, 0.02
# SDSP: the side that it works at, and its log-Gabor filter.
SIDE = 256
FREQUENCY, BANDWIDTH = 0.021, 1.34
CENTRE, WARM = 145, 0.001  # sigma of the distance to the middle, and of warm colours
# sRGB to CIE XYZ, and the white that the authors divide by, which is D50's.
XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
WHITE = (0.9642, 1.0, 0.8251)
EPSILON, KAPPA = 0.008856, 903.3  # CIE L*a*b*
FLAT = 1e-4  # a plane that varies less is flat: it has nothing but rounding


def vsi(
    reference: Any, distorted: Any, *, data_range: float = 255, return_map: bool = False
) -> Any:
    """How alike two images are where the eye looks.

    Args:
        reference: (height, width), (height, width, channels) or (batch, height, width,
            channels), of 1 or 3 channels (RGB), uint8 or floating; NumPy or TensorFlow.
        distorted: of the same shape.
        data_range: the value of white; black is 0.
        return_map: give also where they are alike, before weighting, at the size to
            which the images are shrunk.

    Returns:
        One score an image, 0 to 1, higher is better; see `ops.apply` for types. Where
        both images are flat, the mean of the map.

    Raises:
        UsageError: the shapes differ.
        ImageError: no images, NaN, values out of range, or sides below 16 pixels.
    """
    return apply(
        _vsi,
        reference,
        distorted,
        least=LEAST,
        data_range=data_range,
        return_map=return_map,
    )


def _vsi(ops: Any, reference: Plane, distorted: Plane) -> tuple[Any, Plane]:
    pair = reference, distorted
    one, other = (ops.downsampled(_saliency(ops, image), "zero") for image in pair)
    first, second = (ops.mixed(ops.downsampled(image, "zero"), LMN) for image in pair)
    slope, other_slope = (scharr(ops, planes[0]) for planes in (first, second))
    chroma = similarity(first[1], second[1], COLOUR)
    chroma = chroma * similarity(first[2], second[2], COLOUR)
    alike = (
        similarity(one, other, SALIENCY)
        * ops.power(similarity(slope, other_slope, GRADIENT), GRADIENT_POWER)
        * real_power(ops, chroma, COLOUR_POWER)
    )
    return weighted_mean(ops, alike, ops.maximum(one, other)), alike


def _saliency(ops: Any, image: Plane) -> Plane:
    """How much each pixel draws the eye, 0 to 1, at the image's size (SDSP)."""
    height, width = ops.size(image)
    small = ops.imresize(ops.channels(image), SIDE, SIDE, "bilinear")
    lab = _lab(ops, small)
    bank, centre = _kept_parts()
    responses = [
        ops.response(ops.spectrum(plane), ops.constant(bank), plane) for plane in lab
    ]
    frequency = ops.sqrt(sum(r * r for r in responses))
    warm = [_stretched(ops, plane) for plane in lab[1:]]
    warmth = 1 - ops.exp(-(warm[0] * warm[0] + warm[1] * warm[1]) / WARM**2)
    found = frequency * ops.constant(centre) * warmth
    return _stretched(ops, ops.imresize(found, height, width, "bilinear"))


def _lab(ops: Any, image: Plane) -> tuple[Plane, Plane, Plane]:
    """CIE L*, a* and b* of an sRGB plane on 0..255."""
    light = image / 255
    above = ops.power((ops.maximum(light, 0.04045) + 0.055) / 1.055, 2.4)
    light = ops.where(light <= 0.04045, light / 12.92, above)
    x, y, z = (
        _lightness(ops, plane / white)
        for plane, white in zip(ops.mixed(light, XYZ), WHITE, strict=True)
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _lightness(ops: Any, plane: Plane) -> Plane:
    root = ops.power(ops.maximum(plane, EPSILON), 1 / 3)
    return ops.where(plane > EPSILON, root, (KAPPA * plane + 16) / 116)


def _stretched(ops: Any, plane: Plane) -> Plane:
    """A plane from its smallest to its largest value as 0 to 1; 0 where it is flat."""
    low, high = ops.smallest(plane), ops.largest(plane)
    flat = high - low < FLAT
    scale = ops.where(flat, 0.0, 1 / ops.where(flat, 1.0, high - low))
    return (plane - ops.spread(low)) * ops.spread(scale)


@functools.cache
def _kept_parts() -> tuple[Any, Any]:
    """SDSP's filter over half of the frequencies, and its weight of the middle."""
    y = np.fft.fftfreq(SIDE)[:, None]
    x = np.fft.rfftfreq(SIDE)
    square = x * x + y * y
    seen = (square > 0) & (square <= 0.25)
    logarithm = np.log(np.where(seen, square, 1.0)) / 2 - np.log(FREQUENCY)
    bank = np.where(seen, np.exp(-((logarithm / BANDWIDTH) ** 2) / 2), 0.0)
    place = np.arange(1, SIDE + 1) - SIDE / 2
    centre = np.exp(-(place[:, None] ** 2 + place**2) / CENTRE**2)
    return bank, centre
