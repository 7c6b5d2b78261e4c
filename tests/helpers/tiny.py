"""A network of 400 numbers that scores photos in no time, as a run's folder."""

import copy
import functools
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from PIL import Image
from safetensors.numpy import save

from iqa_zoo import registry
from iqa_zoo.files import sha256

SIZE = (32, 48)  # height and width that it takes


@functools.cache
def network() -> Any:
    """The network; brighter photos score higher, and none scores 1 or 10."""
    import keras

    keras.utils.set_random_seed(1)
    image = keras.Input((None, None, 3), name="image")
    x = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.ReLU(6)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dropout(0.5)(x)
    sharp = keras.initializers.RandomNormal(stddev=4)
    shares = keras.layers.Dense(10, "softmax", kernel_initializer=sharp)(x)
    return keras.Model(image, shares, name="tiny")


@functools.cache
def litert() -> bytes:
    """The network's LiteRT file."""
    from iqa_zoo.engines.convert import to_litert

    return to_litert(network(), SIZE)


def make_run(
    folder: Path,
    *,
    content: bytes | None = None,
    arrays: dict[str, np.ndarray] | None = None,
    least: int = 4,
    size: tuple[int, int] = SIZE,
    model: str = "nima-mobilenetv2",
) -> Path:
    """A run's folder: with the tiny LiteRT file, or with `content`, or, where `arrays`
    are given, with these arrays of `model` and no LiteRT file."""
    folder.mkdir(parents=True, exist_ok=True)
    card = copy.deepcopy(registry.model_card(model))
    card["input"] |= {"size": list(size), "least": least}
    stored = save(arrays or {"nothing": np.zeros(1, np.float16)})
    (folder / "weights.safetensors").write_bytes(stored)
    weights = {
        "kind": "local",
        "file": "weights.safetensors",
        "bytes": len(stored),
        "sha256": sha256(stored),
        "dtype": "float32" if arrays else "float16",
        "arrays": len(arrays or "1"),
        "licence": "Apache-2.0",
        "data": "none",
        "terms": "none",
        "start": "random",
        "command": "pytest",
        "seed": 1,
        "trained_on": 0,
    }
    if arrays is None:
        content = litert() if content is None else content
        (folder / "tiny.tflite").write_bytes(content)
        weights["litert"] = {
            "file": "tiny.tflite",
            "bytes": len(content),
            "sha256": sha256(content),
        }
    card |= {"default_weights": "tiny", "weights": {"tiny": weights}}
    (folder / "card.toml").write_bytes(tomli_w.dumps(card).encode())
    return folder


def make_photos(folder: Path, count: int, *, size: tuple[int, int] = (60, 80)) -> Path:
    """A folder of `count` JPEGs of noise, 0000.jpg and so on, from dark to bright."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(count)
    for number in range(count):
        noise = random.integers(0, 1 + 254 * (number + 1) // count, (*size, 3))
        photo = Image.fromarray(noise.astype(np.uint8))
        photo.save(folder / f"{number:04}.jpg", quality=90)
    return folder
