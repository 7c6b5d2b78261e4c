"""Columns of an opinion table as files, numbers, votes and names, each cell checked.

Every function takes a column's name, its cells, the place of each in the file and a
list, to which it adds a problem for each cell that cannot be used.
"""

import contextlib
import math
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iqa_zoo.data.tables import Problem, shown
from iqa_zoo.images import IMAGE_SUFFIXES

FloatArray = NDArray[np.float64]

_NUMBER = r"[^,]+(,\d[^,]*)?"  # that may have a decimal comma

#: The sides of a split, by what tables call them.
SIDES = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}

#: Opinion scales in common use, the narrowest first; one is taken where none is given.
COMMON_RANGES = ((0, 1), (1, 5), (0, 5), (1, 10), (0, 10), (0, 100))


def files(
    what: str,
    names: Sequence[str],
    folder: Path,
    places: Sequence[int],
    problems: list[Problem],
) -> list[Path | None]:
    """The file of each name in `folder`; None where there is none.

    A name that no file has may differ in upper and lower case, or lack the suffix of
    an image; a name with such a suffix lacks none.
    """
    find = _Finder(what, folder)
    paths: list[Path | None] = []
    for place, name in zip(places, names, strict=True):
        try:
            paths.append(find(name))
        except ValueError as error:
            problems.append((place, str(error)))
            paths.append(None)
    return paths


