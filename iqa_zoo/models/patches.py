"""Pictures as patches, and what the patches say as one score.

A patch network cuts its picture into squares side by side (`CutPatches`), judges each
for itself, puts the answers back to where the patches were (`joined`, the layer
`cells`) and makes one score of them (`pooled`). What comes up to `cells` sees one patch
at a time, so a large picture can be run piece by piece and joined at `cells`.
"""

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers, ops

from iqa_zoo.errors import UnknownNameError, UsageError
from iqa_zoo.models.layers import Channels
from iqa_zoo.models.saliency import SpectralResidual

_PACKAGE = "iqa_zoo"

SIDE = 32  # pixels of a patch: all of these networks take 32 x 32
#: ITU-R BT.601, as the authors' tools make grey of RGB.
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
#: How the scores of a picture's places become its own: each counts alike; by weights
#: that the network has learned; by how much each place is looked at; the worst alone.
POOLINGS = ("mean", "learned", "saliency", "worst")
WORST = 10  # one place in so many makes up the worst share
BLOCK = 4  # pixels a side of the means in which cells carry their luminance


def picture(size: Sequence[int] | None, name: str = "image") -> keras.KerasTensor:
    """The input of a patch network: float32 RGB (batch, height, width, 3).

    Raises:
        UsageError: `size` has a side below that of a patch.
    """
    if size and min(size) < SIDE:
        raise UsageError(
            f"size is {tuple(size)}; patches are {SIDE} pixels a side, so take "
            f"{SIDE} or more."
        )
    return keras.Input((*(size or (None, None)), 3), name=name, dtype="float32")


def joined(
    answers: Sequence[keras.KerasTensor],
    patches: keras.KerasTensor,
    image: keras.KerasTensor,
    pooling: str,
) -> keras.KerasTensor:
    """The layer `cells`: what is known of each patch, (batch, rows, columns, n).

    Args:
        answers: (patches, n), the score first.
        patches: grey or RGB 0..255, what `CutPatches` made of the image. Their
            luminance is put behind the answers where the pooling needs it.
        image: what `CutPatches` cut.
        pooling: one of `POOLINGS`.
    """
    if pooling == "saliency":
        answers = [*answers, _luminance(patches)]
    x = answers[0]
    if len(answers) > 1:
        x = layers.Concatenate(dtype="float32", name="answers")(answers)
    return JoinCells(dtype="float32", name="cells")([x, image])


def _luminance(patches: keras.KerasTensor) -> keras.KerasTensor:
    """Means of blocks of patches (n, side, side, channels), (n, blocks)."""
    if patches.shape[-1] == 3:
        patches = Grey(dtype="float32", name="patch_grey")(patches)
    x = layers.AveragePooling2D(BLOCK, dtype="float32", name="blocks")(patches)
    return layers.Flatten(dtype="float32", name="block_means")(x)


