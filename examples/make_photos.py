"""Write the example photos and their degraded versions.

    python examples/make_photos.py

The four originals come from scikit-image's own data files (`pip install scikit-image`);
the same versions of Pillow and NumPy give the same files again. Authors and licences
are in photos/CREDITS.md.
"""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

PHOTOS = ("astronaut", "chelsea", "coffee", "rocket")
FOLDER = Path(__file__).parent / "photos"
QUALITY = 92


def blur(photo: Image.Image) -> Image.Image:
    """Out of focus: a Gaussian of five pixels."""
    return photo.filter(ImageFilter.GaussianBlur(5))


def compress(photo: Image.Image) -> Image.Image:
    """Saved as JPEG with quality 8: blocks and lost colour."""
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=8)
    return Image.open(file).convert("RGB")


def add_noise(photo: Image.Image) -> Image.Image:
    """White noise with a standard deviation of 35 grey levels."""
    noise = np.random.default_rng(7).normal(0, 35, (photo.height, photo.width, 3))
    return Image.fromarray(
        np.uint8(np.clip(np.rint(np.asarray(photo) + noise), 0, 255))
    )


DEGRADED = {"blur": blur, "jpeg": compress, "noise": add_noise}


def main() -> None:
    from skimage import data

    for name in PHOTOS:
        photo = Image.fromarray(getattr(data, name)()[..., :3])
        photo.save(FOLDER / f"{name}.jpg", quality=QUALITY)
        for kind, degrade in DEGRADED.items():
            degrade(photo).save(FOLDER / f"{name}_{kind}.jpg", quality=QUALITY)


if __name__ == "__main__":
    main()
