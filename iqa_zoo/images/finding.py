"""The names of the image files that files, folders and patterns stand for."""

import fnmatch
import os
import re
from collections.abc import Iterable, Iterator
from typing import Any

from iqa_zoo.errors import UsageError

#: Suffixes of the files that a folder is searched for: those that are read, then those
#: of formats that are read on request or refused, so that they are reported instead of
#: passed over.
# fmt: off
IMAGE_SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".bmp", ".dib", ".gif",
    ".webp", ".tif", ".tiff", ".avif", ".avifs", ".heic", ".heif", ".hif",
    ".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx",
    ".jxl", ".psd", ".ico", ".svg", ".eps",
})
# fmt: on


def find_images(
    sources: str | os.PathLike[Any] | Iterable[str | os.PathLike[Any]],
) -> "ImageFiles":
    """The names of the image files that `sources` stand for, found while iterating.

    A file stands for itself, whatever its suffix, even where it does not exist, so
    that reading it tells. A folder stands for the files in it and in its subfolders,
    sorted by name at each level; hidden ones are left out, and files whose suffix is
    no image's are left out and counted. Links to folders are followed where they are
    named, not where they are found, so that a loop of links ends. A string with `*`,
    `?` or `[` that names no file is a pattern and stands for its matches, taken as if
    found in a folder; `**` matches any number of folders.

    Args:
        sources: a name, or any iterable of names, which is read as it is needed.

    Returns:
        An iterator of names as given or as found (bytes that are no UTF-8 as
        `os.fsdecode` has them); its `left_out` counts the files left out so far.

    Raises:
        UsageError: while iterating, a source that is no str or PathLike.
    """
    return ImageFiles(sources)


class ImageFiles(Iterator[str]):
    """An iterator of file names; `left_out` counts files with no image's suffix."""

    def __init__(
        self, sources: str | os.PathLike[Any] | Iterable[str | os.PathLike[Any]]
    ) -> None:
        self.left_out = 0
        if isinstance(sources, str | os.PathLike):
            sources = [sources]
        self._names = (name for source in sources for name in self._expand(source))

    def __next__(self) -> str:
        return next(self._names)

    def _expand(self, source: str | os.PathLike[Any]) -> Iterator[str]:
        if not isinstance(source, str | os.PathLike):
            raise UsageError(f"{source!r} is no file name; pass str or PathLike.")
        name = os.fsdecode(source)
        if os.path.isdir(name):
            yield from self._in_folder(name)
        elif isinstance(source, str) and _MAGIC.search(name) and not _exists(name):
            yield from self._matching(name)
        else:
            yield name

    def _in_folder(self, folder: str) -> Iterator[str]:
        # One list of names for each level, last name first.
        levels = [[folder]]
        while levels:
            if not levels[-1]:
                levels.pop()
                continue
            name = levels[-1].pop()
            if name is folder or name.endswith(os.sep):
                try:
                    levels.append(_entries(name)[::-1])
                except OSError:
                    yield name  # reading it tells why it cannot be entered
            elif self._is_wanted(name):
                yield name

    def _matching(self, pattern: str) -> Iterator[str]:
        matched = False
        for name in _matches(pattern):
            matched = True
            if not os.path.isdir(name):
                if self._is_wanted(name):
                    yield name
            elif "**" not in pattern:  # which has been there by itself
                yield from self._in_folder(name)
        if not matched:
            yield pattern

    def _is_wanted(self, name: str) -> bool:
        wanted = os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES
        self.left_out += not wanted
        return wanted


_MAGIC = re.compile(r"[*?[]")


def _exists(name: str) -> bool:
    try:
        return os.path.lexists(name)
    except ValueError:
        return False


def _entries(folder: str) -> list[str]:
    # What is in a folder, hidden ones left out, folders with a separator at the end.
    with os.scandir(folder or os.curdir) as entries:
        found = sorted(
            (entry.name, entry.is_dir(follow_symlinks=False))
            for entry in entries
            if not entry.name.startswith(".")
        )
    return [
        os.path.join(folder, name) + (os.sep if is_folder else "")
        for name, is_folder in found
    ]


def _matches(pattern: str) -> Iterator[str]:
    parts = pattern.replace(os.sep, "/").rstrip("/").split("/")
    literal = next(i for i, part in enumerate(parts) if _MAGIC.search(part))
    root = "/".join(parts[:literal])
    return _match_parts(root + "/" if literal else "", parts[literal:])


def _match_parts(folder: str, parts: list[str]) -> Iterator[str]:
    part, rest = parts[0], parts[1:]
    if part == "**":
        yield from _match_parts(folder, rest or ["*"])
    try:
        entries = _entries(folder)
    except OSError:
        return
    for path in entries:
        name = os.path.basename(path.rstrip(os.sep))
        if part == "**":
            if path.endswith(os.sep):
                yield from _match_parts(path, parts)
        elif fnmatch.fnmatch(name, part):
            if not rest:
                yield path
            elif os.path.isdir(path):
                yield from _match_parts(path, rest)
