"""What a stage draws: which pictures, in which order, cropped and mirrored how.

All of it follows from the seed and the number of the step, so a training goes on from
any step as if it had never stopped, and every worker draws its own share of a batch
without asking the others.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import tensorflow as tf

from iqa_zoo.training.inputs import Inputs


class Batches:
    """The batches of one stage.

    Args:
        inputs: (pictures, views, h, w, channels), uint8 or float16.
        targets: float32 (pictures, bins), distributions.
        stage: the stage's table.
        rows: int (n,), the pictures to draw from.
        seed: numbers that the order, the crops and the mirror images follow from.
        replicas: into how many equal parts a batch is divided.

    Attributes:
        size: pictures of a batch, a multiple of `replicas`.
        an_epoch: steps of an epoch; what is left of the pictures waits for the next.
        steps: steps of the stage.
    """

    def __init__(
        self,
        inputs: Inputs,
        targets: np.ndarray,
        stage: Mapping[str, Any],
        rows: np.ndarray,
        seed: Sequence[int],
        replicas: int = 1,
    ) -> None:
        self.inputs, self.targets, self.stage = inputs, targets, stage
        self.rows, self.seed = np.asarray(rows, np.int64), seed
        wanted = min(stage["batch"], len(rows))
        self.size = max(wanted - wanted % replicas, replicas)
        self.an_epoch = max(len(rows) // self.size, 1)
        self.steps = self.an_epoch * stage["epochs"]
        self._order = lru_cache(2)(self._order_of)

    def rows_of(self, step: int) -> np.ndarray:
        """int (size,): the pictures of a step."""
        epoch, place = divmod(step, self.an_epoch)
        # Fewer pictures than replicas are drawn more than once.
        return np.resize(self._order(epoch)[place * self.size :], self.size)

    def draw(self, step: int, part: slice = slice(None)) -> np.ndarray:
        """The views (part, h, w, channels) that a step sees, in the inputs' dtype."""
        drawn = [
            augmented(
                self.inputs[row],
                self.stage,
                np.random.default_rng([*self.seed, step, place]),
            )
            for place, row in list(enumerate(self.rows_of(step)))[part]
        ]
        return np.stack(drawn)

    def dataset(
        self, first: int, *, replicas: Sequence[int] = (0,), of: int = 1
    ) -> tf.data.Dataset:
        """Views and targets from the step `first` to the end.

        Args:
            first: number of the first step.
            replicas: whose parts of every batch to give, one after the other.
            of: into how many parts a batch is divided.

        Returns:
            float32 (size / of, h, w, channels), and the targets of the *whole* batch,
            (size, bins): a loss may compare the pictures of a batch.
        """
        mine, share = len(replicas), self.size // of

        def load(element: np.int64) -> tuple[np.ndarray, np.ndarray]:
            step, place = divmod(int(element), mine)
            part = slice(replicas[place] * share, (replicas[place] + 1) * share)
            return self.draw(step, part), self.targets[self.rows_of(step)]

        def example(element: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            x, y = tf.numpy_function(
                load, [element], [self.inputs.dtype, tf.float32], stateful=False
            )
            shape = drawn_shape(self.inputs.shape[2:], self.stage)
            x = tf.ensure_shape(x, (share, *shape))
            y = tf.ensure_shape(y, (self.size, self.targets.shape[1]))
            return tf.cast(x, tf.float32), y

        return (
            tf.data.Dataset.range(first * mine, self.steps * mine)
            .map(example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
            .prefetch(tf.data.AUTOTUNE)
        )

    def _order_of(self, epoch: int) -> np.ndarray:
        return np.random.default_rng([*self.seed, epoch]).permutation(self.rows)


def augmented(
    views: np.ndarray, stage: Mapping[str, Any], random: np.random.Generator
) -> np.ndarray:
    """One view of a picture (views, h, w, channels), mirrored and cropped by chance."""
    view = views[random.integers(len(views))]
    if stage.get("mirror") and len(views) == 1 and random.integers(2):
        view = view[:, ::-1]
    height, width, _ = drawn_shape(view.shape, stage)
    top = random.integers(view.shape[0] - height + 1)
    left = random.integers(view.shape[1] - width + 1)
    return view[top : top + height, left : left + width]


def drawn_shape(shape: Sequence[int], stage: Mapping[str, Any]) -> tuple[int, int, int]:
    """Height, width and channels of what is drawn from views of that shape."""
    share = stage.get("crop", 1)
    return round(shape[0] * share), round(shape[1] * share), shape[2]
