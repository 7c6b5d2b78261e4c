"""Errors of single pixels: the measures of Eskicioglu and Fisher (1995) and PSNR.

MSE, PSNR, MAE and MD are taken over all channels; NAE, SC and LMSE over grey, for which
they were written. `grey` changes that.
"""

import math
from functools import partial
from typing import Any

from iqa_zoo.full_reference.ops import Plane, apply

_LAPLACIAN = ((0, 1, 0), (1, -4, 1), (0, 1, 0))


def mse(
    reference: Any,
    distorted: Any,
    *,
    data_range: float = 255,
    grey: bool = False,
    luma_rounding: bool = True,
    return_map: bool = False,
) -> Any:
    """Mean squared error, 0 to 65025, lower is better; on 0..255 for any `data_range`.

    Args:
        reference: see `ops.apply`, also for the other images, the result and errors.
        distorted: likewise.
        data_range: the value of white.
        grey: compare MATLAB's grey in place of all channels.
        luma_rounding: round that to whole grey levels.
        return_map: give the squared error of each pixel too, averaged over channels.
    """
    return apply(
        _mse,
        reference,
        distorted,
        least=1,
        data_range=data_range,
        return_map=return_map,
        grey=grey,
        luma_rounding=luma_rounding,
    )


def psnr(
    reference: Any,
    distorted: Any,
    *,
    data_range: float = 255,
    grey: bool = False,
    luma_rounding: bool = True,
    epsilon: float = 0.0,
) -> Any:
    """Peak signal-to-noise ratio in dB, higher is better; infinite without an error.

    Args:
        reference: see `ops.apply`, also for the other images, the result and errors.
        distorted: likewise.
        data_range: the value of white.
        grey: compare MATLAB's grey in place of all channels.
        luma_rounding: round that to whole grey levels.
        epsilon: added to the squared error, where white is 1: 1e-8 ends at 80 dB.
    """
    return apply(
        _psnr,
        reference,
        distorted,
        least=1,
        data_range=data_range,
        grey=grey,
        luma_rounding=luma_rounding,
        epsilon=epsilon,
    )


def mae(
    reference: Any,
    distorted: Any,
    *,
    data_range: float = 255,
    grey: bool = False,
    luma_rounding: bool = True,
    return_map: bool = False,
) -> Any:
    """Mean absolute error, 0 to 255, lower is better; arguments as of `mse`."""
    return apply(
        _mae,
        reference,
        distorted,
        least=1,
        data_range=data_range,
        return_map=return_map,
        grey=grey,
        luma_rounding=luma_rounding,
    )


def md(
    reference: Any,
    distorted: Any,
    *,
    data_range: float = 255,
    grey: bool = False,
    luma_rounding: bool = True,
) -> Any:
    """Maximum difference, 0 to 255, lower is better; arguments as of `mse`."""
    return apply(
        _md,
        reference,
        distorted,
        least=1,
        data_range=data_range,
        grey=grey,
        luma_rounding=luma_rounding,
    )


def nae(
    reference: Any,
    distorted: Any,
    *,
    data_range: float = 255,
    grey: bool = True,
    luma_rounding: bool = True,
) -> Any:
    """Normalised absolute error Σ|x - y| / Σ|x|, lower is better; as `mse`.

    A black reference gives 0 with a black image and infinity with others.
    """
    return apply(
        _nae,
        reference,
        distorted,
        least=1,
        data_range=data_range,
        grey=grey,
        luma_rounding=luma_rounding,
    )


def sc(
    reference: Any,
    distorted: Any,
    *,
    data_range: float = 255,
    grey: bool = True,
    luma_rounding: bool = True,
) -> Any:
    """Structural content Σx² / Σy², best at 1; arguments as of `mse`.

    A black distorted image gives 1 with a black reference and infinity with others.
    """
    return apply(
        _sc,
        reference,
        distorted,
        least=1,
        data_range=data_range,
        grey=grey,
        luma_rounding=luma_rounding,
    )


