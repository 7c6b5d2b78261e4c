"""What a network says of each place of a photo, in the photo's own size."""

import dataclasses
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iqa_zoo import cards, registry
from iqa_zoo.engines import make_tiled
from iqa_zoo.errors import ImageError, UsageError, WeightsError
from iqa_zoo.images import Limits, Pixels, name_of, out_of_memory, read_image
from iqa_zoo.threads import cores

#: The model that is asked where none is named: its places are the smallest.
DEFAULT = "diqa"


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class QualityMap:
    """What a network says of each place of a photo.

    Attributes:
        path: the photo's name as given; ``<bytes>`` or ``<array>`` where it had none.
        model: the model's name with its tag, or its folder.
        values: float32 (rows, columns), from the photo's top left corner on. What is
            left over at the right and at the bottom is in no place.
        side: height and width of a place, in pixels.
        direction: ``"higher_is_better"`` of qualities, ``"lower_is_better"`` of errors.
    """

    path: str
    model: str
    values: NDArray[np.float32]
    side: int
    direction: str


def quality_map(
    image: Any,
    model: str | os.PathLike[str] | None = None,
    *,
    reference: Any = None,
    engine: str = "auto",
    limits: Limits | None = None,
    value_range: tuple[float, float] | None = None,
    threads: int | None = None,
) -> QualityMap:
    """Where a photo is bad, as a network sees it, tile by tile in its own size.

    Args:
        image: a path, encoded bytes, a file open in binary mode, an array (height,
            width, 3) of RGB or a PIL image.
        model: a model's name or a run's folder; None for `DEFAULT`. Its card must name
            a map: see `map_models`.
        reference: likewise the original, for models that compare with it.
        engine: "auto", "litert" or "tensorflow"; see `iqa_zoo.engines.make_engine`.
        limits: what an image may claim; None for `iqa_zoo.images.Limits()`.
        value_range: the values of black and white in arrays, such as (0, 1); arrays
            that are not uint8 need it.
        threads: of the network; None for one a core.

    Raises:
        UnknownNameError: no such model or engine.
        UsageError: the model has no map; or it needs a reference, or takes none.
        WeightsError: a weight file is missing, or is not what its card says.
        ImageError: an image cannot be read or is too small, or the reference has
            another size.
    """
    if threads is not None and threads < 1:
        raise UsageError(f"threads is {threads}; it must be 1 or more.")
    model = DEFAULT if model is None else model
    _check(registry.resolve(model, None), reference)
    entry = registry.resolve(model)
    network = make_tiled(entry, engine)
    name = name_of(image)
    reading = {"limits": limits or Limits(), "value_range": value_range}
    pixels = read_image(image, **reading)
    registry.check_large_enough(entry, *pixels.shape[:2], name)
    if reference is not None:
        pixels = _with_reference(pixels, read_image(reference, **reading), name)
    try:
        values = network.map(pixels, threads or cores())
    except MemoryError as error:
        raise out_of_memory(name) from error
    if not np.isfinite(values).all():
        text = f"{name}: {entry.name} answers with NaN or infinity."
        raise ImageError("non_finite", text, name)
    # Places may be smaller than the cells that the network is cut at.
    side = network.cell * (pixels.shape[0] // network.cell) // values.shape[0]
    direction = entry.output.get("map_direction", entry.output.get("direction"))
    return QualityMap(name, entry.name, values, side, direction or "higher_is_better")


def map_models() -> list[str]:
    """The names of the models whose cards name a map, sorted."""
    return [
        name
        for name, card in cards.known_cards().items()
        if _has_map(card["input"], card["output"])
    ]


def _has_map(rule: Any, output: Any) -> bool:
    return "map" in output and rule.get("fit") == "native"


def _check(entry: registry.Entry, reference: Any) -> None:
    """Raise an error for a model without a map or weights, or a wrong reference."""
    if not _has_map(entry.input, entry.output):
        raise UsageError(
            f"{entry.name} has no map of places. Models with one: "
            f"{', '.join(map_models())}."
        )
    if not entry.card.get("weights"):
        raise WeightsError(
            f"{entry.name} has no trained weights yet, which a map needs. Train it on "
            f"your photos (`iqa-zoo train --model {entry.name}`, see the page on maps) "
            "and name the run's folder (model, -m)."
        )
    pair = entry.input.get("pair", False)
    if pair and reference is None:
        raise UsageError(
            f"{entry.name} compares a photo with its original; give that as reference."
        )
    if reference is not None and not pair:
        raise UsageError(f"{entry.name} takes no reference; leave it out.")


def _with_reference(pixels: Pixels, reference: Pixels, name: str) -> Pixels:
    if reference.shape != pixels.shape:
        sizes = [f"{x.shape[1]} x {x.shape[0]}" for x in (pixels, reference)]
        raise ImageError(
            "different_sizes",
            f"{name}: {sizes[0]} pixels, but the reference has {sizes[1]}. Crop or "
            "resize one of them.",
            name,
        )
    return np.concatenate([pixels, reference], axis=-1)
