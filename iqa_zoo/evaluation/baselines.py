"""What a model must beat: the sharpness of a photo, which needs no training."""

import numpy as np

from iqa_zoo.images import Pixels, opencv

_LONGEST = 1024  # pixels; a longer side is shrunk to it
_LEAST_TEXTURE = 0.5  # squared grey levels a pixel; below it there is no edge to judge


def sharpness(pixels: Pixels) -> float:
    """How sharp a photo is, whatever its noise: 1 blurred, 3 and more sharp.

    The energy of gradients at scales of one and two pixels, each without what white
    noise of the photo's own strength adds to it, and of these the ratio: an edge that
    is blurred looks the same at both. The noise is measured in the tenth of 16 x 16
    blocks where it shows alone.

    Args:
        pixels: uint8 RGB (height, width, 3), as `images.read_image` gives them.

    Returns:
        1 where there is nothing but noise, else the ratio, at least 1.

    Source:
        The filter for noise is Immerkaer's, Computer Vision and Image Understanding,
        1996. A Gaussian derivative of scale s turns noise of variance v into a gradient
        of energy v / (4 pi s^4).
    """
    cv2 = opencv()
    grey = cv2.cvtColor(np.asarray(pixels), cv2.COLOR_RGB2GRAY).astype(np.float32)
    shrink = _LONGEST / max(grey.shape)
    if shrink < 1:
        size = [max(1, round(side * shrink)) for side in grey.shape[::-1]]
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    mask = np.outer([1, -2, 1], [1, -2, 1]).astype(np.float32)
    left = np.square(cv2.filter2D(grey, cv2.CV_32F, mask)) / 36
    height, width = (max(16, side - side % 16) for side in grey.shape)
    blocks = cv2.resize(
        left[:height, :width], (width // 16, height // 16), interpolation=cv2.INTER_AREA
    )
    noise = 1.12**2 * np.quantile(blocks, 0.1)

    energy = []
    for scale in (1, 2):
        at = np.arange(-4 * scale, 4 * scale + 1, dtype=np.float32)
        bell = np.exp(-at * at / (2 * scale**2)) / (scale * np.sqrt(2 * np.pi))
        slope = at / scale**2 * bell
        squares = [
            np.square(cv2.sepFilter2D(grey, cv2.CV_32F, across, down)).mean()
            for across, down in ((slope, bell), (bell, slope))
        ]
        energy.append(sum(squares) - noise / (4 * np.pi * scale**4))
    if energy[1] < _LEAST_TEXTURE:
        return 1.0
    return float(max(1.0, energy[0] / energy[1]))
