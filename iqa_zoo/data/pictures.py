"""Pictures for training as tf.data, through the same reader as scoring."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from iqa_zoo.errors import ImageError
from iqa_zoo.images import Photo

#: Bytes of decoded pictures that one `Decoded` keeps.
KEPT = 2 * 2**30


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
    """The pictures as an array that reads them when they are asked for.

    For more pictures than the disk has room for, for those in their own sizes, and for
    pairs: `decoded[row]` is uint8 (1, height, width, 3), or, with references,
    (1, height, width, 6), the reference behind the picture. The first ones that are
    read stay in memory; decoding takes longer than small networks do.

    Args:
        paths: image files of any format that `images` reads.
        rule: the card's input rule.
        references: what each picture was made from, of its size.
        room: bytes of decoded pictures to keep.

    Attributes:
        shape: height and width are None where pictures keep their own.

    Raises:
        ImageError: on reading a picture, or where a reference has another size.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        rule: Mapping[str, Any],
        references: Sequence[Path] | None = None,
        room: int = KEPT,
    ) -> None:
        self.paths, self.rule, self.references = paths, rule, references
        self._native = rule["fit"] == "native"
        size = (None, None) if self._native else tuple(rule["size"])
        self.shape = (len(paths), 1, *size, 3 if references is None else 6)
        self.dtype = np.dtype(np.uint8)
        self._kept: dict[Path, np.ndarray] = {}
        self._room = room
        self._keeping = threading.Lock()

    def __getitem__(self, row: int) -> np.ndarray:
        image = self._read(self.paths[row])
        if self.references is None:
            return image[None]
        reference = self._read(self.references[row])
        if reference.shape != image.shape:
            sizes = [f"{x.shape[1]} x {x.shape[0]}" for x in (image, reference)]
            path = self.paths[row]
            raise ImageError(
                "different_sizes",
                f"{path}: {sizes[0]} pixels, but its reference "
                f"{self.references[row]} has {sizes[1]}. Crop or resize one of them.",
                str(path),
            )
        return np.concatenate([image, reference], axis=-1)[None]

    def _read(self, path: Path) -> np.ndarray:
        if (kept := self._kept.get(path)) is not None:
            return kept
        photo = Photo(path)
        image = photo.pixels() if self._native else photo.fitted(self.rule)
        with self._keeping:
            if path not in self._kept and self._room >= image.nbytes:
                self._room -= image.nbytes
                self._kept[path] = image
        return image
