"""TensorFlow: batches of images, for GPUs and for networks without a LiteRT file."""

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    import keras


# What it guards is a setting of the whole process.
_ROUNDING = threading.Lock()


class TensorFlow:
    """Runs a Keras network in one compiled function."""

    batch = 32

    def __init__(self, network: "keras.Model", size: Sequence[int]) -> None:
        """Args: the network and the (height, width) that its images have."""
        shape = (None, *size, 3)

        self._run = tf.function(
            lambda images: network(tf.cast(images, tf.float32), training=False),
            input_signature=[tf.TensorSpec(shape, tf.uint8)],
        )

    def predict(self, images: Sequence[np.ndarray], threads: int = 1) -> np.ndarray:
        """The output of each image; TensorFlow uses the threads that it wants."""
        batch = np.stack(images)
        settings = tf.config.experimental
        with _ROUNDING:
            # GPUs would round what they multiply to 11 bits, and scores move by 1e-3.
            rounding = settings.tensor_float_32_execution_enabled()
            settings.enable_tensor_float_32_execution(False)
            try:
                return np.asarray(self._run(batch))
            except tf.errors.ResourceExhaustedError as error:
                raise MemoryError(str(error)) from error
            finally:
                settings.enable_tensor_float_32_execution(rounding)
