"""Every full-reference metric by name: of pixels, of a network's feature maps, and
networks of the zoo that compare a photo with its original.

The cards of those of pixels are in `iqa_zoo.full_reference`, those of feature maps
beside this file; for these TensorFlow is imported when one is first asked for a score.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from iqa_zoo import cards, full_reference, registry
from iqa_zoo.comparing.features import feature_maps
from iqa_zoo.engines import make_engine
from iqa_zoo.errors import UnknownNameError, UsageError
from iqa_zoo.full_reference.feature_maps import Maps, pyramid, revived
from iqa_zoo.full_reference.ops.checks import check_shapes
from iqa_zoo.images import Pixels, fit_by, read_image

FOLDER = Path(__file__).parent


@cache
def network_metrics() -> tuple[str, ...]:
    """The names of the metrics of feature maps, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def pair_models() -> tuple[str, ...]:
    """The networks that compare and have weights which stand for their name, sorted."""
    return tuple(
        name
        for name, card in cards.known_cards().items()
        if card["input"].get("pair") and "default_weights" in card
    )


def metric_names() -> tuple[str, ...]:
    """The names of all metrics, sorted."""
    ours = (*full_reference.metric_names(), *network_metrics())
    return tuple(sorted((*ours, *pair_models())))


def metric_card(name: str) -> Mapping[str, Any]:
    """What a metric's card says, with the keys of `full_reference.SCHEMA`.

    That of a network that compares has no `function` and no `identical`, and the key
    `model`, its full name.

    Args:
        name: one of `metric_names()`; or a network that compares, with its tag, or the
            folder of a run of one.

    Raises:
        UnknownNameError: no metric of that name.
        UsageError: the network judges one photo, or the folder is no run's.
        WeightsError: the network has no trained weights.
        CardError: the card breaks the schema.
    """
    if name in network_metrics():
        return _card_beside(name)
    if name in full_reference.metric_names():
        return full_reference.metric_card(name)
    entry = _pair_entry(name)
    return {
        "title": entry.card["title"],
        "paper": entry.card["paper"],
        "range": [float(bound) for bound in entry.output["scale"]],
        "direction": entry.output["direction"],
        "least": entry.input["least"],
        "colour": "RGB, as the network takes it.",
        "symmetric": False,
        "differentiable": False,
        "has_map": False,
        "model": entry.name,
    }


@cache
def _card_beside(name: str) -> Mapping[str, Any]:
    return full_reference.read_metric_card(FOLDER / f"{name}.toml")


def _pair_entry(name: str) -> registry.Entry:
    """The network that compares of a name, or of a run's folder; see `metric_card`."""
    try:
        entry = registry.resolve(name)
    except UnknownNameError as error:
        raise UnknownNameError("metric", name, metric_names()) from error
    if not entry.input.get("pair"):
        raise UsageError(
            f"{name} judges one photo, so it cannot compare two: score with it. "
            f"Metrics are: {', '.join(metric_names())}."
        )
    return entry


def pair_score(name: str) -> Callable[[Pixels, Pixels], float]:
    """What a network that compares scores two images with, ready to be used.

    Args:
        name: as of `metric_card`.

    Returns:
        A function from a reference and a distorted image, both uint8 (height, width, 3)
        of one size, to the score on the card's scale. It may be called from several
        threads.

    Raises:
        As `metric_card`; and WeightsError where the weights are not what the card says.
    """
    entry = _pair_entry(name)
    engine = make_engine(entry)
    low, high = map(float, entry.output["scale"])
    native = entry.input["fit"] == "native"

    def score(reference: Pixels, distorted: Pixels) -> float:
        both = [
            image if native else fit_by(entry.input, image)
            for image in (distorted, reference)
        ]
        answer = engine.predict([np.concatenate(both, axis=-1)])[0]
        return float(np.clip(answer[0], low, high))

    return score


def metric(
    name: str,
    *,
    backbone: str | None = None,
    layers: Sequence[str] | None = None,
    weights: str | None = "default",
) -> Callable[..., Any]:
    """The function of a metric.

    Args:
        name: one of `metric_names()`.
        backbone: of a metric of feature maps: the name of another network than the
            card's, with or without tag, or a run's folder.
        layers: the names of the layers whose outputs are compared; another backbone
            needs them.
        weights: which weights the backbone has; see `iqa_zoo.load_model`.

    Returns:
        Of a metric of pixels see `full_reference.metric`. Of one of feature maps, and
        of a network that compares, `function(reference, distorted)`, from two images,
        as `iqa_zoo.images.read_image` takes them, to a float; it raises UsageError
        where their sizes differ and ImageError ("too_small") where they are too small.

    Raises:
        UnknownNameError: no metric of that name.
        UsageError: a backbone or layers for a metric of pixels, or a backbone alone.
    """
    card = metric_card(name)
    if "network" not in card:
        if backbone is not None or layers is not None:
            raise UsageError(
                f"{name} compares pixels. Metrics with a backbone are: "
                f"{', '.join(network_metrics())}."
            )
        return _of_pair(name) if "model" in card else full_reference.metric(name)
    if backbone is not None and layers is None:
        raise UsageError(f"Name the layers of {backbone} whose outputs are compared.")
    model = card["network"]["model"] if backbone is None else backbone
    names = card["network"]["layers"] if layers is None else layers

    def function(reference: Any, distorted: Any) -> float:
        images = [read_image(image) for image in (reference, distorted)]
        check_shapes(name, images[0].shape, images[1].shape, 1)
        maps = [feature_maps(image, model, names, weights) for image in images]
        return of_maps(name, *maps)

    function.__name__ = name
    return function


def _of_pair(name: str) -> Callable[..., float]:
    load = cache(pair_score)
    entry = _pair_entry(name)

    def function(reference: Any, distorted: Any) -> float:
        images = [read_image(image) for image in (reference, distorted)]
        check_shapes(name, images[0].shape, images[1].shape, 1)
        height, width = images[0].shape[:2]
        registry.check_large_enough(entry, height, width, "An image")
        return load(name)(*images)

    function.__name__ = name
    return function


def of_maps(name: str, reference: Maps, distorted: Maps) -> float:
    """The score that a metric of feature maps gives to the maps of two images.

    Raises:
        UsageError: the shapes differ.
        ImageError: code "too_small": the maps are too small for the metric.
    """
    revives = metric_card(name)["network"].get("revives")
    if revives is None:
        return pyramid(reference, distorted)
    return revived(revives, reference, distorted)
