"""Colour profiles: what a photo's own colours are in sRGB, as viewers show them."""

import functools
import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageCms

_LARGEST = 4_000_000  # bytes; profiles of printers have some 3 million at most
_SLACK = 2  # grey levels; profiles of sRGB differ from each other by rounding
# The colours that a profile can be of, and Pillow's mode of such pixels.
_MODES = {"RGB ": "RGB", "CMYK": "CMYK", "GRAY": "L"}

Conversion = Callable[[Image.Image], Image.Image]


def to_srgb(profile: bytes | None, mode: str) -> Conversion | None:
    """What makes sRGB of 8-bit pixels of `mode`: "RGB", "CMYK" or "L".

    None where the pixels are to be taken as they are: there is no profile, it is that
    of sRGB (no colour moves by more than two grey levels), it is damaged, or of other
    pixels than these.
    """
    if not isinstance(profile, bytes) or not 0 < len(profile) <= _LARGEST:
        return None
    return _conversion(profile, mode)


@functools.lru_cache(maxsize=16)
def _conversion(profile: bytes, mode: str) -> Conversion | None:
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if _MODES.get(own.profile.xcolor_space) != mode:
            return None
        transform = ImageCms.buildTransform(own, _srgb(), mode, "RGB")
        if mode == "CMYK":
            return transform.apply
        samples = _samples().convert(mode)
        moved = np.asarray(transform.apply(samples)).astype(int)
    except MemoryError:  # which is no fault of the profile's, and not kept
        raise
    except Exception:  # LittleCMS's own errors, and whatever a damaged profile causes
        return None
    if np.abs(moved - np.asarray(samples.convert("RGB"))).max() <= _SLACK:
        return None
    return transform.apply


@functools.cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


@functools.cache
def _samples() -> Image.Image:
    # Colours all over the cube, and all greys.
    levels = np.arange(0, 256, 17).astype(np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 3)
    greys = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    return Image.fromarray(np.concatenate([cube, greys])[None])
