"""Small networks that judge photos in their own size, packaged and as runs' folders."""

import contextlib
import copy
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from iqa_zoo import cards, registry
from iqa_zoo.training.folder import write_model

CELL = 8  # pixels a side
TILE = (24, 32)  # height and width
#: By name: the card's keys of `input` and of `output` that differ.
KINDS = {
    # A cell depends on its own pixels.
    "small-patches": ({}, {"map": "map"}),
    "small-pair": ({"pair": True}, {"map": "cells"}),
    # A cell depends on those around it, too; several outputs.
    "small-framed": (
        {"halo": CELL},
        {"map": "map", "map_direction": "lower_is_better"},
    ),
}


def patches(*, size=None):
    """One convolution on each square."""
    import keras

    image = keras.Input((*(size or (None, None)), 3), name="image")
    cells = _judged({"image": image}, 2)
    return keras.Model(image, _mean(_first(cells, "map")), name="small_patches")


def pair(*, size=None):
    """Likewise of a picture and of its reference."""
    import keras

    names = ("distorted", "reference")
    inputs = {n: keras.Input((*(size or (None, None)), 3), name=n) for n in names}
    return keras.Model(inputs, _mean(_judged(inputs, 1)), name="small_pair")


def framed(*, size=None):
    """One convolution that sees beyond its cell."""
    import keras
    from keras import layers

    from iqa_zoo.models.diqa import Framed

    image = keras.Input((*(size or (None, None)), 3), name="image")
    x = Framed(CELL, CELL, name="framed")(image)
    x = layers.Rescaling(1 / 255)(x)
    x = layers.Conv2D(4, 7, activation="relu", name="conv")(x)
    x = layers.AveragePooling2D(CELL)(layers.Cropping2D(CELL - 3)(x))
    cells = layers.Conv2D(3, 1, bias_initializer=_half(), name="cells")(x)
    outputs = {"score": _mean(cells), "map": _first(cells, "map")}
    return keras.Model(image, outputs, name="small_framed")


def _half():
    import keras

    return keras.initializers.Constant(0.5)


def _judged(inputs, count):
    from keras import layers

    from iqa_zoo.models.patches import CutPatches, JoinCells

    cut = [CutPatches(CELL, name=f"{n}_patches")(x) for n, x in inputs.items()]
    x = layers.Concatenate()(cut) if len(cut) > 1 else cut[0]
    x = layers.Rescaling(1 / 255)(x)
    x = layers.Conv2D(4, 3, activation="relu", name="conv")(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(count, bias_initializer=_half(), name="judged")(x)
    return JoinCells(CELL, name="cells")([x, next(iter(inputs.values()))])


def _first(cells, name):
    from iqa_zoo.models.layers import Channels

    return Channels(0, 1, name=name)(cells)


def _mean(cells):
    from keras import layers

    x = layers.GlobalAveragePooling2D()(cells)
    return layers.Dense(1, kernel_initializer="ones", name="score")(x)


BUILDERS = {"small-patches": patches, "small-pair": pair, "small-framed": framed}


def card(name: str) -> dict:
    """The card of one of `KINDS`: CNNIQA's, with another network."""
    import keras

    made = copy.deepcopy(dict(cards.all_cards()["cnniqa"]))
    for key in ("weights", "default_weights", "arguments"):
        made.pop(key, None)
    rule, output = KINDS[name]
    keras.utils.set_random_seed(len(name))
    count = BUILDERS[name]().count_params()
    made |= {
        "title": f"A small network ({name})",
        "builder": f"iqa_zoo.models.cnniqa:{name.replace('-', '_')}",
        "parameters": count,
        "trainable_parameters": count,
    }
    made["input"] |= {"size": list(TILE), "least": 2 * CELL, **rule}
    made["output"] |= output
    return made


@contextlib.contextmanager
def packaged(*names: str) -> Iterator[None]:
    """Put some of `KINDS` among the packaged models."""
    from iqa_zoo.models import cnniqa

    known = {**cards.all_cards(), **{name: card(name) for name in names}}
    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            function = name.replace("-", "_")
            patch.setattr(cnniqa, function, BUILDERS[name], raising=False)
        patch.setattr(cards, "all_cards", lambda: dict(sorted(known.items())))
        yield


def make_run(folder: Path, model: str) -> str:
    """The folder of a run of a packaged model, with random weights; gives its name."""
    import keras

    keras.utils.set_random_seed(7)
    network = registry.load_network(model, None)
    arrays = {
        path: np.asarray(variable)
        for path, variable in registry.variables(network).items()
    }
    folder.mkdir(parents=True)
    said = {
        "data": "none",
        "terms": "none",
        "start": "random",
        "seed": 7,
        "trained_on": 0,
    }
    seen = frozenset({16 * "0"})
    write_model(folder, registry.model_card(model), arrays, seen, "", said)
    return str(folder)
