"""What the readers of published layouts share: rows, folders and tables of any form."""

import contextlib
import csv
import io
import math
import operator
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from iqa_zoo.errors import OpinionError

# Of a sheet: no set has more rows, nor its columns further to the right.
_MOST_ROWS, _MOST_COLUMNS = 1_000_000, 100

Converter = Callable[[Any], Any]


class Record(NamedTuple):
    """One image of a data set as its tables have it.

    Attributes:
        image: the file, as a path within the data set's folder, with "/".
        mos: its score, in the table's own unit and direction.
        std: standard deviation of the ratings, in the unit of `mos`.
        votes: how many (or which share) gave each level, the worst level first.
        reference: the pristine picture that it was made from, as a path.
        distortion: name of the kind of distortion.
        level: number of the distortion's strength, 1 the weakest.
        split: "train", "validation" or "test", where the publisher says so.
        group: what a split must not tear apart, where that is not the reference.
    """

    image: str
    mos: float
    std: float | None = None
    votes: tuple[float, ...] | None = None
    reference: str | None = None
    distortion: str | None = None
    level: int | None = None
    split: str | None = None
    group: str | None = None


#: A reader's rows; None stands for one that it leaves out.
Records = Iterator[Record | None]


class Coded(NamedTuple):
    """A file name that says what was done: I01_02_3.png is kind 2 at level 3 of I01."""

    name: str
    reference: str
    kind: int
    level: int


def coded(name: str) -> Coded:
    """The parts of such a name; ValueError where it has others."""
    reference, kind, level = name.partition(".")[0].split("_")
    return Coded(name, reference, int(kind), int(level))


def kind_name(names: Sequence[str], number: int) -> str:
    """The name of a kind, which are counted from 1; IndexError where there is none."""
    if number < 1:  # as an index it would be the last one
        raise IndexError(f"there is no kind {number}")
    return names[number - 1]


