"""Which distortion a photo has, and how strongly, by a network that names them."""

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from iqa_zoo import registry
from iqa_zoo.engines import make_engine
from iqa_zoo.errors import UsageError
from iqa_zoo.images import Pixels, fit_by, name_of, read_image

#: Squares that a photo is looked at by, at most.
MOST_SQUARES = 16
# Probabilities are not taken to be less.
_TINY = 1e-12


class NamedDistortion(NamedTuple):
    """One kind of distortion that a photo may have.

    Attributes:
        kind: its name, as in `iqa_zoo.distortions.KINDS` where it is ours.
        level: the most probable of its levels, 1 (weak) to 5 (strong); None of a model
            that knows no levels.
        probability: that of all its levels together, 0 to 1.
    """

    kind: str
    level: int | None
    probability: float


def name_distortion(
    photo: Any,
    model: str | os.PathLike[str] = "scnn",
    *,
    engine: str = "auto",
) -> list[NamedDistortion]:
    """The kinds of distortion that a photo may have, the most probable one first.

    Up to 16 squares of the photo, in its own size and spread over it evenly, are looked
    at. Their answers are multiplied: a square that shows nothing says little.

    Args:
        photo: a path, encoded bytes, or what `iqa_zoo.images.read_image` takes.
        model: a model whose card says ``output.kind = "classes"``, or a run of one.
        engine: "auto", "litert" or "tensorflow"; see `iqa_zoo.engines.make_engine`.

    Returns:
        All kinds that the model knows; their probabilities sum to 1. A model without a
        class for photos that are not distorted names one nevertheless.

    Raises:
        ImageError: the photo cannot be read, or is too small.
        UnknownNameError: no such model or engine.
        UsageError: the model names no distortions.
        WeightsError: it has no trained weights, or its file is not what its card says.
    """
    return namer(model, engine)(photo)


def namer(
    model: str | os.PathLike[str] = "scnn", engine: str = "auto"
) -> Callable[[Any], list[NamedDistortion]]:
    """What `name_distortion` does to a photo, with the model loaded once."""
    entry = registry.resolve(model)
    if entry.output["kind"] != "classes":
        raise UsageError(
            f"{entry.name} names no distortions. Give a model that does, say scnn."
        )
    runner = make_engine(entry, engine)
    classes = [_parted(name) for name in entry.output["classes"]]

    def name(photo: Any) -> list[NamedDistortion]:
        pixels = read_image(photo)
        registry.check_large_enough(entry, *pixels.shape[:2], name_of(photo))
        if entry.input["fit"] == "native":
            parts = squares(pixels, *entry.input["size"])
        else:
            parts = [fit_by(entry.input, pixels)]
        answers = runner.predict(parts).astype(np.float64)
        product = np.exp(np.log(np.maximum(answers, _TINY)).mean(0))
        return _summed(classes, product / product.sum())

    return name


def squares(pixels: Pixels, height: int, width: int) -> list[Pixels]:
    """At most `MOST_SQUARES` parts of that size, spread evenly, the borders included.

    As many a side as lie beside each other, and all of the photo where they suffice.
    """
    tall, wide = pixels.shape[:2]
    rows, columns = max(tall // height, 1), max(wide // width, 1)
    while rows * columns > MOST_SQUARES:
        rows, columns = (rows - 1, columns) if rows > columns else (rows, columns - 1)
    return [
        pixels[top : top + height, left : left + width]
        for top in _spread(tall - height, rows)
        for left in _spread(wide - width, columns)
    ]


def _spread(room: int, count: int) -> list[int]:
    """So many places from 0 to `room`; one alone is in the middle."""
    if count == 1:
        return [room // 2]
    return [round(room * place / (count - 1)) for place in range(count)]


def _parted(name: str) -> tuple[str, int | None]:
    """Kind and level of a class, KIND or KIND-LEVEL."""
    kind, _, level = name.rpartition("-")
    return (kind, int(level)) if kind else (name, None)


def _summed(
    classes: list[tuple[str, int | None]], shares: np.ndarray
) -> list[NamedDistortion]:
    found = []
    for kind in dict.fromkeys(kind for kind, _ in classes):
        own = [place for place, (other, _) in enumerate(classes) if other == kind]
        best = max(own, key=lambda place: float(shares[place]))
        found.append(NamedDistortion(kind, classes[best][1], float(shares[own].sum())))
    return sorted(found, key=lambda one: -one.probability)
