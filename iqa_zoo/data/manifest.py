"""Tables of opinion scores, checked whole before anything is trained on them."""

import contextlib
import csv
import io
import logging
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iqa_zoo.errors import OpinionError, UnknownNameError, UsageError
from iqa_zoo.opinions import DIRECTIONS, to_distribution, votes_to_distribution

FloatArray = NDArray[np.float64]
Problem = tuple[int, str]  # line in the file (0: the whole table), what is wrong

#: Opinion scales in common use, the narrowest first; one is taken where none is given.
COMMON_RANGES = ((0, 1), (1, 5), (0, 5), (1, 10), (0, 10), (0, 100))

LEAST_ROWS = 10

_LISTED = 20  # problems that an error spells out; the others are counted

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Images and the opinions about them, row by row in the table's order.

    Attributes:
        names: image names as the table has them.
        paths: the files, in the folder of images.
        mos: float64 (rows,), on `range`; DMOS where `direction` says so.
        std: float64 (rows,), standard deviations of the ratings in units of `range`,
            or None.
        group: for each row the name of what must not be torn apart by a split
            (reference picture, prompt), or None.
        range: the lowest and the highest possible score.
        direction: "higher_is_better" or "lower_is_better".
        range_inferred: `range` was not given but taken from the scores.
        votes: float64 (rows, levels), counts or shares of the ratings, the worst level
            first, the levels spread evenly over `range`, ends included; or None.
        reference: for each row the pristine picture that it was made from, or None.
        split: for each row "train", "validation" or "test", or None.
        distortion: for each row the name of its distortion, or None.
        level: for each row the number of its distortion's level, or None.
        skipped: rows of the table that were left out because they are bad.
    """

    names: tuple[str, ...]
    paths: tuple[Path, ...]
    mos: FloatArray
    std: FloatArray | None
    group: tuple[str, ...] | None
    range: tuple[float, float]
    direction: str
    range_inferred: bool
    votes: FloatArray | None = None
    reference: tuple[Path, ...] | None = None
    split: tuple[str, ...] | None = None
    distortion: tuple[str, ...] | None = None
    level: tuple[int, ...] | None = None
    skipped: int = 0

    def distribution(
        self, scale: tuple[float, float] = (1, 10), bins: int = 10
    ) -> FloatArray:
        """float64 (rows, bins): the opinions over bins of `scale`, best last.

        The votes themselves where there are any; else what mean and deviation say.
        """
        if self.votes is not None:
            return votes_to_distribution(self.votes, bins=bins)
        return to_distribution(
            self.mos,
            self.std,
            range=self.range,
            direction=self.direction,
            scale=scale,
            bins=bins,
        )


def read_labels(
    path: str | os.PathLike[str],
    images: str | os.PathLike[str],
    *,
    image: str = "image",
    mos: str = "mos",
    std: str | None = "std",
    group: str | None = None,
    range: tuple[float, float] | None = None,
    direction: str = "higher_is_better",
) -> Labels:
    """Read a CSV table of one row an image and check every row of it.

    The first line names the columns; cells are parted by commas, semicolons or tabs;
    the text is UTF-8. Columns that are not asked for are left alone.

    Args:
        path: the table.
        images: folder of the images. Names in the table are paths within it; where
            there is no file of exactly that name, one that differs only in upper and
            lower case is taken.
        image: column of image names.
        mos: column of scores.
        std: column of the ratings' standard deviations. "std" is used where the table
            has it; any other name must be there. None leaves deviations out.
        group: column of what must not be torn apart by a split.
        range: lowest and highest possible score. None takes the narrowest of
            COMMON_RANGES that contains all scores, and logs it.
        direction: "higher_is_better" (MOS) or "lower_is_better" (DMOS).

    Raises:
        OpinionError: the table cannot be read, or rows are unusable. One error lists
            the problems of all rows, each with its line in the file.
        UnknownNameError: a column or a direction of that name does not exist.
        UsageError: `range` cannot be meant.
    """
    if direction not in DIRECTIONS:
        raise UnknownNameError("direction", direction, DIRECTIONS)
    if range is not None and not (-math.inf < range[0] < range[1] < math.inf):
        raise UsageError(
            f"range {range[0]} to {range[1]} cannot be meant; give two numbers, the "
            "lower one first (direction says whether high is good)."
        )
    path, folder = Path(path), Path(images)
    if not folder.is_dir():
        raise OpinionError(f"The folder of images {folder} does not exist.")
    header, rows = _read_table(path)
    if std == "std" and std not in header:
        std = None
    wanted = [name for name in (image, mos, std, group) if name is not None]
    for name in wanted:
        if name not in header:
            raise UnknownNameError(f"column of {path}", name, header)
        if header.count(name) > 1:
            raise OpinionError(f"{path} has {header.count(name)} columns {name!r}.")

    problems: list[Problem] = []
    whole = []
    for line, cells in rows:
        if len(cells) == len(header):
            whole.append((line, cells))
        else:
            text = f"{len(cells)} cells where the header has {len(header)}"
            problems.append((line, text))
    if len(rows) < LEAST_ROWS:
        problems.append((0, f"{len(rows)} rows; {LEAST_ROWS} or more are needed"))

    lines = [line for line, _ in whole]
    columns = {
        name: [cells[header.index(name)] for _, cells in whole] for name in wanted
    }
    paths = _files(columns[image], folder, lines, problems)
    scores = _numbers(mos, columns[mos], lines, problems)
    taken = _range_of(mos, scores, range, lines, problems)
    deviations = None
    if std is not None:
        deviations = _numbers(std, columns[std], lines, problems)
        for row in np.flatnonzero(deviations < 0).tolist():
            problems.append((lines[row], f"{std} {deviations[row]:.12g} is negative"))
    if group is not None:
        for line, text in zip(lines, columns[group], strict=True):
            if not text.strip():
                problems.append((line, f"{group} is empty"))
    if problems:
        raise OpinionError(_report(path, problems))
    if range is None:
        _log.info("%s: range of %s taken to be %g to %g", path, mos, *taken)
    return Labels(
        names=tuple(columns[image]),
        paths=paths,
        mos=scores,
        std=deviations,
        group=tuple(columns[group]) if group is not None else None,
        range=taken,
        direction=direction,
        range_inferred=range is None,
    )


def _read_table(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Header, and the other rows each with its (last) line in the file."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            text = file.read()
    except OSError as error:
        raise OpinionError(f"Cannot read {path}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise OpinionError(
            f"{path} is not UTF-8 text ({error.reason} at byte {error.start}); "
            "save the table as CSV in UTF-8."
        ) from error
    first_line = text.partition("\n")[0]
    delimiter = max(",;\t", key=first_line.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        rows = [(reader.line_num, cells) for cells in reader if cells]
    except csv.Error as error:
        raise OpinionError(
            f"{path} is not a CSV table: line {reader.line_num}: {error}."
        ) from error
    if not rows:
        raise OpinionError(f"{path} is empty; its first line must name the columns.")
    return [cell.strip() for cell in rows[0][1]], rows[1:]


def _files(
    names: Sequence[str], folder: Path, lines: Sequence[int], problems: list[Problem]
) -> tuple[Path, ...]:
    """The file of each name; what has none, or one that was there, is a problem."""
    find = _Finder(folder)
    line_of: dict[str, int] = {}
    paths = []
    for line, name in zip(lines, names, strict=True):
        try:
            path = find(name)
        except ValueError as error:
            problems.append((line, str(error)))
            path = folder / name
        paths.append(path)
        earlier = line_of.setdefault(os.path.normpath(path), line)
        if earlier != line:
            problems.append((line, f"image {name!r} is already in line {earlier}"))
    return tuple(paths)


class _Finder:
    """Finds the files that a table names, within one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.by_folded_name: dict[str, list[Path]] | None = None

    def __call__(self, name: str) -> Path:
        """The file of that name; ValueError says why there is none."""
        relative = Path(name)
        if not name.strip():
            raise ValueError("the image's name is empty")
        if relative.is_absolute() or ".." in relative.parts:
            raise ValueError(f"image {name!r} is not inside {self.folder}")
        found = self.folder / relative
        if os.path.isfile(found):  # False also for names that no file can have
            return found
        if self.by_folded_name is None:
            self.by_folded_name = {}
            for file in sorted(self.folder.rglob("*")):
                key = file.relative_to(self.folder).as_posix().casefold()
                self.by_folded_name.setdefault(key, []).append(file)
        similar = self.by_folded_name.get(relative.as_posix().casefold(), [])
        if len(similar) > 1:
            raise ValueError(
                f"image {name!r} could be any of {[file.name for file in similar]}"
            )
        if not similar or not os.path.isfile(similar[0]):
            raise ValueError(f"image {name!r} is not in {self.folder}")
        return similar[0]


