"""BRISQUE as its authors released it, for the benchmarks."""

from pathlib import Path

import numpy as np


def released(path: Path) -> dict[str, np.ndarray]:
    """The regression in an npz file, as `natural_scene.brisque` takes it."""
    file = np.load(path)
    low, high = file["range_min"], file["range_max"]
    return {
        "support_vectors": file["support_vectors"],
        "coef": file["coef"],
        "rho": np.atleast_1d(file["rho"]),
        "gamma": np.atleast_1d(file["gamma"]),
        "power": np.ones(1),
        "offset": (low + high) / 2,
        "projection": np.diag(2 / (high - low)),
    }