class _Finder:
    """Finds the files that a table names, within one folder."""

    def __init__(self, what: str, folder: Path) -> None:
        self.what = what
        self.folder = folder
        self.by_folded_name: dict[str, list[Path]] | None = None

    def __call__(self, name: str) -> Path:
        """The file of that name; ValueError says why there is none."""
        relative = Path(name)
        if not name.strip():
            raise ValueError(f"the {self.what}'s name is empty")
        if relative.is_absolute() or ".." in relative.parts:
            raise ValueError(f"{self.what} {shown(name)} is not inside {self.folder}")
        found = self.folder / relative
        if os.path.isfile(found):  # False also for names that no file can have
            return found
        if self.by_folded_name is None:
            self.by_folded_name = self._folded_names()
        similar = self.by_folded_name.get(relative.as_posix().casefold(), [])
        if len(similar) > 1:
            known = [file.name for file in similar]
            raise ValueError(f"{self.what} {shown(name)} could be any of {known}")
        if not similar or not os.path.isfile(similar[0]):
            raise ValueError(f"{self.what} {shown(name)} is not in {self.folder}")
        return similar[0]

    def _folded_names(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for file in sorted(
            Path(folder, name)
            for folder, _, names in os.walk(self.folder)
            for name in names
        ):
            name = file.relative_to(self.folder).as_posix().casefold()
            found.setdefault(name, []).append(file)
            stem, suffix = os.path.splitext(name)
            if suffix in IMAGE_SUFFIXES and not stem.endswith(tuple(IMAGE_SUFFIXES)):
                found.setdefault(stem, []).append(file)
        return found


def numbers(
    name: str,
    cells: Sequence[str],
    places: Sequence[int],
    problems: list[Problem],
    *,
    decimal_comma: bool = False,
) -> FloatArray:
    """The column as float64; NaN where there is no finite number."""
    values = np.full(len(cells), math.nan)
    for row, cell in enumerate(cells):
        try:
            values[row] = _number(cell, decimal_comma)
        except ValueError:
            text = (
                f"{shown(cell)} is not a finite number" if cell.strip() else "is empty"
            )
            problems.append((places[row], f"{name} {text}"))
    return values


def whole_numbers(
    name: str, cells: Sequence[str], places: Sequence[int], problems: list[Problem]
) -> list[int]:
    """The column as numbers from 0 on; -1 where there is none."""
    values = []
    for place, cell in zip(places, cells, strict=True):
        number = -1.0
        with contextlib.suppress(ValueError):
            number = _number(cell)
        if number < 0 or number % 1:
            text = f"{shown(cell)} is not 0, 1, 2, ..." if cell.strip() else "is empty"
            problems.append((place, f"{name} {text}"))
            number = -1.0
        values.append(int(number))
    return values


def texts(
    name: str, cells: Sequence[str], places: Sequence[int], problems: list[Problem]
) -> list[str]:
    """The column without white space around its cells; none of them may be empty."""
    for place, cell in zip(places, cells, strict=True):
        if not cell.strip():
            problems.append((place, f"{name} is empty"))
    return [cell.strip() for cell in cells]


def sides(
    name: str, cells: Sequence[str], places: Sequence[int], problems: list[Problem]
) -> list[str]:
    """The column as "train", "validation" and "test"; "" where it is none of them."""
    found = [SIDES.get(cell.strip().lower(), "") for cell in cells]
    for place, cell, side in zip(places, cells, found, strict=True):
        if not side:
            wanted = "is none of train, validation and test"
            text = f"{shown(cell)} {wanted}" if cell.strip() else "is empty"
            problems.append((place, f"{name} {text}"))
    return found


def histograms(
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    places: Sequence[int],
    problems: list[Problem],
    *,
    decimal_comma: bool = False,
) -> FloatArray:
    """Votes of each row, (rows, levels), as the table orders them; NaN where unusable.

    Args:
        names: one column a level, or one column of lists: JSON, or numbers parted by
            spaces, commas, semicolons or bars.
        rows: the cells of these columns.
    """
    name = f"{names[0]} to {names[-1]}" if len(names) > 1 else names[0]
    parsed: list[list[float]] = []
    for place, cells in zip(places, rows, strict=True):
        try:
            parsed.append(_votes(cells, decimal_comma))
        except ValueError as error:
            problems.append((place, f"{name} {error}"))
            parsed.append([])
    counts = Counter(len(votes) for votes in parsed if votes)
    levels = counts.most_common(1)[0][0] if counts else 2
    found = np.full((len(rows), levels), math.nan)
    for row, votes in enumerate(parsed):
        if votes and len(votes) != levels:
            text = f"has {len(votes)} votes where most rows have {levels}"
            problems.append((places[row], f"{name} {text}"))
        elif votes:
            found[row] = votes
    return found


def _votes(cells: Sequence[str], decimal_comma: bool) -> list[float]:
    if len(cells) > 1:
        parts = list(cells)
    else:
        text = cells[0].strip(" \t[]()")
        parts = re.split(r"[\s;|]+", text)
        # Commas within the parts are decimal ones where something else parts them.
        decimal_comma = decimal_comma and len(parts) > 1
        if not (decimal_comma and all(re.fullmatch(_NUMBER, part) for part in parts)):
            parts = re.split(r"[\s,;|]+", text)
    votes = []
    for part in parts:
        try:
            votes.append(_number(part, decimal_comma))
        except ValueError:
            if not part.strip():
                raise ValueError("is empty") from None
            text = f"has {shown(part)}, which is not a finite number"
            raise ValueError(text) from None
    if len(votes) < 2:
        raise ValueError(f"has {len(votes)} votes; 2 levels or more are needed")
    if min(votes) < 0:
        raise ValueError(f"has the negative vote {min(votes):.12g}")
    if not 0 < sum(votes) < math.inf:
        raise ValueError(f"has the sum {sum(votes):.12g}")
    return votes


def is_number(cell: str) -> bool:
    """Whether a cell holds one finite number."""
    try:
        _number(cell)
    except ValueError:
        return False
    return True


def _number(cell: str, decimal_comma: bool = False) -> float:
    """The finite number that a cell holds; ValueError where it holds none."""
    if "_" in cell:  # float() reads "3_5" as 35, but in a table it is a slip
        raise ValueError
    if decimal_comma and "." not in cell:
        cell = cell.replace(",", ".")
    number = float(cell)
    if not math.isfinite(number):
        raise ValueError
    return number


def range_of(
    name: str,
    scores: FloatArray,
    declared: tuple[float, float] | None,
    places: Sequence[int],
    problems: list[Problem],
) -> tuple[float, float]:
    """The declared range; else the narrowest of COMMON_RANGES that has all scores.

    Scores beyond the declared range, or on no common scale, are problems. Rows that
    have problems already say nothing of the range.
    """
    if declared is not None:
        low, high = declared
        for row in np.flatnonzero((scores < low) | (scores > high)).tolist():
            text = f"{name} {scores[row]:.12g} is outside {low:.12g} to {high:.12g}"
            problems.append((places[row], text))
        return float(low), float(high)
    bad = {place for place, _ in problems}
    usable = np.array([place not in bad for place in places], dtype=bool)
    known = scores[np.isfinite(scores) & usable]
    for low, high in COMMON_RANGES:
        if np.all((known >= low) & (known <= high)):
            return float(low), float(high)
    low, high = float(known.min()), float(known.max())
    text = f"{name} goes from {low:g} to {high:g}, which is on no common scale; "
    problems.append((0, text + "give the range of possible scores"))
    return low, high


def check_deviations(
    name: str,
    values: FloatArray,
    scale: tuple[float, float],
    places: Sequence[int],
    problems: list[Problem],
) -> None:
    """Add the deviations that are negative or larger than any two ratings have."""
    low, high = scale
    for row in np.flatnonzero(values < 0).tolist():
        problems.append((places[row], f"{name} {values[row]:.12g} is negative"))
    # Of two ratings at the ends of the scale, as a sample's deviation is computed.
    most = (high - low) / math.sqrt(2)
    for row in np.flatnonzero(values > most * (1 + 1e-9)).tolist():
        text = f"is more than scores from {low:.12g} to {high:.12g} can have"
        problems.append((places[row], f"{name} {values[row]:.12g} {text}"))
