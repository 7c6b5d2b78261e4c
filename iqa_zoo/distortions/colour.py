"""Colours blurred, displaced, counted down, faded or overdone."""

import numpy as np
from PIL import Image as PillowImage

from iqa_zoo.distortions.blur import smoothed
from iqa_zoo.distortions.types import Image
from iqa_zoo.images import opencv


def diffusion(image: Image, strength: float, random: np.random.Generator) -> Image:
    """KADID-10k 4: the two colour channels of Lab blurred and amplified."""
    sigma = 1.5 * strength + 2
    lab = to_lab(image)
    blurred = smoothed(lab[..., 1:], sigma, 2 * int(np.ceil(2 * sigma)) + 1)
    return from_lab(lab[..., 0], blurred * np.float32(strength))


def shift(image: Image, distance: float, random: np.random.Generator) -> Image:
    """KADID-10k 5: green displaced where there are edges."""
    cv2 = opencv()
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    across, down = (
        cv2.Sobel(grey, -1, *order, borderType=cv2.BORDER_REPLICATE)
        for order in ((1, 0), (0, 1))
    )
    edges = np.hypot(across, down)
    weight = stretched(smoothed(edges, 4, 17))
    weight = stretched(weight.clip(0.1, 1))
    weight = stretched(weight.clip(*np.percentile(weight, (1, 99))))
    toward = random.random(2)
    rows, columns = np.rint(distance * toward / np.linalg.norm(toward)).astype(int)
    height, width = grey.shape
    y = (np.arange(height)[:, None] - rows).clip(0, height - 1)
    x = (np.arange(width) - columns).clip(0, width - 1)
    moved = image[y, x, 1]
    out = image.copy()
    out[..., 1] += weight * (moved - out[..., 1])
    return out


def quantisation(image: Image, colours: float, random: np.random.Generator) -> Image:
    """KADID-10k 6 and DB-CNN 7: a palette of few colours, dithered."""
    picture = PillowImage.fromarray(np.rint(image * 255).astype(np.uint8))
    palette = picture.quantize(int(colours), PillowImage.Quantize.MEDIANCUT)
    # Pillow only dithers towards a palette that it is given.
    dithered = picture.quantize(
        palette=palette, dither=PillowImage.Dither.FLOYDSTEINBERG
    )
    return np.asarray(dithered.convert("RGB"), np.float32) / 255


def saturation_hsv(image: Image, factor: float, random: np.random.Generator) -> Image:
    """KADID-10k 7: the saturation of HSV times a factor, which may be negative."""
    # In HSV a channel is V - V S f(H): its distance from V is proportional to S.
    value = image.max(-1, keepdims=True)
    faded: Image = value - (value - image) * np.float32(factor)
    return faded


def saturation_lab(image: Image, factor: float, random: np.random.Generator) -> Image:
    """KADID-10k 8: the two colour channels of Lab times a factor."""
    lab = to_lab(image)
    return from_lab(lab[..., 0], lab[..., 1:] * np.float32(factor))


def to_lab(image: Image) -> Image:
    """CIE Lab (L 0..100, a, b) of an sRGB image, D65."""
    cv2 = opencv()
    lab: Image = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    return lab


def from_lab(lightness: Image, colour: Image) -> Image:
    """The sRGB image of L (height, width) and of a and b (height, width, 2)."""
    cv2 = opencv()
    lab = np.concatenate([lightness[..., None], colour], -1)
    image: Image = cv2.cvtColor(lab.astype(np.float32), cv2.COLOR_LAB2RGB)
    return image


def stretched(values: Image) -> Image:
    """`values` from 0 to 1; a constant stays as it is (the authors' `mapmm`)."""
    low, high = values.min(), values.max()
    return values if low == high else (values - low) / (high - low)
