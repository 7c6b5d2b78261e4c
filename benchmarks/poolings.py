"""What other ways of pooling make of a trained network of patches or maps."""

import os

import keras
import numpy as np

from iqa_zoo import registry
from iqa_zoo.correlation import srocc
from iqa_zoo.engines.tiled import CELLS
from iqa_zoo.errors import UnknownNameError, WeightsError
from iqa_zoo.images import read_image
from iqa_zoo.models.patches import POOLINGS
from iqa_zoo.training.trunk import main_output


def by_pooling(
    run: os.PathLike[str], paths: list[os.PathLike[str]], mos: np.ndarray
) -> dict[str, float]:
    """SROCC of a run's network on photos, by each pooling that its weights allow.

    What lies below the layer `cells` runs once for all: where a pooling needs to know
    more of a place, that stands behind what the others know.
    """
    networks = {}
    for pooling in POOLINGS:
        try:
            networks[pooling] = registry.load_network(run, pooling=pooling)
        except (UnknownNameError, WeightsError):
            continue  # its weights would have to be learned
    cells = {way: n.get_layer(CELLS).output for way, n in networks.items()}
    widest = max(cells, key=lambda way: cells[way].shape[-1])
    lower = keras.Model(networks[widest].inputs[0], cells[widest])
    upper = {
        way: keras.Model(cells[way], main_output(network))
        for way, network in networks.items()
    }
    said: dict[str, list[float]] = {way: [] for way in upper}
    for path in paths:
        found = lower(read_image(path)[None].astype(np.float32))
        for way, network in upper.items():
            part = found[..., : cells[way].shape[-1]]
            said[way].append(float(network(part)[0, 0]))
    return {way: round(srocc(mos, scores), 4) for way, scores in said.items()}
