"""VIFp: visual information fidelity in the pixel domain.

Sheikh and Bovik, "Image information and visual quality", TIP 2006, in the form of their
`vifp_mscale.m`. Computed in float64: what an image's flat parts tell is the difference
of two large numbers.
"""

from typing import Any

import numpy as np

from iqa_zoo.full_reference.ops import Plane, apply

LEAST = 41  # pixels a side: the smallest whose fourth scale has a window
SIZES = (17, 9, 5, 3)  # of the windows of the four scales; sigma is a fifth
NOISE = 2.0  # variance of the noise of vision
TINY = 1e-10  # variances below it are none


def vifp(
    reference: Any,
    distorted: Any,
    *,
    data_range: float = 255,
    luma_rounding: bool = True,
) -> Any:
    """How much of the reference's information is left.

    Args:
        reference: (height, width), (height, width, channels) or (batch, height, width,
            channels), of 1 or 3 channels (RGB), uint8 or floating; NumPy or TensorFlow.
        distorted: of the same shape.
        data_range: the value of white; black is 0.
        luma_rounding: whether greys are whole numbers, as MATLAB's are.

    Returns:
        One score an image, from 0; 1 for identical images, more where contrast was
        raised; see `ops.apply` for types.

    Raises:
        UsageError: the shapes differ.
        ImageError: no images, NaN, values out of range, or sides below 41 pixels.
    """
    return apply(
        _vifp,
        reference,
        distorted,
        least=LEAST,
        data_range=data_range,
        luma_rounding=luma_rounding,
    )


def _vifp(
    ops: Any, reference: Plane, distorted: Plane, luma_rounding: bool
) -> tuple[Any, None]:
    planes = [
        ops.double(ops.luma(image, luma_rounding)) - 128
        for image in (reference, distorted)
    ]
    kept: Any = 0
    whole: Any = 0
    for scale, size in enumerate(SIZES):
        window = _window(size)
        if scale:
            planes = [ops.separable(p, window, window, step=2) for p in planes]

        def information(
            first: Plane, second: Plane, window: Any = window
        ) -> tuple[Plane, Plane]:
            return _information(ops, first, second, window)

        parts = ops.tiled(information, planes, margin=size - 1)
        kept, whole = kept + ops.total(parts[0]), whole + ops.total(parts[1])
    return share(ops, kept, whole, *planes), None


def share(ops: Any, kept: Any, whole: Any, reference: Plane, distorted: Plane) -> Any:
    """Which part of the information is kept; of none, all or nothing."""
    equal = ops.largest_absolute(reference, distorted) == 0
    one, some = whole * 0 + 1, whole > 0
    nothing = ops.where(equal, one, 0 * one)
    return ops.where(some, kept / ops.where(some, whole, one), nothing)


def _window(size: int) -> Any:
    distance = np.arange(size) - size // 2
    window = np.exp(-((distance / (size / 5)) ** 2) / 2)
    return window / window.sum()


def _information(
    ops: Any, first: Plane, second: Plane, window: Any
) -> tuple[Plane, Plane]:
    """The information at each pixel that is kept, and that there was."""

    def mean(plane: Plane) -> Plane:
        return ops.separable(plane, window, window)

    mean_first, mean_second = mean(first), mean(second)
    variance = mean(first * first) - mean_first * mean_first
    other = ops.maximum(mean(second * second) - mean_second * mean_second, 0)
    common = mean(first * second) - mean_first * mean_second
    # The authors' rules: no gain where either is flat or they run against each other.
    seen = (variance >= TINY) & (other >= TINY) & (common > 0)
    variance = ops.where(variance >= TINY, variance, 0)
    gain = ops.where(seen, common / ops.where(seen, variance, 1), 0)
    rest = ops.maximum(other - gain * common, 0)
    kept = ops.log(1 + gain * gain * variance / (rest + NOISE))
    return kept, ops.log(1 + variance / NOISE)
