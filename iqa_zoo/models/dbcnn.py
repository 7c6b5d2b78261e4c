"""DB-CNN: two networks look at a photo, and each pair of their features is a feature.

Source: Zhang, Ma, Yan, Deng and Wang, "Blind image quality assessment using a deep
bilinear convolutional neural network" (TCSVT 2020). One stream has learned to tell
objects apart (VGG16, ImageNet), the other to tell distortions apart (S-CNN,
`models.scnn`). Bilinear pooling multiplies their maps, place by place and channel by
channel, a dense layer makes the score of the products.

Differences from the paper: scores are on 0 to 1, high for good. Each stream has its own
normalisation. Where VGG16's map is smaller than S-CNN's (it rounds down where S-CNN
rounds up), the latter is resized with the pixels' middles as positions, where the
authors' code takes their corners. `mobilenetv2` is not in the paper: MobileNetV2 up to
the expansion of block 13, the last map of stride 16, in VGG16's place.
"""

from collections.abc import Callable, Sequence

import keras
from keras import layers, ops

from iqa_zoo.models import scnn
from iqa_zoo.models.backbones import mobilenetv2 as v2
from iqa_zoo.models.backbones import vgg16 as vgg
from iqa_zoo.models.layers import Channels
from iqa_zoo.models.losses import OpinionLoss

_PACKAGE = "iqa_zoo"

# Under the root, so that its gradient is finite: the authors' code.
TINY = 1e-8
# The least square of a length that is divided by: photos may give no feature at all.
LEAST_SQUARE = 1e-24


def vgg16(
    *, batch_norm: bool = False, size: Sequence[int] | None = None
) -> keras.Model:
    """DB-CNN on VGG16, as in the paper; arguments and result as `mobilenetv2`.

    Without batch normalisation, as the paper's; that of `models.scnn` is folded into
    the convolutions when they are filled from it.
    """
    return _dbcnn("dbcnn_vgg16", vgg.lower, vgg.upper, batch_norm, size)


def mobilenetv2(
    *, batch_norm: bool = True, size: Sequence[int] | None = None
) -> keras.Model:
    """DB-CNN on MobileNetV2.

    Args:
        batch_norm: whether batch normalisation follows S-CNN's convolutions (True).
        size: (height, width) for a static input size, or None for any (None).

    Returns:
        A compiled network: `image` float32 RGB 0..255 (batch, height, width, 3) in,
        `score` float32 (batch, 1) out. Its layer `streams` has all that comes from the
        picture: both streams' maps of stride 16, one behind the other; above it are the
        backbone's last layers. `bilinear` gives the products (batch, 1, 1, channels).
    """
    return _dbcnn("dbcnn_mobilenetv2", v2.lower, v2.upper, batch_norm, size)


@keras.saving.register_keras_serializable(_PACKAGE)
class ResizeLike(layers.Layer):
    """The first map (batch, h, w, c), bilinearly in the height and width of the second.

    The middles of pixels are their positions; at the border values are repeated.
    """

    def call(self, maps):
        resized, like = maps
        return ops.image.resize(resized, ops.shape(like)[1:3])

    def compute_output_shape(self, shapes):
        resized, like = shapes
        return (resized[0], *like[1:3], resized[-1])


@keras.saving.register_keras_serializable(_PACKAGE)
class BilinearPooling(layers.Layer):
    """Mean products of the channels of two maps of one size, as a vector of length 1.

    (batch, h, w, c) and (batch, h, w, d) to (batch, 1, 1, c * d): the outer product of
    the features of each place, its mean over places, the signed square root, divided
    by its length. Source: equations 3 to 5 of the paper; `TINY` is the authors' code's.
    """

    def call(self, maps):
        left, right = maps
        c, d = left.shape[-1], right.shape[-1]
        places = ops.shape(left)[1] * ops.shape(left)[2]
        left = ops.transpose(ops.reshape(left, (-1, places, c)), (0, 2, 1))
        right = ops.reshape(right, (-1, places, d))
        products = ops.matmul(left, right) / ops.cast(places, left.dtype)
        x = ops.reshape(products, (-1, 1, 1, c * d))
        x = ops.sign(x) * ops.sqrt(ops.abs(x) + TINY)
        square = ops.sum(x * x, axis=-1, keepdims=True)
        return x / ops.sqrt(ops.maximum(square, LEAST_SQUARE))

    def compute_output_shape(self, shapes):
        left, right = shapes
        return (left[0], 1, 1, left[-1] * right[-1])


def _dbcnn(
    name: str,
    lower: Callable[[keras.KerasTensor], keras.KerasTensor],
    upper: Callable[[keras.KerasTensor], keras.KerasTensor],
    batch_norm: bool,
    size: Sequence[int] | None,
) -> keras.Model:
    """The network on a backbone, cut in two at its first map of stride 16."""
    image = keras.Input((*(size or (None, None)), 3), name="image", dtype="float32")
    objects = lower(image)
    distortions = scnn.features(image, batch_norm=batch_norm)
    distortions = ResizeLike(name="resized")([distortions, objects])
    # One layer that all goes through, so that training can keep what lies below it.
    streams = layers.Concatenate(name="streams")([objects, distortions])
    end = objects.shape[-1]
    objects = upper(Channels(0, end, name="objects")(streams))
    distortions = Channels(end, streams.shape[-1], name="distortions")(streams)
    # Sums over a thousand places, and their roots, need 32 bits.
    x = BilinearPooling(dtype="float32", name="bilinear")([objects, distortions])
    x = layers.Flatten(name="pool")(x)
    x = layers.Dense(
        1,
        kernel_initializer="he_normal",
        bias_initializer=keras.initializers.Constant(0.5),  # the middle of the scale
        dtype="float32",
        name="head",
    )(x)
    score = layers.Activation("linear", dtype="float32", name="score")(x)
    model = keras.Model(image, score, name=name)
    model.compile(
        optimizer=keras.optimizers.Adam(1e-4),
        loss=OpinionLoss({"mse": 1.0}, scale=(0, 1)),
    )
    return model
