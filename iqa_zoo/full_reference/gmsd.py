"""GMSD of Xue, Zhang, Mou and Bovik (TIP 2014) and its multi-scale form (2017).

Gradients are taken three times as large as theirs, and constants nine times: whole
numbers stay whole.
"""

from functools import partial
from typing import Any

from iqa_zoo.full_reference.ops import Plane, apply, dissimilarity

#: T of both papers, for gradients on 0..255.
CONSTANT = 170
#: Of MS-GMSD: weights of the scales, finest first, and how far strong edges mask.
WEIGHTS = (0.096, 0.596, 0.289, 0.019)
MASKING = 0.5
#: NTSC's colours: Y, I and Q.
YIQ = ((0.299, 0.587, 0.114), (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))


def gmsd(
    reference: Any,
    distorted: Any,
    *,
    data_range: float = 255,
    luma_rounding: bool = True,
    return_map: bool = False,
) -> Any:
    """Gradient magnitude similarity deviation, 0 to about 0.5, lower is better.

    Args:
        reference: see `ops.apply`, also for the other images, the result and errors.
        distorted: likewise.
        data_range: the value of white.
        luma_rounding: round the grey of colour images to whole levels, as MATLAB does.
        return_map: give the similarity of gradients at half the size too.
    """
    return apply(
        _gmsd,
        reference,
        distorted,
        least=4,
        data_range=data_range,
        return_map=return_map,
        luma_rounding=luma_rounding,
    )


def ms_gmsd(reference: Any, distorted: Any, *, data_range: float = 255) -> Any:
    """Multi-scale GMSD of unrounded luma, 0 to about 0.5, lower is better.

    Zhang, Sander and Bermak, ICASSP 2017. Arguments as of `gmsd`.
    """
    return apply(
        _ms_gmsd,
        reference,
        distorted,
        least=17,
        data_range=data_range,
        chromatic=False,
    )


def ms_gmsdc(reference: Any, distorted: Any, *, data_range: float = 255) -> Any:
    """Multi-scale GMSD with errors of colour, from 0, lower is better; as `ms_gmsd`."""
    return apply(
        _ms_gmsd,
        reference,
        distorted,
        least=17,
        data_range=data_range,
        name="ms_gmsdc",
        chromatic=True,
    )


def gradient(ops: Any, plane: Plane) -> Plane:
    """Three times the length of Prewitt's gradient; "valid"."""
    return ops.slope(plane, (1, 1, 1), (1, 0, -1))


def _gmsd(
    ops: Any, reference: Plane, distorted: Plane, luma_rounding: bool
) -> tuple[Any, Plane]:
    grey = partial(ops.luma, rounded=luma_rounding)
    planes = [ops.halved(image, "zero", grey) for image in (reference, distorted)]
    apart = _dissimilarities(ops, planes, 0)
    return ops.deviation(apart, ddof=1), 1 - apart


def _dissimilarities(ops: Any, planes: list[Plane], masking: float) -> Plane:
    around = [ops.padded(plane, (1, 1, 1, 1), "zero") for plane in planes]
    return ops.tiled(partial(_apart, ops, masking), around, 2)


def _apart(ops: Any, masking: float, *planes: Plane) -> Plane:
    first, second = (gradient(ops, plane) for plane in planes)
    constant = 9 * CONSTANT
    if masking:
        constant = constant - masking * first * second
    return dissimilarity(first, second, constant)


def _ms_gmsd(
    ops: Any, reference: Plane, distorted: Plane, chromatic: bool
) -> tuple[Any, None]:
    colours = YIQ if chromatic else YIQ[:1]
    planes = [ops.mixed(image, colours) for image in (reference, distorted)]
    square = 0.0
    for scale, weight in enumerate(WEIGHTS):
        if scale:
            planes = [[ops.halved(p, "zero") for p in image] for image in planes]
        deviation = ops.deviation(
            _dissimilarities(ops, [image[0] for image in planes], MASKING)
        )
        square = square + weight * deviation * deviation
    score = ops.sqrt(square)
    if not chromatic:
        return score, None
    errors = [ops.mean_square(*pair) for pair in list(zip(*planes, strict=True))[1:]]
    error = ops.sqrt(errors[0] + errors[1])
    # Of the paper: how far colour counts beside structure, which masks it.
    share = 2 / (1 + 0.32 * ops.exp(-15 * score)) - 1
    return share * score + (1 - share) * 0.01 * error, None
