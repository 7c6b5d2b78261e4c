"""VIF: visual information fidelity in the wavelet domain.

Sheikh and Bovik, "Image information and visual quality", TIP 2006, in the form of their
`vifvec_release`: neighbourhoods of 3 x 3 coefficients in two of the six orientations of
a steerable pyramid, in float64.
"""

from typing import Any

from iqa_zoo.full_reference.ops import Plane, apply, mixtures
from iqa_zoo.full_reference.steerable import BANDS, FIRST_LOW, LOW
from iqa_zoo.full_reference.vifp import share

LEAST = 128  # pixels a side
LEVELS = 4
BLOCK = 3  # coefficients a side of a neighbourhood
WINDOWS = (17, 9, 5, 3)  # coefficients a side, of the four levels
BORDERS = (3, 2, 1, 1)  # blocks at their sides that are left out
NOISE = 0.4  # variance of the noise of vision
TINY = 1e-12  # variances below it are none


def vif(
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
        ImageError: no images, NaN, values out of range, or sides below 128 pixels.
    """
    return apply(
        _vif,
        reference,
        distorted,
        least=LEAST,
        data_range=data_range,
        luma_rounding=luma_rounding,
    )


def _vif(
    ops: Any, reference: Plane, distorted: Plane, luma_rounding: bool
) -> tuple[Any, None]:
    planes = [
        ops.double(ops.luma(image, luma_rounding)) for image in (reference, distorted)
    ]
    lows = [ops.filtered(plane, FIRST_LOW, "reflect") for plane in planes]
    kept: Any = 0
    whole: Any = 0
    for level in range(LEVELS):
        if level:
            lows = [ops.filtered(low, LOW, "reflect", step=2) for low in lows]
        for kernel in BANDS:
            first, second = (
                _cropped(ops, ops.filtered(low, kernel, "reflect")) for low in lows
            )
            parts = _information(ops, first, second, level)
            kept, whole = kept + ops.total(parts[0]), whole + ops.total(parts[1])
    return share(ops, kept, whole, *planes), None


def _cropped(ops: Any, band: Plane) -> Plane:
    """A band without the last rows and columns that make no whole block."""
    height, width = ops.size(band)
    return mixtures.corner(ops, band, height // BLOCK * BLOCK, width // BLOCK * BLOCK)


def _information(
    ops: Any, first: Plane, second: Plane, level: int
) -> tuple[Plane, Plane]:
    """The information in each block that is kept, and that there was."""
    gain, rest = _channel(ops, first, second, level)
    energy, variances = mixtures.scale_mixture(ops, first, BLOCK)
    energy = ops.cropped(energy, BORDERS[level])
    kept: Any = 1
    whole: Any = 1
    for variance in variances:
        signal = energy * ops.spread(variance)
        kept = kept * (1 + gain * gain * signal / (rest + NOISE))
        whole = whole * (1 + signal / NOISE)
    return ops.log(kept), ops.log(whole)


def _channel(ops: Any, first: Plane, second: Plane, level: int) -> tuple[Plane, Plane]:
    """At each block within the borders, by how much the signal was multiplied, and the
    variance of what was added.
    """
    size, border = WINDOWS[level], BORDERS[level]
    start = border * BLOCK + BLOCK // 2 - size // 2
    height, width = (side // BLOCK - 2 * border for side in ops.size(first))

    def mean(plane: Plane) -> Plane:
        """Over a window around the middle of each block."""
        found = ops.every(ops.box(mixtures.tail(ops, plane, start), size), BLOCK)
        return mixtures.corner(ops, found, height, width)

    mean_first, mean_second = mean(first), mean(second)
    # The authors' thresholds are for sums over the window.
    tiny = TINY / size**2
    variance = mean(first * first) - mean_first * mean_first
    other = ops.maximum(mean(second * second) - mean_second * mean_second, 0)
    common = mean(first * second) - mean_first * mean_second
    seen = (variance >= tiny) & (other >= tiny) & (common > 0)
    gain = ops.where(seen, common / ops.where(seen, variance, 1), 0)
    return gain, ops.maximum(other - gain * common, 0)