def lmse(
    reference: Any,
    distorted: Any,
    *,
    data_range: float = 255,
    grey: bool = True,
    luma_rounding: bool = True,
) -> Any:
    """Laplacian mean squared error, lower is better; arguments as of `mse`.

    Σ(Lx - Ly)² / Σ(Lx)² with the Laplacian L of four neighbours, without borders. A
    flat reference gives 0 with a flat image and infinity with others.
    """
    return apply(
        _lmse,
        reference,
        distorted,
        least=3,
        data_range=data_range,
        grey=grey,
        luma_rounding=luma_rounding,
    )


def _planes(
    ops: Any, images: tuple[Plane, Plane], grey: bool, luma_rounding: bool
) -> tuple[Plane, Plane]:
    """What is compared: grey, or the images themselves, which may still be uint8."""
    if not grey:
        return images
    first, second = (ops.luma(image, luma_rounding) for image in images)
    return first, second


def _mse(
    ops: Any, reference: Plane, distorted: Plane, grey: bool, luma_rounding: bool
) -> tuple[Any, Any]:
    pair = _planes(ops, (reference, distorted), grey, luma_rounding)
    return ops.mean_square(*pair), partial(_squared, ops, pair)


def _squared(ops: Any, pair: tuple[Plane, Plane]) -> Plane:
    apart = ops.channels(pair[0]) - ops.channels(pair[1])
    return apart * apart


def _psnr(
    ops: Any,
    reference: Plane,
    distorted: Plane,
    grey: bool,
    luma_rounding: bool,
    epsilon: float,
) -> tuple[Any, None]:
    pair = _planes(ops, (reference, distorted), grey, luma_rounding)
    error = ops.mean_square(*pair) / 255**2 + epsilon
    some = error > 0
    decibels = -10 / math.log(10) * ops.log(ops.where(some, error, 1.0))
    return ops.where(some, decibels, math.inf), None


def _mae(
    ops: Any, reference: Plane, distorted: Plane, grey: bool, luma_rounding: bool
) -> tuple[Any, Any]:
    pair = _planes(ops, (reference, distorted), grey, luma_rounding)
    return ops.mean_absolute(*pair), partial(_apart, ops, pair)


def _apart(ops: Any, pair: tuple[Plane, Plane]) -> Plane:
    return ops.absolute(ops.channels(pair[0]) - ops.channels(pair[1]))


def _md(
    ops: Any, reference: Plane, distorted: Plane, grey: bool, luma_rounding: bool
) -> tuple[Any, None]:
    pair = _planes(ops, (reference, distorted), grey, luma_rounding)
    return ops.largest_absolute(*pair), None


def _nae(
    ops: Any, reference: Plane, distorted: Plane, grey: bool, luma_rounding: bool
) -> tuple[Any, None]:
    pair = _planes(ops, (reference, distorted), grey, luma_rounding)
    return _ratio(ops, ops.mean_absolute(*pair), ops.mean_absolute(pair[0]), 0.0), None


def _sc(
    ops: Any, reference: Plane, distorted: Plane, grey: bool, luma_rounding: bool
) -> tuple[Any, None]:
    pair = _planes(ops, (reference, distorted), grey, luma_rounding)
    first, second = (ops.mean_square(plane) for plane in pair)
    return _ratio(ops, first, second, 1.0), None


def _lmse(
    ops: Any, reference: Plane, distorted: Plane, grey: bool, luma_rounding: bool
) -> tuple[Any, None]:
    pair = _planes(ops, (reference, distorted), grey, luma_rounding)
    edges = [
        ops.tiled(
            lambda plane: ops.filtered(ops.channels(plane), _LAPLACIAN), [plane], 2
        )
        for plane in pair
    ]
    return _ratio(ops, ops.mean_square(*edges), ops.mean_square(edges[0]), 0.0), None


def _ratio(ops: Any, top: Any, bottom: Any, neither: float) -> Any:
    """A quotient of values that are not negative; `neither` for 0 / 0."""
    some = bottom > 0
    quotient = top / ops.where(some, bottom, 1.0)
    return ops.where(some, quotient, ops.where(top > 0, math.inf, neither))
