"""Sharpness, with the noise taken off, and two measures that noise deceives."""

import math
from typing import Any

import numpy as np

from iqa_zoo.images import opencv
from iqa_zoo.technical import noise
from iqa_zoo.technical.planes import Plane, grey

FINE, COARSE = 1.0, 2.0  # sigma of the two Gaussians, pixels
_TOO_FLAT = 0.5  # squared grey levels a pixel, below which there is nothing to judge
_BOX = 9  # pixels, of Crete's low-pass


def measure(image: Any, *, noise_std: float | None = None) -> float:
    """How much more gradient there is at a fine scale than at a coarse one.

    E(s) is the mean squared gradient of the image under a Gaussian of s pixels, less
    what white noise adds to it, std^2 / (4 pi s^4). The measure is E(1) / E(2): near 1
    in a blurred photo, 2 where all edges are ideal steps, up to 4 in fine texture; so
    higher is sharper. An edge blurred by a Gaussian of b pixels has
    sqrt((4 + b^2) / (1 + b^2)).

    Args:
        image: uint8 (height, width, 3) RGB or (height, width) grey, 32 a side or more.
        noise_std: standard deviation of the noise in grey levels; None to measure it.

    Returns:
        The ratio, or NaN where there is too little texture to judge.

    Raises:
        UsageError: `image` is not as described.
    """
    plane = grey(image, noise.LEAST)
    if noise_std is None:
        noise_std = noise.from_grey(plane)
    if math.isnan(noise_std):
        return math.nan
    fine, coarse = (
        gradient_energy(plane, scale) - noise_std**2 / (4 * math.pi * scale**4)
        for scale in (FINE, COARSE)
    )
    return max(fine, 0) / coarse if coarse >= _TOO_FLAT else math.nan


def edge_blur(ratio: float) -> float:
    """The blur of step edges, in pixels of a Gaussian's sigma, at a ratio of `measure`.

    0 from a ratio of 2 on, infinity at 1 and below.
    """
    if ratio >= 2:
        return 0.0
    return math.sqrt((4 - ratio**2) / (ratio**2 - 1)) if ratio > 1 else math.inf


def gradient_energy(plane: Plane, scale: float) -> float:
    """Mean squared gradient of grey levels under a Gaussian of `scale` pixels."""
    cv2 = opencv()
    reach = int(4 * scale + 0.5)
    x = np.arange(-reach, reach + 1)
    smooth = np.exp(-(x**2) / (2 * scale**2))
    smooth /= smooth.sum()
    slope = smooth * x / scale**2
    energy = 0.0
    for across, down in ((slope, smooth), (smooth, slope)):
        gradient = cv2.sepFilter2D(
            plane, cv2.CV_32F, across, down, borderType=cv2.BORDER_REFLECT
        )
        energy += float(np.square(gradient).mean(dtype=float))
    return energy


def laplacian_variance(image: Any) -> float:
    """Variance of the Laplacian; higher is sharper, or noisier.

    White noise adds 20 times its variance: a blurred, noisy photo has more than any
    clean one.

    Args:
        image: uint8 (height, width, 3) RGB or (height, width) grey, 3 a side or more.

    Raises:
        UsageError: `image` is not as described.
    """
    cv2 = opencv()
    laplacian = cv2.Laplacian(grey(image, 3), cv2.CV_32F)[1:-1, 1:-1]
    return float(laplacian.var(dtype=float))


def perceptual_blur(image: Any) -> float:
    """How little a further blur changes: 0 sharp to 1 blurred. Noise deceives it.

    Args:
        image: uint8 (height, width, 3) RGB or (height, width) grey, 3 a side or more.

    Returns:
        The larger value of the two axes; 1 for a flat image.

    Raises:
        UsageError: `image` is not as described.

    Source:
        Crete, Dolmiere, Ladret, Nicolas, The blur effect, SPIE 2007.
    """
    cv2 = opencv()
    plane = grey(image, 3).astype(np.float64)
    blurs = []
    for axis, window in ((0, (1, _BOX)), (1, (_BOX, 1))):  # width, height
        smooth = cv2.blur(plane, window, borderType=cv2.BORDER_REPLICATE)
        before, after = (np.abs(np.diff(p, axis=axis)) for p in (plane, smooth))
        total = before.sum()
        lost = np.maximum(before - after, 0).sum()
        blurs.append(float(1 - lost / total) if total else 1.0)
    return max(blurs)
