"""QODCNN: a network for pictures of screens, by patches of 32 x 32 pixels.

Jiang, Shen, Feng, Yu and An, arXiv 1903.00705. Eight convolutions in pairs, each pair
followed by a maximum over 2 x 2, then two dense layers, give the score of a patch. It
is trained in two steps, on all patches and then on those whose own quality agrees with
their picture's (the loss `agreeing`). In the third the patches are weighted by what
they show, since people look at edges and texture. The full-reference network sees the
features of the reference, of the distorted patch, and their difference.

Differences from the paper: its text names eight convolutions of 3 x 3, four maxima,
one concatenation, two dense layers, batch normalisation and l2, and not their sizes;
these are of our choice. Its weights are of texture and edges in the distorted picture
alone; here they are the variance over the patch of the luminance's deviation over
3 x 3 pixels, which others use for screens. The optimizer's weight decay stands for
l2. Which patches agree is seen anew in every step and not once before all. Scores are
on 0 to 1, high for good.
"""

from collections.abc import Sequence

import keras
from keras import layers, ops

from iqa_zoo.errors import UnknownNameError, UsageError
from iqa_zoo.models.layers import bn
from iqa_zoo.models.losses import OpinionLoss
from iqa_zoo.models.patches import (
    POOLINGS,
    Channels,
    CutPatches,
    Grey,
    WeightedScore,
    joined,
    picture,
    pooled,
)

_PACKAGE = "iqa_zoo"

CHANNELS = (32, 64, 128, 256)  # of each pair of convolutions
DROPOUT = 0.5  # before the last layer
MOMENTUM = 0.99  # of batch normalisation
#: What is added to each weight: a share of the picture's mean weight, and so much, by
#: which the patches of a flat picture count alike.
LEAST_SHARE, LEAST_WEIGHT = 1e-3, 1e-8


def qodcnn(
    *,
    dropout: float = DROPOUT,
    pooling: str = "texture",
    size: Sequence[int] | None = None,
) -> keras.Model:
    """QODCNN without a reference.

    Args:
        dropout: share of the features dropped in training, 0 <= dropout < 1 (0.5).
        pooling: how the patches' scores become the picture's: weighted by their
            "texture" as in the paper, by "mean", "saliency" or "worst" ("texture").
        size: (height, width) for a static input size, or None for any (None).

    Returns:
        A compiled network: `image` float32 RGB 0..255 (batch, height, width, 3), 32
        pixels a side or more, in, `score` float32 (batch, 1) out. Its layer `map` gives
        the score of each patch, (batch, rows, columns, 1).

    Raises:
        UsageError: no such pooling, a dropout out of range, or a size below 32 pixels.
    """
    image = picture(size)
    patches = CutPatches(dtype="float32", name="patches")(image)
    features = _trunk(patches)
    answer = _head(features, dropout)
    return _compiled(image, patches, answer, pooling, "qodcnn")


def qodcnn_fr(
    *,
    dropout: float = DROPOUT,
    pooling: str = "texture",
    size: Sequence[int] | None = None,
) -> keras.Model:
    """QODCNN with a reference; as `qodcnn`, but for two inputs of one size.

    These are a dict of `distorted` and `reference`, each as `image` there.
    """
    inputs = {name: picture(size, name) for name in ("distorted", "reference")}
    patches, reference = (
        CutPatches(dtype="float32", name=f"{name}_patches")(image)
        for name, image in inputs.items()
    )
    # As one batch, so that both are normalised alike.
    x = layers.Concatenate(axis=0, name="all_patches")([patches, reference])
    x = Compared(name="compared")(_trunk(x))
    # Names of their own: the trunk's weights fit `qodcnn`, the head's do not.
    answer = _head(x, dropout, "fr_")
    return _compiled(inputs, patches, answer, pooling, "qodcnn_fr")


