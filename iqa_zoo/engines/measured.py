"""Hand-made measures, run as networks are: one image at a time, in its own size."""

from collections.abc import Sequence

import numpy as np

from iqa_zoo.registry import Measure


class Measured:
    """Runs a measure, which keeps nothing between images."""

    batch = 1

    def __init__(self, measure: Measure) -> None:
        """Args: the measure with its arrays."""
        self._measure = measure

    def predict(self, images: Sequence[np.ndarray], threads: int = 1) -> np.ndarray:
        """The score of each image, float64 (n, 1); see `iqa_zoo.engines`."""
        return np.array([self._measure(image) for image in images])[:, None]
