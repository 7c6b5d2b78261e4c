"""Photos as MediaPipe stretches them to the input of a network."""

import numpy as np

from iqa_zoo.images import Pixels, opencv


def stretch(image: Pixels, height: int, width: int) -> Pixels:
    """`image` as MediaPipe (1.2) makes it fit an input, to the bit.

    New pixel i is interpolated linearly at i * old / new, rounded to 1/32; what lies
    between two such points of a larger image is lost.

    Args:
        image: uint8 `(height, width, 3)`, up to 32,767 pixels a side.
        height: the height wanted, in pixels.
        width: likewise.

    Returns:
        uint8 `(height, width, 3)`.
    """
    cv2 = opencv()
    rows, columns = (
        np.floor(np.arange(new) * (32 * old / new) + 0.5).astype(np.int64)
        for old, new in zip(image.shape[:2], (height, width), strict=True)
    )
    # OpenCV's own form of such places: whole pixels, and the 32nd parts of both axes.
    whole = np.empty((height, width, 2), np.int16)
    whole[..., 0], whole[..., 1] = columns >> 5, (rows >> 5)[:, np.newaxis]
    parts = 32 * (rows & 31)[:, np.newaxis] + (columns & 31)
    stretched: Pixels = cv2.remap(
        image,
        whole,
        parts.astype(np.uint16),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return stretched
