"""S-CNN: a small network that names a photo's distortion and its level.

Source: Zhang, Ma, Yan, Deng and Wang, "Blind image quality assessment using a deep
bilinear convolutional neural network" (TCSVT 2020), section III-A: nine convolutions of
3 x 3 pixels, their mean over the picture, two of 1 x 1, a dense layer and a softmax
over 39 classes: seven distortions at five levels, and two at two levels. DB-CNN's
second stream (`models.dbcnn`) is its convolutions.

Differences from the paper: the network has batch normalisation, with which it learns
from far fewer pictures (the authors published weights of either form). A photo is
judged in its own size, as the mean over squares of 224 pixels side by side, and not
shrunk to one square first: shrinking hides noise and compression. Each square is what
the paper's network takes. Exposure has the levels 2 and 5 of `iqa_zoo.distortions`,
since the authors' weights do not tell those in between apart.
"""

from collections.abc import Mapping, Sequence

import keras
import numpy as np
from keras import layers

from iqa_zoo.errors import UsageError
from iqa_zoo.models.layers import EPSILON
from iqa_zoo.models.patches import CutPatches, JoinCells

SIDE = 224  # pixels of the squares that a photo is judged by
# Table of the authors' network: channels and stride of each convolution.
CONVOLUTIONS = (
    (48, 1),
    (48, 2),
    (64, 1),
    (64, 2),
    (64, 1),
    (64, 2),
    (128, 1),
    (128, 1),
    (128, 2),
)
PROJECTED = 256  # channels of the two convolutions behind the mean
CLASSES = 39
# ImageNet's mean and deviation of red, green and blue in 0..1, which the authors' code
# normalises by.
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
MOMENTUM = 0.99  # of the batch statistics
THEIR_EPSILON = 1e-5  # of the batch normalisation that the authors trained with


def scnn(*, batch_norm: bool = True, size: Sequence[int] | None = None) -> keras.Model:
    """S-CNN.

    Args:
        batch_norm: whether batch normalisation follows each convolution (True).
        size: (height, width) for a static input size, 224 pixels a side or more, or
            None for any (None).

    Returns:
        A compiled network: `image` float32 RGB 0..255 (batch, height, width, 3), 224
        pixels a side or more, in, `classes` float32 (batch, 39) out, probabilities in
        the order of the card's `output.classes`. Its layer `cells` gives what the
        softmax takes of each square, (batch, rows, columns, 39).

    Raises:
        UsageError: `size` is smaller than a square.
    """
    if size and min(size) < SIDE:
        raise UsageError(f"size is {tuple(size)}; scnn takes {SIDE} pixels a side.")
    image = keras.Input((*(size or (None, None)), 3), name="image", dtype="float32")
    x = CutPatches(SIDE, dtype="float32", name="patches")(image)
    x = features(x, batch_norm=batch_norm)
    x = layers.GlobalAveragePooling2D(keepdims=True, name="square")(x)
    for name in ("scnn10", "scnn11"):
        x = layers.Conv2D(
            PROJECTED, 1, kernel_initializer="he_normal", name=f"{name}_conv"
        )(x)
        x = _activated(x, batch_norm, name)
    x = layers.Flatten(name="vector")(x)
    x = layers.Dense(CLASSES, dtype="float32", name="logits")(x)
    x = JoinCells(SIDE, dtype="float32", name="cells")([x, image])
    x = layers.GlobalAveragePooling2D(dtype="float32", name="pool")(x)
    output = layers.Softmax(dtype="float32", name="classes")(x)
    model = keras.Model(image, output, name="scnn")
    model.compile(
        optimizer=keras.optimizers.Adam(1e-4),
        loss=keras.losses.CategoricalCrossentropy(),
    )
    return model


def features(image: keras.KerasTensor, *, batch_norm: bool) -> keras.KerasTensor:
    """RGB 0..255 (batch, h, w, 3) to (batch, ceil(h/16), ceil(w/16), 128)."""
    x = layers.Rescaling(
        [1 / (255 * deviation) for deviation in DEVIATION],
        offset=[-m / d for m, d in zip(MEAN, DEVIATION, strict=True)],
        name="scnn_normalise",
    )(image)
    for number, (channels, stride) in enumerate(CONVOLUTIONS, 1):
        name = f"scnn{number}"
        if stride == 2:  # on both sides, where `same` pads the end alone
            x = layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
        x = layers.Conv2D(
            channels,
            3,
            stride,
            padding="valid" if stride == 2 else "same",
            kernel_initializer="he_normal",
            name=f"{name}_conv",
        )(x)
        x = _activated(x, batch_norm, name)
    return x


def squares(network: keras.Model) -> keras.Model:
    """What `network` says of squares of any size, for training on small ones.

    Args:
        network: as `scnn` gives it; its layers are shared.

    Returns:
        From float32 RGB 0..255 (batch, height, width, 3) to probabilities (batch, 39)
        of each as one square.
    """
    image = x = keras.Input((None, None, 3), name="squares", dtype="float32")
    names = [layer.name for layer in network.layers]
    for name in names[names.index("patches") + 1 : names.index("cells")]:
        x = network.get_layer(name)(x)
    return keras.Model(image, network.get_layer("classes")(x))


def from_dbcnn(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of `scnn` from those of the authors' PyTorch network.

    Raises:
        KeyError: an array is missing.
    """
    # In their lists a convolution, its normalisation and a ReLU follow each other.
    theirs = [("features", 3 * index) for index in range(len(CONVOLUTIONS))]
    converted = {}
    for number, (part, index) in enumerate(
        [*theirs, ("projection", 0), ("projection", 3)], 1
    ):
        conv, norm = f"{part}.{index}", f"{part}.{index + 1}"
        gamma, beta, mean, variance = (
            arrays[f"{norm}.{name}"]
            for name in ("weight", "bias", "running_mean", "running_var")
        )
        # So that it computes the same with the epsilon of our layers.
        scale = np.sqrt((variance + EPSILON) / (variance + THEIR_EPSILON))
        converted |= {
            f"scnn{number}_conv/kernel": arrays[f"{conv}.weight"].transpose(2, 3, 1, 0),
            f"scnn{number}_conv/bias": arrays[f"{conv}.bias"],
            f"scnn{number}_bn/gamma": gamma * scale,
            f"scnn{number}_bn/beta": beta,
            f"scnn{number}_bn/moving_mean": mean,
            f"scnn{number}_bn/moving_variance": variance,
        }
    converted["logits/kernel"] = arrays["classifier.weight"].T
    converted["logits/bias"] = arrays["classifier.bias"]
    return converted


def _activated(x: keras.KerasTensor, batch_norm: bool, name: str) -> keras.KerasTensor:
    if batch_norm:
        x = layers.BatchNormalization(
            epsilon=EPSILON, momentum=MOMENTUM, name=f"{name}_bn"
        )(x)
    return layers.ReLU(name=f"{name}_relu")(x)
