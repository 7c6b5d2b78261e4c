"""How far a long job is, now and then in the log: for files, pipes and patience."""

import logging
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

logger = logging.getLogger("iqa_zoo")

EVERY = 30  # seconds between two lines

Thing = TypeVar("Thing")


class Pace:
    """Logs how many things are done, how fast it goes, and the time left.

    Args:
        total: how many there are.
        unit: what they are, as in "pictures".
        done: how many were done before.
    """

    def __init__(self, total: int, unit: str, done: int = 0) -> None:
        self._total, self._unit, self._first = total, unit, done
        self._begun = self._told = time.monotonic()

    def tell(self, done: int) -> None:
        """Log a line where the last one is long ago and more is to do."""
        now = time.monotonic()
        if now - self._told < EVERY or not self._first < done < self._total:
            return
        self._told = now
        rate = (done - self._first) / (now - self._begun)
        left = duration((self._total - done) / rate)
        logger.info(
            "%d of %d %s, %.2g/s, about %s left.",
            *(done, self._total, self._unit, rate, left),
        )


def paced(things: Iterable[Thing], total: int, unit: str) -> Iterator[Thing]:
    """The same things, with their pace logged."""
    pace = Pace(total, unit)
    for done, thing in enumerate(things, 1):
        yield thing
        pace.tell(done)


def duration(seconds: float) -> str:
    """A time as people say it: 40 s, 12 min, 3 h 20 min."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
