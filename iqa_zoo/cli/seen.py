"""Scored photos that the weights learned from, whose scores prove nothing."""

import contextlib
import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence

from iqa_zoo import registry
from iqa_zoo.errors import WeightsError
from iqa_zoo.files import fingerprint
from iqa_zoo.results import ImageScore

logger = logging.getLogger("iqa_zoo")


class Seen:
    """Counts them while rows come.

    Args:
        models: the models' names.
    """

    def __init__(self, models: Sequence[str]) -> None:
        self._known = {model: _seen(model) for model in models}
        self._scored: Counter[str] = Counter()
        self._seen: Counter[str] = Counter()
        self._last = ("", "")  # the latest photo and its fingerprint

    def add(self, score: ImageScore) -> None:
        """Take note of one score."""
        known = self._known[score.model]
        # A pipe can be read only once.
        if score.value is None or not known or not os.path.isfile(score.path):
            return
        with contextlib.suppress(OSError):  # it has gone since
            if self._last[0] != score.path:
                self._last = (score.path, fingerprint(score.path))
            self._scored[score.model] += 1
            self._seen[score.model] += self._last[1] in known

    def notes(self) -> Iterator[str]:
        """A line for each model that learned from some of the photos."""
        for model, seen in self._seen.items():
            if seen:
                of = f"{model}: " if len(self._known) > 1 else ""
                were = "were" if seen > 1 else "was"
                yield (
                    f"{of}{seen} of {self._scored[model]} photos {were} among those "
                    "that the weights learned from; such scores say little about how "
                    "well it judges new photos"
                )


def _seen(model: str) -> frozenset[str]:
    try:
        return registry.resolve(model).seen()
    except WeightsError as error:  # scores do not depend on it
        logger.warning("What %s was trained on is not known: %s", model, error)
        return frozenset()
