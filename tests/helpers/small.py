"""A packaged model small enough to train in a second, with a card of its own."""

import contextlib
import copy
import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from iqa_zoo import cards

NAME = "nima-small"
SIZE = (24, 32)  # height and width that its card asks for


def small(*, bins=10, dropout=0.5, size=None):
    """Like the networks of `models.nima`, with two convolutions."""
    import keras

    from iqa_zoo.models.layers import conv_bn
    from iqa_zoo.models.losses import EarthMoversDistance

    image = keras.Input((*(size or (None, None)), 3), name="image", dtype="float32")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="normalise")(image)
    x = conv_bn(x, 4, kernel=3, stride=2, momentum=0.9, name="low")
    x = keras.layers.Identity(name="low_out")(x)
    x = conv_bn(x, 8, kernel=3, stride=2, momentum=0.9, name="high")
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    x = keras.layers.Dense(bins, name="head")(x)
    x = keras.layers.Softmax(dtype="float32", name="distribution")(x)
    network = keras.Model(image, x, name="nima_small")
    network.compile(optimizer="adam", loss=EarthMoversDistance())
    return network


def card() -> dict:
    """The small model's card: that of a packaged model, with another network."""
    made = copy.deepcopy(dict(cards.all_cards()["nima-mobilenetv2"]))
    for key in ("weights", "default_weights", "preferred", "arguments", "backbone"):
        made.pop(key, None)
    made |= {
        "title": "NIMA on two convolutions",
        "builder": "iqa_zoo.models.nima:small",
        "parameters": 518,
        "trainable_parameters": 494,
    }
    made["input"] |= {"size": list(SIZE), "least": 8}
    made["recipe"] = [
        {
            "name": "upper layers",
            "frozen_to": "low_out",
            "epochs": 2,
            "batch": 8,
            "learning_rate": 1e-2,
            "weight_decay": 1e-4,
            "average": 0.9,
            "mirror": True,
            "ridge": 1.0,
            "batch_norm": "frozen",
            "loss": {"emd": 1.0, "plcc": 0.5},
        }
    ]
    return made


@contextlib.contextmanager
def packaged(**changes) -> Iterator[str]:
    """Put the small model, its card changed by `changes`, among the packaged ones."""
    from iqa_zoo.models import nima

    known = {**cards.all_cards(), NAME: card() | changes}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nima, "small", small, raising=False)
        patch.setattr(cards, "all_cards", lambda: known)
        yield NAME


@contextlib.contextmanager
def eagerly() -> Iterator[None]:
    """Without compiling, which takes longer than a few steps of a training do."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


@contextlib.contextmanager
def plainly() -> Iterator[None]:
    """Train without intervals and plots, which take longer than a few steps do."""
    from iqa_zoo.training import folder, train

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "_intervals", lambda *_: {})
        patch.setattr(folder, "scatter", lambda *_, **__: None)
        patch.setattr(folder, "plot_history", lambda *_: None)
        yield


def make_opinions(folder: Path, count: int = 20, size=(40, 48)) -> tuple[Path, Path]:
    """A table of opinions and its folder of pictures: the brighter, the better."""
    photos = folder / "photos"
    photos.mkdir(parents=True)
    random = np.random.default_rng(5)
    rows = []
    for number in range(count):
        grey = 20 + 200 * number // count
        noise = random.integers(0, 30, (*size, 3)) + grey
        name = f"{number:02}.png"
        Image.fromarray(noise.astype(np.uint8)).save(photos / name)
        rows.append({"image": name, "mos": 10 + 80 * number / count, "std": 15})
    table = folder / "mos.csv"
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return table, photos


def make_distorted(folder: Path, kinds, size=(40, 48)) -> tuple[Path, Path]:
    """Four pictures with more and more noise, and the table of distortions.

    Args:
        kinds: names of distortions as cards have them, NAME or NAME-LEVEL.
    """
    photos = folder / "photos"
    photos.mkdir(parents=True)
    random = np.random.default_rng(5)
    rows = []
    for source in range(4):
        reference = random.integers(40, 200, (*size, 3))
        Image.fromarray(reference.astype(np.uint8)).save(photos / f"{source}.png")
        for step, kind in enumerate(kinds):
            name, _, level = kind.rpartition("-")
            noise = random.integers(-5 * step - 5, 5 * step + 6, (*size, 3))
            image = f"{source}-{kind}.png"
            Image.fromarray((reference + noise).astype(np.uint8)).save(photos / image)
            rows.append(
                {
                    "image": image,
                    "reference": f"{source}.png",
                    "distortion": name or kind,
                    "level": level if name else 1,
                    "mos": 1 - step / len(kinds),
                }
            )
    table = folder / "mos.csv"
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return table, photos
