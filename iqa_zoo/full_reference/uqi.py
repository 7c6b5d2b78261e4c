"""UQI, the universal quality index of Wang and Bovik (SPL 2002), of grey.

SSIM without constants in uniform windows; so in flat windows 0 / 0, where the factor
that is undefined counts as 1, as in the authors' code.
"""

from functools import partial
from typing import Any

from iqa_zoo.full_reference.ops import Plane, apply

_SIDE = 8  # of the window, in pixels
# Below it a variance of grey levels is a rounding error of float64.
_FLAT = 1e-8


def uqi(
    reference: Any,
    distorted: Any,
    *,
    data_range: float = 255,
    luma_rounding: bool = True,
    return_map: bool = False,
) -> Any:
    """Universal quality index, -1 to 1, higher is better; arguments as of `ssim`."""
    return apply(
        _uqi,
        reference,
        distorted,
        least=_SIDE,
        data_range=data_range,
        return_map=return_map,
        luma_rounding=luma_rounding,
    )


def _uqi(
    ops: Any, reference: Plane, distorted: Plane, luma_rounding: bool
) -> tuple[Any, Plane]:
    planes = [ops.luma(image, luma_rounding) for image in (reference, distorted)]
    whole = ops.tiled(partial(_index, ops), planes, _SIDE - 1)
    return ops.mean(whole), whole


def _index(ops: Any, reference: Plane, distorted: Plane) -> Plane:
    # As in `ssim.terms`, by sum and difference; in float64, since no constant hides
    # what cancels.
    reference, distorted = ops.double(reference), ops.double(distorted)
    planes = [reference + distorted, reference - distorted]
    planes += [plane * plane for plane in planes]
    both, apart, *squared = ops.together(partial(ops.box, size=_SIDE), planes)
    both, apart = both * both, apart * apart
    spread_apart = squared[1] - apart
    spread = squared[0] - both + spread_apart
    luminance = _share(ops, apart, both + apart)
    return luminance * _share(ops, spread_apart, spread)


def _share(ops: Any, part: Plane, whole: Plane) -> Plane:
    """1 - 2 part / whole, and 1 where there is nothing."""
    some = whole > _FLAT
    return ops.where(some, 1 - 2 * part / ops.where(some, whole, 1.0), 1.0)
