"""One stage of a recipe: what is trained, on what, by which loss, for how long.

A stage is a table of a card. Its keys:

name           what people read in the log
frozen_to      the last layer that stays as it is, or "none"
epochs, batch  how often and in how large groups the pictures are seen
optimizer      "adamw" (where nothing is said), "adam", "nadam", or "sgd" with a
               momentum of 0.9
learning_rate  the optimizer's at the start
schedule       "cosine": the rate falls to zero along a half cosine (where nothing is
               said); "constant"; "exponential": it falls to a thousandth
weight_decay   the optimizer's, decoupled from the gradient
warmup         share of the steps in which the rate rises from zero first, where it
               falls along a cosine
accumulate     batches whose gradients are averaged into one step of the optimizer
clip           largest norm of all gradients together
average        weights are averaged with this momentum a step of the optimizer; the
               average is kept
patience       epochs without a better validation SROCC after which the stage ends; the
               weights of the best epoch are kept
crop           side of a random crop as a share of the picture's side
patches        random patches that each picture is shown by, as one mosaic, of `patch`
               pixels a side
side           pixels a side of a random square, out of pictures in their own size
mirror         whether each picture is mirrored half of the time
output         the layer whose answer is trained, where that is not the last; scores of
               places are each compared with the picture's
network        "module:function", from the network to one that shares its layers and is
               trained in its place; one of six channels gets, behind each picture, what
               that was made from
target         what the answer is compared with: "opinion" (where nothing is said),
               "distortion" (the one of the card's `output.classes` that the table's
               distortion and level make), "both" (a score, and classes behind it), or
               "order" (the pictures of one reference and distortion by their level)
ridge          strength of the ridge regression that sets the layer `head` from what
               the layer `pool` gives, before the stage; weights that have learned from
               opinions keep their head
batch_norm     "frozen" keeps the statistics and their scale, "live" trains them
loss           weights of the terms of `models.losses.TERMS`
kernel         after the stage, the kernel head is set from what the layer `frozen_to`
               of this table gives (see `training.kernels`)
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from iqa_zoo.threads import cores
from iqa_zoo.training.inputs import Inputs
from iqa_zoo.training.kernels import set_kernel
from iqa_zoo.training.trunk import (
    above,
    below,
    main_output,
    paired,
    takes_pairs,
    trained_part,
)

PREDICTED = 16  # pictures at once
SUMMED = 1024  # pictures whose features are held at once, where there are more
LEAST_SPREAD = 0.1  # of a feature in the ridge regression, as a share of the median


Predictor = Callable[[Inputs, np.ndarray], np.ndarray]


def predictor(network: keras.Model) -> Predictor:
    """From inputs and rows to the network's answers (n, bins) to their first views."""
    answer = tf.function(lambda x: network(x, training=False), reduce_retracing=True)

    def predict(inputs: Inputs, rows: np.ndarray) -> np.ndarray:
        answers = []
        # Pictures in sizes of their own are no batch.
        at_once = 1 if None in inputs.shape else PREDICTED
        # Pictures may have to be read and decoded.
        with ThreadPoolExecutor(cores()) as pool:
            for first in range(0, len(rows), at_once):
                part = rows[first : first + at_once]
                # As many each time: TensorFlow compiles anew for another number.
                views = pool.map(inputs.__getitem__, np.resize(part, at_once))
                x = np.stack([view[0] for view in views])
                y = answer(tf.constant(x, tf.float32))
                answers.append(y.numpy()[: len(part)].astype(np.float32))
        return np.concatenate(answers)

    return predict


def answering(
    network: keras.Model,
    stage: Mapping[str, Any],
    upper: keras.Model,
    below_too: bool,
) -> keras.Model:
    """What gives the network's own answer to a stage's inputs.

    Args:
        upper: what the stage's steps run, whose answer may be another.
        below_too: as of `trunk.trained_part`.
    """
    if "network" in stage:
        whole = above(network, "none")
        return paired(whole) if takes_pairs(upper) else whole
    if upper.outputs[0].shape == main_output(network).shape:
        return upper
    whole = {key: value for key, value in stage.items() if key != "output"}
    return trained_part(network, whole, below_too)


def predict(network: keras.Model, inputs: Inputs, rows: np.ndarray) -> np.ndarray:
    """The network's answers (n, bins) to the first view of each of `rows`."""
    return predictor(network)(inputs, rows)


