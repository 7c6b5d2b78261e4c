"""Engines run a network: LiteRT on CPUs, TensorFlow on GPUs; or a hand-made measure.

An engine has `batch`, the number of images that it likes to get at once, and
`predict(images, threads=1)`: uint8 images (height, width, 3), all of the network's
input size, in; its output as float32 (n, bins), one row an image, back. A measure takes
images of any size, one at a time, and gives float64 (n, 1). `predict` may be called
from several threads. It raises MemoryError where there is too little.
"""

import contextlib
import glob
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from iqa_zoo import registry, store
from iqa_zoo.engines.litert import LiteRT
from iqa_zoo.engines.measured import Measured
from iqa_zoo.errors import UnknownNameError, WeightsError
from iqa_zoo.files import sha256

logger = logging.getLogger("iqa_zoo")

ENGINES = ("auto", "litert", "tensorflow")
#: Goes up when `convert` or a builder makes another file of the same network.
CONVERSION = 1


class Engine(Protocol):
    """What `make_engine` gives; see above."""

    batch: int

    def predict(self, images: Sequence[np.ndarray], threads: int = 1) -> np.ndarray:
        """The output for each image, float32 (n, bins) or float64 (n, 1)."""


def make_engine(entry: registry.Entry, engine: str = "auto") -> Engine:
    """Something that runs a model's network.

    Args:
        entry: the model, as `registry.resolve` gives it.
        engine: "litert": the weight set's LiteRT file, or, where it has none, one that
            TensorFlow makes once and the store keeps; "tensorflow"; "auto":
            "tensorflow" where TensorFlow can use a GPU, else "litert". TensorFlow is
            only asked where CUDA_VISIBLE_DEVICES does not hide all GPUs and the system
            has a device of NVIDIA (/dev/nvidia0 and so on), of AMD (/dev/kfd) or of
            Windows below it (/dev/dxg). A measure has one engine, whichever is named.

    Raises:
        UnknownNameError: no such engine.
        WeightsError: a weight file is missing, or is not what its card says.
    """
    if engine not in ENGINES:
        raise UnknownNameError("engine", engine, ENGINES)
    if entry.is_measure:
        return Measured(registry.load_measure(entry))
    if entry.weights is None:
        raise WeightsError(
            f"{entry.name} has no trained weights, so it cannot score. Name a weight "
            f"set or the folder of a run."
        )
    if engine == "tensorflow" or (engine == "auto" and _gpu_works()):
        _import_tensorflow()
        from iqa_zoo.engines.tensorflow import TensorFlow

        with float32():
            network = registry.load_network(entry.name)
        return TensorFlow(network, entry.input["size"])
    content = entry.litert_bytes()
    if content is None:
        content = _converted(entry, entry.weights)
    return LiteRT(content, entry.output["kind"], entry.name)


def _converted(entry: registry.Entry, weights: Mapping[str, Any]) -> bytes:
    """The LiteRT file of a weight set that ships without one, made once."""
    # The store's answer must be that of the file as it is now.
    content = entry.content()
    height, width = entry.input["size"]
    kind, scale = entry.output["kind"], tuple(entry.output["scale"])

    def make() -> bytes:
        logger.info("Converting %s for LiteRT, once.", entry.name)
        _import_tensorflow()
        from iqa_zoo.engines.convert import to_litert

        with float32():
            network = registry.load_network(entry.name)
        return to_litert(network, (height, width), output=kind, scale=scale)

    network = (
        CONVERSION,
        sha256(content),
        weights.get("converter"),
        entry.card["builder"],
        entry.card.get("arguments"),
        weights.get("arguments"),
        (height, width),
        kind,
        registry.code(entry),
    )
    return store.cached(f"{sha256(repr(network).encode())}.tflite", make)


def _gpu_works() -> bool:
    """Whether TensorFlow sees a GPU; `make_engine` says where it is asked."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return False
    devices = ("/dev/nvidia[0-9]*", "/dev/kfd", "/dev/dxg")
    if not any(glob.glob(device) for device in devices):
        return False
    tf = _import_tensorflow()
    return bool(tf.config.list_physical_devices("GPU"))


def _import_tensorflow() -> Any:
    # Else it writes what it was compiled for; read when it is first imported.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow

    return tensorflow


@contextlib.contextmanager
def float32() -> Iterator[None]:
    """Networks that are built within are of 32 bits, whatever the user's own are."""
    import keras

    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
