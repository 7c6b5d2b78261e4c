"""Noise, and what is left of a photo after noise was removed."""

import numpy as np
from numpy.typing import NDArray

from iqa_zoo.distortions.types import Image
from iqa_zoo.images import opencv

# ITU-R BT.601, studio range, in 255ths: RGB 0..1 to Y, Cb, Cr.
_YCBCR = [
    [65.481, 128.553, 24.966],
    [-37.797, -74.203, 112.0],
    [112.0, -93.786, -18.214],
]


def white(image: Image, variance: float, random: np.random.Generator) -> Image:
    """KADID-10k 11 and DB-CNN 2: Gaussian, each channel its own."""
    return image + _normal(image.shape, variance, random)


def white_ycbcr(image: Image, variance: float, random: np.random.Generator) -> Image:
    """KADID-10k 12: the same Gaussian noise on Y, Cb and Cr (BT.601, studio range)."""
    drawn = _normal((*image.shape[:2], 1), variance, random)
    # The way to YCbCr is linear, so noise there is this noise here.
    back = np.linalg.inv(np.array(_YCBCR) / 255).sum(1)
    noisy: Image = image + drawn * back.astype(np.float32)
    return noisy


def impulse(image: Image, share: float, random: np.random.Generator) -> Image:
    """KADID-10k 13: values set to black or white, as many of each."""
    drawn = random.random(image.shape)
    out = np.where(drawn < share, np.float32(1), image)
    return np.where(drawn < share / 2, np.float32(0), out)


def multiplicative(image: Image, variance: float, random: np.random.Generator) -> Image:
    """KADID-10k 14: speckle, uniform noise times the value (MATLAB's `imnoise`)."""
    reach = np.sqrt(3 * variance)  # a uniform variable in -reach..reach
    drawn = random.uniform(-reach, reach, image.shape).astype(np.float32)
    return image + image * drawn


def denoised(image: Image, variance: float, random: np.random.Generator) -> Image:
    """KADID-10k 15: white noise, then non-local means (Buades et al., CVPR 2005).

    The authors used a network, DnCNN, channel by channel.
    """
    cv2 = opencv()
    noisy = white(image, variance, random)
    levels = np.rint(noisy.clip(0, 1) * 255).astype(np.uint8)
    strength = 0.8 * np.sqrt(variance) * 255
    channels = [
        cv2.fastNlMeansDenoising(np.ascontiguousarray(levels[..., c]), None, strength)
        for c in range(3)
    ]
    clean: Image = np.stack(channels, -1).astype(np.float32) / 255
    return clean


def pink(image: Image, amplitude: float, random: np.random.Generator) -> Image:
    """DB-CNN 6: noise whose spectrum falls as 1/f, from a field of 512 x 512."""
    cv2 = opencv()
    height, width = image.shape[:2]
    frequency = np.hypot(np.fft.fftfreq(512)[:, None], np.fft.rfftfreq(512))
    frequency[0, 0] = np.inf
    field = np.empty((512, 512, 3))
    for channel in range(3):
        spectrum = np.fft.rfft2(random.standard_normal((512, 512))) / frequency
        drawn = np.fft.irfft2(spectrum)
        field[..., channel] = drawn / np.abs(drawn).max()
    fitted = cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC)
    noisy: Image = image + amplitude * fitted.astype(np.float32)
    return noisy


def _normal(
    shape: tuple[int, ...], variance: float, random: np.random.Generator
) -> NDArray[np.float32]:
    return random.standard_normal(shape, np.float32) * np.float32(np.sqrt(variance))
