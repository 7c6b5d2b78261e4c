"""NIMA: neural image assessment (Talebi and Milanfar, TIP 2018, arXiv 1709.05424).

An ImageNet network without its classifier, averaged over the picture, then dropout
0.75, a dense layer and a softmax over the bins of the score scale: the network answers
with the distribution of the scores that a crowd would give.

Differences from the paper: MobileNetV2, EfficientNet-Lite0 and Inception-ResNet-v2 are
not in it; mobile networks judge pictures at the size that the card names and not at
224x224, since shrinking hides what makes quality bad; the recipes are the cards' own.
"""

from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np
from keras import layers

from iqa_zoo.errors import UsageError, WeightsError
from iqa_zoo.models.backbones import efficientnet_lite0 as lite0
from iqa_zoo.models.backbones import inception_resnet_v2 as inception_resnet
from iqa_zoo.models.backbones import inception_v2 as inception
from iqa_zoo.models.backbones import mobilenet as v1
from iqa_zoo.models.backbones import mobilenetv2 as v2
from iqa_zoo.models.backbones import vgg16 as vgg
from iqa_zoo.models.kernel_head import Evidence, KernelHead
from iqa_zoo.models.losses import EarthMoversDistance

DROPOUT = 0.75  # section III-A
BINS = 10  # AVA's scores 1..10
# Whose depthwise outputs the kernel head sees; chosen on validation photos.
KERNEL_BLOCKS = ("block2", "block5", "block12")


def mobilenet(
    *, bins: int = BINS, dropout: float = DROPOUT, size: Sequence[int] | None = None
) -> keras.Model:
    """NIMA on MobileNet; arguments, result and errors as `efficientnet_lite0`."""
    return _nima("nima-mobilenet", v1.features, bins, dropout, size)


def mobilenetv2(
    *, bins: int = BINS, dropout: float = DROPOUT, size: Sequence[int] | None = None
) -> keras.Model:
    """NIMA on MobileNetV2; arguments, result and errors as `efficientnet_lite0`."""
    return _nima("nima-mobilenetv2", v2.features, bins, dropout, size)


def efficientnet_lite0(
    *, bins: int = BINS, dropout: float = DROPOUT, size: Sequence[int] | None = None
) -> keras.Model:
    """NIMA on EfficientNet-Lite0.

    Args:
        bins: how many bins the score scale has, 2 or more (10).
        dropout: share of the features dropped in training, 0 <= dropout < 1 (0.75).
        size: (height, width) for a static input size, or None for any (None).

    Returns:
        A compiled network: `image` float32 RGB 0..255 (batch, height, width, 3) in,
        `distribution` float32 (batch, bins) out, each row summing to 1.

    Raises:
        UsageError: an argument out of range.
    """
    return _nima("nima-efficientnet-lite0", lite0.features, bins, dropout, size)


def efficientnet_lite0_kernel(
    *, bins: int = BINS, dropout: float = DROPOUT, size: Sequence[int] | None = None
) -> keras.Model:
    """NIMA on EfficientNet-Lite0 with a kernel head beside its own.

    Its layer `tuned` gives the answer of its own head alone, `evidence` what the kernel
    head takes. Arguments, result and errors as `efficientnet_lite0`.
    """
    plain = efficientnet_lite0(bins=bins, dropout=dropout, size=size)
    own = layers.Softmax(dtype="float32", name="tuned")(plain.get_layer("head").output)
    maps = [plain.get_layer(f"{name}_depthwise_relu6").output for name in KERNEL_BLOCKS]
    evidence = Evidence(dtype="float32", name="evidence")([*maps, own])
    output = KernelHead(bins, dtype="float32", name="distribution")(evidence)
    model = keras.Model(plain.inputs, output, name="nima_efficientnet_lite0_kernel")
    model.compile(optimizer=keras.optimizers.Adam(1e-4), loss=EarthMoversDistance())
    return model


def vgg16(
    *, bins: int = BINS, dropout: float = DROPOUT, size: Sequence[int] | None = None
) -> keras.Model:
    """NIMA on VGG16 with fc6 and fc7, as in the paper, for 224 pixels a side or more.

    Arguments, result and errors as `efficientnet_lite0`.
    """
    return _nima("nima-vgg16", vgg.fc7, bins, dropout, size, vgg.FC7_LEAST)


def vgg16_gap(
    *, bins: int = BINS, dropout: float = DROPOUT, size: Sequence[int] | None = None
) -> keras.Model:
    """NIMA on VGG16's convolutions alone, for 32 pixels a side or more.

    Arguments, result and errors as `efficientnet_lite0`.
    """
    return _nima("nima-vgg16-gap", vgg.features, bins, dropout, size, vgg.LEAST)


def inception_v2(
    *, bins: int = BINS, dropout: float = DROPOUT, size: Sequence[int] | None = None
) -> keras.Model:
    """NIMA on Inception-v2; arguments, result and errors as `efficientnet_lite0`."""
    return _nima("nima-inception-v2", inception.features, bins, dropout, size)


def inception_resnet_v2(
    *, bins: int = BINS, dropout: float = DROPOUT, size: Sequence[int] | None = None
) -> keras.Model:
    """NIMA on Inception-ResNet-v2, for 75 pixels a side or more.

    Arguments, result and errors as `efficientnet_lite0`.
    """
    return _nima(
        "nima-inception-resnet-v2",
        inception_resnet.features,
        bins,
        dropout,
        size,
        inception_resnet.LEAST,
    )


def from_idealo(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of `mobilenet` from idealo's image-quality-assessment, head included.

    Args:
        arrays: of its HDF5 files, as LAYER/WEIGHT: `keras.applications` MobileNet's
            layers, and one dense layer whose name depends on how it was trained.

    Raises:
        KeyError: an array of MobileNet's is missing.
        WeightsError: what is left over is not one dense layer.
    """
    converted = v1.from_keras(arrays)
    dense = [name for name, array in arrays.items() if array.ndim == 2]
    if len(dense) != 1 or len(arrays) != len(converted) + 2:
        raise WeightsError(
            f"The file has {len(arrays)} arrays; MobileNet's {len(converted)} and the "
            "kernel and bias of one dense layer were expected."
        )
    head = dense[0].rpartition("/")[0]
    for part in ("kernel", "bias"):
        converted[f"head/{part}"] = arrays[f"{head}/{part}"]
    return converted


def _nima(
    name: str,
    features: Callable[[keras.KerasTensor], keras.KerasTensor],
    bins: int,
    dropout: float,
    size: Sequence[int] | None,
    least: int = 1,
) -> keras.Model:
    """The network over `features`, which take `least` pixels a side or more."""
    if bins < 2:
        raise UsageError(f"bins is {bins}; a distribution needs 2 bins or more.")
    if not 0 <= dropout < 1:
        raise UsageError(f"dropout is {dropout}; it must lie in 0 <= dropout < 1.")
    if size and min(size) < least:
        raise UsageError(
            f"size is {tuple(size)}; {name} takes {least} pixels a side or more."
        )
    image = keras.Input((*(size or (None, None)), 3), name="image", dtype="float32")
    x = layers.GlobalAveragePooling2D(name="pool")(features(image))
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Dense(bins, name="head")(x)
    # A softmax in 16 bits loses the small bins, so it is float32 under any policy.
    output = layers.Softmax(dtype="float32", name="distribution")(x)
    model = keras.Model(image, output, name=name.replace("-", "_"))
    model.compile(optimizer=keras.optimizers.Adam(1e-4), loss=EarthMoversDistance())
    return model
