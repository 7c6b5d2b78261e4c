"""NLPD of Laparra, Ballé, Berardino and Simoncelli (HVEI 2016), as their MATLAB code.

The distance between Laplacian pyramids, each band of which is divided by what its
neighbours lead to expect. The code's tap two pixels to the side is part of it, and its
grey is rounded.
"""

from functools import partial
from typing import Any

import numpy as np

from iqa_zoo.full_reference.ops import Plane, apply

_PYRAMID = (0.05, 0.25, 0.4, 0.25, 0.05)
# Of each band, finest first: the constant, and the weights of the neighbours above, to
# the left, to the right and below.
_BANDS = (
    (0.0248, (0.1011, 0.1493, 0.1460, 0.1015)),
    (0.0185, (0.0757, 0.1986, 0.1846, 0.0837)),
    (0.0179, (0.0477, 0.2138, 0.2243, 0.0467)),
    (0.0191, (0.0, 0.2503, 0.2616, 0.0)),
    (0.0220, (0.0, 0.2598, 0.2552, 0.0)),
    (0.2782, (0.0, 0.2215, 0.0717, 0.0)),
)
# Of the finest band, two pixels to the right.
_FAR = 0.0072


def nlpd(
    reference: Any,
    distorted: Any,
    *,
    data_range: float = 255,
    luma_rounding: bool = True,
    normalised: bool = True,
) -> Any:
    """Normalised Laplacian pyramid distance, from 0, lower is better.

    Args:
        reference: see `ops.apply`, also for the other images, the result and errors.
        distorted: likewise.
        data_range: the value of white.
        luma_rounding: round the grey of colour images to whole levels, as the code
            does.
        normalised: divide the bands; without it, the authors' second output, LPD.
    """
    return apply(
        _nlpd,
        reference,
        distorted,
        least=32,
        data_range=data_range,
        luma_rounding=luma_rounding,
        normalised=normalised,
    )


def _nlpd(
    ops: Any, reference: Plane, distorted: Plane, luma_rounding: bool, normalised: bool
) -> tuple[Any, None]:
    planes = [
        ops.luma(image, luma_rounding) * (1 / 255) for image in (reference, distorted)
    ]
    distances = 0.0
    for number in range(len(_BANDS)):
        bands = planes
        if number < len(_BANDS) - 1:
            planes = [
                ops.separable(plane, _PYRAMID, _PYRAMID, "symmetric", step=2)
                for plane in bands
            ]
            bands = [
                band - ops.expanded(plane, _PYRAMID, band)
                for band, plane in zip(bands, planes, strict=True)
            ]
        apart = _apart(ops, number, bands) if normalised else bands[0] - bands[1]
        distances = distances + ops.sqrt(ops.mean(apart * apart))
    return distances / len(_BANDS), None


def _apart(ops: Any, number: int, bands: list[Plane]) -> Plane:
    """The difference of two bands, each divided by its neighbourhood."""
    constant, weights = _BANDS[number]
    kernel = np.zeros((3, 3))
    kernel[0, 1], kernel[1, 0], kernel[1, 2], kernel[2, 1] = weights
    if number == 0:
        kernel = np.pad(kernel, 1)
        kernel[2, 4] = _FAR
    margin = len(kernel) // 2
    around = [ops.padded(band, (margin,) * 4, "zero") for band in bands]
    # Turned, since theirs is a convolution.
    part = partial(_divided_apart, ops, constant, kernel[::-1, ::-1].copy(), margin)
    return ops.tiled(part, around, 2 * margin)


def _divided_apart(
    ops: Any, constant: float, kernel: Any, margin: int, *bands: Plane
) -> Plane:
    first, second = (
        ops.cropped(band, margin)
        / (ops.filtered(ops.absolute(band), kernel) + constant)
        for band in bands
    )
    return first - second
