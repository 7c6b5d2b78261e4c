"""VGG16 (Simonyan and Zisserman, ICLR 2015, table 1, column D), without its classifier.

It was trained on BGR minus the means of ImageNet. These networks take RGB minus the
same means or, not `centred`, RGB as it is: `from_keras` turns the first kernel round
instead of every picture.
"""

from collections.abc import Mapping

import keras
import numpy as np
from keras import layers

# Column D: channels and convolutions of each block.
BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
MEANS = (123.68, 116.779, 103.939)  # of red, green and blue, as its authors state them
#: Pixels a side below which `features` and `fc7` have no output.
LEAST, FC7_LEAST = 32, 224


def features(image: keras.KerasTensor, *, centred: bool = True) -> keras.KerasTensor:
    """RGB 0..255 (batch, h, w, 3) to features (batch, h // 32, w // 32, 512)."""
    x = upper(lower(image, centred=centred))
    return layers.MaxPooling2D(2, name="block5_out")(x)


def lower(image: keras.KerasTensor, *, centred: bool = True) -> keras.KerasTensor:
    """RGB 0..255 (batch, h, w, 3) to what block 5 takes: h // 16, w // 16, 512."""
    x = image
    if centred:
        offset = [-mean for mean in MEANS]
        x = layers.Rescaling(1.0, offset=offset, name="normalise")(x)
    for block in range(1, len(BLOCKS)):
        x = layers.MaxPooling2D(2, name=f"block{block}_out")(_block(x, block))
    return x


def upper(x: keras.KerasTensor) -> keras.KerasTensor:
    """From `lower` to the answer of the last convolution, of the same shape."""
    return _block(x, len(BLOCKS))


def _block(x: keras.KerasTensor, block: int) -> keras.KerasTensor:
    channels, repeats = BLOCKS[block - 1]
    for repeat in range(1, repeats + 1):
        x = layers.Conv2D(
            channels,
            3,
            padding="same",
            activation="relu",
            name=f"block{block}_conv{repeat}",
        )(x)
    return x


def fc7(image: keras.KerasTensor, *, centred: bool = True) -> keras.KerasTensor:
    """RGB 0..255 (batch, h, w, 3) to features (batch, h // 32 - 6, w // 32 - 6, 4096).

    The fully connected layers fc6 and fc7 as convolutions: the paper's at 224x224,
    where they give one vector, and defined at any size from there on. The dropout that
    the paper puts behind fc7 is left to what is built on it.
    """
    x = features(image, centred=centred)
    x = layers.Conv2D(4096, 7, activation="relu", name="fc6")(x)
    x = layers.Dropout(0.5, name="fc6_dropout")(x)
    return layers.Conv2D(4096, 1, activation="relu", name="fc7")(x)


def from_keras(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of `features` from those of `keras.applications`, as LAYER/WEIGHT."""
    converted = {}
    for block, (_, repeats) in enumerate(BLOCKS, 1):
        for repeat in range(1, repeats + 1):
            name = f"block{block}_conv{repeat}"
            kernel, bias = _layer(arrays, name)
            converted |= {f"{name}/kernel": kernel, f"{name}/bias": bias}
    first = "block1_conv1/kernel"
    converted[first] = converted[first][:, :, ::-1]
    return converted


def fc7_from_keras(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Likewise the arrays of `fc7`; those of its classifier are left out."""
    converted = from_keras(arrays)
    for ours, theirs, side in (("fc6", "fc1", 7), ("fc7", "fc2", 1)):
        kernel, bias = _layer(arrays, theirs)
        # Their input is (side, side, channels) laid flat.
        kernel = kernel.reshape(side, side, -1, kernel.shape[-1])
        converted |= {f"{ours}/kernel": kernel, f"{ours}/bias": bias}
    return converted


def _layer(
    arrays: Mapping[str, np.ndarray], layer: str
) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias of a layer, which the published file calls `LAYER_W_1`, `_b_1`.

    So they are told apart by their rank, whatever the file's version calls them.
    """
    parts = [a for name, a in arrays.items() if name.rpartition("/")[0] == layer]
    if len(parts) != 2:
        raise KeyError(layer)
    bias, kernel = sorted(parts, key=np.ndim)
    return kernel, bias
