"""MEON: a network that names a picture's distortion and judges it by that.

Ma, Liu, Zhang, Duanmu, Wang and Zuo, TIP 2018. Layers that both tasks share, then one
branch for the probability p_i of each of n distortions and one for the score q_i that
the picture would have with each of them: the score is the sum of p_i q_i. Activations
are generalised divisive normalisation (`GDN`). First the distortions are learned, from
pictures whose distortion is known, then both together.

| layer | channels | at 256 x 256 |
| --- | --- | --- |
| 5 x 5 convolution, stride 2, GDN, pooling by 2; three times | 8, 16, 32 | 4 x 4 |
| 3 x 3 convolution without padding, GDN, pooling by 2 | 64 | 1 x 1 |
| distortions: dense, GDN, dense, softmax | 128, n | |
| scores: dense, GDN, dense | 256, n | |

At 256 pixels a side the network is the paper's. In a larger picture its dense layers
judge every place of the last map, which are parts of 256 pixels 128 apart, and the
answers are means over the places: the paper's own way with whole pictures, but that it
takes the commonest distortion.

Differences from the paper: pictures are scaled to 0 to 1; scores are on 0 to 1, high
for good. Not known from its text, and chosen: the weights of the two losses, 1 and 1;
Adam's rates, a thousandth for the distortions and a tenth of that for both; and the
fifth class, of contrast, beside the four kinds of the LIVE database.
"""

from collections.abc import Sequence

import keras
from keras import layers, ops

from iqa_zoo.errors import UsageError
from iqa_zoo.models.layers import score_and_classes
from iqa_zoo.models.losses import OpinionLoss

_PACKAGE = "iqa_zoo"

CLASSES = 5
#: Pixels a side below which the last map has no place.
LEAST = 235
#: Ballé, Laparra and Simoncelli (ICLR 2016) start near a linear layer.
FIRST_GAMMA = 0.1
_TINY = 1e-6  # under a root that constraints let come down to zero


@keras.saving.register_keras_serializable(_PACKAGE)
class GDN(layers.Layer):
    """y_i = x_i / sqrt(beta_i + sum_j gamma_ij x_j²) of maps (batch, h, w, channels).

    Source: Ma and others, TIP 2018, eq. 1. `beta` (channels,) and `gamma` (channels j,
    channels i) stay at 0 or above by a constraint.
    """

    def build(self, input_shape):
        channels = input_shape[-1]
        least = keras.constraints.NonNeg()
        first = keras.initializers.Identity(FIRST_GAMMA)
        self.beta = self.add_weight(
            shape=(channels,), initializer="ones", constraint=least, name="beta"
        )
        self.gamma = self.add_weight(
            shape=(channels, channels),
            initializer=first,
            constraint=least,
            name="gamma",
        )

    def call(self, x):
        energy = ops.conv(x * x, self.gamma[None, None], padding="valid")
        return x / ops.sqrt(energy + self.beta + _TINY)

    def compute_output_shape(self, shape):
        return shape


@keras.saving.register_keras_serializable(_PACKAGE)
class ExpectedScore(layers.Layer):
    """Shares p, scores q (batch, h, w, n) to the mean of sum_i p_i q_i, (batch, 1)."""

    def call(self, inputs):
        shares, scores = inputs
        return ops.mean(ops.sum(shares * scores, -1, keepdims=True), axis=(1, 2))

    def compute_output_shape(self, shapes):
        return (shapes[0][0], 1)


def meon(*, classes: int = CLASSES, size: Sequence[int] | None = None) -> keras.Model:
    """MEON.

    Args:
        classes: how many distortions it tells apart, 2 or more (5).
        size: (height, width) for a static input size, or None for any (None).

    Returns:
        A compiled network: `image` float32 RGB 0..255 (batch, height, width, 3), 235
        pixels a side or more, in; a dict of `score` float32 (batch, 1) and `classes`
        float32 (batch, classes), the distortions' probabilities, out. The layer `both`
        has the two side by side.

    Raises:
        UsageError: an argument out of range.
    """
    if classes < 2:
        raise UsageError(f"classes is {classes}; 2 or more can be told apart.")
    if size and min(size) < LEAST:
        raise UsageError(f"size is {tuple(size)}; meon takes {LEAST} pixels or more.")
    image = keras.Input((*(size or (None, None)), 3), name="image", dtype="float32")
    x = layers.Rescaling(1 / 255, name="normalise")(image)
    for block, channels in enumerate((8, 16, 32), 1):
        x = layers.ZeroPadding2D(2, name=f"conv{block}_pad")(x)
        x = layers.Conv2D(channels, 5, 2, name=f"conv{block}")(x)
        x = GDN(dtype="float32", name=f"conv{block}_gdn")(x)
        x = layers.MaxPooling2D(2, name=f"conv{block}_pool")(x)
    x = layers.Conv2D(64, 3, name="conv4")(x)
    x = GDN(dtype="float32", name="conv4_gdn")(x)
    trunk = layers.MaxPooling2D(2, name="trunk")(x)

    def branch(name: str, channels: int) -> keras.KerasTensor:
        y = layers.Conv2D(channels, 1, name=f"{name}_fc1")(trunk)
        y = GDN(dtype="float32", name=f"{name}_gdn")(y)
        return layers.Conv2D(classes, 1, dtype="float32", name=f"{name}_fc2")(y)

    shares = layers.Softmax(dtype="float32", name="shares")(branch("classes", 128))
    scores = branch("scores", 256)
    score = ExpectedScore(dtype="float32", name="expected")([shares, scores])
    mean = layers.GlobalAveragePooling2D(dtype="float32", name="mean_shares")(shares)
    model = keras.Model(image, score_and_classes(score, mean), name="meon")
    model.compile(
        optimizer=keras.optimizers.Adam(1e-4),
        loss={
            "score": OpinionLoss({"mae": 1.0}, scale=(0, 1)),
            "classes": keras.losses.CategoricalCrossentropy(),
        },
    )
    return model
