"""What networks are trained by.

Targets and outputs are distributions over the bins, (batch, bins), each of sum 1, or
scores, (batch, 1). An output (batch, rows, columns, 1) is a score for each place of
the picture, and each is compared with the picture's. Registered, so that a network
saved by `model.save` reloads once this module is imported.
"""

from collections.abc import Sequence

import keras
from keras import ops

from iqa_zoo.errors import UnknownNameError

_PACKAGE = "iqa_zoo"
# Under a root or a quotient: keeps the gradient finite where the argument is zero.
_TINY = 1e-12


def score_mean(distribution: keras.KerasTensor, scale: Sequence[float] = (1, 10)):
    """Mean score of each distribution (batch, bins), as (batch,), on `scale`.

    Scores (batch, 1) are given as they are.
    """
    if distribution.shape[-1] == 1:
        return distribution[:, 0]
    return ops.sum(distribution * _bins(distribution, scale), axis=-1)


def score_std(distribution: keras.KerasTensor, scale: Sequence[float] = (1, 10)):
    """Standard deviation of each distribution (batch, bins), as (batch,)."""
    bins = _bins(distribution, scale)
    mean = ops.sum(distribution * bins, axis=-1, keepdims=True)
    return ops.sqrt(ops.sum(distribution * (bins - mean) ** 2, axis=-1) + _TINY)


def emd(y_true: keras.KerasTensor, y_pred: keras.KerasTensor, r: float = 2):
    """Earth mover's distance of each pair (batch, bins), as (batch,), 0..1.

    Source: Talebi and Milanfar, TIP 2018, eq. 1: the r-norm of the difference of the
    cumulative distributions, over the number of bins.
    """
    difference = ops.cumsum(y_true, axis=-1) - ops.cumsum(y_pred, axis=-1)
    if r == 1:
        return ops.mean(ops.abs(difference), axis=-1)
    return (ops.mean(ops.abs(difference) ** r, axis=-1) + _TINY) ** (1 / r)


def _emd2(y_true, y_pred, scale):
    return emd(y_true, y_pred)


def _plcc(y_true, y_pred, scale):
    """1 - Pearson's correlation of the mean scores over the batch, 0..2."""
    x, y = score_mean(y_true, scale), score_mean(y_pred, scale)
    x, y = x - ops.mean(x), y - ops.mean(y)
    norm = ops.sqrt(ops.sum(x * x) * ops.sum(y * y) + _TINY)
    return ops.broadcast_to(1 - ops.sum(x * y) / norm, ops.shape(x))


def _huber(y_true, y_pred, scale):
    """Smooth L1 of the mean score, in units of a fifth of the scale."""
    unit = (scale[1] - scale[0]) / 5
    error = ops.abs(score_mean(y_true, scale) - score_mean(y_pred, scale)) / unit
    return ops.where(error < 1, 0.5 * error * error, error - 0.5)


def _mse(y_true, y_pred, scale):
    return (score_mean(y_true, scale) - score_mean(y_pred, scale)) ** 2


def _ranking(y_true, y_pred, scale):
    """Cross entropy of which picture of each pair is the better one, 0..

    The difference of two mean scores, in fifths of the scale, is the logit of the
    answer; pairs of equal opinions ask for equal scores. Source: RankNet (Burges et
    al., ICML 2005), with the true share of a pair as soft as its opinions are close.
    """
    unit = (scale[1] - scale[0]) / 5
    x, y = score_mean(y_true, scale) / unit, score_mean(y_pred, scale) / unit
    wanted = ops.sigmoid(x[:, None] - x[None])
    return ops.mean(
        ops.binary_crossentropy(wanted, y[:, None] - y[None], from_logits=True), axis=-1
    )


def _mae(y_true, y_pred, scale):
    return ops.abs(score_mean(y_true, scale) - score_mean(y_pred, scale))


