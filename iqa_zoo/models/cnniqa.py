"""CNNIQA and CNNIQA++: small networks that judge grey patches of 32 x 32 pixels.

CNNIQA (Kang, Ye, Li and Doermann, CVPR 2014): local normalisation, one convolution,
its largest and its smallest answer in each channel, two dense layers, the score. The
picture's score is the mean of its patches'.
CNNIQA++ (Kang, Ye, Li and Doermann, ICIP 2015): two convolutions, a tenth of the
parameters, and the picture's distortion beside the score.

Differences from the papers: scores are on 0 to 1, high for good; normalisation is
within each patch, so that a patch depends on nothing around it, over 7 x 7 pixels and
with 10 grey levels for its constant. Public code has 3 x 3, and 1 on values of 0 to 1,
where the text leaves open of which values it is 1; on 0 to 255 it makes the noise of
flat places as large as edges, and on 0 to 1 hardly anything is divided; few tries on
validation photos speak for a value in between (`benchmarks/results/cnniqa_tries.json`).
CNNIQA++ has 32 channels in its second
convolution, which gives the paper's share of CNNIQA's parameters; public code has 50 in
a configuration.
"""

from collections.abc import Sequence

import keras
from keras import layers

from iqa_zoo.errors import UsageError
from iqa_zoo.models.losses import OpinionLoss
from iqa_zoo.models.patches import (
    Channels,
    CutPatches,
    Grey,
    LocalNormalise,
    MeanLogarithm,
    joined,
    picture,
    pooled,
)

DROPOUT = 0.5  # after the first dense layer, in both papers
CLASSES = 5  # LIVE's number of distortions
#: Of the normalisation: pixels a side, and grey levels.
WINDOW, CONSTANT = 7, 10.0


def cnniqa(
    *,
    dropout: float = DROPOUT,
    pooling: str = "mean",
    size: Sequence[int] | None = None,
) -> keras.Model:
    """CNNIQA.

    Args:
        dropout: share of the features dropped in training, 0 <= dropout < 1 (0.5).
        pooling: how the patches' scores become the picture's: "mean", "saliency" or
            "worst" ("mean").
        size: (height, width) for a static input size, or None for any (None).

    Returns:
        A compiled network: `image` float32 RGB 0..255 (batch, height, width, 3), 32
        pixels a side or more, in, `score` float32 (batch, 1) out. Its layer `map` gives
        the score of each patch, (batch, rows, columns, 1).

    Raises:
        UsageError: no such pooling, or a size below 32 pixels.
    """
    image = picture(size)
    patches = _grey_patches(image)
    x = LocalNormalise(WINDOW, CONSTANT, dtype="float32", name="normalise")(patches)
    x = layers.Conv2D(50, 7, name="conv")(x)
    x = _largest_and_smallest(x)
    x = layers.Dense(800, activation="relu", name="fc1")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Dense(800, activation="relu", name="fc2")(x)
    x = layers.Dense(1, dtype="float32", name="patch_score")(x)
    cells = joined([x], patches, image, pooling)
    model = keras.Model(image, pooled(cells, pooling, name="score"), name="cnniqa")
    model.compile(optimizer=keras.optimizers.Adam(1e-4), loss=_score_loss())
    return model


def cnniqa_plus_plus(
    *,
    classes: int = CLASSES,
    dropout: float = DROPOUT,
    pooling: str = "mean",
    size: Sequence[int] | None = None,
) -> keras.Model:
    """CNNIQA++.

    Args:
        classes: how many distortions it tells apart, 2 or more (5).
        Others: as of `cnniqa`; the distortion is found from all patches alike.

    Returns:
        As `cnniqa`, with two outputs: a dict of `score` (batch, 1) and `classes`
        (batch, classes), the distortions' probabilities: the softmax of the mean over
        the patches of their logits. The layer `both` has the two side by side, the
        layer `patch_both` those of each patch, (batch, rows, columns, 1 + classes).

    Raises:
        UsageError: as of `cnniqa`, or less than 2 classes.
    """
    if classes < 2:
        raise UsageError(f"classes is {classes}; 2 or more can be told apart.")
    image = picture(size)
    patches = _grey_patches(image)
    x = LocalNormalise(WINDOW, CONSTANT, dtype="float32", name="normalise")(patches)
    x = layers.Conv2D(8, 3, name="conv1")(x)
    x = layers.MaxPooling2D(2, name="pool1")(x)
    x = layers.Conv2D(32, 3, name="conv2")(x)
    x = _largest_and_smallest(x)
    x = layers.Dense(128, activation="relu", name="fc1")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Dense(512, activation="relu", name="fc2")(x)
    score = layers.Dense(1, dtype="float32", name="patch_score")(x)
    x = layers.Dense(classes, name="patch_logits")(x)
    x = layers.Softmax(dtype="float32", name="patch_classes")(x)
    cells = joined([score, x], patches, image, pooling)
    places = Channels(0, 1 + classes, dtype="float32", name="patch_both")(cells)
    x = Channels(1, 1 + classes, dtype="float32", name="class_map")(places)
    # The logarithm of a softmax is the logits less one number, which this softmax
    # takes out again.
    x = MeanLogarithm(dtype="float32", name="logits")(x)
    x = layers.Softmax(dtype="float32", name="probabilities")(x)
    score = pooled(cells, pooling, name="pooled")
    both = layers.Concatenate(dtype="float32", name="both")([score, x])
    outputs = {
        "score": Channels(0, 1, dtype="float32", name="score")(both),
        "classes": Channels(1, 1 + classes, dtype="float32", name="classes")(both),
    }
    model = keras.Model(image, outputs, name="cnniqa_plus_plus")
    model.compile(
        optimizer=keras.optimizers.Adam(1e-4),
        loss={
            "score": _score_loss(),
            "classes": keras.losses.CategoricalCrossentropy(),
        },
        loss_weights={"score": 0.5, "classes": 0.5},
    )
    return model


def _score_loss() -> OpinionLoss:
    return OpinionLoss({"mae": 1.0}, scale=(0, 1))


def _grey_patches(image: keras.KerasTensor) -> keras.KerasTensor:
    x = Grey(dtype="float32", name="grey")(image)
    return CutPatches(dtype="float32", name="patches")(x)


def _largest_and_smallest(x: keras.KerasTensor) -> keras.KerasTensor:
    """(n, h, w, c) to (n, 2 c).

    By pooling over a window, whose gradient TensorFlow computes faster on a CPU than
    that of a maximum over axes.
    """
    whole = x.shape[1:3]
    largest = layers.MaxPooling2D(whole, name="largest")(x)
    negative = layers.Rescaling(-1.0, name="negative")(x)
    smallest = layers.MaxPooling2D(whole, name="negative_smallest")(negative)
    smallest = layers.Rescaling(-1.0, name="smallest")(smallest)
    both = layers.Concatenate(name="largest_and_smallest")([largest, smallest])
    return layers.Flatten(name="pool")(both)
