"""ONNX files, for ONNX Runtime and what else takes them."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from iqa_zoo.engines.convert import answers, quiet
from iqa_zoo.errors import MissingLibraryError, WeightsError
from iqa_zoo.exporting.graphs import Subject

if TYPE_CHECKING:
    import tensorflow as tf

_OPSET = 17


def check_libraries() -> None:
    """Raise MissingLibraryError where what the extra `onnx` brings is not there."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import tf2onnx  # noqa: F401
    except ImportError as error:
        raise MissingLibraryError(
            f"ONNX files need libraries of an extra ({error}). Install them: pip "
            "install 'iqa_zoo[onnx]'"
        ) from error


def onnx(subject: Subject) -> bytes:
    """An ONNX file: `image`, float32 RGB 0..255 (batch, height, width, 3), in; the
    network's outputs by name out.

    Raises:
        WeightsError: the network has an operator that cannot be converted.
    """
    import tensorflow as tf
    import tf2onnx

    def run(image: "tf.Tensor") -> dict[str, "tf.Tensor"]:
        return {
            name: tf.identity(value, name)
            for name, value in answers(subject.network, image, subject.output).items()
        }

    image = tf.TensorSpec((None, *subject.size, 3), tf.float32, name="image")
    try:
        with quiet():
            model, _ = tf2onnx.convert.from_function(
                tf.function(run), [image], opset=_OPSET
            )
    except MemoryError:
        raise
    # The kinds of the converter are its own.
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise WeightsError(
            f"{subject.entry.name} cannot be converted to ONNX ({reason})."
        ) from error
    content: bytes = model.SerializeToString()
    return content


def runner(content: bytes, output: str) -> Callable[[np.ndarray, int], np.ndarray]:
    """A function from pixels, uint8 (height, width, 3), and threads to the output."""
    import onnxruntime

    sessions = {}

    def run(pixels: np.ndarray, threads: int = 1) -> np.ndarray:
        if threads not in sessions:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = threads
            options.log_severity_level = 3
            sessions[threads] = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        image = pixels[np.newaxis].astype(np.float32)
        found: np.ndarray = sessions[threads].run([output], {"image": image})[0][0]
        return found

    return run