def _agreeing(y_true, y_pred, scale):
    """Absolute error of the half of a picture's places that are off the least.

    Outputs are (batch, rows, columns, 1), or, of one place, (batch, bins or 1). Source:
    QODCNN (Jiang and others, arXiv 1903.00705), whose second step learns from patches
    whose quality is near the picture's; the median divides them.
    """
    score = score_mean(y_true, scale)[:, None]
    if len(y_pred.shape) == 4:
        places = ops.reshape(y_pred, (ops.shape(y_pred)[0], -1))
    else:
        places = score_mean(y_pred, scale)[:, None]
    error = ops.sort(ops.abs(score - places), axis=1)
    count = ops.shape(error)[1]
    return ops.repeat(ops.mean(error[:, : (count + 1) // 2], axis=1), count)


def _classes(y_true, y_pred, scale):
    """Cross entropy of the probabilities of classes (batch, classes)."""
    return -ops.sum(y_true * ops.log(ops.maximum(y_pred, _TINY)), axis=-1)


def _order(y_true, y_pred, scale):
    """What is lacking to a margin between pictures of a group that are out of order.

    Targets (batch, 2) are the number of the group, of one source and one distortion,
    and the level; outputs (batch, 1) are scores, high for good. Source: RankIQA (Liu
    and others, ICCV 2017), eq. 3, over all ordered pairs of a group; the margin is a
    tenth of the scale, as theirs is of 0 to 100 (`models.md` 7.4).
    """
    group, level = y_true[:, 0], y_true[:, 1]
    better = (group[:, None] == group[None]) & (level[:, None] < level[None])
    margin = (scale[1] - scale[0]) / 10
    score = y_pred[:, 0]
    lacking = ops.relu(margin - (score[:, None] - score[None]))
    return ops.sum(ops.where(better, lacking, 0.0), axis=-1)


def _own(y_true, y_pred, scale):
    """The output itself (batch, 1): the network answers with its loss."""
    return y_pred[:, 0]


#: The terms that a recipe's loss may add up. All are (batch,), also those that compare
#: pictures, so that each is worth its mean over the batch.
TERMS = {
    "emd": _emd2,
    "plcc": _plcc,
    "huber": _huber,
    "mse": _mse,
    "mae": _mae,
    "ranking": _ranking,
    "order": _order,
    "classes": _classes,
    "own": _own,
    "agreeing": _agreeing,
}


@keras.saving.register_keras_serializable(_PACKAGE)
class EarthMoversDistance(keras.losses.Loss):
    """Batch mean of `emd`; train with r = 2, report with r = 1 (the paper's way)."""

    def __init__(self, r: float = 2, name: str = "emd", **arguments) -> None:
        super().__init__(name=name, **arguments)
        self.r = r

    def call(self, y_true, y_pred):
        return emd(ops.cast(y_true, "float32"), ops.cast(y_pred, "float32"), self.r)

    def get_config(self) -> dict:
        return {**super().get_config(), "r": self.r}


@keras.saving.register_keras_serializable(_PACKAGE)
class OpinionLoss(keras.losses.Loss):
    """A weighted sum of `TERMS`, say ``{"emd": 1, "plcc": 0.5}``, on a score scale.

    With `classes` the last so many columns of targets and outputs are probabilities of
    classes, which the term of that name compares, and the others all other terms.
    """

    def __init__(
        self,
        terms: dict[str, float],
        scale: Sequence[float] = (1, 10),
        classes: int = 0,
        name: str = "opinion_loss",
        **arguments,
    ) -> None:
        super().__init__(name=name, **arguments)
        for term in terms:
            if term not in TERMS:
                raise UnknownNameError("term of the loss", term, TERMS)
        self.terms = dict(terms)
        self.scale = tuple(scale)
        self.classes = classes

    def call(self, y_true, y_pred):
        y_true, y_pred = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
        each = y_true, y_pred
        if len(y_pred.shape) == 4:
            places = ops.shape(y_pred)[1] * ops.shape(y_pred)[2]
            each = (
                ops.repeat(y_true, places, axis=0),
                ops.reshape(y_pred, (-1, y_pred.shape[-1])),
            )
        parts = []
        for term, weight in self.terms.items():
            given = (y_true, y_pred) if term == "agreeing" else each
            given = self._columns(term, *given)
            parts.append(weight * TERMS[term](*given, self.scale))
        return sum(parts[1:], parts[0])

    def _columns(self, term, *tensors):
        if not self.classes:
            return tensors
        if term == "classes":
            return [tensor[..., -self.classes :] for tensor in tensors]
        return [tensor[..., : -self.classes] for tensor in tensors]

    def get_config(self) -> dict:
        own = {"terms": self.terms, "scale": self.scale, "classes": self.classes}
        return {**super().get_config(), **own}


def _bins(distribution: keras.KerasTensor, scale: Sequence[float]):
    count = distribution.shape[-1]
    return ops.linspace(float(scale[0]), float(scale[1]), count, dtype="float32")
