"""Every full-reference metric by name: of pixels, and of a network's feature maps.

The cards of those of pixels are in `iqa_zoo.full_reference`, the others' beside this
file; TensorFlow is imported when one of these is first asked for a score.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from iqa_zoo import full_reference
from iqa_zoo.comparing.features import feature_maps
from iqa_zoo.errors import UnknownNameError, UsageError
from iqa_zoo.full_reference.feature_maps import Maps, pyramid, revived
from iqa_zoo.full_reference.ops.checks import check_shapes
from iqa_zoo.images import read_image

FOLDER = Path(__file__).parent


@cache
def network_metrics() -> tuple[str, ...]:
    """The names of the metrics of feature maps, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def metric_names() -> tuple[str, ...]:
    """The names of all metrics, sorted."""
    return tuple(sorted((*full_reference.metric_names(), *network_metrics())))


@cache
def metric_card(name: str) -> Mapping[str, Any]:
    """What a metric's card says, with the keys of `full_reference.SCHEMA`.

    Raises:
        UnknownNameError: no metric of that name.
        CardError: the card breaks the schema.
    """
    if name not in metric_names():
        raise UnknownNameError("metric", name, metric_names())
    if name in network_metrics():
        return full_reference.read_metric_card(FOLDER / f"{name}.toml")
    return full_reference.metric_card(name)


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
        Of a metric of pixels see `full_reference.metric`. Of one of feature maps
        `function(reference, distorted)`, from two images, as
        `iqa_zoo.images.read_image` takes them, to a float; it raises UsageError where
        their sizes differ and ImageError ("too_small") where they are too small.

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
        return full_reference.metric(name)
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