class Folder:
    """A folder whose files are found whatever the case of their names.

    Data sets were packed on Windows: tables say I25.BMP where the file is i25.bmp.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._names: dict[Path, dict[str, str]] = {}

    def find(self, path: str) -> Path | None:
        """The file or folder of that path within this one, or None."""
        here = self.root
        for part in path.split("/"):
            names = self.names(here)
            name = names.get(part) or names.get(part.casefold())
            if name is None:
                return None
            here /= name
        return here

    def first(self, paths: Sequence[str]) -> str:
        """The first of those paths that is there; the last of all if none is."""
        return next((path for path in paths if self.find(path)), paths[-1])

    def file(self, path: str) -> Path:
        """The file of that path, which must be there."""
        found = self.find(path)
        if found is None:
            raise OpinionError(f"{self.root / path} is missing.")
        return found

    def names(self, folder: Path) -> Mapping[str, str]:
        """What lies in a folder: names by themselves and by their lower case.

        One listing of a folder serves all its files, a quarter of a million of them.
        """
        if folder not in self._names:
            names = sorted(os.listdir(folder)) if folder.is_dir() else []
            folded = {name.casefold(): name for name in reversed(names)}
            self._names[folder] = folded | {name: name for name in names}
        return self._names[folder]


def text_rows(
    path: Path, converters: Sequence[Converter], delimiter: str | None = None
) -> Iterator[tuple[Any, ...]]:
    """The first cells of each line of a text file, converted, without empty lines.

    Args:
        path: the file.
        converters: one function for each of the first cells.
        delimiter: what parts the cells; None for any white space.

    Raises:
        OpinionError: a line has too few cells, or one that does not convert.
    """
    # Not splitlines(), which also parts at letters that a name may have.
    for number, line in enumerate(_text(path).split("\n"), 1):
        cells = line.split(delimiter)
        if line.strip():
            yield _converted(f"{path}, line {number}", cells, converters)


def csv_rows(
    path: Path,
    columns: Mapping[str, Converter],
    *,
    optional: Mapping[str, Converter] | None = None,
    delimiter: str = ",",
) -> Iterator[tuple[Any, ...]]:
    """The cells of the named columns of a CSV file, row by row, converted.

    Args:
        path: the file; its first line names the columns.
        columns: a function for each column that is wanted.
        optional: columns whose cells come last and are None where the table lacks them.
        delimiter: what parts the cells.

    Raises:
        OpinionError: a column is missing, a cell does not convert, or a quotation mark
            is out of place.
    """
    reader = csv.reader(io.StringIO(_text(path)), delimiter=delimiter, strict=True)
    try:
        yield from _csv_rows(path, reader, columns, optional or {})
    except csv.Error as error:
        raise OpinionError(
            f"{path} is no table as CSV has it: line {reader.line_num}: {error}."
        ) from error


def _csv_rows(
    path: Path,
    reader: Any,
    columns: Mapping[str, Converter],
    optional: Mapping[str, Converter],
) -> Iterator[tuple[Any, ...]]:
    header = [name.strip() for name in next(reader, [])]
    missing = [name for name in columns if name not in header]
    if missing:
        raise OpinionError(f"{path} has no columns {', '.join(missing)}.")
    wanted = {**columns, **optional}
    places = [header.index(name) if name in header else None for name in wanted]
    converters = [wanted[name] if name in header else _nothing for name in wanted]
    for cells in reader:
        if cells:
            taken = [
                None if place is None else cells[place]
                for place in places
                if place is None or place < len(cells)
            ]
            yield _converted(f"{path}, line {reader.line_num}", taken, converters)


def sheet_rows(
    path: Path, columns: Mapping[str, Converter], sheet: str | None = None
) -> Iterator[tuple[Any, ...]]:
    """The cells of the named columns of an Excel sheet, row by row, converted.

    Args:
        path: the .xlsx file. The row that names the columns may stand below titles.
        columns: a function for each column that is wanted.
        sheet: the sheet's name; None for the first.

    Raises:
        OpinionError: the file is none, or sheet, column or cell are not as expected.
    """
    rows = enumerate(_sheet(path, sheet), 1)
    header = next((cells for _, cells in rows if set(columns) <= set(cells)), None)
    if header is None:
        raise OpinionError(f"{path} has no row with the columns {', '.join(columns)}.")
    places = [header.index(name) for name in columns]
    for number, cells in rows:
        taken = [cells[place] for place in places]
        if any(cell is not None for cell in taken):
            yield _converted(f"{path}, row {number}", taken, list(columns.values()))


def _sheet(path: Path, sheet: str | None) -> Iterator[tuple[Any, ...]]:
    import openpyxl

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        with contextlib.closing(book):
            table = book[sheet] if sheet else book.worksheets[0]
            table.reset_dimensions()  # those that the file claims may be anything
            cells = table.iter_rows(max_col=_MOST_COLUMNS, values_only=True)
            for number, row in enumerate(cells):
                if number == _MOST_ROWS:
                    raise ValueError(f"it has more than {_MOST_ROWS} rows")
                yield row
    # The file may be anything; openpyxl raises what its parts raise.
    except Exception as error:
        raise OpinionError(f"Cannot read {path} as an Excel file: {error}.") from error


def mat_arrays(path: Path, *names: str) -> tuple[NDArray[Any], ...]:
    """Arrays of a MATLAB file by name; cells of text become text.

    Raises:
        OpinionError: the file is no MATLAB file (5 to 7) or lacks an array.
    """
    from scipy.io import loadmat

    try:
        arrays = loadmat(path, variable_names=names, chars_as_strings=True)
    # The file may be anything; scipy raises what its parts raise.
    except Exception as error:
        raise OpinionError(f"Cannot read {path} as a MATLAB file: {error}.") from error
    missing = [name for name in names if name not in arrays]
    if missing:
        raise OpinionError(f"{path} has no array {', '.join(missing)}.")
    return tuple(_cells(arrays[name]) for name in names)


def _cells(array: NDArray[Any]) -> NDArray[Any]:
    """An array of numbers as it is; a cell array of text as an array of strings."""
    if array.dtype != object:
        return array
    return np.array([str(np.squeeze(cell)) for cell in array.ravel()])


def mean_and_std(
    votes: Sequence[float], levels: Sequence[float]
) -> tuple[float, float]:
    """Mean and standard deviation of ratings, from how many gave each level.

    Both are NaN where nobody voted.
    """
    total = sum(votes) or math.nan
    mean = sum(map(operator.mul, votes, levels)) / total
    squares = [(level - mean) ** 2 for level in levels]
    return mean, math.sqrt(sum(map(operator.mul, votes, squares)) / total)


def _text(path: Path) -> str:
    """A file's text. A letter that is not UTF-8 matters in no column that is read."""
    try:
        return path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise OpinionError(f"Cannot read {path}: {error.strerror or error}.") from error


def _converted(
    where: str, cells: Sequence[Any], converters: Sequence[Converter]
) -> tuple[Any, ...]:
    if len(cells) < len(converters):
        raise OpinionError(
            f"{where} has {len(cells)} of the {len(converters)} cells that it needs."
        )
    values = []
    for cell, convert in zip(cells, converters, strict=False):
        try:
            values.append(convert(cell.strip() if isinstance(cell, str) else cell))
        except (LookupError, TypeError, ValueError) as error:
            raise OpinionError(f"{where}: {cell!r} cannot be meant here.") from error
    return tuple(values)


def _nothing(cell: None) -> None:
    """The converter of a column that a table does not have."""
    return cell
