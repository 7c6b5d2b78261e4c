"""What all measures begin with: the checked image and its grey levels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from iqa_zoo.errors import UsageError

Image = NDArray[np.uint8]
Plane = NDArray[np.float32]  # (height, width), 0..255

# MATLAB's rgb2gray.
LUMA = (0.298936021293775, 0.587043074451121, 0.114020904255103)


def checked(image: Any) -> Image:
    """`image` as a contiguous array.

    Raises:
        UsageError: it is not uint8 (height, width, 3) or (height, width), or is empty.
    """
    array: NDArray[Any] = np.ascontiguousarray(image)
    is_image = array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)
    if array.dtype != np.uint8 or not is_image or not array.size:
        raise UsageError(
            f"An array of {array.dtype} {array.shape} cannot be measured. Pass what "
            "read_image returns: uint8 (height, width, 3)."
        )
    return array


def grey(image: Any, least: int = 1) -> Plane:
    """Rounded grey levels, float32 (height, width), 0..255.

    Args:
        image: uint8 (height, width, 3) RGB, or (height, width) grey already.
        least: the shortest side that can be measured, in pixels.

    Raises:
        UsageError: `image` is not as described, or smaller.
    """
    pixels = checked(image)
    height, width = pixels.shape[:2]
    if min(height, width) < least:
        raise UsageError(
            f"An image of {width} x {height} pixels is too small to be measured; it "
            f"needs {least} a side."
        )
    if pixels.ndim == 2:
        return pixels.astype(np.float32)
    # float32 would round some of the 16 million colours to another level.
    luma: Plane = np.floor(pixels @ np.array(LUMA) + 0.5).astype(np.float32)
    return luma
