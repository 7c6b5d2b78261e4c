"""TensorFlow: batches of images, for GPUs and for networks without a LiteRT file."""

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from iqa_zoo.engines.convert import answers, pictures

if TYPE_CHECKING:
    import keras


# What it guards is a setting of the whole process.
_ROUNDING = threading.Lock()


class TensorFlow:
    """Runs a Keras network in one compiled function."""

    batch = 32

    def __init__(
        self,
        network: "keras.Model",
        size: Sequence[int | None],
        output: str,
        dtype: tf.DType = tf.uint8,
    ) -> None:
        """
        Args:
            network: it.
            size: (height, width) of its images; None for any.
            output: the name of the output that is asked for.
            dtype: of the images.
        """
        channels = sum(each.shape[-1] for each in network.inputs)

        def run(images: tf.Tensor) -> tf.Tensor:
            given = pictures(network, tf.cast(images, tf.float32))
            return answers(network, given, output)[output]

        spec = tf.TensorSpec((None, *size, channels), dtype)
        self._run = tf.function(run, input_signature=[spec], autograph=False)

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
