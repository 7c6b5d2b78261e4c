"""LiteRT: one image at a time, one interpreter for every thread that asks at once."""

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from iqa_zoo.engines.quiet import quiet_native
from iqa_zoo.errors import MissingLibraryError, WeightsError

#: The one signature of the files that `convert.to_litert` makes.
SIGNATURE = "score"


class LiteRT:
    """Runs a LiteRT file with a fixed input size.

    The bits of an answer depend on the image alone: neither on the number of threads
    nor on what else is scored. All interpreters share the bytes of the file.
    """

    batch = 1

    def __init__(self, content: bytes, output: str, name: str) -> None:
        """Args: the file's bytes, its output's name, and a name for messages."""
        self._content = content
        self._output = output
        self._name = name
        # Interpreters waiting for work, by their number of threads. They cannot be
        # used by two threads at once, and cost 25 ms and 16 MB each to make.
        self._idle: dict[int, list[_Network]] = defaultdict(list)

    def predict(self, images: Sequence[np.ndarray], threads: int = 1) -> np.ndarray:
        """The output of each image; see `iqa_zoo.engines`.

        Raises:
            WeightsError: LiteRT cannot run the file, or it is for images of another
                size, or its output is none of float32, one row an image.
        """
        try:
            network = self._waiting(threads)
            rows = [network(image) for image in images]
        except (KeyError, ValueError, RuntimeError) as error:
            raise WeightsError(
                f"The LiteRT file of {self._name} does not run here: {error}."
            ) from error
        self._idle[threads].append(network)
        return np.stack(rows)

    def _waiting(self, threads: int) -> "_Network":
        try:
            return self._idle[threads].pop()
        except IndexError:
            return _network(self._content, self._output, threads)


_Network = Callable[[np.ndarray], np.ndarray]


def _network(content: bytes, output: str, threads: int) -> _Network:
    """A function from one uint8 image to its float32 (bins,) output."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise MissingLibraryError(
            f"LiteRT does not load ({error}). Install it: "
            "pip install --force-reinstall ai-edge-litert"
        ) from error
    with quiet_native():  # "INFO: Created TensorFlow Lite XNNPACK delegate for CPU."
        interpreter = Interpreter(model_content=content, num_threads=threads)
        interpreter.allocate_tensors()
    # Tensors are found by their names in the signature: their order in the file is
    # not the network's. The runner must go, or the interpreter refuses to run.
    runner = interpreter.get_signature_runner(SIGNATURE)
    image = runner.get_input_details()["image"]
    source, number = image["index"], image["dtype"]
    details = runner.get_output_details()[output]
    kind, shape, target = (details[key] for key in ("dtype", "shape", "index"))
    if kind is not np.float32 or len(shape) < 2 or shape[0] != 1:
        raise ValueError(f"its output is {kind.__name__} of the shape {shape}")
    del runner

    def run(image: np.ndarray) -> np.ndarray:
        interpreter.set_tensor(source, image[np.newaxis].astype(number))
        interpreter.invoke()
        output: np.ndarray = interpreter.get_tensor(target)[0]
        return output

    return run