def _numbers(
    name: str, texts: Sequence[str], lines: Sequence[int], problems: list[Problem]
) -> FloatArray:
    """The column as float64; NaN, and a problem, where it has no finite number."""
    values = np.full(len(texts), math.nan)
    for row, text in enumerate(texts):
        # float() reads "3_5" as 35, but in a table it is a slip.
        with contextlib.suppress(ValueError):
            values[row] = math.nan if "_" in text else float(text)
        if not math.isfinite(values[row]):
            values[row] = math.nan
            problems.append((lines[row], f"{name} {text!r} is not a finite number"))
    return values


def _range_of(
    mos: str,
    scores: FloatArray,
    declared: tuple[float, float] | None,
    lines: Sequence[int],
    problems: list[Problem],
) -> tuple[float, float]:
    """The declared range or the narrowest common one; scores beyond it are problems."""
    if declared is not None:
        low, high = declared
        for row in np.flatnonzero((scores < low) | (scores > high)).tolist():
            text = f"{mos} {scores[row]:.12g} is outside {low:.12g} to {high:.12g}"
            problems.append((lines[row], text))
        return float(low), float(high)
    known = scores[np.isfinite(scores)]
    for low, high in COMMON_RANGES:
        if np.all((known >= low) & (known <= high)):
            return float(low), float(high)
    low, high = float(known.min()), float(known.max())
    text = f"{mos} goes from {low:g} to {high:g}, which is on no common scale; "
    problems.append((0, text + "give the range of possible scores"))
    return low, high


def _report(path: Path, problems: list[Problem]) -> str:
    listed = [
        f"  line {line}: {text}" if line else f"  {text}"
        for line, text in sorted(problems)[:_LISTED]
    ]
    if len(problems) > _LISTED:
        listed.append(f"  and {len(problems) - _LISTED} more")
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return "\n".join([f"{path} cannot be used ({count}):", *listed])
