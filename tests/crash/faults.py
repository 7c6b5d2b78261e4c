"""Disks that fail: the n-th call that changes something in a folder gets an error.

What Python's own functions do to a disk is done here through the functions of `os` and
through files of `io`, so the calls counted are those that reach the system: a buffered
writer writes when it is flushed or closed, not when it is given bytes.
"""

import builtins
import contextlib
import errno
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ERRORS = (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EACCES)
FULL = (errno.ENOSPC, errno.EDQUOT)

# Functions of `os` that change what a folder holds, by their first argument.
BY_PATH = ("mkdir", "rmdir", "unlink", "remove", "truncate", "replace", "rename")
BY_DESCRIPTOR = ("fsync", "ftruncate")


class Call(NamedTuple):
    """A call that was counted: its name, the file, and whether it failed."""

    name: str
    path: str
    failed: bool


class _Disk:
    """Counts the calls below a folder and makes the n-th, or all from it on, fail."""

    def __init__(self, folder: Path, n: int, number: int, forever: bool) -> None:
        self.calls: list[Call] = []
        self._folder = os.path.abspath(folder)
        self._n, self._number, self._forever = n, number, forever
        self._paths: dict[int, str] = {}  # of open descriptors
        self._written: set[int] = set()  # those of them that are open for writing
        self._half = False

    def path(self, path: Any, folder: int | None = None) -> str | None:
        """The file's path, if it is below the folder."""
        if isinstance(path, int):
            return self._paths.get(path)
        path = os.path.join(self._paths.get(folder or -1, ""), os.fsdecode(path))
        path = os.path.abspath(path)
        within = os.path.commonpath([path, self._folder]) == self._folder
        return path if within else None

    def opened(self, descriptor: int, path: str, writes: bool = True) -> None:
        self._paths[descriptor] = path
        if writes:
            self._written.add(descriptor)

    def closed(self, descriptor: int) -> str | None:
        """The path of a file that may have something to write when it is closed."""
        path = self._paths.pop(descriptor, None)
        if descriptor not in self._written:
            return None
        self._written.discard(descriptor)
        return path

    def fails(self, name: str, path: str) -> bool:
        """Count a call; whether it is to fail."""
        number = len(self.calls) + 1
        failed = number == self._n or (self._forever and number > self._n)
        self.calls.append(Call(name, path, failed))
        return failed

    def check(self, name: str, path: str) -> None:
        """Count a call and raise where it is to fail."""
        if self.fails(name, path):
            raise self.error(path)

    def error(self, path: str) -> OSError:
        return OSError(self._number, os.strerror(self._number), path)

    def fitting(self, path: str, size: int) -> int:
        """How many of the bytes of a write fit; a full disk takes half of them first.

        Raises:
            OSError: none does.
        """
        if self._half:
            self._half = False
            raise self.error(path)
        if not self.fails("write", path):
            return size
        if self._number in FULL and size > 1:
            self._half = True
            return size // 2
        raise self.error(path)


@contextlib.contextmanager
def failing(
    folder: Path, n: int, number: int, *, forever: bool = False
) -> Iterator[list[Call]]:
    """Within, the n-th call that changes something below `folder` fails.

    Args:
        folder: where it does; elsewhere all goes well.
        n: the first is 1; 0 lets all go well.
        number: what it fails with, of `errno`. Where the disk is full, a write takes
            half of its bytes and the next one fails.
        forever: whether all calls after it fail too, even those that clean up.

    Yields:
        The calls, as they come.
    """
    disk = _Disk(folder, n, number, forever)
    real = {
        name: getattr(os, name)
        for name in ("open", "close", "write", *BY_PATH, *BY_DESCRIPTOR)
    }
    real_open = io.open

    def os_open(path: Any, flags: int, mode: int = 0o777, *, dir_fd: Any = None) -> int:
        place = disk.path(path, dir_fd)
        if place:
            disk.check("open", place)
        descriptor: int = real["open"](path, flags, mode, dir_fd=dir_fd)
        if place:
            disk.opened(descriptor, place, bool(flags & (os.O_WRONLY | os.O_RDWR)))
        return descriptor

    def os_close(descriptor: int) -> None:
        place = disk.closed(descriptor)
        real["close"](descriptor)  # the descriptor is gone even where this fails
        if place:
            disk.check("close", place)

    def os_write(descriptor: int, data: Any) -> int:
        place = disk.path(descriptor)
        count = disk.fitting(place, len(data)) if place else len(data)
        written: int = real["write"](descriptor, data[:count])
        return written

    def by_path(name: str) -> Any:
        def call(path: Any, *arguments: Any, **named: Any) -> Any:
            place = disk.path(path, named.get("dir_fd"))
            if place:
                disk.check(name, place)
            return real[name](path, *arguments, **named)

        return call

    def by_descriptor(name: str) -> Any:
        def call(file: Any, *arguments: Any) -> Any:
            place = disk.path(file if isinstance(file, int) else file.fileno())
            if place:
                disk.check(name, place)
                if name == "fsync":  # slow, and only a power cut would tell
                    return None
            return real[name](file, *arguments)

        return call

    class File(io.FileIO):
        """A file whose calls are counted."""

        def __init__(self, file: Any, mode: str, place: str) -> None:
            super().__init__(file, mode)
            self._place = place
            disk.opened(self.fileno(), place)

        def write(self, data: Any) -> int:
            data = memoryview(data).cast("B")
            return super().write(data[: disk.fitting(self._place, len(data))]) or 0

        def truncate(self, size: int | None = None) -> int:
            disk.check("truncate", self._place)
            return super().truncate(size)

        def close(self) -> None:
            if self.closed:
                return
            disk.closed(self.fileno())
            super().close()
            disk.check("close", self._place)

    def io_open(
        file: Any, mode: str = "r", buffering: int = -1, *more: Any, **named: Any
    ) -> Any:
        writes = set(mode) & set("wax+")
        place = disk.path(file) if writes else None
        if not place:
            return real_open(file, mode, buffering, *more, **named)
        if "b" not in mode:
            raise NotImplementedError(f"a file of text, {file}")
        if not isinstance(file, int):
            disk.check("open", place)
        raw = File(file, mode.replace("b", ""), place)
        if buffering == 0:
            return raw
        return (io.BufferedRandom if "+" in mode else io.BufferedWriter)(raw)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", os_open)
        patch.setattr(os, "close", os_close)
        patch.setattr(os, "write", os_write)
        for name in BY_PATH:
            patch.setattr(os, name, by_path(name))
        for name in BY_DESCRIPTOR:
            patch.setattr(os, name, by_descriptor(name))
        patch.setattr(io, "open", io_open)
        patch.setattr(builtins, "open", io_open)
        yield disk.calls
