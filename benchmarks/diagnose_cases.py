"""Photos with known faults, on which the diagnosis is fitted and measured."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from iqa_zoo.distortions import KINDS, distort
from iqa_zoo.images import Pixels, opencv, read_image

CLEAN = "clean"
LEVELS = (3, 4, 5)  # which a flag is to find

#: How far the light is off, by level: the logarithm of what red is multiplied and blue
#: is divided by, or half of it for both against green. Level 3 is about the light of
#: 3000 K in a photo that is balanced for daylight, level 4 that of 2700 K.
CAST = (0.12, 0.25, 0.42, 0.54, 0.7)
_CASTS = {
    "warm": (1, 0, -1),
    "cool": (-1, 0, 1),
    "green": (-0.5, 0.5, -0.5),
    "magenta": (0.5, -0.5, 0.5),
}
_LUMA = np.array([0.299, 0.587, 0.114])

#: The distortions that each flag is to find.
MATCHING = {
    "blurred": ("gaussian_blur", "lens_blur", "motion_blur", "dbcnn_blur"),
    "noisy": (
        *("white_noise", "white_noise_ycbcr", "impulse_noise"),
        *("multiplicative_noise", "dbcnn_noise"),
    ),
    "underexposed": ("dbcnn_underexposure",),
    "overexposed": ("dbcnn_overexposure",),
    "clipped": ("dbcnn_underexposure", "dbcnn_overexposure"),
    "low_contrast": ("dbcnn_contrast",),
    "colour_cast": tuple(f"cast_{name}" for name in _CASTS),
    "blocky": ("jpeg", "dbcnn_jpeg"),
    "pixelated": ("pixelate",),
    "banded": ("quantisation",),
}

#: Those that have the same effect beside their own, so that either verdict is right.
EITHER = {
    "blurred": (
        *("denoise", "jpeg2000", "dbcnn_jpeg2000", "jitter", "pixelate"),
        *("jpeg", "dbcnn_jpeg"),
    ),
    "noisy": (
        *("dbcnn_pink_noise", "colour_quantisation", "dbcnn_colour_quantisation"),
        *("sharpen", "jitter", "denoise", "quantisation", "pixelate"),
        "colour_saturation_lab",
    ),
    "underexposed": ("darken", "mean_shift"),
    "overexposed": ("brighten", "mean_shift"),
    "clipped": (
        *("darken", "brighten", "contrast", "sharpen", "mean_shift"),
        *("colour_saturation_lab", "colour_diffusion", "quantisation"),
        *("dbcnn_noise", "dbcnn_pink_noise", "multiplicative_noise", "white_noise"),
        *MATCHING["colour_cast"],
    ),
    "low_contrast": (
        *("contrast", "darken", "dbcnn_underexposure", "dbcnn_overexposure"),
    ),
    "colour_cast": (
        *("colour_diffusion", "colour_saturation_lab", "colour_saturation_hsv"),
        *("colour_shift", "colour_quantisation", "dbcnn_colour_quantisation"),
        *("dbcnn_pink_noise", "dbcnn_underexposure", "dbcnn_overexposure", "darken"),
    ),
    "blocky": ("pixelate",),
    "pixelated": ("jpeg", "dbcnn_jpeg"),
    "banded": (
        *("colour_quantisation", "dbcnn_colour_quantisation", "dbcnn_contrast"),
        *("jpeg", "dbcnn_jpeg"),
    ),
}


class Case(NamedTuple):
    """A photo, what was done to it, how much, and whether it was clipped before."""

    photo: str
    kind: str
    level: int
    was_clipped: bool
    image: Pixels


def cast(image: Pixels, name: str, level: int) -> Pixels:
    """A photo under light of another colour, as light as before."""
    factors = np.exp(np.array(_CASTS[name]) * CAST[level - 1])
    factors /= factors @ _LUMA
    tinted: Pixels = np.rint((image * factors).clip(0, 255)).astype(np.uint8)
    return tinted


def damaged(photo: str, image: Pixels, kinds: list[str]) -> Iterator[Case]:
    """A photo under every kind of distortion at the levels that are to be found."""
    before = is_clipped(image)
    for kind in kinds:
        for level in LEVELS:
            if kind.startswith("cast_"):
                made = cast(image, kind.removeprefix("cast_"), level)
            else:
                made = distort(image, kind, level)
            yield Case(photo, kind, level, before, made)


def all_kinds() -> list[str]:
    return [*KINDS, *MATCHING["colour_cast"]]


def clean(photo: str, image: Pixels) -> Iterator[Case]:
    """A photo as it is, at 3/4 and at half its size, and its four quarters."""
    cv2 = opencv()
    height, width, _ = image.shape
    forms = [image]
    for share in (0.75, 0.5):
        size = round(width * share), round(height * share)
        forms.append(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
    for rows in (slice(height // 2), slice(height // 2, None)):
        for columns in (slice(width // 2), slice(width // 2, None)):
            forms.append(np.ascontiguousarray(image[rows, columns]))
    for form in forms:
        yield Case(photo, CLEAN, 0, is_clipped(form), form)


def is_clipped(image: Pixels) -> bool:
    """Whether more than 5 % of the pixels are black, or white in a channel."""
    lost = (image.max(-1) == 255) | (image.max(-1) == 0)
    return bool(lost.mean() > 0.05)


def kodak(shared: Path, number: int) -> Pixels:
    return read_image(shared / "kodak" / f"kodim{number:02d}.png")


def clive(shared: Path, count: int, *, best: bool) -> list[Path]:
    """The photos of LIVE In the Wild that people rated best, or worst."""
    with open(shared / "clive" / "mos.csv", encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: -float(row["mos"]))
    chosen = rows[:count] if best else rows[-count:]
    return [shared / "clive" / "images" / row["image"] for row in chosen]


def truth(flag: str, kind: str, was_clipped: bool) -> bool | None:
    """Whether a flag is right about a kind of distortion; None where either is.

    Either is right about clipping where the photo was clipped before.
    """
    if flag == "clipped" and was_clipped:
        return None
    if kind == CLEAN:
        return False
    if kind in MATCHING[flag]:
        return True
    return None if kind in EITHER[flag] else False
