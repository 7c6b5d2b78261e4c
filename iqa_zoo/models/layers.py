"""Blocks that several networks share, padded `same` unless they are told otherwise.

Padding never depends on the static size, so that a network built for any size and
one built for a fixed size compute the same.
"""

from collections.abc import Iterable, Mapping, Sequence

import keras
import numpy as np
from keras import layers

from iqa_zoo.errors import UsageError

EPSILON = 1e-3  # of every batch normalisation


def conv_bn(
    x: keras.KerasTensor,
    channels: int,
    *,
    kernel: int | tuple[int, int] = 1,
    stride: int = 1,
    padding: str = "same",
    activation: str | None = "relu6",
    scale: bool = True,
    momentum: float,
    name: str,
) -> keras.KerasTensor:
    """Convolution without bias, `bn`."""
    x = layers.Conv2D(
        channels, kernel, stride, padding=padding, use_bias=False, name=f"{name}_conv"
    )(x)
    return bn(x, activation, scale=scale, momentum=momentum, name=name)


def depthwise_bn(
    x: keras.KerasTensor, *, kernel: int, stride: int, momentum: float, name: str
) -> keras.KerasTensor:
    """Depthwise convolution without bias, batch normalisation, ReLU6."""
    x = layers.DepthwiseConv2D(
        kernel, stride, padding="same", use_bias=False, name=f"{name}_conv"
    )(x)
    return bn(x, "relu6", momentum=momentum, name=name)


def inverted_residual(
    x: keras.KerasTensor,
    channels: int,
    *,
    kernel: int,
    stride: int,
    expand: int,
    momentum: float,
    name: str,
) -> keras.KerasTensor:
    """Expand, depthwise, project (Sandler et al., CVPR 2018, figure 3).

    No expansion where `expand` is 1, no activation after the projection, and an
    identity around the block where its input has the shape of its output. The block's
    last layer is `{name}_out`.
    """
    y = x
    if expand != 1:
        y = conv_bn(y, expand * x.shape[-1], momentum=momentum, name=f"{name}_expand")
    y = depthwise_bn(
        y, kernel=kernel, stride=stride, momentum=momentum, name=f"{name}_depthwise"
    )
    y = conv_bn(y, channels, activation=None, momentum=momentum, name=f"{name}_project")
    if stride == 1 and x.shape[-1] == channels:
        return layers.Add(name=f"{name}_out")([x, y])
    return layers.Identity(name=f"{name}_out")(y)


def inverted_residuals(
    x: keras.KerasTensor,
    stages: Iterable[tuple[int, int, int, int, int]],
    part: slice = slice(None),
    *,
    momentum: float,
) -> keras.KerasTensor:
    """Blocks `block0`, `block1` and so on of `inverted_residual`.

    A stage is kernel, stride of its first block, expansion, channels and repeats;
    `part` says which of all blocks to make.
    """
    blocks = [
        (kernel, stride if repeat == 0 else 1, expand, channels)
        for kernel, stride, expand, channels, repeats in stages
        for repeat in range(repeats)
    ]
    for block, (kernel, stride, expand, channels) in [*enumerate(blocks)][part]:
        x = inverted_residual(
            x,
            channels,
            kernel=kernel,
            stride=stride,
            expand=expand,
            momentum=momentum,
            name=f"block{block}",
        )
    return x


def bn(
    x: keras.KerasTensor,
    activation: str | None,
    *,
    scale: bool = True,
    momentum: float,
    name: str,
) -> keras.KerasTensor:
    """Batch normalisation, with gamma if `scale`, and the activation."""
    x = layers.BatchNormalization(
        epsilon=EPSILON, momentum=momentum, scale=scale, name=f"{name}_bn"
    )(x)
    if activation is None:
        return x
    return layers.Activation(activation, name=f"{name}_{activation}")(x)


#: Channels and kernel of each convolution, one after the other.
Chain = Sequence[tuple[int, int | tuple[int, int]]]


def branches(
    x: keras.KerasTensor,
    chains: Sequence[Chain],
    *,
    stride: int = 1,
    padding: str = "same",
    scale: bool = True,
    momentum: float,
    name: str,
) -> list[keras.KerasTensor]:
    """What chains of `conv_bn` with ReLU make of `x`, each chain for itself.

    Stride and padding are those of each chain's last convolution; the others have
    stride 1 and pad `same`.
    """
    outputs = []
    for chain, names in zip(chains, branch_names(chains, name), strict=True):
        y = x
        for (channels, kernel), part in zip(chain, names, strict=True):
            last = part == names[-1]
            y = conv_bn(
                y,
                channels,
                kernel=kernel,
                stride=stride if last else 1,
                padding=padding if last else "same",
                activation="relu",
                scale=scale,
                momentum=momentum,
                name=part,
            )
        outputs.append(y)
    return outputs


