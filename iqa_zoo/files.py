"""Writing files so that a final name always means a complete file."""

import contextlib
import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from iqa_zoo.errors import OutputError


def sha256(data: bytes) -> str:
    """The SHA-256 of `data`, as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def fingerprint(path: str | os.PathLike[str]) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a file's content.

    Enough to tell whether an image was among those that a model was trained on.
    """
    return sha256(Path(path).read_bytes())[:16]


@contextlib.contextmanager
def atomic_write(
    path: str | os.PathLike[str], size: int | None = None
) -> Iterator[IO[bytes]]:
    """Open a binary file that gets the name `path` only when it is complete.

    The bytes go to a temporary file in the same folder, are flushed to the disk and
    renamed over `path`; then the folder is flushed too, where it can be, since a rename
    that has not reached the disk is lost with the power. On any error `path` is left as
    it was. A file that is replaced hands on its permissions.

    Args:
        path: the file's name.
        size: the bytes that it will have, where that is known; for the message where
            the disk is full.

    Raises:
        OutputError: the folder or the disk does not take the file.
    """
    path = Path(path)
    # Names may have up to 255 bytes, 4 a character; the random part keeps two writers
    # apart.
    part = path.with_name(f".{path.name[:50]}.{secrets.token_hex(8)}.part")
    try:
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            with os.fdopen(descriptor, "wb") as file:
                with contextlib.suppress(OSError):  # there may be none
                    os.chmod(part, stat.S_IMODE(os.stat(path).st_mode))
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(part)
            raise
        sync_folder(path.parent)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"Cannot write {path}{_needed(error, size)}: {error.strerror or error}."
        ) from error


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` to `path`, whole or not at all (see `atomic_write`)."""
    with atomic_write(path, len(data)) as file:
        file.write(data)


def lock(stream: IO[bytes], path: str) -> None:
    """Lock an open file until it is closed, where the system and the disk have locks.

    Args:
        stream: the file.
        path: what the message says is being written.

    Raises:
        OutputError: another process has locked it.
    """
    try:
        import fcntl
    except ImportError:  # on Windows
        return
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OutputError(
            f"Cannot write {path}: another process is writing it. Wait until that has "
            "ended, or name another one."
        ) from error
    except OSError:  # a disk without locks
        pass


def _needed(error: OSError, size: int | None) -> str:
    """How much room a file needs, where there was too little."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return f", which needs {size:,} bytes" if full and size is not None else ""


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to the disk, where that can be done."""
    if os.name == "nt":  # Windows cannot open a folder; its rename is durable.
        return
    # The file is complete under its name by now: an error would say that it is not. A
    # folder may be open to writing only, or on a disk that flushes no folders.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
