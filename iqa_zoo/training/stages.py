"""One stage of a recipe: what is trained, on what, by which loss, for how long.

A stage is a table of a card. Its keys:

name           what people read in the log
frozen_to      the last layer that stays as it is, or "none"
epochs, batch  how often and in how large groups the pictures are seen
learning_rate  AdamW's at the start; it falls to zero along a half cosine
weight_decay   AdamW's
warmup         share of the steps in which the rate rises from zero first
average        weights are averaged with this momentum a step; the average is kept
crop           side of a random crop as a share of the picture's side
mirror         whether each picture is mirrored half of the time
ridge          strength of the ridge regression that sets the layer `head` from what
               the layer `pool` gives, before the stage
batch_norm     "frozen" keeps the statistics and their scale, "live" trains them
loss           weights of the terms of `models.losses.TERMS`
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from iqa_zoo.models.losses import OpinionLoss
from iqa_zoo.training.trunk import above

PREDICTED = 16  # pictures at once


def train_stage(
    network: keras.Model,
    stage: Mapping[str, Any],
    inputs: np.ndarray,
    targets: np.ndarray,
    *,
    rows: np.ndarray,
    scale: Sequence[float],
    seed: int,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> keras.callbacks.History:
    """Train `network` in place by one stage.

    Args:
        network: the whole network; what lies above `frozen_to` is trained.
        stage: the stage's table.
        inputs: (pictures, views, h, w, channels), uint8 or float16.
        targets: float32 (pictures, bins), distributions.
        rows: int (n,), the pictures to train on.
        scale: lowest and highest score.
        seed: of the order, the crops, the mirror images and dropout.
        callbacks: Keras callbacks.
    """
    upper = above(network, stage["frozen_to"])
    for layer in upper.layers:
        frozen = isinstance(layer, keras.layers.BatchNormalization) and (
            stage.get("batch_norm", "frozen") == "frozen"
        )
        layer.trainable = not frozen
    if "ridge" in stage:
        _set_head(network, stage, inputs, targets, rows)
    batch = min(stage["batch"], len(rows))
    steps = len(rows) // batch * stage["epochs"]
    warmup = round(stage.get("warmup", 0.0) * steps)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0 if warmup else stage["learning_rate"],
        steps - warmup,
        warmup_target=stage["learning_rate"] if warmup else None,
        warmup_steps=warmup,
    )
    upper.compile(
        optimizer=keras.optimizers.AdamW(
            rate,
            weight_decay=stage.get("weight_decay", 0.0),
            use_ema="average" in stage,
            ema_momentum=stage.get("average", 0.99),
        ),
        loss=OpinionLoss(stage["loss"], scale),
    )
    return upper.fit(
        examples(inputs, targets, stage, rows, batch, seed),
        epochs=stage["epochs"],
        shuffle=False,  # the dataset shuffles
        callbacks=list(callbacks),
        verbose=0,
    )


def examples(
    inputs: np.ndarray,
    targets: np.ndarray,
    stage: Mapping[str, Any],
    rows: np.ndarray,
    batch: int,
    seed: int,
) -> tf.data.Dataset:
    """Batches of (input, target), drawn anew each epoch and the same for one seed."""

    def draw(rows: np.ndarray, seed: np.int64) -> np.ndarray:
        random = np.random.default_rng(seed)
        return np.stack([_augmented(inputs[row], stage, random) for row in rows])

    def example(rows: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        x = tf.numpy_function(draw, [rows, seed], inputs.dtype, stateful=False)
        x = tf.ensure_shape(x, (batch, *_drawn_shape(inputs.shape[2:], stage)))
        return tf.cast(x, tf.float32), tf.gather(targets, rows)

    order = tf.data.Dataset.from_tensor_slices(rows.astype(np.int64))
    order = order.shuffle(len(rows), seed=seed).batch(batch, drop_remainder=True)
    seeds = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True)
    return (
        tf.data.Dataset.zip(order, seeds)
        .map(example, num_parallel_calls=2)
        .prefetch(tf.data.AUTOTUNE)
    )


def predict(network: keras.Model, inputs: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The network's answer (n, bins) to the first view of each of `rows`."""
    answers = []
    for first in range(0, len(rows), PREDICTED):
        part = rows[first : first + PREDICTED]
        # Always as many, since Keras compiles the network anew for any other number.
        x = inputs[np.resize(part, PREDICTED), 0].astype(np.float32)
        answers.append(network.predict_on_batch(x)[: len(part)])
    return np.concatenate(answers)


def _augmented(
    views: np.ndarray, stage: Mapping[str, Any], random: np.random.Generator
) -> np.ndarray:
    """One view of a picture (views, h, w, channels), mirrored and cropped by chance."""
    view = views[random.integers(len(views))]
    if stage.get("mirror") and len(views) == 1 and random.integers(2):
        view = view[:, ::-1]
    height, width, _ = _drawn_shape(view.shape, stage)
    top = random.integers(view.shape[0] - height + 1)
    left = random.integers(view.shape[1] - width + 1)
    return view[top : top + height, left : left + width]


def _drawn_shape(
    shape: Sequence[int], stage: Mapping[str, Any]
) -> tuple[int, int, int]:
    share = stage.get("crop", 1)
    return round(shape[0] * share), round(shape[1] * share), shape[2]


def _set_head(
    network: keras.Model,
    stage: Mapping[str, Any],
    inputs: np.ndarray,
    targets: np.ndarray,
    rows: np.ndarray,
) -> None:
    """Set the head by ridge regression of the log targets on the pooled features.

    A softmax over bins is linear in its logits, and the logits of a distribution are
    its logarithm, so the regression is the head's own least-squares solution: a start
    from which the layers below get useful gradients at once.
    """
    pooled = above(network, stage["frozen_to"], "pool")
    views = range(inputs.shape[1])
    # In 64 bits, whatever the precision of the network: sums of squares need them.
    x = np.concatenate(
        [predict(pooled, inputs[:, view:], rows) for view in views]
    ).astype(np.float64)
    y = np.log(np.maximum(np.tile(targets[rows], (len(views), 1)), 1e-4))
    mean, spread = x.mean(0), x.std(0) + 1e-6
    z = (x - mean) / spread
    normal = z.T @ z + stage["ridge"] * len(z) * np.eye(z.shape[1])
    kernel = np.linalg.solve(normal, z.T @ (y - y.mean(0))) / spread[:, None]
    network.get_layer("head").set_weights([kernel, y.mean(0) - mean @ kernel])
