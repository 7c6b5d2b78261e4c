"""The frozen lower part of a network, computed once for each picture and kept.

Most of a mobile network's cost is in its first half, and with a few hundred photos the
first half is best left alone. So its output is computed once, for every picture and
its mirror image, and the stage trains what lies above on those.
"""

import hashlib
import json
import logging
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from iqa_zoo.data.pictures import Decoded, pictures
from iqa_zoo.engines.convert import converted
from iqa_zoo.engines.litert import LiteRT
from iqa_zoo.errors import OutputError, UnknownNameError, UsageError, WeightsError
from iqa_zoo.files import atomic_write, fingerprint
from iqa_zoo.images import read_image
from iqa_zoo.registry import named_function
from iqa_zoo.threads import cores
from iqa_zoo.training.inputs import Inputs
from iqa_zoo.training.pace import Pace

logger = logging.getLogger("iqa_zoo")

#: Prepared pictures take at most this share of a disk's free room.
LARGEST_SHARE = 0.8
#: Converting a trunk for LiteRT takes as long as Keras takes for some hundred pictures.
WORTH_CONVERTING = 300
#: How far its answers may be off, as a share of the largest: 16 bits are kept.
ALIKE = 1e-3


def below(network: keras.Model, layer: str) -> keras.Model | None:
    """The part of `network` up to and with `layer`; None where that is "none"."""
    if layer == "none":
        return None
    inputs = network.inputs if len(network.inputs) > 1 else network.inputs[0]
    return keras.Model(inputs, _layer(network, layer).output)


def above(network: keras.Model, layer: str, upto: str | None = None) -> keras.Model:
    """The part of `network` above `layer`, up to the layer `upto` or the output.

    Weights are shared with `network`; "none" is the part above nothing, the whole.

    Raises:
        UnknownNameError: no layer of that name.
    """
    start = network.inputs if layer == "none" else _layer(network, layer).output
    end = main_output(network) if upto is None else _layer(network, upto).output
    if isinstance(start, list) and len(start) == 1:
        start = start[0]
    return keras.Model(start, end)


def main_output(network: keras.Model) -> keras.KerasTensor:
    """The answer of a network; of one with several outputs, the score."""
    if isinstance(network.output, dict):
        return network.output["score"]
    return network.outputs[0]


def paired(network: keras.Model) -> keras.Model:
    """A network as one of pictures of six channels, the distorted one's first.

    One that takes no reference does not look at the others.
    """
    both = keras.Input((*network.inputs[0].shape[1:3], 6), name="pair")
    distorted, reference = both[..., :3], both[..., 3:]
    halves = {"image": distorted, "distorted": distorted, "reference": reference}
    given = [halves[x.name] for x in network.inputs]
    return keras.Model(both, network(given if len(given) > 1 else given[0]))


def trained_part(
    network: keras.Model, stage: Mapping[str, Any], below_too: bool = False
) -> keras.Model:
    """What a stage's steps run: from its inputs to the answer that its loss is of."""
    if "network" in stage:
        part: keras.Model = named_function(stage["network"])(network)
        return part
    cut = "none" if below_too else stage["frozen_to"]
    part = above(network, cut, stage.get("output"))
    return paired(part) if len(part.inputs) == 2 else part


def takes_pairs(part: keras.Model) -> bool:
    """Whether what a stage trains takes pictures with their references behind them."""
    return bool(part.inputs[0].shape[-1] == 6)


def _layer(network: keras.Model, name: str) -> keras.layers.Layer:
    names = [layer.name for layer in network.layers]
    if name not in names:
        raise UnknownNameError("layer", name, names)
    return network.get_layer(name)


