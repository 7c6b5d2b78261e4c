"""Inception-ResNet-v2 (Szegedy et al., AAAI 2017), without its classifier.

In the form of `keras.applications`, so that its weights fit: widths that differ from
the paper's figures in places, and layers with a stride that do not pad.
"""

import re
from collections.abc import Mapping
from itertools import chain

import keras
import numpy as np
from keras import layers

from iqa_zoo.errors import WeightsError
from iqa_zoo.models.layers import branch_names, branches, conv_bn

# Channels, kernel, stride and padding; a pooling follows the third and the last.
STEM = (
    (32, 3, 2, "valid"),
    (32, 3, 1, "valid"),
    (64, 3, 1, "same"),
    (80, 1, 1, "valid"),
    (192, 3, 1, "valid"),
)
BLOCK5B = (((96, 1),), ((48, 1), (64, 5)), ((64, 1), (96, 3), (96, 3)))
BLOCK35 = (((32, 1),), ((32, 1), (32, 3)), ((32, 1), (48, 3), (64, 3)))
BLOCK6A = (((384, 3),), ((256, 1), (256, 3), (384, 3)))
BLOCK17 = (((192, 1),), ((128, 1), (160, (1, 7)), (192, (7, 1))))
BLOCK7A = (((256, 1), (384, 3)), ((256, 1), (288, 3)), ((256, 1), (288, 3), (320, 3)))
BLOCK8 = (((192, 1),), ((192, 1), (224, (1, 3)), (256, (3, 1))))
# Name, chains of convolutions, stride, and how much of what they give is added to the
# block's input; None where it takes the input's place, beside the pooled input.
BLOCKS = (
    ("block5b", BLOCK5B, 1, None),
    *[(f"block35_{number}", BLOCK35, 1, 0.17) for number in range(1, 11)],
    ("block6a", BLOCK6A, 2, None),
    *[(f"block17_{number}", BLOCK17, 1, 0.1) for number in range(1, 21)],
    ("block7a", BLOCK7A, 2, None),
    *[(f"block8_{number}", BLOCK8, 1, 0.2) for number in range(1, 10)],
    ("block8_10", BLOCK8, 1, 1.0),
)
LEAST = 75  # pixels a side below which there is no output
# Decay of the batch statistics as TF-slim trained it, without a scale.
NORMALISATION = {"momentum": 0.9997, "scale": False}


def features(image: keras.KerasTensor) -> keras.KerasTensor:
    """RGB 0..255 (batch, h, w, 3) to features (batch, h', w', 1536), 8x8 at 299x299."""
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="normalise")(image)
    for step, (channels, kernel, stride, padding) in enumerate(STEM):
        x = conv_bn(
            x,
            channels,
            kernel=kernel,
            stride=stride,
            padding=padding,
            activation="relu",
            name=f"stem{step}",
            **NORMALISATION,
        )
        if step in (2, 4):
            x = layers.MaxPooling2D(3, 2, name=f"stem{step}_out")(x)
    for name, chains, stride, share in BLOCKS:
        padding = "same" if stride == 1 else "valid"
        parts = branches(
            x, chains, stride=stride, padding=padding, name=name, **NORMALISATION
        )
        if share is None:
            x = layers.Concatenate(name=f"{name}_out")([*parts, _pooled(x, name)])
        else:
            x = _added(x, parts, share, name)
    return conv_bn(x, 1536, activation="relu", name="top", **NORMALISATION)


def from_keras(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of `keras.applications` without its classifier, as LAYER/WEIGHT.

    Most of its layers are called conv2d_N and batch_normalization_N. The numbers tell
    the order and nothing more: they start anywhere.

    Raises:
        KeyError: an array is missing.
        WeightsError: another number of such layers.
    """
    ours = _unnamed()
    convs, norms = (_numbered(arrays, x) for x in ("conv2d", "batch_normalization"))
    if not len(convs) == len(norms) == len(ours):
        raise WeightsError(
            f"The file has {len(convs)} layers conv2d_N and {len(norms)} "
            f"batch_normalization_N; Inception-ResNet-v2 has {len(ours)} of each."
        )
    converted = {}
    for name, conv, norm in [
        *zip(ours, convs, norms, strict=True),
        ("top", "conv_7b", "conv_7b_bn"),
    ]:
        converted[f"{name}_conv/kernel"] = arrays[f"{conv}/kernel"]
        for part in ("beta", "moving_mean", "moving_variance"):
            converted[f"{name}_bn/{part}"] = arrays[f"{norm}/{part}"]
    for name, _, _, share in BLOCKS:
        if share is not None:
            for part in ("kernel", "bias"):
                converted[f"{name}_up/{part}"] = arrays[f"{name}_conv/{part}"]
    return converted


def _pooled(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    if name != "block5b":
        return layers.MaxPooling2D(3, 2, name=f"{name}_pool")(x)
    x = layers.AveragePooling2D(3, 1, padding="same", name=f"{name}_pool")(x)
    return conv_bn(x, 64, activation="relu", name=f"{name}_pooled", **NORMALISATION)


def _added(
    x: keras.KerasTensor, parts: list[keras.KerasTensor], share: float, name: str
) -> keras.KerasTensor:
    """`x` and a share of what `parts` give, brought to as many channels."""
    y = layers.Concatenate(name=f"{name}_mixed")(parts)
    y = layers.Conv2D(x.shape[-1], 1, name=f"{name}_up")(y)
    y = layers.Rescaling(share, name=f"{name}_share")(y)
    x = layers.Add(name=f"{name}_sum")([x, y])
    last = name == BLOCKS[-1][0]
    return layers.Activation("linear" if last else "relu", name=f"{name}_out")(x)


def _unnamed() -> list[str]:
    """Our names of the layers that have numbers there, as they were made."""
    names = [f"stem{step}" for step in range(len(STEM))]
    for name, chains, _, _ in BLOCKS:
        names += chain.from_iterable(branch_names(chains, name))
        if name == "block5b":
            names.append("block5b_pooled")
    return names


def _numbered(arrays: Mapping[str, np.ndarray], kind: str) -> list[str]:
    """The layers `kind` and `kind_N` of a file, by their numbers."""
    numbers = {}
    for name in arrays:
        layer = name.rpartition("/")[0]
        if found := re.fullmatch(rf"{kind}(?:_(\d+))?", layer):
            numbers[layer] = int(found[1] or 0)
    return sorted(numbers, key=numbers.__getitem__)
