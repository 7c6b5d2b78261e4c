"""What goes into a file: a network, and how its answers are read."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from iqa_zoo import registry
from iqa_zoo.engines import float32
from iqa_zoo.engines.litert import PAIR
from iqa_zoo.errors import UsageError
from iqa_zoo.opinions import bin_values, mean_and_std

if TYPE_CHECKING:
    import keras


class Subject(NamedTuple):
    """The network that is exported.

    Attributes:
        entry: the model, with its weights.
        network: it, of a static size.
        size: height and width of the network's input.
    """

    entry: registry.Entry
    network: "keras.Model"
    size: tuple[int, int]

    @property
    def rule(self) -> Mapping[str, Any]:
        """How the library brings a photo to the network's size."""
        return {**self.entry.input, "size": list(self.size)}

    @property
    def output(self) -> str:
        """The name of the output that the score is made of."""
        kind: str = self.entry.output["kind"]
        return kind

    @property
    def scale(self) -> tuple[float, float]:
        """The lowest and the highest score; of probabilities of classes, theirs."""
        low, high = self.entry.output.get("scale", (0, 1))
        return float(low), float(high)

    @property
    def is_pair(self) -> bool:
        """Whether the network takes a distorted picture and its reference."""
        return bool(self.entry.input.get("pair", False))

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the network's inputs."""
        return PAIR if self.is_pair else ("image",)

    @property
    def labels(self) -> list[str]:
        """What the numbers of the output stand for: scores, the score, distortions."""
        if self.output == "classes":
            return list(self.entry.output["classes"])
        if self.output == "score":
            return [self.output]
        bins = self.entry.output["bins"]
        return [f"{score:g}" for score in bin_values(self.scale, bins)]

    def score(self, answer: np.ndarray) -> np.ndarray:
        """What files are compared by: the score of a photo, or its classes' shares.

        Args:
            answer: the output for one photo, (n,).

        Returns:
            (1,), of classes (n,).
        """
        if self.output == "distribution":
            return np.array([mean_and_std(answer, self.scale)[0]])
        return answer


#: From pixels, uint8 (height, width, 3), of pairs (height, width, 6), and a number of
#: threads, to the output of a network, float32 (n,).
Run = Callable[[np.ndarray, int], np.ndarray]


class Made(NamedTuple):
    """A file that has not got its name yet.

    Attributes:
        content: its bytes, or the folder that holds a SavedModel.
        size: height and width of its input.
        run: it.
        operators: of a LiteRT file, how often it has each.
        plain: of one that reduces its input, that without the reduction.
        files: of a SavedModel, its signature for encoded images.
    """

    content: bytes | Path
    size: tuple[int, int]
    run: Run
    operators: dict[str, int] | None = None
    plain: Run | None = None
    files: Any = None


def subject(
    model: str | os.PathLike[str] | None, size: Sequence[int] | None
) -> Subject:
    """The network of a model by name, or of a run's folder.

    Args:
        model: None for the default model.
        size: height and width of its input; None for the card's.

    Raises:
        UsageError: it has no network, or no weights, or not of that size.
    """
    entry = registry.resolve(registry.default_model() if model is None else model)
    if entry.is_measure:
        what = "is a fusion" if "network" in entry.card else "is a hand-made measure"
        raise UsageError(
            f"{entry.name} {what}: it has no network of its own that could be "
            "exported. Score with it here, or name a network (iqa-zoo models)."
        )
    height, width = size or entry.input["size"]
    least = max(entry.input["least"], entry.card.get("network_least", 1))
    if min(height, width) < least:
        raise UsageError(
            f"size is {height}x{width}; {entry.name} takes {least} pixels a side or "
            "more."
        )
    with float32():
        network = registry.load_network(entry.name, size=(height, width))
    return Subject(entry, network, (height, width))
