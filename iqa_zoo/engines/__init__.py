"""Engines run a network: LiteRT on CPUs, TensorFlow on GPUs; or a hand-made measure.

An engine has `batch`, the number of images that it likes to get at once, and
`predict(images, threads=1)`: uint8 images (height, width, 3), all of the network's
input size, in; its output as float32 (n, bins), one row an image, back. Networks whose
card says `fit = "native"` take images of any size (`tiled.Tiled`); those of pairs take
(height, width, 6), the reference behind the distorted picture. A measure takes images
of any size, one at a time, and gives float64 (n, 1). `predict` may be called from
several threads. It raises MemoryError where there is too little.
"""

import contextlib
import functools
import glob
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from iqa_zoo import registry, store
from iqa_zoo.engines.litert import LiteRT
from iqa_zoo.engines.measured import Measured
from iqa_zoo.engines.tiled import Tiled, in_litert
from iqa_zoo.errors import UnknownNameError, WeightsError
from iqa_zoo.files import sha256

logger = logging.getLogger("iqa_zoo")

ENGINES = ("auto", "litert", "tensorflow")
#: Goes up when `convert` or a builder makes another file of the same network.
CONVERSION = 2


class Engine(Protocol):
    """What `make_engine` gives; see above."""

    batch: int

    def predict(self, images: Sequence[np.ndarray], threads: int = 1) -> np.ndarray:
        """The output for each image, float32 (n, outputs) or float64 (n, 1)."""


def make_engine(entry: registry.Entry, engine: str = "auto") -> Engine:
    """Something that runs a model's network.

    Args:
        entry: the model, as `registry.resolve` gives it.
        engine: "litert": the weight set's LiteRT file, or, where it has none or judges
            photos in their own size, what TensorFlow makes once and the store keeps;
            "tensorflow"; "auto":
            "tensorflow" where TensorFlow can use a GPU, else "litert". TensorFlow is
            only asked where CUDA_VISIBLE_DEVICES does not hide all GPUs and the system
            has a device of NVIDIA (/dev/nvidia0 and so on), of AMD (/dev/kfd) or of
            Windows below it (/dev/dxg). A measure has one engine, whichever is named.

    Raises:
        UnknownNameError: no such engine.
        WeightsError: a weight file is missing, or is not what its card says.
    """
    _check_engine(engine)
    if entry.is_measure:
        return Measured(registry.load_measure(entry))
    if entry.weights is None:
        raise WeightsError(
            f"{entry.name} has no trained weights, so it cannot score. Name a weight "
            f"set or the folder of a run."
        )
    if entry.input["fit"] == "native":
        return make_tiled(entry, engine)
    kind = entry.output["kind"]
    if _by_tensorflow(engine):
        _import_tensorflow()
        from iqa_zoo.engines.tensorflow import TensorFlow

        with float32():
            network = registry.load_network(entry.name)
        return TensorFlow(network, entry.input["size"], kind)
    content = entry.litert_bytes()
    if content is None:
        content = _converted(entry, entry.weights)
    return LiteRT(content, kind, entry.name)


def make_tiled(entry: registry.Entry, engine: str = "auto") -> Tiled:
    """What runs a network on photos in their own size; see `make_engine`.

    Args:
        entry: a model with weights, whose card says `fit = "native"`.
        engine: as of `make_engine`.
    """
    _check_engine(engine)
    rule, kind, place = entry.input, entry.output["kind"], entry.output.get("map")
    if _by_tensorflow(engine):
        _import_tensorflow()
        from iqa_zoo.engines.parts import in_tensorflow

        with float32():
            network = registry.load_network(entry.name)
        return in_tensorflow(network, rule, kind, place)
    lower, upper = _converted_parts(entry, entry.weights or {})
    return in_litert(lower, upper, output=kind, rule=rule, place=place, name=entry.name)


def _converted(entry: registry.Entry, weights: Mapping[str, Any]) -> bytes:
    """The LiteRT file of a weight set that ships without one, made once."""
    height, width = entry.input["size"]
    kind, scale = entry.output["kind"], tuple(entry.output.get("scale", (0, 1)))

    def make() -> bytes:
        network = _loaded(entry)
        from iqa_zoo.engines.convert import to_litert

        return to_litert(network, (height, width), output=kind, scale=scale)

    key = _key(entry, weights, ((height, width), kind))
    return store.cached(f"{key}.tflite", make)


def _converted_parts(
    entry: registry.Entry, weights: Mapping[str, Any]
) -> tuple[bytes, bytes]:
    """The two LiteRT files of a network that is run tile by tile, made once."""
    rule, output = entry.input, entry.output
    kind, place = output["kind"], output.get("map")

    @functools.cache
    def make() -> tuple[bytes, bytes]:
        network = _loaded(entry)
        from iqa_zoo.engines.parts import to_litert_parts

        return to_litert_parts(network, rule, kind, place, output.get("scale"))

    key = _key(entry, weights, (rule["size"], rule.get("halo"), kind, place))
    lower = store.cached(f"{key}-lower.tflite", lambda: make()[0])
    return lower, store.cached(f"{key}-upper.tflite", lambda: make()[1])


def _loaded(entry: registry.Entry) -> Any:
    """The network that is converted; TensorFlow is imported for it."""
    logger.info("Converting %s for LiteRT, once.", entry.name)
    _import_tensorflow()
    with float32():
        return registry.load_network(entry.name)


def _key(
    entry: registry.Entry, weights: Mapping[str, Any], more: tuple[Any, ...]
) -> str:
    """What the store calls files that are made of a weight set as it is now."""
    network = (
        CONVERSION,
        sha256(entry.content()),
        weights.get("converter"),
        entry.card["builder"],
        entry.card.get("arguments"),
        weights.get("arguments"),
        *more,
        registry.code(entry),
    )
    return sha256(repr(network).encode())


def _check_engine(engine: str) -> None:
    if engine not in ENGINES:
        raise UnknownNameError("engine", engine, ENGINES)


def _by_tensorflow(engine: str) -> bool:
    return engine == "tensorflow" or (engine == "auto" and _gpu_works())


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
