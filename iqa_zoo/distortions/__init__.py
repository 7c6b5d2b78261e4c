"""Distortions of known kind and strength, made the same way every time.

`distort(image, kind, level)` damages a photo. The kinds are the 25 of KADID-10k (Lin,
Hosu and Saupe, QoMEX 2019) and the 9 that the synthetic half of DB-CNN is trained on
(Zhang et al., TCSVT 2020), each at five levels; `KINDS` is the table of them all.

Differences from the authors' MATLAB code: values beyond black and white are clipped,
where KADID-10k's stretches the whole picture between its darkest and brightest value
(`kadid_exact` does so too); and "denoise" takes non-local means for the network that it
used.
"""

import hashlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from iqa_zoo.distortions import blur, colour, compression, noise, spatial, tone
from iqa_zoo.distortions.types import Effect, Image
from iqa_zoo.errors import UnknownNameError, UsageError

LEVELS = (1, 2, 3, 4, 5)


class Kind(NamedTuple):
    """One kind of distortion.

    Attributes:
        effect: the function that makes it.
        parameter: what the numbers below are.
        levels: the parameter at levels 1 to 5.
        family: "kadid" or "dbcnn".
    """

    effect: Effect
    parameter: str
    levels: tuple[float, float, float, float, float]
    family: str = "kadid"


#: Every kind by name, in the order of its family's own numbering. The numbers are those
#: of `imdist_generator.m` (KADID-10k) and `distortion_generator.m` (DB-CNN).
# fmt: off
KINDS = {
    "gaussian_blur": Kind(blur.gaussian, "sigma, pixels", (0.1, 0.5, 1, 2, 5)),
    "lens_blur": Kind(blur.lens, "radius, pixels", (1, 2, 4, 6, 8)),
    "motion_blur": Kind(blur.motion, "length, pixels", (1, 2, 4, 6, 10)),
    "colour_diffusion": Kind(colour.diffusion, "strength", (1, 3, 6, 8, 12)),
    "colour_shift": Kind(colour.shift, "distance, pixels", (1, 3, 6, 8, 12)),
    "colour_quantisation": Kind(colour.quantisation, "colours", (64, 48, 32, 16, 8)),
    "colour_saturation_hsv": Kind(
        colour.saturation_hsv, "factor", (0.4, 0.2, 0.1, 0, -0.4)),
    "colour_saturation_lab": Kind(colour.saturation_lab, "factor", (1, 2, 3, 6, 9)),
    "jpeg2000": Kind(compression.jpeg2000, "ratio", (16, 32, 45, 120, 400)),
    "jpeg": Kind(compression.jpeg, "quality", (43, 36, 24, 7, 4)),
    "white_noise": Kind(noise.white, "variance", (0.001, 0.002, 0.003, 0.005, 0.01)),
    "white_noise_ycbcr": Kind(
        noise.white_ycbcr, "variance", (0.0001, 0.0005, 0.001, 0.002, 0.003)),
    "impulse_noise": Kind(noise.impulse, "share", (0.001, 0.005, 0.01, 0.02, 0.03)),
    "multiplicative_noise": Kind(
        noise.multiplicative, "variance", (0.001, 0.005, 0.01, 0.02, 0.05)),
    "denoise": Kind(noise.denoised, "variance", (0.01, 0.03, 0.05, 0.1, 0.15)),
    "brighten": Kind(tone.brighten, "strength", (0.1, 0.2, 0.4, 0.7, 1.1)),
    "darken": Kind(tone.darken, "strength", (0.05, 0.1, 0.2, 0.4, 0.8)),
    "mean_shift": Kind(tone.mean_shift, "offset", (0.15, 0.08, 0, -0.08, -0.15)),
    "jitter": Kind(spatial.jitter, "pixels", (0.05, 0.1, 0.2, 0.5, 1)),
    "non_eccentricity_patch": Kind(spatial.patches, "patches", (20, 40, 60, 80, 100)),
    "pixelate": Kind(spatial.pixelate, "strength", (0.01, 0.05, 0.1, 0.2, 0.5)),
    "quantisation": Kind(tone.quantisation, "thresholds", (20, 16, 13, 10, 7)),
    "colour_block": Kind(spatial.colour_blocks, "blocks", (2, 4, 6, 8, 10)),
    "sharpen": Kind(tone.sharpen, "strength", (1, 2, 3, 6, 12)),
    "contrast": Kind(tone.contrast, "strength", (0.3, 0.15, 0, -0.4, -0.6)),
    "dbcnn_blur": Kind(
        blur.gaussian_window, "window, pixels", (7, 15, 39, 91, 199), "dbcnn"),
    "dbcnn_noise": Kind(
        noise.white, "variance", (2**-10, 2**-7.5, 2**-5.5, 2**-3.5, 1), "dbcnn"),
    "dbcnn_jpeg": Kind(compression.jpeg, "quality", (43, 12, 7, 4, 0), "dbcnn"),
    "dbcnn_jpeg2000": Kind(
        compression.jpeg2000_bits, "bits a pixel", (0.46, 0.16, 0.07, 0.04, 0.02),
        "dbcnn"),
    "dbcnn_contrast": Kind(
        tone.narrow, "darkest value", (0.2, 0.3, 0.4, 0.45, 0.49), "dbcnn"),
    "dbcnn_pink_noise": Kind(noise.pink, "amplitude", (0.3, 0.7, 1.2, 2, 4), "dbcnn"),
    "dbcnn_colour_quantisation": Kind(
        colour.quantisation, "colours", (64, 32, 16, 8, 4), "dbcnn"),
    "dbcnn_overexposure": Kind(
        tone.mean_shift, "offset", (0.15, 0.3, 0.45, 0.6, 0.75), "dbcnn"),
    "dbcnn_underexposure": Kind(
        tone.mean_shift, "offset", (-0.15, -0.3, -0.45, -0.6, -0.75), "dbcnn"),
}
# fmt: on


