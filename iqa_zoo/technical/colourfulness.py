"""Colourfulness: how strong and how various the colours are."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from iqa_zoo.errors import UsageError
from iqa_zoo.images import opencv
from iqa_zoo.technical.planes import checked

_OPPONENT = np.array([[1, -1, 0], [1, 1, -2]], np.float32)  # R - G, R + G - 2 B


def measure(image: Any, *, noise_std: Sequence[float] = (0, 0, 0)) -> float:
    """Hasler and Suesstrunk's colourfulness: 0 grey, 33 moderate, 59 quite, 109 very.

    With rg = R - G and yb = (R + G) / 2 - B: the root of the sum of their variances,
    plus 0.3 times the root of the sum of their squared means.

    Args:
        image: uint8 (height, width, 3) RGB.
        noise_std: standard deviations of the noise of red, green and blue, as
            `noise.channels` gives them; what independent noise adds is taken off.

    Raises:
        UsageError: `image` is not as described.

    Source:
        Hasler, Suesstrunk, Measuring colourfulness in natural images, SPIE 2003.
    """
    image = checked(image)
    if image.ndim != 3:
        raise UsageError("A grey image has no colours. Pass uint8 (height, width, 3).")
    cv2 = opencv()
    # Both differences at once; 2 yb, so that all is exact in 16 bits.
    opponent = cv2.transform(image.astype(np.int16), _OPPONENT)
    means, deviations = cv2.meanStdDev(opponent)
    (rg, yb2), (rg_std, yb2_std) = means.ravel(), deviations.ravel()
    red, green, blue = (float(std) ** 2 for std in noise_std)
    variance = rg_std**2 - (red + green) + yb2_std**2 / 4 - ((red + green) / 4 + blue)
    return math.sqrt(max(variance, 0)) + 0.3 * math.hypot(rg, yb2 / 2)