class Sized(NamedTuple):
    """What is kept of a picture for a stage, and the room for it.

    Attributes:
        shape: (views, h, w, channels).
        dtype: float16 behind frozen layers, else uint8.
        free: free bytes of the disk.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    free: int

    @property
    def each(self) -> int:
        """Bytes a picture."""
        return math.prod(self.shape) * self.dtype.itemsize

    def fits(self, count: int) -> bool:
        """Whether so many pictures leave the disk some room."""
        return count * self.each <= LARGEST_SHARE * self.free


def kept_size(
    network: keras.Model, stage: Mapping[str, Any], rule: Mapping[str, Any], place: Path
) -> Sized:
    """What would be kept of each picture for a stage in the folder `place`."""
    trunk = below(network, stage["frozen_to"])
    while not place.exists():
        place = place.parent
    views = _views(trunk, stage.get("mirror", False))
    return Sized(*_kept(trunk, rule, views), shutil.disk_usage(place).free)


def stage_inputs(
    network: keras.Model,
    stage: Mapping[str, Any],
    paths: Sequence[Path],
    rule: Mapping[str, Any],
    cache: Path,
    *,
    spare: Path | None = None,
    fingerprints: Sequence[str] | None = None,
    references: Sequence[Path] | None = None,
    streamed: bool | None = None,
) -> tuple[Inputs, bool]:
    """What a stage trains on, and whether that is pictures which are read each time.

    Where the disk has room it is `cached_inputs`; pictures in their own sizes and pairs
    are read each time.

    Args:
        references: what each picture was made from, where the table says it.
        streamed: whether pictures are to be read each time; None decides by the room.
        Others: as of `cached_inputs`.
    """
    pair = rule.get("pair", False) or (
        "network" in stage and takes_pairs(trained_part(network, stage))
    )
    if pair and references is None:
        raise UsageError(
            f"The stage {stage['name']!r} compares pictures with what they were made "
            "from; the table needs a column of references (reference, "
            "--reference-column). `iqa-zoo distort` makes such tables from good "
            "photos; another recipe (recipe, --recipe) may do without."
        )
    if is_read_each_time(stage, rule):
        return Decoded(paths, rule, references if pair else None), True
    trunk = below(network, stage["frozen_to"])
    mirror = stage.get("mirror", False)
    place = cached_at(trunk, paths, rule, cache, mirror, fingerprints)
    size = kept_size(network, stage, rule, cache)
    if streamed is None and not place.exists() and not size.fits(len(paths)):
        streamed = True
        logger.warning(
            "%s has %.1f GB free and the prepared pictures need %.1f GB: they are "
            "prepared anew in each epoch, which takes longer. A cache folder on "
            "another disk would help.",
            cache,
            size.free / 1e9,
            len(paths) * size.each / 1e9,
        )
    if streamed:
        return Decoded(paths, rule), True
    return _cached(trunk, paths, rule, place, spare, mirror), False


def is_read_each_time(stage: Mapping[str, Any], rule: Mapping[str, Any]) -> bool:
    """Whether a stage's pictures are pairs, or of sizes of their own."""
    pair = "network" in stage or rule.get("pair", False)
    return pair or rule["fit"] == "native"


def _views(trunk: keras.Model | None, mirror: bool) -> int:
    # Pictures themselves are mirrored when they are drawn.
    return 2 if mirror and trunk is not None else 1


def _kept(
    trunk: keras.Model | None, rule: Mapping[str, Any], views: int
) -> tuple[tuple[int, ...], np.dtype]:
    """Shape (views, h, w, channels) and dtype of what is kept of a picture."""
    shape, dtype = (*rule["size"], 3), np.dtype("|u1")
    if trunk is not None:
        shape = trunk.compute_output_shape((None, *shape))[1:]
        dtype = np.dtype("<f2")
    return (views, *shape), dtype


def cached_inputs(
    trunk: keras.Model | None,
    paths: Sequence[Path],
    rule: Mapping[str, Any],
    cache: Path,
    *,
    spare: Path | None = None,
    mirror: bool,
) -> np.ndarray:
    """What a stage trains on, for every picture, memory-mapped from a file in `cache`.

    Args:
        trunk: the frozen lower part, as `below` gives it, or None for the pictures.
        paths: the pictures.
        rule: the card's input rule.
        cache: folder of the file; its name is made of the hashes of the trunk's
            weights, the pictures and the rule, so that a second run finds it.
        spare: folder of the file where `cache` does not take it.
        mirror: whether to add every picture's mirror image as a second view. Pictures
            themselves are mirrored when they are drawn, and have one view here.

    Returns:
        (pictures, views, h, w, channels): float16 behind a trunk, else uint8.

    Raises:
        ImageError: a picture that cannot be read.
        OutputError: no folder takes the file.
    """
    place = cached_at(trunk, paths, rule, cache, mirror)
    return _cached(trunk, paths, rule, place, spare, mirror)


def cached_at(
    trunk: keras.Model | None,
    paths: Sequence[Path],
    rule: Mapping[str, Any],
    cache: Path,
    mirror: bool,
    fingerprints: Sequence[str] | None = None,
) -> Path:
    """The file of `cached_inputs`; `fingerprints` of the pictures, where known."""
    key = _key(
        trunk,
        fingerprints or [fingerprint(path) for path in paths],
        rule,
        _views(trunk, mirror),
    )
    return cache / f"inputs-{key}.npy"


