"""MS-SSIM of Wang, Simoncelli and Bovik (Asilomar 2003), of grey.

At the four finer scales only contrast and structure count, at the coarsest luminance
too. Negative means, of which the authors' code takes complex powers, count as 0.
"""

import logging
from functools import partial
from typing import Any

from iqa_zoo.full_reference.ops import Plane, apply
from iqa_zoo.full_reference.ssim import CONSTANTS, WINDOW, gaussian, terms

#: Exponents of the scales, finest first; their sum is 1.0001.
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
#: The least side that leaves a window at the coarsest scale, and the authors' least.
LEAST, ADVISED = 161, 176

_log = logging.getLogger(__name__)


def ms_ssim(
    reference: Any,
    distorted: Any,
    *,
    data_range: float = 255,
    luma_rounding: bool = True,
) -> Any:
    """Multi-scale structural similarity, 0 to 1, higher is better.

    Args:
        reference: see `ops.apply`, also for the other images, the result and errors.
            The authors refuse sides below 176; here they get a warning in the log.
        distorted: likewise.
        data_range: the value of white.
        luma_rounding: round the grey of colour images to whole levels, as MATLAB does.
    """
    return apply(
        _ms_ssim,
        reference,
        distorted,
        least=LEAST,
        data_range=data_range,
        luma_rounding=luma_rounding,
    )


def ms_ssim_sum(
    reference: Any,
    distorted: Any,
    *,
    data_range: float = 255,
    luma_rounding: bool = True,
) -> Any:
    """The weighted mean of the scales of MS-SSIM in place of their product, -1 to 1.

    The method "wtd_sum" of the authors' code. Arguments as of `ms_ssim`.
    """
    return apply(
        _ms_ssim_sum,
        reference,
        distorted,
        least=LEAST,
        data_range=data_range,
        luma_rounding=luma_rounding,
    )


def _ms_ssim(
    ops: Any, reference: Plane, distorted: Plane, luma_rounding: bool
) -> tuple[Any, None]:
    product: Any = 1.0
    values = _values(ops, reference, distorted, luma_rounding)
    for weight, value in zip(WEIGHTS, values, strict=True):
        product = product * ops.power(ops.maximum(value, 0.0), weight)
    return product, None


def _ms_ssim_sum(
    ops: Any, reference: Plane, distorted: Plane, luma_rounding: bool
) -> tuple[Any, None]:
    values = _values(ops, reference, distorted, luma_rounding)
    parts = [w / sum(WEIGHTS) * value for w, value in zip(WEIGHTS, values, strict=True)]
    return sum(parts[1:], parts[0]), None


def _values(
    ops: Any, reference: Plane, distorted: Plane, luma_rounding: bool
) -> list[Any]:
    """The mean of each scale's map, finest first."""
    planes = [ops.luma(image, luma_rounding) for image in (reference, distorted)]
    sides = [side for side in ops.size(planes[0]) if isinstance(side, int)]
    if sides and min(sides) < ADVISED:
        _log.warning("ms_ssim: the authors' code refuses sides below %d", ADVISED)
    values = []
    for scale in range(len(WEIGHTS)):
        if scale:
            planes = [ops.halved(plane, "symmetric") for plane in planes]
        part = partial(_scale, ops, scale == len(WEIGHTS) - 1)
        values.append(ops.mean(ops.tiled(part, planes, len(WINDOW) - 1)))
    return values


def _scale(ops: Any, coarsest: bool, reference: Plane, distorted: Plane) -> Plane:
    luminance, structure = terms(ops, gaussian(ops), CONSTANTS, reference, distorted)
    return luminance * structure if coarsest else structure
