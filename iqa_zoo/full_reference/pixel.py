"""Errors of single pixels: the measures of Eskicioglu and Fisher (1995) and PSNR.

MSE, PSNR, MAE and MD are taken over all channels; NAE, SC and LMSE over grey, for which
they were written. `grey` changes that.
"""

import math
from collections.abc import Callable
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
        _compared,
        reference,
        distorted,
        name="mse",
        formula=squared_error,
        map_=_squared,
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
        _compared,
        reference,
        distorted,
        name="psnr",
        formula=partial(signal_to_noise, epsilon=epsilon),
        least=1,
        data_range=data_range,
        grey=grey,
        luma_rounding=luma_rounding,
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
        _compared,
        reference,
        distorted,
        name="mae",
        formula=absolute_error,
        map_=_apart,
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
        _compared,
        reference,
        distorted,
        name="md",
        formula=largest_error,
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
        _compared,
        reference,
        distorted,
        name="nae",
        formula=normalised_error,
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
        _compared,
        reference,
        distorted,
        name="sc",
        formula=structural_content,
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
        _compared,
        reference,
        distorted,
        name="lmse",
        formula=laplacian_error,
        least=3,
        data_range=data_range,
        grey=grey,
        luma_rounding=luma_rounding,
    )


def _compared(
    ops: Any,
    reference: Plane,
    distorted: Plane,
    grey: bool,
    luma_rounding: bool,
    formula: Callable[[Any, Plane, Plane], Any],
    map_: Callable[[Any, Plane, Plane], Plane] | None = None,
) -> tuple[Any, Any]:
    """A formula of grey, or of the images themselves, which may still be uint8."""
    pair = reference, distorted
    if grey:
        pair = ops.luma(reference, luma_rounding), ops.luma(distorted, luma_rounding)
    return formula(ops, *pair), map_ and partial(map_, ops, *pair)


# The formulas, from primitives and two planes on 0..255 to a value.


def squared_error(ops: Any, first: Plane, second: Plane) -> Any:
    """Mean squared error."""
    return ops.mean_square(first, second)


def signal_to_noise(ops: Any, first: Plane, second: Plane, epsilon: float = 0.0) -> Any:
    """PSNR in dB, infinite without an error; see `psnr`."""
    error = ops.mean_square(first, second) / 255**2 + epsilon
    some = error > 0
    decibels = -10 / math.log(10) * ops.log(ops.where(some, error, 1.0))
    return ops.where(some, decibels, math.inf)


def absolute_error(ops: Any, first: Plane, second: Plane) -> Any:
    """Mean absolute error."""
    return ops.mean_absolute(first, second)


def largest_error(ops: Any, first: Plane, second: Plane) -> Any:
    """Maximum difference."""
    return ops.largest_absolute(first, second)


def normalised_error(ops: Any, first: Plane, second: Plane) -> Any:
    """Normalised absolute error; see `nae`."""
    return _ratio(ops, ops.mean_absolute(first, second), ops.mean_absolute(first), 0.0)


def structural_content(ops: Any, first: Plane, second: Plane) -> Any:
    """Structural content; see `sc`."""
    return _ratio(ops, ops.mean_square(first), ops.mean_square(second), 1.0)


def laplacian_error(ops: Any, first: Plane, second: Plane) -> Any:
    """Laplacian mean squared error; see `lmse`."""
    edges = [
        ops.tiled(
            lambda plane: ops.filtered(ops.channels(plane), _LAPLACIAN), [plane], 2
        )
        for plane in (first, second)
    ]
    return _ratio(ops, ops.mean_square(*edges), ops.mean_square(edges[0]), 0.0)


def _squared(ops: Any, first: Plane, second: Plane) -> Plane:
    apart = ops.channels(first) - ops.channels(second)
    return apart * apart


def _apart(ops: Any, first: Plane, second: Plane) -> Plane:
    return ops.absolute(ops.channels(first) - ops.channels(second))


def _ratio(ops: Any, top: Any, bottom: Any, neither: float) -> Any:
    """A quotient of values that are not negative; `neither` for 0 / 0."""
    some = bottom > 0
    quotient = top / ops.where(some, bottom, 1.0)
    return ops.where(some, quotient, ops.where(top > 0, math.inf, neither))