def _cached(
    trunk: keras.Model | None,
    paths: Sequence[Path],
    rule: Mapping[str, Any],
    place: Path,
    spare: Path | None,
    mirror: bool,
) -> np.ndarray:
    views = _views(trunk, mirror)
    if not place.exists():
        try:
            _compute(trunk, paths, rule, views, place)
        except OutputError as error:
            if spare in (None, place.parent):
                raise
            logger.warning("Nothing is kept for the next run: %s", error)
            place = spare / place.name
            _compute(trunk, paths, rule, views, place)
    return np.load(place, mmap_mode="r")


def _compute(
    trunk: keras.Model | None,
    paths: Sequence[Path],
    rule: Mapping[str, Any],
    views: int,
    place: Path,
) -> None:
    shape, dtype = _kept(trunk, rule, views)
    logger.info("Preparing %d pictures in %s.", len(paths), place.parent)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"Cannot make {place.parent}: {error.strerror}.") from error
    size = len(paths) * math.prod(shape) * dtype.itemsize
    with (
        ThreadPoolExecutor(cores()) as pool,
        atomic_write(place, size) as file,
    ):
        run = _runner(trunk, rule, views, len(paths), pool)
        np.lib.format.write_array_header_1_0(
            file,
            {
                "descr": dtype.str,
                "fortran_order": False,
                "shape": (len(paths), *shape),
            },
        )
        pace, done = Pace(len(paths), "pictures"), 0
        try:
            for batch in pictures(paths, rule).batch(8).prefetch(2):
                file.write(run(batch.numpy()).astype(dtype).tobytes())
                done += len(batch)
                pace.tell(done)
        except tf.errors.OpError:
            # TensorFlow buries which picture it was; reading them again tells.
            for path in paths:
                read_image(path)
            raise


def _runner(
    trunk: keras.Model | None,
    rule: Mapping[str, Any],
    views: int,
    count: int,
    pool: Executor,
) -> Callable[[np.ndarray], np.ndarray]:
    """From uint8 pictures (n, height, width, 3) to what is kept, (n, views, ...).

    Of `count` pictures in all. The threads of the pool are for LiteRT.
    """
    if trunk is None:
        return lambda images: images[:, None]

    @tf.function(reduce_retracing=True)
    def by_keras(images: tf.Tensor) -> tf.Tensor:
        images = tf.cast(images, tf.float32)
        both = [images, images[:, :, ::-1]][:views]
        return tf.stack([tf.cast(trunk(x), tf.float16) for x in both], axis=1)

    if not _by_litert(trunk, count):
        return lambda images: by_keras(images).numpy()
    try:
        engine = _converted(trunk, tuple(rule["size"]))
    except (OutputError, WeightsError) as error:
        logger.warning("Keras prepares the pictures, which takes longer: %s", error)
        return lambda images: by_keras(images).numpy()

    def both(image: np.ndarray) -> np.ndarray:
        return engine.predict([image, image[:, ::-1]][:views])

    return lambda images: np.stack(list(pool.map(both, images)))


def _converted(trunk: keras.Model, size: tuple[int, int]) -> LiteRT:
    """The trunk for LiteRT, once it has answered to noise as Keras does."""
    name = trunk.layers[-1].name
    engine = LiteRT(converted(trunk, size, name), name, name)
    noise = np.random.default_rng(0).integers(0, 256, (1, *size, 3), np.uint8)
    expected = trunk(tf.cast(noise, tf.float32), training=False).numpy()
    apart = float(np.abs(engine.predict(noise) - expected).max())
    if not apart <= ALIKE * np.abs(expected).max():  # NaN is not
        raise WeightsError(f"LiteRT's answers are up to {apart:.2g} off.")
    return engine


def _by_litert(trunk: keras.Model | None, count: int) -> bool:
    """Whether LiteRT runs the trunk for so many pictures: on a CPU, where it pays."""
    return (
        trunk is not None
        and trunk.layers[-1].compute_dtype == "float32"
        and all(d.device_type == "CPU" for d in tf.config.list_logical_devices())
        and count >= WORTH_CONVERTING
    )


def _key(
    trunk: keras.Model | None,
    fingerprints: Sequence[str],
    rule: Mapping[str, Any],
    views: int,
) -> str:
    hash_ = hashlib.sha256(json.dumps([dict(rule), views], sort_keys=True).encode())
    if trunk is not None:
        # Layers without weights change the answer too, and so does the precision.
        last = trunk.layers[-1]
        engine = "litert" if _by_litert(trunk, len(fingerprints)) else "keras"
        hash_.update(f"{last.name} {last.compute_dtype} {engine}".encode())
        for variable in trunk.variables:
            hash_.update(variable.path.encode() + variable.numpy().tobytes())
    for each in fingerprints:
        hash_.update(each.encode())
    return hash_.hexdigest()[:32]
