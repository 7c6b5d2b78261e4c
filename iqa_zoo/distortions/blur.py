"""Blur: out of focus, shaken, or smoothed. Borders are repeated, as MATLAB's are."""

import math

import numpy as np
from numpy.typing import NDArray

from iqa_zoo.distortions.types import Image
from iqa_zoo.images import opencv


def gaussian(image: Image, sigma: float, random: np.random.Generator) -> Image:
    """KADID-10k 1: a Gaussian cut at two sigmas."""
    return smoothed(image, sigma, 2 * math.ceil(2 * sigma) + 1)


def gaussian_window(image: Image, size: float, random: np.random.Generator) -> Image:
    """DB-CNN 1: a Gaussian of a sixth of its window, borders mirrored."""
    cv2 = opencv()
    blurred: Image = cv2.GaussianBlur(
        image, (int(size), int(size)), size / 6, borderType=cv2.BORDER_REFLECT
    )
    return blurred


def lens(image: Image, radius: float, random: np.random.Generator) -> Image:
    """KADID-10k 2: every point becomes a disc (MATLAB's `fspecial("disk")`)."""
    return filtered(image, disc(radius))


def motion(image: Image, length: float, random: np.random.Generator) -> Image:
    """KADID-10k 3: every point becomes a line of random direction."""
    return filtered(image, line(length, random.uniform(0, math.pi)))


def smoothed(image: Image, sigma: float, size: int) -> Image:
    """`image`, of any number of channels, under a Gaussian of `size` pixels."""
    cv2 = opencv()
    blurred: Image = cv2.GaussianBlur(
        image, (size, size), sigma, borderType=cv2.BORDER_REPLICATE
    )
    return blurred


def filtered(image: Image, kernel: NDArray[np.float64]) -> Image:
    """`image` under a kernel that is symmetric about its middle."""
    cv2 = opencv()
    out: Image = cv2.filter2D(
        image, -1, kernel.astype(np.float32), borderType=cv2.BORDER_REPLICATE
    )
    return out


def disc(radius: float) -> NDArray[np.float64]:
    """The share of each pixel that a disc covers, summing to 1.

    Coverage is counted on 16 x 16 points a pixel.
    """
    half = math.ceil(radius - 0.5)
    points = (np.arange(16 * (2 * half + 1)) + 0.5) / 16 - half - 0.5
    inside = points[:, None] ** 2 + points**2 <= radius**2
    side = 2 * half + 1
    cover = inside.reshape(side, 16, side, 16).mean((1, 3))
    kernel: NDArray[np.float64] = cover / cover.sum()
    return kernel


def line(length: float, angle: float) -> NDArray[np.float64]:
    """A line one pixel wide, anti-aliased, summing to 1.

    A pixel weighs 1 minus its distance from the line's middle axis, at least 0.
    """
    half = (length - 1) / 2
    reach = math.ceil(half)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(float)
    along = x * math.cos(angle) - y * math.sin(angle)
    across = x * math.sin(angle) + y * math.cos(angle)
    distance = np.hypot(across, np.maximum(np.abs(along) - half, 0))
    kernel = np.maximum(1 - distance, 0)
    weights: NDArray[np.float64] = kernel / kernel.sum()
    return weights
