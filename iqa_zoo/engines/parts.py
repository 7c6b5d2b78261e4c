"""Networks cut in two at their layer `cells`, for `engines.tiled`; with TensorFlow."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from iqa_zoo.engines.convert import check_answers, converted, main_output
from iqa_zoo.engines.tensorflow import TensorFlow
from iqa_zoo.engines.tiled import CELLS, MAP, Tiled, in_litert


def cut(
    network: keras.Model, rule: Mapping[str, Any], output: str, place: str | None
) -> tuple[keras.Model, keras.Model]:
    """A network's part up to `cells`, and its part from there on.

    Args:
        network: of any size of photos.
        rule: the card's table `input`. Where it has a halo, the network's layer
            `framed` makes it, and the lower part begins behind that.
        output: the output's name.
        place: the layer of the map; None where there is none.

    Returns:
        From a tile with its halo to cells, and from cells to a dict of the output and,
        where it is another layer than `cells`, of `MAP`.
    """
    start = network.inputs if len(network.inputs) > 1 else network.inputs[0]
    if rule.get("halo"):
        start = network.get_layer("framed").output
    cells = network.get_layer(CELLS).output
    answers = {output: main_output(network, output)}
    if place not in (None, CELLS):
        answers[MAP] = network.get_layer(place).output
    return keras.Model(start, cells), keras.Model(cells, answers)


def tile_of(lower: keras.Model, rule: Mapping[str, Any]) -> tuple[int, tuple[int, int]]:
    """Pixels a side of a cell, and the size of tiles without their halo."""
    height, width = rule["size"]
    halo = rule.get("halo", 0)
    shape = (1, height + 2 * halo, width + 2 * halo, 3)
    tile = [keras.KerasTensor(shape) for _ in lower.inputs]
    cell = height // lower(tile if len(tile) > 1 else tile[0]).shape[1]
    # Cells that depend on nothing around them need no more than a row of them.
    return cell, (height if halo else cell, width)


def in_tensorflow(
    network: keras.Model, rule: Mapping[str, Any], output: str, place: str | None
) -> Tiled:
    """A network of any size of photos, run tile by tile; arguments as of `cut`."""
    lower, upper = cut(network, rule, output, place)
    cell, tile = tile_of(lower, rule)
    anything = (None, None)
    return Tiled(
        TensorFlow(lower, anything, CELLS),
        TensorFlow(upper, anything, output, tf.float32),
        TensorFlow(upper, anything, MAP, tf.float32) if MAP in upper.output else None,
        cell=cell,
        tile=tile,
        halo=rule.get("halo", 0),
    )


def to_litert_parts(
    network: keras.Model,
    rule: Mapping[str, Any],
    output: str,
    place: str | None,
    scale: Sequence[float] | None,
) -> tuple[bytes, bytes]:
    """The LiteRT files of a network's two parts, of built-in operators only.

    The lower one takes tiles: of one size where there is no halo, else of any. The
    upper one takes cells, any rows and columns of them.

    Args:
        network: of any size of photos, and the others as of `cut`.
        scale: the lowest and the highest score.

    Raises:
        WeightsError: LiteRT lacks an operator of the network; or what the files answer
            is not what the network does.
        OutputError: as of `convert.to_litert`.
    """
    lower, upper = cut(network, rule, output, place)
    _, tile = tile_of(lower, rule)
    anything = (None, None)
    files = (
        converted(lower, anything if rule.get("halo") else tile, CELLS),
        converted(upper, anything, output),
    )
    height, width = rule["size"]
    random = np.random.default_rng(0)
    channels = 3 * len(network.inputs)
    # More than a tile one way, less the other way, and a rest of pixels.
    size = (max(5 * height // 4 + 3, rule["least"]), max(width // 2, rule["least"]))
    fine = random.integers(0, 256, (*size, channels), np.uint8)
    images = [fine // 4, 255 - fine // 4]
    tiled = in_litert(*files, output=output, rule=rule, place=place, name=network.name)
    whole = TensorFlow(network, anything, output)
    expected = np.concatenate([whole.predict([image]) for image in images])
    check_answers(network.name, tiled.predict(images), expected, output, scale)
    return files