def pooled(
    cells: keras.KerasTensor, pooling: str, *, weights: bool = False, name: str
) -> keras.KerasTensor:
    """The score (batch, 1) of `cells`, by one of `POOLINGS`; the last layer is `name`.

    The layer `map` gives the score of each place, (batch, rows, columns, 1).

    Args:
        cells: as `joined` gives them.
        pooling: one of `POOLINGS`.
        weights: whether the second channel is a learned weight.

    Raises:
        UnknownNameError: no such pooling, or "learned" where there are no weights.
    """
    known = [way for way in POOLINGS if weights or way != "learned"]
    if pooling not in known:
        raise UnknownNameError("pooling", pooling, known)
    scores = Channels(0, 1, dtype="float32", name="map")(cells)
    if pooling == "mean":
        return MeanScore(dtype="float32", name=name)(scores)
    if pooling == "worst":
        return WorstScore(dtype="float32", name=name)(scores)
    if pooling == "learned":
        weight = Channels(1, 2, dtype="float32", name="weight")(cells)
    else:
        first = cells.shape[-1] - (SIDE // BLOCK) ** 2
        light = Channels(first, cells.shape[-1], dtype="float32", name="light")(cells)
        weight = SpectralResidual(dtype="float32", name="saliency")(light)
    return WeightedScore(dtype="float32", name=name)([scores, weight])


@keras.saving.register_keras_serializable(_PACKAGE)
class CutPatches(layers.Layer):
    """(batch, h, w, c) to (batch * rows * columns, side, side, c).

    Rows of patches from the top, each from the left; what is left over at the right
    and at the bottom is left out.
    """

    def __init__(self, side: int = SIDE, **arguments) -> None:
        super().__init__(**arguments)
        self.side = side

    def call(self, image):
        side, channels = self.side, image.shape[-1]
        rows, columns = (n // side for n in ops.shape(image)[1:3])
        x = image[:, : rows * side, : columns * side]
        # Four axes at most: runtimes on phones have no faster way for more.
        x = ops.reshape(x, (-1, side, columns, side * channels))
        x = ops.transpose(x, (0, 2, 1, 3))
        return ops.reshape(x, (-1, side, side, channels))

    def compute_output_shape(self, shape):
        return (None, self.side, self.side, shape[-1])

    def get_config(self) -> dict:
        return {**super().get_config(), "side": self.side}


@keras.saving.register_keras_serializable(_PACKAGE)
class JoinCells(layers.Layer):
    """Answers (batch * rows * columns, n) to (batch, rows, columns, n).

    Called with the answers and the picture that `CutPatches` cut.
    """

    def __init__(self, side: int = SIDE, **arguments) -> None:
        super().__init__(**arguments)
        self.side = side

    def call(self, inputs):
        answers, image = inputs
        rows, columns = (n // self.side for n in ops.shape(image)[1:3])
        return ops.reshape(answers, (-1, rows, columns, answers.shape[-1]))

    def compute_output_shape(self, shapes):
        answers, image = shapes
        rows, columns = (n and n // self.side for n in image[1:3])
        return (image[0], rows, columns, answers[-1])

    def get_config(self) -> dict:
        return {**super().get_config(), "side": self.side}


@keras.saving.register_keras_serializable(_PACKAGE)
class Grey(layers.Layer):
    """RGB (..., 3) to grey (..., 1) by `LUMA`, in the same range."""

    def call(self, image):
        return ops.sum(image * LUMA, axis=-1, keepdims=True)


@keras.saving.register_keras_serializable(_PACKAGE)
class LocalNormalise(layers.Layer):
    """(I - mean) / (deviation + constant) of grey patches, both over a window.

    Source: Kang and others, CVPR 2014, eq. 1 to 3. Beyond a patch's border it goes on
    as its mirror image.

    Args:
        window: pixels a side of the window, an odd number.
        constant: in the patches' unit; what is flatter is enlarged the less.
    """

    def __init__(self, window: int, constant: float, **arguments) -> None:
        super().__init__(**arguments)
        self.window, self.constant = window, constant

    def call(self, patches):
        x = patches - 128.0  # smaller squares lose less in 32 bits
        beyond = (self.window // 2, self.window // 2)
        around = ops.pad(x, ((0, 0), beyond, beyond, (0, 0)), mode="symmetric")
        mean = ops.average_pool(around, self.window, 1)
        square = ops.average_pool(around * around, self.window, 1)
        deviation = ops.sqrt(ops.maximum(square - mean * mean, 1e-6))
        return (x - mean) / (deviation + self.constant)

    def compute_output_shape(self, shape):
        return shape

    def get_config(self) -> dict:
        own = {"window": self.window, "constant": self.constant}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(_PACKAGE)
class MeanScore(layers.Layer):
    """Scores of places (batch, rows, columns, 1) to their mean (batch, 1)."""

    def call(self, scores):
        return ops.mean(scores, axis=(1, 2))

    def compute_output_shape(self, shape):
        return (shape[0], shape[-1])


@keras.saving.register_keras_serializable(_PACKAGE)
class MeanLogarithm(layers.Layer):
    """Shares of places (batch, rows, columns, n), 0..1, to (batch, n).

    The mean over the places of the shares' logarithms.
    """

    def call(self, shares):
        return ops.mean(ops.log(ops.maximum(shares, 1e-30)), axis=(1, 2))

    def compute_output_shape(self, shape):
        return (shape[0], shape[-1])


@keras.saving.register_keras_serializable(_PACKAGE)
class WeightedScore(layers.Layer):
    """Scores and weights of places, (batch, rows, columns, 1) each, to (batch, 1).

    The weights are more than 0. Source: Bosse and others, TIP 2018, eq. 9.
    """

    def call(self, inputs):
        scores, weights = inputs
        total = ops.sum(scores * weights, axis=(1, 2))
        return total / ops.sum(weights, axis=(1, 2))

    def compute_output_shape(self, shapes):
        return (shapes[0][0], 1)


@keras.saving.register_keras_serializable(_PACKAGE)
class WorstScore(layers.Layer):
    """Scores of places (batch, rows, columns, 1) to the mean of the worst (batch, 1).

    These are the lowest tenth, and one place at least.
    """

    def call(self, scores):
        rows, columns = ops.shape(scores)[1:3]
        count = (rows * columns + WORST - 1) // WORST
        ordered = ops.sort(ops.reshape(scores, (-1, rows * columns)), axis=1)
        return ops.mean(ordered[:, :count], axis=1, keepdims=True)

    def compute_output_shape(self, shape):
        return (shape[0], 1)
