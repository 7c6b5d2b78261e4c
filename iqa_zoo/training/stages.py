"""One stage of a recipe: what is trained, on what, by which loss, for how long.

A stage is a table of a card. Its keys:

name           what people read in the log
frozen_to      the last layer that stays as it is, or "none"
epochs, batch  how often and in how large groups the pictures are seen
learning_rate  AdamW's at the start; it falls to zero along a half cosine
weight_decay   AdamW's
warmup         share of the steps in which the rate rises from zero first
accumulate     batches whose gradients are averaged into one step of the optimizer
clip           largest norm of all gradients together
average        weights are averaged with this momentum a step of the optimizer; the
               average is kept
patience       epochs without a better validation SROCC after which the stage ends; the
               weights of the best epoch are kept
crop           side of a random crop as a share of the picture's side
mirror         whether each picture is mirrored half of the time
output         the layer whose answer is trained, where that is not the last
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
from iqa_zoo.training.trunk import above, below

PREDICTED = 16  # pictures at once
SUMMED = 1024  # pictures whose features are held at once
LEAST_SPREAD = 0.1  # of a feature in the ridge regression, as a share of the median


Predictor = Callable[[Inputs, np.ndarray], np.ndarray]


def predictor(network: keras.Model) -> Predictor:
    """From inputs and rows to the network's answers (n, bins) to their first views."""
    answer = tf.function(lambda x: network(x, training=False))

    def predict(inputs: Inputs, rows: np.ndarray) -> np.ndarray:
        answers = []
        # Pictures may have to be read and decoded.
        with ThreadPoolExecutor(cores()) as pool:
            for first in range(0, len(rows), PREDICTED):
                part = rows[first : first + PREDICTED]
                # As many each time: TensorFlow compiles anew for another number.
                views = pool.map(inputs.__getitem__, np.resize(part, PREDICTED))
                x = np.stack([view[0] for view in views])
                y = answer(tf.constant(x, tf.float32))
                answers.append(y.numpy()[: len(part)].astype(np.float32))
        return np.concatenate(answers)

    return predict


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
    """Set the head by ridge regression of the log targets on the pooled features.

    A softmax over bins is linear in its logits, and the logits of a distribution are
    its logarithm, so the regression is the head's own least-squares solution: a start
    from which the layers below get useful gradients at once.

    Args:
        network: the whole network; its layer `head` is set.
        pooled: from `inputs` to what the head takes.
        ridge: strength, as a share of the features' variance.
        inputs: (pictures, views, h, w, channels).
        targets: (pictures, bins), distributions.
        rows: int (n,), the pictures to learn from.
    """
    # Sums over pictures, a part at a time: there may be many. In 64 bits, whatever the
    # precision of the network: sums of squares need them.
    features = predictor(pooled)
    logarithms = np.log(np.maximum(targets.astype(np.float64), 1e-4))
    sums: Any = 0
    for view in range(inputs.shape[1]):
        for first in range(0, len(rows), SUMMED):
            part = rows[first : first + SUMMED]
            x = features(_View(inputs, view), part).astype(np.float64)
            x = np.concatenate([np.ones((len(x), 1)), x], axis=1)
            sums = sums + x.T @ np.concatenate([x, logarithms[part]], axis=1)
    count, bins = sums[0, 0], targets.shape[1]
    mean, answer = sums[0, 1:-bins] / count, sums[0, -bins:] / count
    products = sums[1:, 1:-bins] - count * np.outer(mean, mean)
    spread = np.sqrt(np.maximum(np.diag(products), 0) / count) + 1e-6
    # Features that hardly vary would get weights so large that a step undoes them.
    spread = np.maximum(spread, LEAST_SPREAD * np.median(spread))
    normal = products / np.outer(spread, spread) + ridge * count * np.eye(len(mean))
    covariances = (sums[1:, -bins:] - count * np.outer(mean, answer)) / spread[:, None]
    kernel = np.linalg.solve(normal, covariances) / spread[:, None]
    network.get_layer("head").set_weights([kernel, answer - mean @ kernel])


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
