"""Real disks that are full, or that may only be read."""

import contextlib
import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

MEGABYTE = 1 << 20


def _mount(folder: Path, *options: str) -> bool:
    command = ["mount", "-t", "tmpfs", *options, "tmpfs", str(folder)]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:  # no such program
        return False


@contextlib.contextmanager
def small_disk(folder: Path, size: int = 4 * MEGABYTE) -> Iterator[Path]:
    """A disk of its own at `folder`; skips the test where none may be mounted."""
    folder.mkdir()
    if not _mount(folder, "-o", f"size={size}"):
        pytest.skip("needs the right to mount a disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@contextlib.contextmanager
def small_files(size: int = 4 * MEGABYTE) -> Iterator[None]:
    """No file may grow beyond `size`: for those who may not mount a disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextlib.contextmanager
def full(disk: Path, left: int = 0) -> Iterator[None]:
    """Within, `disk` has room for `left` bytes, in whole blocks."""
    status = os.statvfs(disk)
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(status.f_bavail * status.f_frsize - left))
    try:
        yield
    finally:
        ballast.unlink()


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Within, nothing in `folder` can be written; skips where neither way works."""
    with contextlib.ExitStack() as stack:
        folder.chmod(0o500)
        stack.callback(folder.chmod, 0o700)
        if os.access(folder, os.W_OK):  # by root
            for options in ("bind", "remount,bind,ro"):
                command = ["mount", "-o", options, str(folder), str(folder)]
                if subprocess.run(command, capture_output=True, check=False).returncode:
                    pytest.skip("needs the right to mount a disk")
                if options == "bind":
                    stack.callback(subprocess.run, ["umount", str(folder)], check=True)
        yield
