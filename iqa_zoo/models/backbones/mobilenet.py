"""MobileNet 1.0 (Howard et al., arXiv 1704.04861, table 1), without its classifier.

`keras.applications` pads the right and lower side of a stride-2 layer by one pixel;
`same`, as here, does so at even sizes only. At 224x224 every layer's input is even and
the two compute the same.
"""

from collections.abc import Mapping

import keras
import numpy as np
from keras import layers

from iqa_zoo.models.layers import conv_bn, depthwise_bn, unfolded

# Table 1 of the paper: channels and stride of each depthwise separable convolution.
BLOCKS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *[(512, 1)] * 5,
    (1024, 2),
    (1024, 1),
)
MOMENTUM = 0.9997  # of the batch statistics, as TF-slim trained it


def features(image: keras.KerasTensor) -> keras.KerasTensor:
    """RGB 0..255 (batch, h, w, 3) to features (batch, ceil(h/32), ceil(w/32), 1024)."""
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="normalise")(image)
    x = conv_bn(x, 32, kernel=3, stride=2, momentum=MOMENTUM, name="stem")
    for block, (channels, stride) in enumerate(BLOCKS):
        x = depthwise_bn(
            x,
            kernel=3,
            stride=stride,
            momentum=MOMENTUM,
            name=f"block{block}_depthwise",
        )
        x = conv_bn(x, channels, momentum=MOMENTUM, name=f"block{block}_pointwise")
        x = layers.Identity(name=f"block{block}_out")(x)
    return x


def from_folded(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The ImageNet file with batch normalisation folded into kernel and bias."""
    return unfolded(arrays, [ours for ours, _ in _layers()])


def from_keras(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of `keras.applications` without its classifier, as LAYER/WEIGHT.

    Its files call the kernel of a depthwise layer `depthwise_kernel`.
    """
    converted = {}
    for ours, theirs in _layers():
        kernel = "depthwise_kernel" if "_dw_" in theirs else "kernel"
        converted[f"{ours}_conv/kernel"] = arrays[f"{theirs}/{kernel}"]
        for name in ("gamma", "beta", "moving_mean", "moving_variance"):
            converted[f"{ours}_bn/{name}"] = arrays[f"{theirs}_bn/{name}"]
    return converted


def _layers() -> list[tuple[str, str]]:
    """Our name and that of `keras.applications`, in the graph's order."""
    rows = [("stem", "conv1")]
    for block in range(len(BLOCKS)):
        rows += [
            (f"block{block}_depthwise", f"conv_dw_{block + 1}"),
            (f"block{block}_pointwise", f"conv_pw_{block + 1}"),
        ]
    return rows
