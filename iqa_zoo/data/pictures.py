"""Pictures for training as tf.data, through the same reader as scoring."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from iqa_zoo.images import Photo


def pictures(paths: Sequence[Path], rule: Mapping[str, Any]) -> tf.data.Dataset:
    """A dataset of the pictures as uint8 RGB (height, width, 3), in order.

    The pixels are those that scoring sees, bit for bit: the same functions make them.

    Args:
        paths: image files of any format that `images` reads.
        rule: the card's input rule.

    Raises:
        ImageError: on iteration, as tf.errors.InvalidArgumentError with its message.
    """

    def load(path: bytes) -> np.ndarray:
        return Photo(path.decode("utf-8", "surrogateescape")).fitted(rule)

    def picture(path: tf.Tensor) -> tf.Tensor:
        image = tf.numpy_function(load, [path], tf.uint8, stateful=False)
        return tf.ensure_shape(image, (*rule["size"], 3))

    names = [str(path).encode("utf-8", "surrogateescape") for path in paths]
    return tf.data.Dataset.from_tensor_slices(names).map(
        picture, num_parallel_calls=tf.data.AUTOTUNE
    )


class Decoded:
    """The pictures as an array that reads each one whenever it is asked for.

    What `pictures` gives, for more pictures than the disk has room for: `decoded[row]`
    is uint8 (1, height, width, 3).

    Args:
        paths: image files of any format that `images` reads.
        rule: the card's input rule.

    Raises:
        ImageError: on reading a picture.
    """

    def __init__(self, paths: Sequence[Path], rule: Mapping[str, Any]) -> None:
        self.paths, self.rule = paths, rule
        self.shape = (len(paths), 1, *rule["size"], 3)
        self.dtype = np.dtype(np.uint8)

    def __getitem__(self, row: int) -> np.ndarray:
        return Photo(self.paths[row]).fitted(self.rule)[None]
