"""What trained networks are measured against: the same backbone frozen, and an SVR."""

from pathlib import Path

import numpy as np

from iqa_zoo import registry
from iqa_zoo.data.manifest import Labels
from iqa_zoo.training.stages import predict
from iqa_zoo.training.trunk import above, below, cached_inputs


def frozen_svr(
    model: str, labels: Labels, train: np.ndarray, test: np.ndarray, cache: Path
) -> np.ndarray:
    """Scores (test,) on 0..100 of an SVR on pooled features of an ImageNet network.

    Features are standardised on the training images; RBF kernel, C = 10, epsilon = 2,
    gamma = 0.5 / 1280.
    """
    from sklearn.svm import SVR

    low, high = labels.range
    mos = (labels.mos - low) / (high - low) * 100
    pooled = _pooled(model, labels, cache)
    mean, spread = pooled[train].mean(0), pooled[train].std(0) + 1e-6
    standardised = (pooled - mean) / spread
    svr = SVR(C=10, epsilon=2, gamma=0.5 / 1280)
    svr.fit(standardised[train], mos[train])
    return svr.predict(standardised[test])


def _pooled(model: str, labels: Labels, cache: Path) -> np.ndarray:
    """Features (images, channels) of the whole images, computed once."""
    card = registry.model_card(model)
    network = registry.load_model(model, "imagenet")
    layer = card["recipe"][0]["frozen_to"]
    inputs = cached_inputs(
        below(network, layer), labels.paths, card["input"], cache, mirror=True
    )
    place = cache / f"pooled-{model}-{Path(inputs.filename).stem}.npy"
    if not place.exists():
        everything = np.arange(len(labels.mos))
        np.save(place, predict(above(network, layer, "pool"), inputs, everything))
    return np.load(place)
