"""What models say about images, side by side, and what sharpness alone says."""

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from iqa_zoo import registry
from iqa_zoo.correlation import FloatArray, logistic_fit
from iqa_zoo.errors import ImageError, OpinionError
from iqa_zoo.evaluation.baselines import sharpness
from iqa_zoo.files import fingerprint
from iqa_zoo.images import read_image
from iqa_zoo.results import ImageScore
from iqa_zoo.scoring import Scorer
from iqa_zoo.threads import cores

_log = logging.getLogger(__name__)

SHARPNESS = "sharpness"

LEAST = 3  # images that correlations are taken of

#: From scores that come one by one, and how many there will be, to the same scores.
Watch = Callable[[Iterable[Any], int], Iterable[Any]]


def unwatched(things: Iterable[Any], total: int) -> Iterable[Any]:
    """The same things."""
    return things


class Answers(NamedTuple):
    """What one model says about n images, row by row.

    Attributes:
        model: its name with its tag, or its folder.
        scores: float64 (n,), as the model gives them; NaN where it gave none.
        direction: "higher_is_better" or "lower_is_better".
        distributions: float64 (n, bins), or None.
        scale: the lowest and the highest score, or None where there are no bounds.
        seen: how many of the images the model was trained on.
    """

    model: str
    scores: FloatArray
    direction: str = "higher_is_better"
    distributions: FloatArray | None = None
    scale: tuple[float, float] | None = None
    seen: int = 0

    @property
    def good(self) -> FloatArray:
        """The scores with high for good."""
        return self.scores if self.direction == "higher_is_better" else -self.scores

    @property
    def kept(self) -> NDArray[np.int64]:
        """The rows that have a score."""
        return np.flatnonzero(np.isfinite(self.scores))

    def wrong(self, truth: FloatArray) -> FloatArray:
        """How much better the images are rated than by people, (n,) or NaN.

        Args:
            truth: (n,), opinions, high for good; the result is in their units, after
                the logistic of four that fits them best.
        """
        wrong = np.full(len(self.scores), np.nan)
        kept = self.kept
        wrong[kept] = logistic_fit(self.good[kept], truth[kept]).mapped - truth[kept]
        return wrong


def ask(
    models: Sequence[str | os.PathLike[str]],
    paths: Sequence[Path],
    engine: str,
    watch: Watch = unwatched,
) -> list[Answers]:
    """The answers of several models to the same images.

    Raises:
        OpinionError: a model scored fewer than three of them.
    """
    scorer = Scorer(list(models), engine=engine)
    total = len(paths) * len(scorer.models)
    _log.info("Scoring %d photos by %s.", len(paths), ", ".join(scorer.models))
    results = list(watch(scorer.score(list(paths)), total))
    return [
        _answers(model, scorer.models[index], paths, results[index :: len(models)])
        for index, model in enumerate(models)
    ]


def ask_sharpness(paths: Sequence[Path], watch: Watch = unwatched) -> Answers:
    """`baselines.sharpness` of each image."""

    def judge(path: Path) -> float:
        try:
            return sharpness(read_image(path))
        except ImageError:
            return np.nan

    _log.info("Measuring their sharpness, to compare with.")
    with ThreadPoolExecutor(cores()) as pool:
        values = list(watch(pool.map(judge, paths), len(paths)))
        return Answers(SHARPNESS, np.array(values))


def _answers(
    model: str | os.PathLike[str],
    name: str,
    paths: Sequence[Path],
    results: Sequence[ImageScore],
) -> Answers:
    scores = np.array([np.nan if r.value is None else r.value for r in results])
    kept = np.flatnonzero(np.isfinite(scores))
    if len(kept) < LEAST:
        failures = [result.message for result in results if result.error]
        first = f" The first failure: {failures[0]}" if failures else ""
        raise OpinionError(
            f"{os.fspath(model)} scored {len(kept)} of {len(results)} images; {LEAST} "
            f"are needed.{first}"
        )
    one = results[kept[0]]
    distributions = None
    if one.distribution is not None:
        distributions = np.full((len(scores), len(one.distribution)), np.nan)
        distributions[kept] = [results[row].distribution for row in kept]
    known = registry.resolve(model).seen()
    return Answers(
        model=name,
        scores=scores,
        direction=one.direction or "higher_is_better",
        distributions=distributions,
        scale=one.scale,
        seen=sum(fingerprint(paths[row]) in known for row in kept) if known else 0,
    )
