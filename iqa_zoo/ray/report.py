"""What has come: rows that are kept, each once, and what there is to say of them."""

import dataclasses
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from iqa_zoo.ray.actors import SECONDS
from iqa_zoo.ray.parts import Parts


@dataclasses.dataclass
class Report:
    """How far a run is.

    Attributes:
        models: the models' names.
        total: how many images it has to score; None where they are a data set of Ray,
            whose number is not known.
        images: how many of them have their rows by now.
        earlier: how many rows the folder held before.
        rows: how many it holds by now, or soon.
        failed: how many of these rows have no score, by code.
        repeated: rows of a data set that were left out, because an image before them
            had the same path.
        actors: how many processes score.
        startup: seconds until the first image was begun.
        seconds: from then until now.
    """

    models: tuple[str, ...]
    total: int | None = None
    images: int = 0
    earlier: int = 0
    rows: int = 0
    failed: Counter[str] = dataclasses.field(default_factory=Counter)
    repeated: int = 0
    actors: int = 0
    startup: float = 0.0
    seconds: float = 0.0


class Rows:
    """Takes in rows, each once, whatever comes."""

    def __init__(
        self,
        report: Report,
        parts: Parts,
        done: set[str],
        begun: float,
        progress: Callable[[Report], object] | None,
    ) -> None:
        self.report = report
        self._parts = parts
        self._done = done
        self._begun = begun
        self._progress = progress or (lambda report: None)
        self._started: float | None = None

    def missing(self, places: dict[str, str]) -> dict[str, str]:
        """Those that have no rows yet."""
        return {path: places[path] for path in places if path not in self._done}

    def take(self, tables: Iterable[Any]) -> None:
        """All rows that actors give."""
        for table in tables:
            if not len(table):
                continue
            if self._started is None:
                self._started = time.monotonic() - table[SECONDS][0].as_py()
                self.report.startup = self._started - self._begun
            self.add(table.drop_columns([SECONDS]))

    def add(self, table: Any) -> None:
        """Rows of images; those of an image that has rows already are left out."""
        import pyarrow as pa

        report, paths = self.report, table["path"].to_pylist()
        fresh = []
        here = set()
        for row in zip(paths, table["model"].to_pylist(), strict=True):
            fresh.append(row[0] not in self._done and row not in here)
            here.add(row)
        if not all(fresh):
            table = table.filter(pa.array(fresh))
            report.repeated += fresh.count(False)
        self._parts.add(table)
        before = len(self._done)
        self._done.update(paths)
        report.images += len(self._done) - before
        report.rows += len(table)
        report.failed.update(code for code in table["error"].to_pylist() if code)
        if self._started is not None:
            report.seconds = time.monotonic() - self._started
        self._progress(report)
