"""The card of the diagnosis: from which value on a flag is raised, and how well.

`thresholds.toml` is written by `benchmarks/diagnose_thresholds.py`.
"""

import functools
import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from iqa_zoo.errors import CardError

FILE = Path(__file__).with_name("thresholds.toml")


class Threshold(NamedTuple):
    """One flag's table.

    Attributes:
        measure: what is measured, with its unit.
        usual: the median of clean photos.
        slight: the value where the verdict becomes yes.
        strong: the value from which on it is strong.
        matching: the distortions that the flag is to find.
        precision: share of its alarms that were right, where it was fitted.
        recall: share of the matching distortions of level 3 and above that it found.
        false_flags: share of clean photos that it was raised on.
    """

    measure: str
    usual: float
    slight: float
    strong: float
    matching: tuple[str, ...]
    precision: float
    recall: float
    false_flags: float

    def score(self, value: float) -> float:
        """0 at `usual`, 0.5 at `slight`, 1 at `strong` and beyond, linear between."""
        points = [self.usual, self.slight, self.strong]
        if self.strong < self.usual:
            value, points = -value, [-point for point in points]
        low, middle, high = points
        if value < middle:
            return max(0.0, 0.5 * (value - low) / (middle - low))
        return min(1.0, 0.5 + 0.5 * (value - middle) / (high - middle))


@functools.cache
def thresholds() -> Mapping[str, Threshold]:
    """The card's tables by flag.

    Raises:
        CardError: the file breaks the schema.
    """
    return read(FILE)


def read(file: Path) -> dict[str, Threshold]:
    """The tables of a card's file.

    Raises:
        CardError: it is no TOML, or a key is unknown, missing or of the wrong type.
    """
    try:
        card = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CardError(f"{file} cannot be read as TOML: {error}.") from error
    flags = card.get("flags")
    if not isinstance(flags, dict) or set(card) - {"flags", "fitted_on", "clean"}:
        raise CardError(
            f"{file} has the keys {', '.join(card)}; allowed are fitted_on, clean and "
            "a table flags."
        )
    return {name: _threshold(file, name, table) for name, table in flags.items()}


def _threshold(file: Path, name: str, table: Any) -> Threshold:
    wanted = set(Threshold._fields)
    if not isinstance(table, dict) or set(table) != wanted:
        found = ", ".join(sorted(table)) if isinstance(table, dict) else repr(table)
        raise CardError(
            f"{file}: {name} has {found}; it must have {', '.join(sorted(wanted))}."
        )
    numbers = wanted - {"measure", "matching"}
    for key in numbers:
        if not isinstance(table[key], int | float) or not math.isfinite(table[key]):
            raise CardError(f"{file}: {name}.{key} is {table[key]!r}, no number.")
    usual, slight, strong = (table[key] for key in ("usual", "slight", "strong"))
    if not (usual < slight < strong or usual > slight > strong):
        raise CardError(
            f"{file}: {name} must go up or down from usual over slight to strong."
        )
    return Threshold(**{**table, "matching": tuple(table["matching"])})
