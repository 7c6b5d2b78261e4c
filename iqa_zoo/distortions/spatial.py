"""Pixels moved, copied, covered or merged."""

import math

import numpy as np

from iqa_zoo.distortions.types import Image
from iqa_zoo.errors import UsageError
from iqa_zoo.images import opencv

PATCH = 16  # pixels a side of what "non_eccentricity_patch" copies
BLOCK = 32  # pixels a side of what "colour_block" covers


def jitter(image: Image, pixels: float, random: np.random.Generator) -> Image:
    """KADID-10k 19: every pixel looked up a little beside its place, five times."""
    cv2 = opencv()
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    for _ in range(5):
        off = random.standard_normal((2, height, width), np.float32)
        image = cv2.remap(
            image,
            x + off[0] * np.float32(pixels),
            y + off[1] * np.float32(pixels),
            cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        )
    return image


def patches(image: Image, count: float, random: np.random.Generator) -> Image:
    """KADID-10k 20: patches copied to places up to 8 pixels away."""
    height, width = image.shape[:2]
    if min(height, width) < 3 * PATCH:
        raise UsageError(
            f"An image of {width} x {height} pixels is too small for patches that are "
            f"moved about; it needs {3 * PATCH} a side."
        )
    out = image.copy()
    for _ in range(int(count)):
        top = random.integers(PATCH, height - 2 * PATCH + 1)
        left = random.integers(PATCH, width - 2 * PATCH + 1)
        down, right = random.integers(-8, 9, 2)
        patch = image[top : top + PATCH, left : left + PATCH]
        out[top + down :, left + right :][:PATCH, :PATCH] = patch
    return out


def colour_blocks(image: Image, count: float, random: np.random.Generator) -> Image:
    """KADID-10k 23: squares of random colours."""
    height, width = image.shape[:2]
    out = image.copy()
    for _ in range(int(count)):
        top = random.integers(max(height - BLOCK, 0) + 1)
        left = random.integers(max(width - BLOCK, 0) + 1)
        out[top : top + BLOCK, left : left + BLOCK] = random.random(3)
    return out


def pixelate(image: Image, strength: float, random: np.random.Generator) -> Image:
    """KADID-10k 21: shrunk and enlarged again, the nearest pixel taken both times.

    Sides are rounded up, as MATLAB's `imresize` does.
    """
    cv2 = opencv()
    height, width = image.shape[:2]
    scale = 0.95 - strength**0.6
    small = math.ceil(width * scale), math.ceil(height * scale)
    shrunk = cv2.resize(image, small, interpolation=cv2.INTER_NEAREST_EXACT)
    out: Image = cv2.resize(
        shrunk, (width, height), interpolation=cv2.INTER_NEAREST_EXACT
    )
    return out