def distort(
    image: NDArray[np.uint8],
    kind: str,
    level: int,
    *,
    seed: int = 0,
    kadid_exact: bool = False,
) -> NDArray[np.uint8]:
    """A photo damaged in a known way.

    The result depends on the four arguments alone: random kinds draw from a generator
    that is seeded with the image, the kind and `seed`. A higher level is the same
    noise, place or direction, stronger.

    Args:
        image: RGB, uint8 (height, width, 3), as `iqa_zoo.images.read_image` gives it.
            It is not changed.
        kind: a key of `KINDS`, such as "gaussian_blur".
        level: how strong, 1 to 5. "mean_shift" brightens below 3, changes nothing at 3
            and darkens above; "contrast" is steeper up to 3 (hardly at 3) and flatter
            above.
        seed: another seed gives another noise, patch or direction.
        kadid_exact: stretch the picture between its darkest and brightest value, before
            and after, as KADID-10k's code does; only for its kinds.

    Returns:
        uint8 (height, width, 3).

    Raises:
        UnknownNameError: no such kind.
        UsageError: no such level, seed or image, an image that is too small for the
            kind, or `kadid_exact` with a kind of DB-CNN.
    """
    if kind not in KINDS:
        raise UnknownNameError("distortion", kind, KINDS)
    whole = isinstance(level, int | np.integer) and not isinstance(level, bool)
    if not whole or level not in LEVELS:
        raise UsageError(f"level is {level!r}; the levels are 1 (weak) to 5 (strong).")
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise UsageError(f"seed is {seed!r}; it must be a whole number, 0 or more.")
    image = np.ascontiguousarray(image)
    is_rgb = image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
    if not is_rgb or not image.size:
        raise UsageError(
            f"An array of {image.dtype} {image.shape} cannot be distorted. Pass what "
            "read_image returns: uint8 (height, width, 3)."
        )
    content = hashlib.sha256(image.tobytes()).digest()[:8]
    entropy = [int(seed), *kind.encode(), *content]
    effect, _, levels, family = KINDS[kind]
    if kadid_exact and family != "kadid":
        raise UsageError(f"{kind} is no kind of KADID-10k; leave out kadid_exact.")
    values: Image = image.astype(np.float32) / 255
    if kadid_exact:
        values = colour.stretched(values)
    damaged = effect(values, levels[level - 1], np.random.default_rng(entropy))
    if kadid_exact:
        damaged = colour.stretched(damaged)
    rounded: NDArray[np.uint8] = np.rint(damaged.clip(0, 1) * 255).astype(np.uint8)
    return rounded
