"""What a stage draws: which pictures, in which order, cropped and mirrored how.

All of it follows from the seed and the number of the step, so a training goes on from
any step as if it had never stopped, and every worker draws its own share of a batch
without asking the others.
"""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import tensorflow as tf

from iqa_zoo.errors import TrainingError
from iqa_zoo.training.inputs import Inputs


class Batches:
    """The batches of one stage.

    Args:
        inputs: (pictures, views, h, w, channels), uint8 or float16.
        targets: float32 (pictures, columns), as the stage's loss takes them. Where the
            stage's `target` is "order", pictures with the same number in the first
            column follow each other.
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
        try:
            return np.stack(drawn)
        except ValueError as error:
            sizes = {f"{view.shape[1]} x {view.shape[0]}" for view in drawn}
            raise TrainingError(
                f"Pictures of {', '.join(sorted(sizes))} pixels cannot be in a batch. "
                "Give the recipe's stage a `side`, or `patches`."
            ) from error

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
        random = np.random.default_rng([*self.seed, epoch])
        order = random.permutation(self.rows)
        if self.stage.get("target") != "order":
            return order
        # Groups by chance, and whole: the first of each says when its turn is.
        _, first, group = np.unique(
            self.targets[order, 0], return_index=True, return_inverse=True
        )
        return order[np.argsort(first[group], kind="stable")]


def augmented(
    views: np.ndarray, stage: Mapping[str, Any], random: np.random.Generator
) -> np.ndarray:
    """One view of a picture (views, h, w, channels), mirrored and cropped by chance."""
    view = views[random.integers(len(views))]
    if stage.get("mirror") and len(views) == 1 and random.integers(2):
        view = view[:, ::-1]
    if "patches" in stage:
        rows, columns = mosaic_shape(stage["patches"])
        side = (stage["patch"], stage["patch"])
        drawn = [
            np.concatenate([_crop(view, side, random) for _ in range(columns)], axis=1)
            for _ in range(rows)
        ]
        return np.concatenate(drawn)
    height, width, _ = drawn_shape(view.shape, stage)
    return _crop(view, (height, width), random)


def _crop(
    view: np.ndarray, size: tuple[int, int], random: np.random.Generator
) -> np.ndarray:
    """A part of `view` by chance; one that is smaller is continued by reflection."""
    (height, width), (tall, wide, _) = size, view.shape
    if tall < height or wide < width:
        lacking = ((0, max(height - tall, 0)), (0, max(width - wide, 0)), (0, 0))
        view = np.pad(view, lacking, mode="symmetric")
    top = random.integers(view.shape[0] - height + 1)
    left = random.integers(view.shape[1] - width + 1)
    return view[top : top + height, left : left + width]


def mosaic_shape(patches: int) -> tuple[int, int]:
    """Rows and columns of a mosaic of so many patches, as square as they allow."""
    rows = max(n for n in range(1, math.isqrt(patches) + 1) if patches % n == 0)
    return rows, patches // rows


def drawn_shape(shape: Sequence[Any], stage: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """Height, width and channels of what is drawn from views of that shape.

    Height and width are None where they are those of each picture.
    """
    if "patches" in stage:
        rows, columns = mosaic_shape(stage["patches"])
        return rows * stage["patch"], columns * stage["patch"], shape[2]
    if "side" in stage:
        return stage["side"], stage["side"], shape[2]
    share = stage.get("crop", 1)
    height, width = (side and round(side * share) for side in shape[:2])
    return height, width, shape[2]
