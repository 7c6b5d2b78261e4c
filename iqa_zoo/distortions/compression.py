"""What codecs leave of a photo."""

import io
from typing import Any

import numpy as np
from PIL import Image as PillowImage

from iqa_zoo.distortions.types import Image

BITS = 24  # of one pixel before compression


def jpeg(image: Image, quality: float, random: np.random.Generator) -> Image:
    """KADID-10k 10 and DB-CNN 3: JPEG, colour at half the resolution."""
    # libjpeg takes 0 for 1; Pillow takes it for its default.
    return _coded(image, "JPEG", quality=max(int(quality), 1), subsampling="4:2:0")


def jpeg2000(image: Image, ratio: float, random: np.random.Generator) -> Image:
    """KADID-10k 9: JPEG 2000 at a compression ratio, wavelet 9/7."""
    return _coded(
        image,
        "JPEG2000",
        quality_mode="rates",
        quality_layers=[ratio],
        irreversible=True,
    )


def jpeg2000_bits(image: Image, bits: float, random: np.random.Generator) -> Image:
    """DB-CNN 4: JPEG 2000 at a number of bits a pixel."""
    return jpeg2000(image, BITS / bits, random)


def _coded(image: Image, form: str, **options: Any) -> Image:
    file = io.BytesIO()
    levels = np.rint(image * 255).astype(np.uint8)
    PillowImage.fromarray(levels).save(file, form, **options)
    decoded = np.asarray(PillowImage.open(file, formats=[form]).convert("RGB"))
    return decoded.astype(np.float32) / 255
