"""The feature maps that a network of the zoo makes of an image."""

import functools
import math
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iqa_zoo import registry
from iqa_zoo.errors import UnknownNameError
from iqa_zoo.images import Pixels, fit_image

#: An image of more pixels is shrunk to that many: what a network holds grows with them.
MOST_PIXELS = 1 << 20

_lock = threading.Lock()


def feature_maps(
    image: Pixels, model: str, layers: Sequence[str], weights: str | None = "default"
) -> list[NDArray[np.float32]]:
    """What some layers of a network answer to an image.

    On the processor, for a GPU rounds products to 11 bits; several threads take turns.

    Args:
        image: RGB, uint8 (height, width, 3).
        model: the name of a network, with or without tag, or a run's folder.
        layers: names of its layers whose outputs are maps.
        weights: which weights; see `iqa_zoo.load_model`.

    Returns:
        For each layer float32 (height, width, channels).

    Raises:
        UnknownNameError: no such model, weight set or layer.
        UsageError: the model is no network.
        WeightsError: its weight file is missing, or is not what its card says.
        ImageError: code "too_small": the image is smaller than the network takes.
    """
    image = _within(image, MOST_PIXELS)
    entry = registry.resolve(model, None)
    height, width = image.shape[:2]
    registry.check_large_enough(entry, height, width, "An image")
    with _lock:
        part, device = _part(model, tuple(layers), weights)
        with device:
            found = part(image[None].astype(np.float32), training=False)
    return [np.asarray(found[layer])[0] for layer in layers]


def _within(image: Pixels, most: int) -> Pixels:
    """An image of at most so many pixels, in its proportions."""
    height, width = image.shape[:2]
    ratio = math.sqrt(min(most / (height * width), 1))
    return fit_image(image, (max(int(height * ratio), 1), max(int(width * ratio), 1)))


@functools.cache
def _part(model: str, layers: tuple[str, ...], weights: str | None) -> tuple[Any, Any]:
    """A network up to some of its layers, and the device that runs it."""
    import keras

    device = keras.device("cpu:0")
    with device:
        network = registry.load_network(model, weights)
    names = [layer.name for layer in network.layers]
    for layer in layers:
        if layer not in names:
            raise UnknownNameError("layer", layer, names)
    outputs = {layer: network.get_layer(layer).output for layer in layers}
    return keras.Model(network.inputs[0], outputs), device
