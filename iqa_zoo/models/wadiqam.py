"""DIQaM and WaDIQaM: deep networks that judge patches of 32 x 32 pixels.

Bosse, Maniry, Müller, Wiegand and Samek, TIP 2018: ten convolutions in pairs, each pair
followed by a maximum over 2 x 2, give 512 features a patch; a dense layer makes its
score of them. NR networks see the photo alone. FR networks take the features of the
distorted patch, of the reference's, and their difference. DIQaM's picture has the mean
of its patches' scores; in WaDIQaM a second branch gives each patch its weight.

Differences from the paper: scores are on 0 to 1, high for good. Pixels are divided by
255 first, as public code does (lidq92/WaDIQaM): with the authors' 0 to 255 a fresh
network's scores are hundreds of times too large for that scale. Convolutions start by
He's rule, without which others saw the training fail. The last layers start near 0.5,
the middle of the scale, and near weight 1: a branch whose ReLU answers 0 for every
patch would never learn, and all would count alike.
"""

from collections.abc import Sequence

import keras
from keras import layers

from iqa_zoo.models.losses import OpinionLoss
from iqa_zoo.models.patches import CutPatches, joined, picture, pooled

DROPOUT = 0.5  # before each last layer
CHANNELS = (32, 64, 128, 256, 512)  # of each pair of convolutions
LEAST_WEIGHT = 1e-6  # eq. 8


def diqam_nr(
    *,
    dropout: float = DROPOUT,
    pooling: str = "mean",
    size: Sequence[int] | None = None,
) -> keras.Model:
    """DIQaM-NR.

    Args:
        dropout: share of the features dropped in training, 0 <= dropout < 1 (0.5).
        pooling: how the patches' scores become the picture's: "mean", "saliency",
            "worst", or, in the networks with weights, "learned" ("mean"; there
            "learned").
        size: (height, width) for a static input size, or None for any (None).

    Returns:
        A compiled network: `image` float32 RGB 0..255 (batch, height, width, 3), 32
        pixels a side or more, in, `score` float32 (batch, 1) out. Its layer `map` gives
        the score of each patch, (batch, rows, columns, 1).

    Raises:
        UsageError: no such pooling, or a size below 32 pixels.
    """
    return _no_reference("diqam_nr", ("score",), dropout, pooling, size)


def wadiqam_nr(
    *,
    dropout: float = DROPOUT,
    pooling: str = "learned",
    size: Sequence[int] | None = None,
) -> keras.Model:
    """WaDIQaM-NR; arguments, result and errors as `diqam_nr`."""
    return _no_reference("wadiqam_nr", ("score", "weight"), dropout, pooling, size)


def diqam_fr(
    *,
    dropout: float = DROPOUT,
    pooling: str = "mean",
    size: Sequence[int] | None = None,
) -> keras.Model:
    """DIQaM-FR; as `diqam_nr`, but for two inputs of one size.

    These are a dict of `distorted` and `reference`, each as `image` there.
    """
    return _full_reference("diqam_fr", ("score",), dropout, pooling, size)


def wadiqam_fr(
    *,
    dropout: float = DROPOUT,
    pooling: str = "learned",
    size: Sequence[int] | None = None,
) -> keras.Model:
    """WaDIQaM-FR; arguments, result and errors as `diqam_fr`."""
    return _full_reference("wadiqam_fr", ("score", "weight"), dropout, pooling, size)


def _no_reference(
    name: str,
    branches: Sequence[str],
    dropout: float,
    pooling: str,
    size: Sequence[int] | None,
) -> keras.Model:
    image = picture(size)
    patches = CutPatches(dtype="float32", name="patches")(image)
    features = _through(_trunk(), patches)
    answers = [_head(features, branch, dropout) for branch in branches]
    cells = joined(answers, patches, image, pooling)
    return _compiled(image, cells, pooling, name)


def _full_reference(
    name: str,
    branches: Sequence[str],
    dropout: float,
    pooling: str,
    size: Sequence[int] | None,
) -> keras.Model:
    inputs = {key: picture(size, key) for key in ("distorted", "reference")}
    patches, reference = (
        CutPatches(dtype="float32", name=f"{key}_patches")(image)
        for key, image in inputs.items()
    )
    trunk = _trunk()
    one, other = _through(trunk, patches), _through(trunk, reference)
    difference = layers.Subtract(name="difference")([one, other])
    x = layers.Concatenate(name="fused")([difference, one, other])
    # Names of their own: the trunk's weights fit the NR networks, the heads' do not.
    answers = [_head(x, branch, dropout, "fr_") for branch in branches]
    cells = joined(answers, patches, inputs["distorted"], pooling)
    return _compiled(inputs, cells, pooling, name)


def _trunk() -> list[layers.Layer]:
    """From patches 0..255 (n, 32, 32, 3) to features (n, 512), layer by layer."""
    trunk = [layers.Rescaling(1 / 255, name="rescaling")]
    for block, channels in enumerate(CHANNELS, 1):
        trunk += [
            layers.Conv2D(
                channels,
                3,
                padding="same",
                activation="relu",
                kernel_initializer="he_normal",
                name=f"conv{block}_{step}",
            )
            for step in (1, 2)
        ]
        trunk.append(layers.MaxPooling2D(2, name=f"pool{block}"))
    return [*trunk, layers.Flatten(name="features")]


def _through(trunk: Sequence[layers.Layer], x: keras.KerasTensor) -> keras.KerasTensor:
    for layer in trunk:
        x = layer(x)
    return x


def _head(
    x: keras.KerasTensor, branch: str, dropout: float, prefix: str = ""
) -> keras.KerasTensor:
    """Scores or weights of patches, (n, 1), by their features."""
    x = layers.Dense(
        CHANNELS[-1],
        activation="relu",
        kernel_initializer="he_normal",
        name=f"{prefix}{branch}_fc",
    )(x)
    x = layers.Dropout(dropout, name=f"{prefix}{branch}_dropout")(x)
    is_weight = branch == "weight"
    x = layers.Dense(
        1,
        activation="relu" if is_weight else None,
        kernel_initializer=keras.initializers.VarianceScaling(0.01),
        bias_initializer=keras.initializers.Constant(1.0 if is_weight else 0.5),
        dtype="float32",
        name=f"{prefix}patch_{branch}",
    )(x)
    if not is_weight:
        return x
    return layers.Rescaling(
        1.0, offset=LEAST_WEIGHT, dtype="float32", name=f"{prefix}positive_weight"
    )(x)


def _compiled(
    inputs: keras.KerasTensor | dict[str, keras.KerasTensor],
    cells: keras.KerasTensor,
    pooling: str,
    name: str,
) -> keras.Model:
    score = pooled(cells, pooling, weights=name.startswith("wa"), name="score")
    model = keras.Model(inputs, score, name=name)
    model.compile(
        optimizer=keras.optimizers.Adam(1e-4),
        loss=OpinionLoss({"mae": 1.0}, scale=(0, 1)),
    )
    return model
