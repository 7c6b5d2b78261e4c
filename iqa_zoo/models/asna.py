"""ASNA: a network that compares a picture with its reference, map by map.

Ayyoubzadeh and Royat, CVPRW 2021, arXiv 2105.02531. One trunk looks at both pictures; a
decoder goes up again from the distorted one's last map and takes in, at each scale, how
far the two pictures' maps differ; attention weighs what comes out, and residual blocks
and dense layers make a score of it.

A step is a convolution, LeakyReLU and batch normalisation; the authors' code has all
three in the two steps down too. At 288 x 288 pixels:

trunk      convolution of 5 x 5 to 3 channels; steps of 5 x 5 to 8 and 16 channels and
           of 3 x 3 to 32 and 64, pooled by 2 between them
decoder    pooled by 2; steps of 3 x 3 to 64, 64, 32 and 16 channels, each doubled in
           size and put beside the absolute difference of that scale
down       steps of 3 x 3 to 32 channels with strides of 4 and 2: 36 x 36
attention  two convolutions to 8 channels, weighed by a gate for each channel and one
           for each place, both put behind what came in; 1 x 1 to 8 channels
head       three residual blocks; dense layers of 32, 1 (tanh) and 1

Differences from the paper: it takes red, green and blue, not blue, green and red. The
first dense layer is a convolution of 36 x 36 places: at 288 pixels a side it is the
paper's, and a larger picture gets the mean over its parts. Sides are cut to multiples
of 16. The second term of the loss compares scores as a network sorts them that was
trained for nothing else, and for batches of 16 alone; it is left out, since the term
`ranking` asks for the same order directly, in batches of any size. Penalties on the
weights are a decay.
"""

from collections.abc import Sequence

import keras
from keras import layers, ops

from iqa_zoo.errors import UsageError
from iqa_zoo.models.losses import OpinionLoss

_PACKAGE = "iqa_zoo"

SIDE = 288  # pixels of the paper's pictures
MULTIPLE = 16  # of a side: it is halved four times on the way down
TRUNK = ((8, 5), (16, 5), (32, 3), (64, 3))  # channels and kernel of each step
DECODER = (64, 64, 32, 16)
SLOPE = 0.5  # of LeakyReLU below zero


@keras.saving.register_keras_serializable(_PACKAGE)
class Difference(layers.Layer):
    """How far two tensors of one shape are apart, each number for itself."""

    def call(self, pair):
        return ops.abs(pair[0] - pair[1])

    def compute_output_shape(self, shapes):
        return shapes[0]


@keras.saving.register_keras_serializable(_PACKAGE)
class DropRemainder(layers.Layer):
    """A picture (batch, h, w, c) without what is left, right and below, of a multiple.

    Args:
        multiple: of pixels, which both sides of the result are.
    """

    def __init__(self, multiple: int, **arguments) -> None:
        super().__init__(**arguments)
        self.multiple = multiple

    def call(self, image):
        height, width = (n - n % self.multiple for n in ops.shape(image)[1:3])
        return image[:, :height, :width]

    def compute_output_shape(self, shape):
        sides = (n and n - n % self.multiple for n in shape[1:3])
        return (shape[0], *sides, shape[3])

    def get_config(self) -> dict:
        return {**super().get_config(), "multiple": self.multiple}


