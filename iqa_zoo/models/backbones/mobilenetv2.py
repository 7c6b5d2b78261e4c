"""MobileNetV2 1.0 (Sandler et al., CVPR 2018, table 2), without its classifier.

Unlike `keras.applications`, which picks its padding from the static input size, this
one pads `same` throughout and gives the same answer whether its size is static or not.
"""

from collections.abc import Mapping

import keras
import numpy as np
from keras import layers

from iqa_zoo.models.layers import conv_bn, inverted_residuals, unfolded

# Table 2 of the paper: expansion, channels, repeats, stride of the first.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
MOMENTUM = 0.999  # of the batch statistics, as TF-slim trained it
_STAGES = [(3, stride, *stage) for *stage, stride in STAGES]


def features(image: keras.KerasTensor) -> keras.KerasTensor:
    """RGB 0..255 (batch, h, w, 3) to features (batch, ceil(h/32), ceil(w/32), 1280)."""
    x = inverted_residuals(_stem(image), _STAGES, momentum=MOMENTUM)
    return conv_bn(x, 1280, momentum=MOMENTUM, name="top")


def lower(image: keras.KerasTensor) -> keras.KerasTensor:
    """RGB 0..255 (batch, h, w, 3) to block 6: (batch, ceil(h/16), ceil(w/16), 64)."""
    return inverted_residuals(_stem(image), _STAGES, slice(7), momentum=MOMENTUM)


def upper(x: keras.KerasTensor) -> keras.KerasTensor:
    """From `lower` to the expansion of block 13, of the same size, 576 channels."""
    x = inverted_residuals(x, _STAGES, slice(7, 13), momentum=MOMENTUM)
    return conv_bn(x, 6 * x.shape[-1], momentum=MOMENTUM, name="block13_expand")


def _stem(image: keras.KerasTensor) -> keras.KerasTensor:
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="normalise")(image)
    return conv_bn(x, 32, kernel=3, stride=2, momentum=MOMENTUM, name="stem")


def from_folded(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The ImageNet file with batch normalisation folded into kernel and bias."""
    return unfolded(arrays, _convolutions())


def _convolutions() -> list[str]:
    """Names of all convolutions in the order of the graph."""
    names = ["stem"]
    blocks = [expand for expand, _, repeats, _ in STAGES for _ in range(repeats)]
    for block, expand in enumerate(blocks):
        parts = (
            ("depthwise", "project")
            if expand == 1
            else (
                "expand",
                "depthwise",
                "project",
            )
        )
        names += [f"block{block}_{part}" for part in parts]
    return [*names, "top"]
