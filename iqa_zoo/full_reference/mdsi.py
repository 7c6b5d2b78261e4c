"""MDSI of Nafchi, Shahkolaei, Hedjam and Cheriet (IEEE Access 2016), of colour."""

import math
from functools import partial
from typing import Any

from iqa_zoo.full_reference.gmsd import gradient
from iqa_zoo.full_reference.ops import Plane, apply, dissimilarity

#: Luminance and two chromaticities.
LHM = ((0.2989, 0.5870, 0.1140), (0.30, 0.04, -0.35), (0.34, -0.60, 0.17))
#: C1, C2 and C3 of the paper. The gradients here are three times as large.
C1, C2, C3 = 9 * 140, 9 * 55, 550
#: The share of gradients beside colour.
ALPHA = 0.6


def mdsi(
    reference: Any,
    distorted: Any,
    *,
    data_range: float = 255,
    return_map: bool = False,
) -> Any:
    """Mean deviation similarity index, from 0 to about 0.6, lower is better.

    Args:
        reference: see `ops.apply`, also for the other images, the result and errors.
        distorted: likewise.
        data_range: the value of white.
        return_map: give the similarity of gradients and colours too, at the size to
            which the images are shrunk (see `ops.downsampled`).
    """
    return apply(
        _mdsi,
        reference,
        distorted,
        least=4,
        data_range=data_range,
        return_map=return_map,
    )


def _mdsi(ops: Any, reference: Plane, distorted: Plane) -> tuple[Any, Plane]:
    # Colours are mixed after shrinking, which comes to the same.
    first, second = (
        ops.mixed(ops.downsampled(image, "zero"), LHM)
        for image in (reference, distorted)
    )
    around = [ops.padded(plane, (1, 1, 1, 1), "zero") for plane in (*first, *second)]
    likeness = ops.tiled(partial(_likeness, ops), around, 2)
    # A negative similarity has complex roots.
    root = ops.sqrt(ops.sqrt(ops.absolute(likeness)))
    below = likeness < 0
    along = ops.where(below, root * math.sqrt(0.5), root)
    aside = ops.where(below, root * math.sqrt(0.5), root * 0)
    apart = ops.magnitude(
        along - ops.spread(ops.mean(along)), aside - ops.spread(ops.mean(aside))
    )
    return ops.sqrt(ops.sqrt(ops.mean(apart))), likeness


def _likeness(ops: Any, *planes: Plane) -> Plane:
    """The weighted similarity of gradients and colours, "valid" by one pixel."""
    first, second = (gradient(ops, planes[i]) for i in (0, 3))
    middle = gradient(ops, (planes[0] + planes[3]) * 0.5)
    edges = (
        dissimilarity(first, second, C1)
        + dissimilarity(second, middle, C2)
        - dissimilarity(first, middle, C2)
    )
    h1, m1, h2, m2 = (ops.cropped(planes[i], 1) for i in (1, 2, 4, 5))
    colour = ((h1 - h2) ** 2 + (m1 - m2) ** 2) / (
        h1 * h1 + m1 * m1 + h2 * h2 + m2 * m2 + C3
    )
    return 1 - (ALPHA * edges + (1 - ALPHA) * colour)
