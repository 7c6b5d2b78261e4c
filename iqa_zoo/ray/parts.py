"""Rows as Parquet: a folder of files that are complete under their names."""

import contextlib
import json
import os
import posixpath
import re
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from io import BytesIO
from types import TracebackType
from typing import Any

from iqa_zoo.errors import OutputError, UsageError
from iqa_zoo.files import lock, write_bytes
from iqa_zoo.ray.names import is_uri, open_uri, written
from iqa_zoo.results import FIELDS, LISTS, NUMBERS, ImageScore

ROWS = 20_000  # of a file, at most about as many
SECONDS = 60.0  # that rows wait until they are written, at most
_PART = re.compile(r"part-(\d+)-[0-9a-f]+\.parquet")
_KEY = b"iqa_zoo"  # of what a file says of itself


def schema(weights: Mapping[str, str]) -> Any:
    """The columns of the files, with what made them.

    Args:
        weights: the SHA-256 of each model's weights, by the model's name.
    """
    import pyarrow as pa

    kinds = dict.fromkeys(FIELDS, pa.string())
    kinds |= dict.fromkeys(NUMBERS, pa.float64())
    kinds |= dict.fromkeys(LISTS, pa.list_(pa.float64()))
    fields = [
        pa.field(name, kind, nullable=name not in ("path", "model"))
        for name, kind in kinds.items()
    ]
    made = {"version": version("iqa_zoo"), "weights": dict(weights)}
    return pa.schema(fields, {_KEY: json.dumps(made)})


def to_table(scores: Iterable[ImageScore]) -> Any:
    """The rows of scores, all digits of every number kept."""
    import pyarrow as pa

    plain = schema({}).remove_metadata()
    rows = [{name: getattr(score, name) for name in FIELDS} for score in scores]
    for row in rows:
        for name in ("path", "model", "message"):
            row[name] = row[name] and written(row[name])
    return pa.Table.from_pylist(rows, plain)


class Parts:
    """A folder of Parquet files that rows are added to, by one process at a time.

    Rows wait until they are `ROWS`, or for `SECONDS`, and are then written as a file
    that gets its name when it is complete. Leaving the context writes the rest.

    Args:
        out: a folder of this machine, or a URI.
        weights: the SHA-256 of each model's weights, by the model's name.

    Raises:
        UsageError: the folder holds something else, or rows of other weights.
        OutputError: it cannot be written, or another process writes it.
    """

    def __init__(self, out: str | os.PathLike[str], weights: Mapping[str, str]) -> None:
        self.out = os.fspath(out)
        self._schema = schema(weights)
        self._waiting: list[Any] = []
        self._since = time.monotonic()
        self._filesystem = None
        self._folder = self.out
        self._open = contextlib.ExitStack()
        if is_uri(self.out):
            self._filesystem, self._folder = open_uri(self.out)
        with self._reporting("write"):
            if self._filesystem is None:
                self._make_local()
            else:
                self._filesystem.makedirs(self._folder, exist_ok=True)
        names = self._names()
        self._next = 1 + max((int(name.split("-")[1]) for name in names), default=-1)

    def _make_local(self) -> None:
        if os.path.lexists(self.out) and not os.path.isdir(self.out):
            raise UsageError(f"{self.out} is a file; name a folder for the rows.")
        os.makedirs(self.out, exist_ok=True)
        self._names()  # a folder that holds something else gets no lock either
        file = open(os.path.join(self.out, ".lock"), "wb")  # noqa: SIM115
        lock(self._open.enter_context(file), self.out)

    def __enter__(self) -> "Parts":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._open:
            self.flush()

    def earlier(self) -> Iterator[tuple[str, str | None]]:
        """Path and error of every row that the folder held when it was opened.

        Raises:
            UsageError: a file was not written here, or with other weights.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        for name in self._names():
            with self._reporting("read"):
                data = self._read(name)
            try:
                file = pq.ParquetFile(BytesIO(data))
                self._check(name, (file.schema_arrow.metadata or {}).get(_KEY))
                table = file.read(["path", "error"])
            except (pa.ArrowException, KeyError) as error:
                raise self._foreign(name) from error
            yield from zip(
                table["path"].to_pylist(), table["error"].to_pylist(), strict=True
            )

    def add(self, table: Any) -> None:
        """Add rows, as `to_table` makes them.

        Raises:
            OutputError: they cannot be written; the files written before are whole.
        """
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting.append(table)
        rows = sum(map(len, self._waiting))
        if rows >= ROWS or time.monotonic() - self._since >= SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write the rows that wait; errors as `add`."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.concat_tables([self._schema.empty_table(), *self._waiting])
        self._waiting = []
        if not len(table):
            return
        data = BytesIO()
        pq.write_table(table.replace_schema_metadata(self._schema.metadata), data)
        # On a disk without locks, two processes must not take the same name.
        name = f"part-{self._next:05}-{secrets.token_hex(4)}.parquet"
        with self._reporting("write"):
            self._write(name, data.getvalue())
        self._next += 1

    def _names(self) -> list[str]:
        """The files with rows."""
        with self._reporting("read"):
            if self._filesystem is None:
                found = os.listdir(self.out)
            else:
                listed = self._filesystem.ls(self._folder, detail=False)
                found = [posixpath.basename(path.rstrip("/")) for path in listed]
        names = sorted(name for name in found if not name.startswith("."))
        for name in names:
            if not _PART.fullmatch(name):
                raise self._foreign(name)
        return names

    def _read(self, name: str) -> bytes:
        path = posixpath.join(self._folder, name)
        if self._filesystem is not None:
            return bytes(self._filesystem.cat_file(path))
        with open(path, "rb") as file:
            return file.read()

    def _write(self, name: str, data: bytes) -> None:
        path = posixpath.join(self._folder, name)
        if self._filesystem is None:
            write_bytes(path, data)
            return
        part = posixpath.join(self._folder, f".{name}.part")
        self._filesystem.pipe_file(part, data)
        self._filesystem.mv(part, path)

    def _check(self, name: str, made: bytes | None) -> None:
        if made is None:
            raise self._foreign(name)
        weights = json.loads(made)["weights"]
        ours = json.loads(self._schema.metadata[_KEY])["weights"]
        if weights != ours:
            what = (
                f"scores of {', '.join(weights)}, not of {', '.join(ours)}"
                if weights.keys() != ours.keys()
                else f"scores of other weights of {', '.join(weights)}"
            )
            raise UsageError(f"{self.out} holds {what}. Name another folder.")

    def _foreign(self, name: str) -> UsageError:
        return UsageError(
            f"{self.out} holds {name}, which scoring with Ray did not write. Name "
            "another folder."
        )

    @contextlib.contextmanager
    def _reporting(self, verb: str) -> Iterator[None]:
        try:
            yield
        except (OutputError, UsageError, MemoryError):
            raise
        except Exception as error:  # each file system has errors of its own
            reason = getattr(error, "strerror", None) or error
            raise OutputError(f"Cannot {verb} {self.out}: {reason}.") from error
