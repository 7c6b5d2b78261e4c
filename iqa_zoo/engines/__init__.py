"""Engines run a network: LiteRT on CPUs, TensorFlow on GPUs.

An engine has `batch`, the number of images that it likes to get at once, and
`predict(images, threads=1)`: uint8 images (height, width, 3), all of the network's
input size, in; its output as float32 (n, bins), one row an image, back. `predict` may
be called from several threads.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from iqa_zoo import registry, store
from iqa_zoo.engines.litert import LiteRT
from iqa_zoo.engines.quiet import quiet_native
from iqa_zoo.errors import UnknownNameError, WeightsError
from iqa_zoo.files import sha256

ENGINES = ("auto", "litert", "tensorflow")
#: Goes up when `convert` or a builder makes another file of the same network.
CONVERSION = 1


class Engine(Protocol):
    """What `make_engine` gives; see above."""

    batch: int

    def predict(self, images: Sequence[np.ndarray], threads: int = 1) -> np.ndarray:
        """The network's output for each image, float32 (n, bins)."""


def make_engine(entry: registry.Entry, engine: str = "auto") -> Engine:
    """Something that runs a model's network.

    Args:
        entry: the model, as `registry.resolve` gives it.
        engine: "litert": the weight set's LiteRT file, or, where it has none, one that
            TensorFlow makes once and the store keeps; "tensorflow"; "auto":
            "tensorflow" where TensorFlow can use a GPU, else "litert".

    Raises:
        UnknownNameError: no such engine.
        WeightsError: a weight file is missing, or is not what its card says.
    """
    if engine not in ENGINES:
        raise UnknownNameError("engine", engine, ENGINES)
    if entry.weights is None:
        raise WeightsError(
            f"{entry.name} has no trained weights, so it cannot score. Name a weight "
            f"set or the folder of a run."
        )
    if engine == "tensorflow" or (engine == "auto" and _gpu_works()):
        _import_tensorflow()
        from iqa_zoo.engines.tensorflow import TensorFlow

        network = registry.load_model(entry.name)
        return TensorFlow(network, entry.input["size"])
    content = entry.litert_bytes()
    if content is None:
        content = _converted(entry, entry.weights)
    return LiteRT(content, entry.output["kind"], entry.name)


def _converted(entry: registry.Entry, weights: Mapping[str, Any]) -> bytes:
    """The LiteRT file of a weight set that ships without one, made once."""
    # The store's answer must be that of the file as it is now.
    store.read_checked(entry.folder / weights["file"], weights)
    height, width = entry.input["size"]
    kind = entry.output["kind"]

    def make() -> bytes:
        _import_tensorflow()
        from iqa_zoo.engines.convert import to_litert

        network = registry.load_model(entry.name)
        return to_litert(network, (height, width), output=kind)

    network = (
        CONVERSION,
        weights["sha256"],
        entry.card["builder"],
        entry.card.get("arguments"),
        weights.get("arguments"),
        (height, width),
        kind,
    )
    return store.cached(f"{sha256(repr(network).encode())}.tflite", make)


def _gpu_works() -> bool:
    """Whether TensorFlow sees a GPU; it is only asked where the system has one."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return False
    if not Path("/dev/nvidia0").exists():
        return False
    tf = _import_tensorflow()
    return bool(tf.config.list_physical_devices("GPU"))


def _import_tensorflow() -> Any:
    with quiet_native():  # it writes what it was compiled for
        import tensorflow
    return tensorflow
