"""Result files: whole rows only, whatever happens to the run."""

import contextlib
import csv
import io
import json
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO, Any, NamedTuple

from iqa_zoo.errors import OutputError, UsageError
from iqa_zoo.files import lock, write_bytes
from iqa_zoo.results import FIELDS, check_columns, from_row, to_row


class Kind(NamedTuple):
    """What the rows of a file stand for.

    Attributes:
        command: of `iqa-zoo`, which writes them.
        fields: the names of their columns.
        to_row: the cells of a result by these names, and only what JSON can say.
        from_row: the result of such cells, which are text where they come from CSV.
        check_columns: raises ValueError where names are not those of the columns.
    """

    command: str
    fields: tuple[str, ...]
    to_row: Callable[[Any], dict[str, Any]]
    from_row: Callable[[Mapping[str, Any]], Any]
    check_columns: Callable[[Iterable[str]], None]


SCORES = Kind("score", FIELDS, to_row, from_row, check_columns)


def jsonl_row(result: Any, kind: Kind = SCORES) -> bytes:
    """A line of JSON; a name's bytes that are no UTF-8 are lone surrogates in it."""
    line = json.dumps(kind.to_row(result))
    # JSON has no word for infinity, but this number is read as it. A quotation mark
    # within a name has a backslash before it, so that no name is taken for this.
    line = line.replace('"value": Infinity', '"value": 1e999')
    return line.encode() + b"\n"


def csv_row(result: Any, kind: Kind = SCORES) -> bytes:
    """A row of CSV, lists as JSON."""
    cells = kind.to_row(result).values()
    return csv_line(
        json.dumps(cell) if isinstance(cell, list) else cell for cell in cells
    )


def csv_line(cells: Iterable[Any]) -> bytes:
    """A line of CSV; names are written with the bytes that they have."""
    text = io.StringIO()
    # All Pythons quote both line breaks when the terminator has them.
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    line = text.getvalue().removesuffix("\r\n") + "\n"
    return line.encode("utf-8", "surrogateescape")


ROWS: dict[str, Callable[..., bytes]] = {"csv": csv_row, "jsonl": jsonl_row}


def head(form: str, kind: Kind = SCORES) -> bytes:
    """The line that a file of rows begins with; none in JSON lines."""
    return csv_line(kind.fields) if form == "csv" else b""


HEADS = {form: head(form) for form in ROWS}


class RowWriter:
    """Writes rows one by one, each whole or not at all.

    Args:
        stream: an unbuffered binary stream.
        name: what messages call it.
    """

    def __init__(self, stream: Any, name: str) -> None:
        self._stream = stream
        self._name = name
        self._is_file = _is_file(stream)

    def write(self, row: bytes) -> None:
        """Write one row; where the disk takes only a part, take that away.

        Raises:
            OutputError: it cannot be written.
            BrokenPipeError: nobody reads it any more.
        """
        size = os.fstat(self._stream.fileno()).st_size if self._is_file else None
        rest = memoryview(row)
        try:
            while rest:
                rest = rest[self._stream.write(rest) or 0 :]
        except BaseException as error:
            if size is not None and 0 < len(rest) < len(row):
                with contextlib.suppress(OSError):
                    os.ftruncate(self._stream.fileno(), size)
            if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
                raise self._failed(error) from error
            raise

    def close(self) -> None:
        """Bring the rows to the disk, which may say only now that it has no room.

        Raises:
            OutputError: it cannot take them.
        """
        try:
            with self._stream:
                if self._is_file:
                    os.fsync(self._stream.fileno())
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> OutputError:
        return OutputError(
            f"Cannot write {self._name}: {error.strerror or error}. The rows written "
            "before are whole."
        )


def check_new(path: str) -> None:
    """Refuse to write to a file that holds something.

    Raises:
        UsageError: it does.
    """
    if os.path.isfile(path) and os.path.getsize(path):
        raise UsageError(
            f"{path} is there already: --resume scores what it lacks, --overwrite "
            "replaces it."
        )


@contextlib.contextmanager
def open_rows(
    path: str,
    form: str,
    *,
    overwrite: bool = False,
    earlier: Callable[[Any], object] | None = None,
    kind: Kind = SCORES,
) -> Iterator[RowWriter]:
    """A file to append rows to, with the head line that its format has.

    One process writes a file at a time, where the system has locks: two would score the
    same images, and one might cut off as torn what the other is writing.

    Args:
        path: the file.
        form: "csv" or "jsonl".
        overwrite: whether to replace a file of that name, now, with one without rows.
        earlier: called with each result that the file holds already; without it the
            file may hold nothing.
        kind: what the rows stand for.

    Raises:
        OutputError: it cannot be written, or another process writes it.
        UsageError: it holds something that is not to be replaced or added to.
    """
    try:
        stream = _open_alone(path)
        if overwrite and _is_file(stream) and os.path.getsize(path):
            if os.name == "nt":  # which replaces no file that is open
                stream.close()
            try:
                write_bytes(os.path.realpath(path), head(form, kind))
            finally:
                stream.close()
            stream = _open_alone(path)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"Cannot write {path}: {error.strerror or error}.") from error
    writer = RowWriter(stream, path)
    try:
        if _is_file(stream):
            if earlier is not None:
                for result in read_rows(path, form, kind):
                    earlier(result)
            elif not overwrite:
                check_new(path)
            if not os.path.getsize(path):
                writer.write(head(form, kind))
        yield writer
    except BaseException:
        with contextlib.suppress(OutputError):
            writer.close()
        raise
    writer.close()


def _open_alone(path: str) -> IO[bytes]:
    """A file to append to, locked until it is closed."""
    while True:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        stream = os.fdopen(descriptor, "ab", buffering=0)
        try:
            if not _is_file(stream):
                return stream
            lock(stream, path)
            # Another process may have replaced the file before it was locked.
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return stream
        except BaseException:
            stream.close()
            raise
        stream.close()


def _is_file(stream: Any) -> bool:
    """Whether it is a file on a disk, and no pipe, device or object of Python's."""
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except OSError:
        return False


def read_rows(path: str, form: str, kind: Kind = SCORES) -> Iterator[Any]:
    """The results in a file; at the end, a last line that was torn is cut off.

    Raises:
        UsageError: the file has no rows of this kind and format; it is left as it was.
        OutputError: it cannot be read or cut.
    """
    try:
        with open(path, "r+b") as file:
            whole = _whole_bytes(file, form, kind)
            file.seek(0)
            lines = _lines(file, whole)
            cells: Iterable[Any] = (
                csv.DictReader(lines) if form == "csv" else map(json.loads, lines)
            )
            yield from map(kind.from_row, cells)
            file.truncate(whole)
    except (AttributeError, TypeError, ValueError, csv.Error) as error:
        raise UsageError(
            f"{path} cannot be resumed: it holds what this `iqa-zoo {kind.command}` "
            f"does not write ({error}). Name another file, or replace it with "
            "--overwrite."
        ) from error
    except OSError as error:
        raise OutputError(f"Cannot read {path}: {error.strerror or error}.") from error


def _whole_bytes(file: IO[bytes], form: str, kind: Kind) -> int:
    """How many bytes of the file are whole rows."""
    # What every file of rows begins with, unless it was torn before.
    start = head(form, kind) or f'{{"{kind.fields[0]}": '.encode()
    if not start.startswith(file.read(len(start))):
        if form == "csv":
            file.seek(0)
            kind.check_columns(file.readline().decode().strip().split(","))
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