def _trunk(x: keras.KerasTensor) -> keras.KerasTensor:
    """Patches 0..255 (n, 32, 32, 3) to features (n, 1024)."""
    x = layers.Rescaling(1 / 255, offset=-0.5, name="rescaling")(x)
    for block, channels in enumerate(CHANNELS, 1):
        for step in (1, 2):
            name = f"conv{block}_{step}"
            x = layers.Conv2D(channels, 3, padding="same", name=name)(x)
            x = bn(x, "relu", momentum=MOMENTUM, name=name)
        x = layers.MaxPooling2D(2, name=f"pool{block}")(x)
    return layers.Flatten(name="features")(x)


def _head(x: keras.KerasTensor, dropout: float, prefix: str = "") -> keras.KerasTensor:
    """Scores of patches (n, 1) by their features."""
    if not 0 <= dropout < 1:
        raise UsageError(f"dropout is {dropout}; it must lie in 0 <= dropout < 1.")
    x = layers.Dense(512, activation="relu", name=f"{prefix}fc")(x)
    x = layers.Dropout(dropout, name=f"{prefix}dropout")(x)
    return layers.Dense(
        1,
        # Near 0.5, the middle of the scale: other first scores are far beyond it.
        kernel_initializer=keras.initializers.VarianceScaling(0.01),
        bias_initializer=keras.initializers.Constant(0.5),
        dtype="float32",
        name=f"{prefix}patch_score",
    )(x)


def _compiled(
    inputs: keras.KerasTensor | dict[str, keras.KerasTensor],
    patches: keras.KerasTensor,
    answer: keras.KerasTensor,
    pooling: str,
    name: str,
) -> keras.Model:
    known = ["texture", *(way for way in POOLINGS if way != "learned")]
    if pooling not in known:
        raise UnknownNameError("pooling", pooling, known)
    image = inputs["distorted"] if isinstance(inputs, dict) else inputs
    if pooling == "texture":
        answers = [answer, Texture(dtype="float32", name="patch_texture")(patches)]
        cells = joined(answers, patches, image, "mean")
        scores = Channels(0, 1, dtype="float32", name="map")(cells)
        x = Channels(1, 2, dtype="float32", name="texture")(cells)
        weights = Raised(dtype="float32", name="weight")(x)
        score = WeightedScore(dtype="float32", name="score")([scores, weights])
    else:
        cells = joined([answer], patches, image, pooling)
        score = pooled(cells, pooling, name="score")
    model = keras.Model(inputs, score, name=name)
    model.compile(
        optimizer=keras.optimizers.Adam(1e-4),
        loss=OpinionLoss({"mae": 1.0}, scale=(0, 1)),
    )
    return model


@keras.saving.register_keras_serializable(_PACKAGE)
class Compared(layers.Layer):
    """Features of distorted patches and, behind them, of references, side by side.

    (2 n, features) to (n, 3 features): the reference's, the distorted one's, and the
    reference's less the distorted one's.
    """

    def call(self, features):
        count = ops.shape(features)[0] // 2
        distorted, reference = features[:count], features[count:]
        return ops.concatenate([reference, distorted, reference - distorted], axis=-1)

    def compute_output_shape(self, shape):
        return (shape[0] and shape[0] // 2, 3 * shape[1])


@keras.saving.register_keras_serializable(_PACKAGE)
class Texture(layers.Layer):
    """How much patches (n, h, w, 3), RGB 0..255, vary, (n, 1), 0..0.1.

    The variance of the deviations of the luminance, 0..1, over 3 x 3 pixels: where
    there is an edge they differ from place to place, in flat parts all are 0.
    """

    def call(self, patches):
        x = Grey()(patches) / 255 - 0.5  # smaller squares lose less in 32 bits
        mean = ops.average_pool(x, 3, 1)
        square = ops.average_pool(x * x, 3, 1)
        deviation = ops.sqrt(ops.maximum(square - mean * mean, 0.0))
        return ops.var(deviation, axis=(1, 2))

    def compute_output_shape(self, shape):
        return (shape[0], 1)


@keras.saving.register_keras_serializable(_PACKAGE)
class Raised(layers.Layer):
    """Weights of places (batch, rows, columns, 1) with a little more for each."""

    def call(self, weights):
        mean = ops.mean(weights, axis=(1, 2), keepdims=True)
        return weights + LEAST_SHARE * mean + LEAST_WEIGHT
