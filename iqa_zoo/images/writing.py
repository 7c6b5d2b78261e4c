"""Pictures that are made once: written whole, and known again."""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from iqa_zoo.errors import ImageError, OutputError
from iqa_zoo.files import write_bytes
from iqa_zoo.images.reading import read_image


def kept_png(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
    """The picture that is there; None where none is, or a damaged or another one.

    Args:
        path: its file.
        shape: height, width and channels.
    """
    try:
        pixels = read_image(path)
    except ImageError:
        return None
    return pixels if pixels.shape == shape else None


def write_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write a picture, whole or not at all, and its folder where there is none.

    Args:
        path: its file.
        pixels: RGB, uint8 (height, width, 3), or grey, (height, width).

    Raises:
        OutputError: it cannot be written.
    """
    file = io.BytesIO()
    # Twice as fast as Pillow's own level, for a few hundredths more bytes.
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"Cannot make the folder {path.parent}: {error.strerror or error}."
        ) from error
    write_bytes(path, file.getvalue())
