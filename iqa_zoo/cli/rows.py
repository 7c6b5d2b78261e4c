"""Result files: whole rows only, whatever happens to the run."""

import contextlib
import csv
import io
import json
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any

from iqa_zoo.errors import OutputError, UsageError
from iqa_zoo.results import FIELDS, ImageScore, from_row, to_row


def jsonl_row(score: ImageScore) -> bytes:
    """A line of JSON; a name's bytes that are no UTF-8 are lone surrogates in it."""
    return json.dumps(to_row(score)).encode() + b"\n"


def csv_row(score: ImageScore) -> bytes:
    """A row of CSV, lists as JSON; names are written with the bytes that they have."""
    row = to_row(score)
    for name in ("distribution", "scale"):
        if row[name] is not None:
            row[name] = json.dumps(row[name])
    return _csv_line(row.values())


def _csv_line(cells: Any) -> bytes:
    text = io.StringIO()
    # All Pythons quote both line breaks when the terminator has them.
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    line = text.getvalue().removesuffix("\r\n") + "\n"
    return line.encode("utf-8", "surrogateescape")


ROWS: dict[str, Callable[[ImageScore], bytes]] = {"csv": csv_row, "jsonl": jsonl_row}
HEADS = {"csv": _csv_line(FIELDS), "jsonl": b""}
# What every file of rows begins with, unless it was torn before.
STARTS = {"csv": HEADS["csv"], "jsonl": b'{"path": '}


class RowWriter:
    """Writes rows one by one, each whole or not at all.

    Args:
        stream: an unbuffered binary stream.
        name: what messages call it.
    """

    def __init__(self, stream: Any, name: str) -> None:
        self._stream = stream
        self._name = name

    def write(self, row: bytes) -> None:
        """Write one row; where the disk is full, take away the part that fitted.

        Raises:
            OutputError: it cannot be written.
            BrokenPipeError: nobody reads it any more.
        """
        size = self._size()
        rest = memoryview(row)
        try:
            while rest:
                rest = rest[self._stream.write(rest) or 0 :]
        except BrokenPipeError:
            raise
        except OSError as error:
            if size is not None:
                os.ftruncate(self._stream.fileno(), size)
            raise OutputError(
                f"Cannot write {self._name}: {error.strerror or error}. The rows that "
                "are there are whole."
            ) from error

    def _size(self) -> int | None:
        try:
            status = os.fstat(self._stream.fileno())
        except OSError:  # no real file
            return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None


@contextlib.contextmanager
def open_rows(path: str, form: str, *, overwrite: bool) -> Iterator[RowWriter]:
    """A file to append rows to, with the head line that its format has.

    Raises:
        OutputError: it cannot be written.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | (os.O_TRUNC if overwrite else 0)
    try:
        stream = os.fdopen(os.open(path, flags, 0o666), "ab", buffering=0)
    except OSError as error:
        raise OutputError(f"Cannot write {path}: {error.strerror or error}.") from error
    with stream:
        writer = RowWriter(stream, path)
        if os.fstat(stream.fileno()).st_size == 0:
            writer.write(HEADS[form])
        yield writer


def read_rows(path: str, form: str) -> Iterator[ImageScore]:
    """The scores in a result file; at the end, a last line that was torn is cut off.

    Raises:
        UsageError: the file is no result of `iqa-zoo score` in this format; it is left
            as it was.
        OutputError: it cannot be read or cut.
    """
    try:
        with open(path, "r+b") as file:
            whole = _whole_bytes(file, form)
            file.seek(0)
            lines = _lines(file, whole)
            cells: Iterable[Any] = (
                csv.DictReader(lines) if form == "csv" else map(json.loads, lines)
            )
            yield from map(from_row, cells)
            file.truncate(whole)
    except (AttributeError, TypeError, ValueError, csv.Error) as error:
        raise UsageError(
            f"{path} cannot be resumed: it holds what `iqa-zoo score` did not write "
            f"({error}). Name another file, or replace it with --overwrite."
        ) from error
    except OSError as error:
        raise OutputError(f"Cannot read {path}: {error.strerror or error}.") from error


def _whole_bytes(file: IO[bytes], form: str) -> int:
    """How many bytes of the file are whole rows."""
    start = STARTS[form]
    if not start.startswith(file.read(len(start))):
        raise ValueError(f"it does not begin with {start.decode().strip()}")
    file.seek(0)
    position = whole = quotes = 0
    for line in file:
        position += len(line)
        # In CSV a line break between quotes belongs to a name.
        quotes += line.count(b'"') if form == "csv" else 0
        if line.endswith(b"\n") and quotes % 2 == 0:
            whole = position
    return whole


def _lines(file: IO[bytes], count: int) -> Iterator[str]:
    """The lines in the first `count` bytes."""
    for line in file:
        if count <= 0:
            return
        count -= len(line)
        yield line.decode("utf-8", "surrogateescape")