def branch_names(chains: Sequence[Chain], name: str) -> list[list[str]]:
    """The names that `branches` gives to the convolutions of each chain."""
    return [
        [f"{name}_branch{branch}_{step}" for step in range(len(chain))]
        for branch, chain in enumerate(chains)
    ]


def unfolded(
    arrays: Mapping[str, np.ndarray], names: Sequence[str]
) -> dict[str, np.ndarray]:
    """Arrays of `conv_bn` and `depthwise_bn` layers, of files that hold them folded.

    Args:
        arrays: `NN/kernel` and `NN/bias`, NN counting the layers in the graph's order.
        names: the layers' names in that order.

    A folded layer computes conv(x) + b; a normalisation with mean 0, variance 1,
    gamma sqrt(1 + epsilon) and beta b computes the same. The true statistics are
    lost: train with batch normalisation frozen, or measure them first.
    """
    converted = {}
    for index, name in enumerate(names):
        bias = arrays[f"{index:02d}/bias"].astype(np.float32)
        converted[f"{name}_conv/kernel"] = arrays[f"{index:02d}/kernel"]
        converted[f"{name}_bn/gamma"] = np.full_like(bias, np.sqrt(1 + EPSILON))
        converted[f"{name}_bn/beta"] = bias
        converted[f"{name}_bn/moving_mean"] = np.zeros_like(bias)
        converted[f"{name}_bn/moving_variance"] = np.ones_like(bias)
    return converted


def score_head(
    features: keras.KerasTensor, *, dropout: float, unit: float
) -> keras.KerasTensor:
    """Features (batch, h, w, channels) to a score (batch, 1), linear in their mean.

    Its layers are `pool`, `dropout`, `head` and `score`. What `head` gives is the score
    in units of `unit`: the steps of Adam have a length of their own, which is too long
    for a head whose answers are all small.

    Raises:
        UsageError: `dropout` out of range.
    """
    if not 0 <= dropout < 1:
        raise UsageError(f"dropout is {dropout}; it must lie in 0 <= dropout < 1.")
    x = layers.GlobalAveragePooling2D(name="pool")(features)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Dense(1, name="head")(x)
    return layers.Rescaling(unit, dtype="float32", name="score")(x)


@keras.saving.register_keras_serializable("iqa_zoo")
class Channels(layers.Layer):
    """The channels from `first` up to, without, `last` of (..., channels)."""

    def __init__(self, first: int, last: int, **arguments) -> None:
        super().__init__(**arguments)
        self.first, self.last = first, last

    def call(self, x):
        return x[..., self.first : self.last]

    def compute_output_shape(self, shape):
        return (*shape[:-1], self.last - self.first)

    def get_config(self) -> dict:
        return {**super().get_config(), "first": self.first, "last": self.last}


def score_and_classes(
    score: keras.KerasTensor, classes: keras.KerasTensor
) -> dict[str, keras.KerasTensor]:
    """The outputs of a network that names distortions beside its score.

    `score` (batch, 1) and `classes` (batch, n) come through the layer `both`, (batch,
    1 + n), at which they are trained together.
    """
    count = classes.shape[-1]
    both = layers.Concatenate(dtype="float32", name="both")([score, classes])
    return {
        "score": Channels(0, 1, dtype="float32", name="score")(both),
        "classes": Channels(1, 1 + count, dtype="float32", name="classes")(both),
    }


def folded(
    arrays: Mapping[str, np.ndarray], names: Iterable[str]
) -> dict[str, np.ndarray]:
    """Arrays with normalisation folded into convolutions: the inverse of `unfolded`.

    Args:
        arrays: `NAME_conv/kernel`, `NAME_conv/bias` (where there is one), and those of
            `NAME_bn`, which go.
        names: whose normalisation goes; depthwise convolutions are not among them.
    """
    rest = dict(arrays)
    for name in names:
        gamma, beta, mean, variance = (
            rest.pop(f"{name}_bn/{part}").astype(np.float32)
            for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        scale = gamma / np.sqrt(variance + EPSILON)
        bias = rest.get(f"{name}_conv/bias", np.zeros_like(mean))
        rest[f"{name}_conv/kernel"] = rest[f"{name}_conv/kernel"] * scale
        rest[f"{name}_conv/bias"] = (bias - mean) * scale + beta
    return rest
