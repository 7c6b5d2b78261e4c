"""LiteRT: one image at a time, one interpreter for every thread that asks at once."""

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from iqa_zoo.engines.quiet import quiet_native
from iqa_zoo.errors import MissingLibraryError, WeightsError

#: The one signature of the files that `convert.to_litert` makes.
SIGNATURE = "score"
#: The inputs of a network of pairs. An array of six channels holds both, in this order.
PAIR = ("distorted", "reference")


class LiteRT:
    """Runs a LiteRT file with a fixed input size, or one that takes any.

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
        with self._taken(threads) as network:
            return np.stack([network.run(image) for image in images])

    def size(self) -> tuple[int, int]:
        """Height and width of a file with a fixed input size.

        Raises:
            WeightsError: LiteRT cannot run the file.
        """
        with self._taken(1) as network:
            return network.size

    @contextlib.contextmanager
    def _taken(self, threads: int) -> "Iterator[_Network]":
        """An interpreter that nobody else uses meanwhile."""
        try:
            try:
                network = self._idle[threads].pop()
            except IndexError:
                network = _network(self._content, self._output, threads)
            yield network
        except (KeyError, ValueError, RuntimeError) as error:
            raise WeightsError(
                f"The LiteRT file of {self._name} does not run here: {error}."
            ) from error
        self._idle[threads].append(network)


class _Network(NamedTuple):
    """One interpreter.

    Attributes:
        run: from one image, (height, width, channels), to its float32 output.
        size: height and width of its input.
    """

    run: Callable[[np.ndarray], np.ndarray]
    size: tuple[int, int]


def _network(content: bytes, output: str, threads: int) -> _Network:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise MissingLibraryError(
            f"LiteRT does not load ({error}). Install it: "
            "pip install --force-reinstall ai-edge-litert"
        ) from error
    with quiet_native():  # "INFO: Created TensorFlow Lite XNNPACK delegate for CPU."
        interpreter = Interpreter(model_content=content, num_threads=threads)
        takes_any = any(
            -1 in x["shape_signature"] for x in interpreter.get_input_details()
        )
        if not takes_any:
            interpreter.allocate_tensors()
    # Tensors are found by their names in the signature: their order in the file is
    # not the network's. The runner must go, or the interpreter refuses to run.
    runner = interpreter.get_signature_runner(SIGNATURE)
    inputs = runner.get_input_details()
    sources = [inputs[name] for name in (PAIR if len(inputs) == 2 else ("image",))]
    details = runner.get_output_details()[output]
    kind, shape, target = (details[key] for key in ("dtype", "shape", "index"))
    if kind is not np.float32 or len(shape) < 2 or shape[0] != 1:
        raise ValueError(f"its output is {kind.__name__} of the shape {shape}")
    del runner

    now = None

    def run(image: np.ndarray) -> np.ndarray:
        nonlocal now
        parts = np.split(image[np.newaxis], len(sources), axis=-1)
        if takes_any and image.shape != now:
            for source, part in zip(sources, parts, strict=True):
                interpreter.resize_tensor_input(source["index"], part.shape)
            with quiet_native():
                interpreter.allocate_tensors()
            now = image.shape
        for source, part in zip(sources, parts, strict=True):
            number = part.astype(source["dtype"], copy=False)
            interpreter.set_tensor(source["index"], number)
        interpreter.invoke()
        output: np.ndarray = interpreter.get_tensor(target)[0]
        return output

    height, width = sources[0]["shape"][1:3]
    return _Network(run, (int(height), int(width)))