def set_head(
    network: keras.Model,
    pooled: keras.Model,
    ridge: float,
    inputs: Inputs,
    targets: np.ndarray,
    rows: np.ndarray,
) -> None:
    """Set the head by ridge regression of what it must give on the pooled features.

    A softmax over bins is linear in its logits, and the logits of a distribution are
    its logarithm, so the regression is the head's own least-squares solution: a start
    from which the layers below get useful gradients at once. A score is linear in what
    its head gives.

    Args:
        network: the whole network; its layer `head` is set.
        pooled: from `inputs` to what the head takes.
        ridge: strength, as a share of the features' variance.
        inputs: (pictures, views, h, w, channels).
        targets: (pictures, bins), distributions, or (pictures, 1), scores.
        rows: int (n,), the pictures to learn from.
    """
    features = predictor(pooled)
    wanted = _wanted_of_head(network, targets.astype(np.float64))
    views = [_View(inputs, view) for view in range(inputs.shape[1])]
    if pooled.outputs[0].shape[-1] > len(views) * len(rows):
        x = np.concatenate([features(view, rows) for view in views])
        solution = _by_pictures(x, np.tile(wanted[rows], (len(views), 1)), ridge)
        network.get_layer("head").set_weights(solution)
        return
    # Sums over pictures, a part at a time: there may be many. In 64 bits, whatever the
    # precision of the network: sums of squares need them.
    sums: Any = 0
    for view in views:
        for first in range(0, len(rows), SUMMED):
            part = rows[first : first + SUMMED]
            x = features(view, part).astype(np.float64)
            x = np.concatenate([np.ones((len(x), 1)), x], axis=1)
            sums = sums + x.T @ np.concatenate([x, wanted[part]], axis=1)
    count, bins = sums[0, 0], targets.shape[1]
    mean, answer = sums[0, 1:-bins] / count, sums[0, -bins:] / count
    products = sums[1:, 1:-bins] - count * np.outer(mean, mean)
    spread = np.sqrt(np.maximum(np.diag(products), 0) / count) + 1e-6
    spread = _not_small(spread)
    normal = products / np.outer(spread, spread) + ridge * count * np.eye(len(mean))
    covariances = (sums[1:, -bins:] - count * np.outer(mean, answer)) / spread[:, None]
    kernel = np.linalg.solve(normal, covariances) / spread[:, None]
    network.get_layer("head").set_weights([kernel, answer - mean @ kernel])


def _by_pictures(
    x: np.ndarray, wanted: np.ndarray, ridge: float
) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias of the same regression, where features outnumber pictures.

    Its equations are as many as the pictures then, not as the features.

    Args:
        x: float32 (n, features); it is overwritten.
        wanted: float64 (n, bins).
        ridge: as of `set_head`.
    """
    mean, answer = x.mean(axis=0, dtype=np.float64), wanted.mean(axis=0)
    x -= mean
    x /= (spread := _not_small(x.std(axis=0) + 1e-6))
    products = (x @ x.T).astype(np.float64) + ridge * len(x) * np.eye(len(x))
    kernel = x.T @ np.linalg.solve(products, wanted - answer) / spread[:, None]
    return kernel, answer - mean @ kernel


def _not_small(spread: np.ndarray) -> np.ndarray:
    """Features that hardly vary would get weights so large that a step undoes them."""
    return np.maximum(spread, LEAST_SPREAD * np.median(spread))


def _wanted_of_head(network: keras.Model, targets: np.ndarray) -> np.ndarray:
    """float64, as `targets`: what `head` must give for the network to answer those."""
    if targets.shape[1] > 1:
        return np.log(np.maximum(targets, 1e-4))
    none, one = np.asarray(above(network, "head")(np.array([[0.0], [1.0]])))
    return (targets - none) / (one - none)


def solve(
    network: keras.Model,
    kernel: Mapping[str, Any],
    inputs: Inputs,
    targets: np.ndarray,
    rows: np.ndarray,
    streamed: bool,
) -> Predictor:
    """Set the kernel head by a stage's `kernel`; gives what predicts from `inputs`."""
    evidence = (
        predictor(below(network, kernel["frozen_to"]))(inputs, rows)
        if streamed
        else np.stack([inputs[row][0] for row in rows])
    )
    set_kernel(network, kernel, evidence, targets[rows])
    return predictor(above(network, "none" if streamed else kernel["frozen_to"]))


class _View:
    """Inputs with one of their views only."""

    def __init__(self, inputs: Inputs, view: int) -> None:
        self.inputs, self.view = inputs, view
        self.shape = (inputs.shape[0], 1, *inputs.shape[2:])
        self.dtype = inputs.dtype

    def __getitem__(self, row: Any) -> np.ndarray:
        return self.inputs[row][self.view :][:1]


def pooled_features(
    network: keras.Model, stage: Mapping[str, Any], below_too: bool
) -> keras.Model:
    """The part of the network from the stage's inputs to what its head takes."""
    return above(network, "none" if below_too else stage["frozen_to"], "pool")
