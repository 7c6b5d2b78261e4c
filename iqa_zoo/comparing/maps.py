"""Maps of metrics as pictures: where two images differ."""

import functools
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iqa_zoo import full_reference
from iqa_zoo.comparing.pairs import Pair
from iqa_zoo.images.writing import write_png


def as_picture(values: NDArray[Any], identical: float) -> NDArray[np.uint8]:
    """A map as grey levels: white where two images are alike.

    Args:
        values: a metric's map, (height, width).
        identical: the value where images are identical: 1 in a map of likeness, of
            which 0 and less are black; 0 in a map of errors, of which the largest in
            this map is black.

    Returns:
        uint8 (height, width).
    """
    alike = values.clip(0, 1) if identical else 1 - values / (values.max() or 1)
    grey: NDArray[np.uint8] = np.rint(255 * alike).astype(np.uint8)
    return grey


@functools.cache
def _of_identical(metric: str) -> float:
    """What a metric's map has where images are identical."""
    least = full_reference.metric_card(metric)["least"]
    image = np.zeros((least, least), np.uint8)
    _, values = full_reference.metric(metric)(image, image, return_map=True)
    return round(float(values[0, 0]))


class MapFolder:
    """A folder of such pictures, `NAME-METRIC.png` for each pair and metric.

    May be used by several threads.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder)

    def write(self, pair: Pair, metric: str, values: NDArray[Any]) -> None:
        """Write one map, over an earlier one of this pair.

        Raises:
            OutputError: it cannot be written.
        """
        path = self._folder / f"{pair.name}-{metric}.png"
        write_png(path, as_picture(values, _of_identical(metric)))
