"""The images that a cluster is to score: their names, and where they are read."""

import os
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from iqa_zoo.errors import MissingLibraryError, UsageError
from iqa_zoo.images import IMAGE_SUFFIXES, find_images

Sources = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


class Found(NamedTuple):
    """Images by their names in the rows.

    Attributes:
        filesystem: fsspec's, that they are on; None for files as Python opens them.
        places: what to open there, by the name as `written` has it.
        names: what results call it, likewise.
    """

    filesystem: Any
    places: dict[str, str]
    names: dict[str, str]


def find(sources: Sources, filesystem: Any = None) -> Found:
    """The images that names stand for.

    Args:
        sources: a file, folder or pattern, or an iterable of them; with URIs all on one
            file system.
        filesystem: fsspec's or pyarrow's, that the names are of; None for this
            machine's files and for URIs.

    Raises:
        UsageError: a name that is none, a folder that cannot be listed, or URIs of
            several file systems.
        MissingLibraryError: a URI whose kind of file system is not installed.
    """
    if isinstance(sources, str | os.PathLike):
        sources = [sources]
    given = wrapped(filesystem)
    used: list[Any] = []
    places: dict[str, str] = {}
    names: dict[str, str] = {}
    for source in sources:
        if not isinstance(source, str | os.PathLike):
            raise UsageError(f"{source!r} is no file name; pass str or PathLike.")
        here, pairs = _stands_for(os.fsdecode(source), given)
        if used and here != used[0]:
            raise UsageError(
                f"{source} is on another file system than the images before it. Score "
                "them in two runs; both may write to one folder."
            )
        used = [here]
        for name, place in pairs:
            # A file that is named twice is one image.
            places.setdefault(written(name), place)
            names.setdefault(written(name), name)
    return Found(used[0] if used else given, places, names)


def _stands_for(source: str, filesystem: Any) -> tuple[Any, Iterator[tuple[str, str]]]:
    """The file system that a source is on; names and places of its images."""
    if filesystem is not None:
        return filesystem, ((path, path) for path in _expand(filesystem, source))
    if not is_uri(source):
        return None, ((path, path) for path in find_images(source))
    filesystem, root = open_uri(source)
    found = _expand(filesystem, root)
    return filesystem, ((_uri(source, path), path) for path in found)


def written(name: str) -> str:
    """A name as UTF-8 can hold it: bytes that are none of it become escapes."""
    return name.encode("utf-8", "backslashreplace").decode()


def is_uri(name: str) -> bool:
    """Whether a name is of a file system that is not this machine's own."""
    return "://" in name


def open_uri(uri: str) -> tuple[Any, str]:
    """The file system of a URI, as one of fsspec's, and the path on it.

    Raises:
        MissingLibraryError: this kind is not installed.
        UsageError: there is no such kind.
    """
    import fsspec.core
    import pyarrow as pa
    from pyarrow.fs import FileSystem

    try:
        filesystem, path = fsspec.core.url_to_fs(uri)
    except ImportError as error:
        try:  # which has some of them built in
            filesystem, path = FileSystem.from_uri(uri)
        except pa.ArrowException:
            raise MissingLibraryError(
                f"{uri} cannot be opened: {error}. Install that with pip."
            ) from error
        return wrapped(filesystem), path
    except (OSError, ValueError) as error:
        raise UsageError(f"{uri} cannot be opened: {error}") from error
    return filesystem, path


def wrapped(filesystem: Any) -> Any:
    """A file system of pyarrow as one of fsspec; those of fsspec as they are."""
    if filesystem is None:
        return None
    import fsspec
    from fsspec.implementations.arrow import ArrowFSWrapper
    from pyarrow.fs import FileSystem

    if isinstance(filesystem, FileSystem):
        return ArrowFSWrapper(filesystem)
    if not isinstance(filesystem, fsspec.AbstractFileSystem):
        raise UsageError(
            f"A {type(filesystem).__name__} is no file system. Give one of fsspec or "
            "of pyarrow.fs."
        )
    return filesystem


def _uri(source: str, place: str) -> str:
    """The URI of what was found at a place within the source."""
    first, chain, rest = source.partition("::")
    kind = first.partition("://")[0]
    return f"{kind}://{place.removeprefix(f'{kind}://')}{chain}{rest}"


def _expand(filesystem: Any, path: str) -> Iterator[str]:
    """The images that a path stands for, by the rules of `find_images`."""
    try:
        magic = _MAGIC.search(path)
        if magic and not filesystem.exists(path):
            above = path[: magic.start()].rpartition("/")[0]
            matches = filesystem.glob(path)
            for match in matches or [path]:
                if match == path or _is_wanted(match, above):
                    yield match
                elif "**" not in path and filesystem.isdir(match):
                    yield from _in_folder(filesystem, match)
        elif not _is_wanted(path, "") and filesystem.isdir(path):
            yield from _in_folder(filesystem, path)
        else:
            yield path
    except Exception as error:  # each file system has errors of its own
        raise UsageError(f"{path} cannot be listed: {error}") from error


_MAGIC = re.compile(r"[*?[]")


def _in_folder(filesystem: Any, folder: str) -> Iterator[str]:
    return (path for path in filesystem.find(folder) if _is_wanted(path, folder))


def _is_wanted(path: str, above: str) -> bool:
    """Whether it has an image's suffix, and nothing below the folder is hidden."""
    below = path.removeprefix(above.rstrip("/")).split("/")
    hidden = any(part.startswith(".") for part in below)
    return not hidden and os.path.splitext(path)[1].lower() in IMAGE_SUFFIXES
