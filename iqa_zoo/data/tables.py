"""Files of rows as text: CSV, TSV, JSON lines and JSON lists, read into cells."""

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iqa_zoo.errors import OpinionError

Problem = tuple[int, str]  # row's place in the file (0: the whole table), what is wrong
Row = tuple[int, list[str]]  # place in the file, cells


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text cells under named columns.

    Attributes:
        header: names of the columns.
        rows: each row's place in the file and its cells, as many as there are names.
            A value that JSON has as null or not at all is an empty cell, 1.0 is "1", a
            list is the JSON text of it.
        unit: what places count: "line", or "entry" of a list.
        problems: the rows that are no rows, one problem each.
        decimal_comma: whether a comma in a number is its decimal point, since
            something else parts the cells.
    """

    header: list[str]
    rows: list[Row]
    unit: str
    problems: list[Problem]
    decimal_comma: bool = False


def read_table(path: Path) -> Table:
    """Read a table whose format its content tells.

    What begins with `[` is a JSON list of objects, what begins with `{` has one JSON
    object a line; all else has a header and cells parted by commas, semicolons or
    tabs, whichever the header has most of or a line such as sep=; before it names. The
    text is UTF-8.

    Raises:
        OpinionError: the file cannot be read, is empty or is no table at all.
    """
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
    read = _READERS.get(text.lstrip()[:1], _read_cells)
    return read(path, text)


def _read_cells(path: Path, text: str) -> Table:
    lines = (line.rstrip("\r\n") for line in io.StringIO(text, newline=""))
    first_line = next((line for line in lines if line.strip(" ,;\t")), "")
    declared = re.fullmatch("sep=([,;\t|])", first_line, re.IGNORECASE)  # as Excel does
    delimiter = declared[1] if declared else max(",;\t", key=first_line.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        # Spreadsheets write empty rows as delimiters alone.
        rows = [
            (reader.line_num, cells) for cells in reader if any(map(str.strip, cells))
        ]
        del rows[: 1 if declared else 0]
    except csv.Error as error:
        raise OpinionError(
            f"{path} is not a CSV table: line {reader.line_num}: {error}."
        ) from error
    if not rows:
        raise OpinionError(f"{path} is empty; its first line must name the columns.")
    header = [cell.strip() for cell in rows[0][1]]
    whole, problems = [], []
    for line, cells in rows[1:]:
        if len(cells) == len(header):
            whole.append((line, cells))
        else:
            text = f"{len(cells)} cells where the header has {len(header)}"
            problems.append((line, text))
    return Table(header, whole, "line", problems, decimal_comma=delimiter != ",")


def _read_json_lines(path: Path, text: str) -> Table:
    records, problems = [], []
    # Not splitlines(), which also parts where JSON text may have other separators.
    for line, content in enumerate(text.split("\n"), start=1):
        if not content.strip():
            continue
        try:
            records.append((line, _object(_parse(content))))
        except ValueError as error:
            problems.append((line, f"not a JSON object ({error})"))
    return _from_records(records, "line", problems)


def _read_json_list(path: Path, text: str) -> Table:
    try:
        entries = _parse(text)
    except ValueError as error:
        raise OpinionError(f"{path} is not JSON: {error}.") from error
    records, problems = [], []
    for entry, value in enumerate(entries, start=1):
        try:
            records.append((entry, _object(value)))
        except ValueError as error:
            problems.append((entry, f"not a JSON object ({error})"))
    return _from_records(records, "entry", problems)


_READERS: dict[str, Callable[[Path, str], Table]] = {
    "{": _read_json_lines,
    "[": _read_json_list,
}


def shown(text: str) -> str:
    """`text` in quotation marks, without its middle where it is long."""
    return repr(text if len(text) <= 200 else f"{text[:120]} ... {text[-60:]}")


class _Repeated(dict[str, Any]):
    """An object that has a name more than once."""


def _parse(text: str) -> Any:
    """The value of a JSON text; ValueError where it is none."""
    try:
        return json.loads(text, object_pairs_hook=_from_pairs)
    except RecursionError as error:
        raise ValueError("lists within lists without end") from error


def _from_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return (dict if len(dict(pairs)) == len(pairs) else _Repeated)(pairs)


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"it is {_cell(value)[:40]!r}")
    if isinstance(value, _Repeated):
        raise ValueError("it has two values of one name")
    return value


def _from_records(
    records: list[tuple[int, dict[str, Any]]], unit: str, problems: list[Problem]
) -> Table:
    header = list(dict.fromkeys(name for _, record in records for name in record))
    rows = [
        (place, [_cell(record.get(name)) for name in header])
        for place, record in records
    ]
    return Table(header, rows, unit, problems)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # 1.0 and 1 are one number, and one name of a group
    return value if isinstance(value, str) else json.dumps(value)
