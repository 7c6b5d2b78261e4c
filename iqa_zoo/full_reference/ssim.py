"""SSIM of Wang, Bovik, Sheikh and Simoncelli (TIP 2004), of grey, as their MATLAB code.

Means and variances are those of the sum and of the difference of the two images: the
terms are then 1 minus something that is exactly 0 for identical images, and the parts
that cancel are small.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from iqa_zoo.full_reference.ops import Plane, apply

#: The window: 11 x 11 pixels, a Gaussian of sigma 1.5.
WINDOW = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
WINDOW /= WINDOW.sum()
#: (0.01 · 255)² and (0.03 · 255)².
CONSTANTS = (6.5025, 58.5225)


def ssim(
    reference: Any,
    distorted: Any,
    *,
    data_range: float = 255,
    luma_rounding: bool = True,
    return_map: bool = False,
) -> Any:
    """Structural similarity, -1 to 1, higher is better, of images shrunk to about 256.

    `ssim.m` of 2009, which most papers quote: the image is first averaged over F x F
    pixels (see `ops.downsampled`); nothing where the short side is below 384.

    Args:
        reference: see `ops.apply`, also for the other images, the result and errors.
        distorted: likewise.
        data_range: the value of white.
        luma_rounding: round the grey of colour images to whole levels, as MATLAB does.
        return_map: give the similarity at each place of the window too.
    """
    return apply(
        _ssim,
        reference,
        distorted,
        least=len(WINDOW),
        data_range=data_range,
        return_map=return_map,
        luma_rounding=luma_rounding,
        shrunk=True,
    )


def ssim_fullres(
    reference: Any,
    distorted: Any,
    *,
    data_range: float = 255,
    luma_rounding: bool = True,
    return_map: bool = False,
) -> Any:
    """Structural similarity at full resolution: `ssim_index.m` of 2003.

    What scikit-image, TensorFlow and OpenCV compute, up to their windows and borders.
    Arguments as of `ssim`.
    """
    return apply(
        _ssim,
        reference,
        distorted,
        least=len(WINDOW),
        data_range=data_range,
        return_map=return_map,
        luma_rounding=luma_rounding,
        name="ssim_fullres",
        shrunk=False,
    )


def _ssim(
    ops: Any, reference: Plane, distorted: Plane, luma_rounding: bool, shrunk: bool
) -> tuple[Any, Plane]:
    grey = partial(ops.luma, rounded=luma_rounding)
    shrink = partial(ops.downsampled, padding="symmetric", of=grey) if shrunk else grey
    planes = [shrink(image) for image in (reference, distorted)]
    whole = ops.tiled(partial(_product, ops), planes, len(WINDOW) - 1)
    return ops.mean(whole), whole


def _product(ops: Any, reference: Plane, distorted: Plane) -> Plane:
    luminance, structure = terms(ops, gaussian(ops), CONSTANTS, reference, distorted)
    luminance *= structure
    return luminance


def gaussian(ops: Any) -> Callable[[Plane], Plane]:
    """Local means under `WINDOW`."""
    return partial(ops.separable, column=WINDOW, row=WINDOW)


def terms(
    ops: Any,
    smooth: Callable[[Plane], Plane],
    constants: tuple[float, float],
    reference: Plane,
    distorted: Plane,
) -> tuple[Plane, Plane]:
    """The two factors of SSIM's map: luminance, and contrast with structure.

    (2 μx μy + C1) / (μx² + μy² + C1) and (2 σxy + C2) / (σx² + σy² + C2).

    Args:
        ops: primitives.
        smooth: from a plane to the local means of it.
        constants: C1 and C2.
        reference: plane on 0..255.
        distorted: likewise.
    """
    # With s = x + y and d = x - y: 2 (μx² + μy²) = μs² + μd², 2 (σx² + σy²) = σs² + σd²
    # and 2 μx μy = μx² + μy² - μd², likewise the variances. s is taken about mid grey.
    # Nothing is written over but what was made here: half of the time is memory's.
    both = distorted - 256
    both += reference
    apart = reference - distorted
    planes = [both, apart, both * both, apart * apart]
    both, apart, both_squared, apart_squared = ops.together(smooth, planes)
    mean_apart = apart * apart
    spread_both = both_squared - both * both
    # Never negative but by rounding.
    spread_apart = ops.absolute(apart_squared - mean_apart)
    both = both + 256
    both *= both
    both += mean_apart
    both += 2 * constants[0]
    spread_both += spread_apart
    spread_both += 2 * constants[1]
    mean_apart *= -2
    mean_apart /= both
    mean_apart += 1
    spread_apart *= -2
    spread_apart /= spread_both
    spread_apart += 1
    return mean_apart, spread_apart
