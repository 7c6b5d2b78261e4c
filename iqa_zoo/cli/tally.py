"""What the last line of a run says."""

import time
from collections import Counter

from iqa_zoo.results import ImageScore


class Tally:
    """What the summary says.

    Attributes:
        rows: how many rows there are.
        earlier: how many of them an earlier run wrote.
        failed: how many of them have no score, by code.
    """

    def __init__(self, models: int) -> None:
        self.rows = self.earlier = 0
        self.failed: Counter[str] = Counter()
        self._models = models
        self._start = time.monotonic()

    def add(self, score: ImageScore) -> None:
        self.rows += 1
        if score.error:
            self.failed[score.error] += 1

    def summary(self, left_out: int) -> str:
        """One line of figures."""
        seconds = time.monotonic() - self._start
        fresh = self.rows - self.earlier
        rate = fresh / self._models / seconds
        return summary(self.rows, self.failed, self.earlier, left_out, rate)


def summary(
    rows: int, failed: Counter[str], earlier: int, left_out: int, rate: float
) -> str:
    """One line of figures.

    Args:
        rows: how many rows there are.
        failed: how many of them have no score, by code.
        earlier: how many of them an earlier run wrote.
        left_out: how many files in folders had no image's suffix.
        rate: images a second.
    """
    parts = [f"{rows - failed.total()} scored"]
    if failed:
        codes = ", ".join(f"{n} {code}" for code, n in failed.most_common())
        parts.append(f"{failed.total()} failed ({codes})")
    if earlier:
        parts.append(f"{earlier} of them earlier")
    if left_out:
        parts.append(f"{left_out} other file{'s' * (left_out > 1)} left out")
    if rows > earlier and rows > failed.total():
        parts.append(f"{rate:.1f} images/s")
    return ", ".join(parts)
