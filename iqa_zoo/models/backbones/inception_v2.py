"""Inception-v2 (Ioffe and Szegedy, ICML 2015, figure 5), without its classifier.

In the form of TF-slim's nets/inception_v2.py: the first convolution is separable, and
average pooling leaves the padding out. Unlike there, every normalisation has a scale,
and the first convolution has a normalisation too.
"""

from collections.abc import Mapping, Sequence

import keras
import numpy as np
from keras import layers

from iqa_zoo.models.layers import (
    EPSILON,
    Chain,
    bn,
    branch_names,
    branches,
    conv_bn,
)

# Figure 5, as TF-slim has it. Channels of the 1x1 branch (without it the block has
# stride 2), of the 3x3 branch and its reduction, of the double 3x3 branch and its
# reduction, kind of pooling, channels behind it.
BLOCKS = (
    ("block3b", 64, (64, 64), (64, 96), "average", 32),
    ("block3c", 64, (64, 96), (64, 96), "average", 64),
    ("block4a", None, (128, 160), (64, 96), "max", None),
    ("block4b", 224, (64, 96), (96, 128), "average", 128),
    ("block4c", 192, (96, 128), (96, 128), "average", 128),
    ("block4d", 160, (128, 160), (128, 160), "average", 96),
    ("block4e", 96, (128, 192), (160, 192), "average", 96),
    ("block5a", None, (128, 192), (192, 256), "max", None),
    ("block5b", 352, (192, 320), (160, 224), "average", 128),
    ("block5c", 352, (192, 320), (192, 224), "max", 128),
)
MOMENTUM = 0.9997  # of the batch statistics, as TF-slim trained it
POOLING = {"average": layers.AveragePooling2D, "max": layers.MaxPooling2D}


def features(image: keras.KerasTensor) -> keras.KerasTensor:
    """RGB 0..255 (batch, h, w, 3) to features (batch, ceil(h/32), ceil(w/32), 1024)."""
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="normalise")(image)
    x = layers.SeparableConv2D(
        64,
        7,
        2,
        padding="same",
        depth_multiplier=8,
        use_bias=False,
        name="stem_conv",
    )(x)
    x = bn(x, "relu", momentum=MOMENTUM, name="stem")
    x = layers.MaxPooling2D(3, 2, padding="same", name="block2_pool")(x)
    for part, channels, kernel in (("a", 64, 1), ("b", 192, 3)):
        x = conv_bn(
            x,
            channels,
            kernel=kernel,
            activation="relu",
            momentum=MOMENTUM,
            name=f"block2_{part}",
        )
    x = layers.MaxPooling2D(3, 2, padding="same", name="block2_out")(x)
    for name, one, three, double, pooling, after in BLOCKS:
        stride = 1 if one else 2
        parts = branches(
            x,
            _chains(one, three, double),
            stride=stride,
            momentum=MOMENTUM,
            name=name,
        )
        y = POOLING[pooling](3, stride, padding="same", name=f"{name}_pool")(x)
        if after:
            y = conv_bn(
                y,
                after,
                activation="relu",
                momentum=MOMENTUM,
                name=f"{name}_pooled",
            )
        x = layers.Concatenate(name=f"{name}_out")([*parts, y])
    return x


def from_slim(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of TF-slim's checkpoint of 28 August 2016, under its own names.

    It has no scale, and at the first convolution a bias for a normalisation: mean 0,
    variance 1, gamma sqrt(1 + epsilon) and the bias for beta compute the same.
    """
    stem = "InceptionV2/Conv2d_1a_7x7"
    bias = arrays[f"{stem}/biases"]
    converted = {
        "stem_conv/depthwise_kernel": arrays[f"{stem}/depthwise_weights"],
        "stem_conv/pointwise_kernel": arrays[f"{stem}/pointwise_weights"],
        "stem_bn/gamma": np.full_like(bias, np.sqrt(1 + EPSILON)),
        "stem_bn/beta": bias,
        "stem_bn/moving_mean": np.zeros_like(bias),
        "stem_bn/moving_variance": np.ones_like(bias),
    }
    for ours, theirs in _layers():
        converted[f"{ours}_conv/kernel"] = arrays[f"InceptionV2/{theirs}/weights"]
        for name in ("beta", "moving_mean", "moving_variance"):
            array = arrays[f"InceptionV2/{theirs}/BatchNorm/{name}"]
            converted[f"{ours}_bn/{name}"] = array
        converted[f"{ours}_bn/gamma"] = np.ones_like(array)
    return converted


def _chains(
    one: int | None, three: Sequence[int], double: Sequence[int]
) -> list[Chain]:
    chains: list[Chain] = [[(one, 1)]] if one else []
    return [
        *chains,
        [(three[0], 1), (three[1], 3)],
        [(double[0], 1), (double[1], 3), (double[1], 3)],
    ]


def _layers() -> list[tuple[str, str]]:
    """Our name and TF-slim's of every convolution but the first."""
    rows = [("block2_a", "Conv2d_2b_1x1"), ("block2_b", "Conv2d_2c_3x3")]
    for name, one, three, double, _, after in BLOCKS:
        mixed = name.replace("block", "Mixed_")
        chains = _chains(one, three, double)
        for branch, names in enumerate(branch_names(chains, name)):
            for step, ours in enumerate(names):
                strided = not one and ours == names[-1]
                place = "1a" if strided else f"0{'abc'[step]}"
                side = chains[branch][step][1]
                rows.append(
                    (ours, f"{mixed}/Branch_{branch}/Conv2d_{place}_{side}x{side}")
                )
        if after:
            rows.append((f"{name}_pooled", f"{mixed}/Branch_3/Conv2d_0b_1x1"))
    return rows