def asna(*, size: Sequence[int] | None = None) -> keras.Model:
    """ASNA.

    Args:
        size: (height, width) for a static input size, or None for any (None).

    Returns:
        A compiled network: `distorted` and `reference`, float32 RGB 0..255 (batch,
        height, width, 3) of one size, 288 pixels a side or more, in; `score` float32
        (batch, 1) out.

    Raises:
        UsageError: `size` has a side below 288.
    """
    if size and min(size) < SIDE:
        raise UsageError(f"size is {tuple(size)}; asna takes {SIDE} pixels or more.")
    inputs = {
        name: keras.Input((*(size or (None, None)), 3), name=name, dtype="float32")
        for name in ("distorted", "reference")
    }
    steps = _trunk()
    distorted, reference = (_maps(steps, image) for image in inputs.values())
    x = _decoded(distorted, reference)
    x = layers.Concatenate(name="attention")([x, *_gated(x)])
    x = layers.Conv2D(8, 1, name="attention_out")(x)
    for block in range(3):
        y = layers.Conv2D(
            8, 3, padding="same", activation="relu", name=f"residual{block}_conv1"
        )(x)
        y = layers.Conv2D(8, 3, padding="same", name=f"residual{block}_conv2")(y)
        x = layers.Add(name=f"residual{block}_out")([x, y])
    x = layers.Conv2D(32, SIDE // 8, activation="relu", name="fc1")(x)
    x = layers.Conv2D(1, 1, activation="tanh", name="fc2")(x)
    x = layers.Conv2D(1, 1, dtype="float32", name="fc3")(x)
    score = layers.GlobalAveragePooling2D(dtype="float32", name="score")(x)
    model = keras.Model(inputs, score, name="asna")
    model.compile(
        optimizer=keras.optimizers.Adam(1e-4),
        loss=OpinionLoss({"mse": 1.0}, scale=(0, 1)),
    )
    return model


def _trunk() -> list[list[layers.Layer]]:
    """The layers up to each of the four maps; both pictures go through them."""
    steps = [
        [
            layers.MaxPooling2D(2, name=f"trunk{step}_pool"),
            *_step(channels, f"trunk{step}", kernel),
        ]
        for step, (channels, kernel) in enumerate(TRUNK, 1)
    ]
    steps[0][0] = layers.Conv2D(3, 5, padding="same", name="trunk0_conv")
    before = [
        DropRemainder(MULTIPLE, dtype="float32", name="whole"),
        layers.Rescaling(1 / 127.5, offset=-1.0, name="normalise"),
    ]
    return [before + steps[0], *steps[1:]]


def _step(channels: int, name: str, kernel: int = 3, stride: int = 1) -> list:
    """Convolution, LeakyReLU, batch normalisation; sides are divided by the stride."""
    # Of sides that are multiples of 4, `same` with a stride of 4 pads nothing.
    padding = "same" if stride == 1 else "valid"
    return [
        layers.Conv2D(channels, kernel, stride, padding=padding, name=f"{name}_conv"),
        layers.LeakyReLU(negative_slope=SLOPE, name=f"{name}_relu"),
        layers.BatchNormalization(name=f"{name}_bn"),
    ]


def _maps(
    steps: list[list[layers.Layer]], image: keras.KerasTensor
) -> list[keras.KerasTensor]:
    maps, x = [], image
    for step in steps:
        x = _through(step, x)
        maps.append(x)
    return maps


def _through(steps: list, x: keras.KerasTensor) -> keras.KerasTensor:
    for layer in steps:
        x = layer(x)
    return x


def _decoded(
    distorted: list[keras.KerasTensor], reference: list[keras.KerasTensor]
) -> keras.KerasTensor:
    """Four maps of each picture to one (batch, h / 8, w / 8, 32)."""
    x = layers.MaxPooling2D(2, name="decoder_pool")(distorted[-1])
    for step, channels in enumerate(DECODER, 1):
        x = _through(_step(channels, f"decoder{step}"), x)
        x = layers.UpSampling2D(2, name=f"decoder{step}_up")(x)
        pair = [distorted[-step], reference[-step]]
        difference = Difference(name=f"decoder{step}_difference")(pair)
        x = layers.Concatenate(name=f"decoder{step}_out")([x, difference])
    x = _through(_step(32, "down1", stride=4), x)
    x = layers.ZeroPadding2D(1, name="down2_pad")(x)
    return _through(_step(32, "down2", stride=2), x)


def _gated(x: keras.KerasTensor) -> list[keras.KerasTensor]:
    """Eight channels that are weighed by channel, and the same weighed by place."""
    x = layers.Conv2D(8, 3, padding="same", activation="relu", name="gated_conv1")(x)
    x = layers.BatchNormalization(name="gated_bn")(x)
    x = layers.Conv2D(8, 3, padding="same", name="gated_conv2")(x)
    mean = layers.GlobalAveragePooling2D(keepdims=True, name="channel_mean")(x)
    return [_weighed(x, mean, "channel"), _weighed(x, x, "place")]


def _weighed(
    x: keras.KerasTensor, seen: keras.KerasTensor, name: str
) -> keras.KerasTensor:
    y = layers.Conv2D(8, 1, activation="relu", name=f"{name}_conv1")(seen)
    y = layers.Conv2D(8, 1, activation="sigmoid", name=f"{name}_conv2")(y)
    return layers.Multiply(name=f"{name}_out")([x, y])
