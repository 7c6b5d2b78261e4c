"""Which image is compared with which: two images, two folders, a table of pairs."""

import logging
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from PIL import Image

from iqa_zoo.data.tables import read_table, shown
from iqa_zoo.errors import ImageError, UsageError
from iqa_zoo.images import IMAGE_SUFFIXES, SOURCES, find_images, name_of

#: Names of a table's columns, those that are looked for first coming first.
COLUMNS = {
    "reference": ("reference", "ref", "ref_img"),
    "distorted": ("distorted", "dist", "dist_img", "image"),
}

_log = logging.getLogger(__name__)


class Pair(NamedTuple):
    """Two images that are to be compared.

    Attributes:
        name: of files about this pair, unlike that of any other; "/" parts folders.
        reference: what results call the original; "" where none was found.
        distorted: what they call the image that is compared with it.
        sources: the two images, for `iqa_zoo.images.Photo`.
        problem: why they cannot be compared, where that is known already.
    """

    name: str
    reference: str
    distorted: str
    sources: tuple[Any, Any] | None
    problem: ImageError | None = None


def find_pairs(reference: Any, distorted: Any = None) -> Iterable[Pair]:
    """The pairs that the first two arguments of `iqa_zoo.compare` stand for.

    Raises:
        UsageError: they do not go together, or the table has no such columns.
        OpinionError: the table cannot be read.
    """
    if distorted is None:
        if isinstance(reference, str | os.PathLike):
            return _listed(Path(os.fsdecode(reference)))
        if _is_image(reference):
            raise UsageError("One image was given; compare takes a reference and it.")
        return _given(reference)
    folders = [_is_folder(source) for source in (reference, distorted)]
    if all(folders):
        return _matched(os.fsdecode(reference), os.fsdecode(distorted))
    if any(folders):
        raise UsageError(
            f"{name_of(reference)} and {name_of(distorted)} are a folder and something "
            "else; give two folders or two images."
        )
    return _given([(reference, distorted)])


def _is_folder(source: Any) -> bool:
    return isinstance(source, str | os.PathLike) and os.path.isdir(source)


def _is_image(source: Any) -> bool:
    return (
        isinstance(source, bytes | bytearray | memoryview | Image.Image)
        or hasattr(source, "__array__")
        or hasattr(source, "read")
    )


def _given(pairs: Any) -> Iterator[Pair]:
    """Pairs of images from an iterable, read as it is needed."""
    unique = _Unique()
    try:
        for pair in pairs:
            if isinstance(pair, Pair):
                yield pair
                continue
            reference, distorted = pair
            name = name_of(distorted)
            label = unique(os.path.basename(name).strip("<>"))
            yield Pair(label, name_of(reference), name, (reference, distorted))
    except (TypeError, ValueError) as error:
        raise UsageError(
            "Without a second argument the first must be a table of pairs, or give "
            f"pairs of images ({error}). {SOURCES}"
        ) from error


def _listed(path: Path) -> list[Pair]:
    """The pairs of a table, whose names are relative to its folder."""
    if path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES:
        raise UsageError(
            f"{path} is no table of pairs. Give two images, two folders, or a table "
            "with the columns reference and distorted."
        )
    table = read_table(path)
    for place, problem in table.problems:
        raise UsageError(f"{path}, {table.unit} {place}: {problem}.")
    columns = [_column(table.header, role, path) for role in COLUMNS]
    unique = _Unique()
    pairs = []
    for place, cells in table.rows:
        names = [cells[column].strip() for column in columns]
        if not all(names):
            raise UsageError(f"{path}, {table.unit} {place}: a name is empty.")
        files = [str(path.parent / name) for name in names]
        pairs.append(Pair(unique(names[1]), files[0], files[1], (files[0], files[1])))
    return pairs


def _column(header: list[str], role: str, path: Path) -> int:
    lower = [name.lower() for name in header]
    for name in COLUMNS[role]:
        if name in lower:
            return lower.index(name)
    raise UsageError(
        f"{path} has no column {role}; its columns are "
        f"{', '.join(map(shown, header))}. Name two of them reference and distorted."
    )


def _matched(reference: str, distorted: str) -> Iterator[Pair]:
    """Each image of a folder with the image of that name in another.

    The whole name counts, with subfolders; where there is no such reference, the name
    without its suffix does, if only one reference has it.
    """
    originals = _within(reference)
    by_stem = defaultdict(list)
    for name in originals:
        by_stem[os.path.splitext(name)[0]].append(name)
    used = set()
    for name in _within(distorted):
        path = os.path.join(distorted, name)
        by_name = [name] if name in originals else []
        found = by_name or by_stem.get(os.path.splitext(name)[0], [])
        label = name.replace(os.sep, "/")
        if len(found) == 1:
            used.add(found[0])
            source = os.path.join(reference, found[0])
            yield Pair(label, source, path, (source, path))
            continue
        why = "no image has this name"
        if found:
            why = f"it may be one of {' and '.join(found)}"
        text = f"{path}: {why} in {reference}. Give both the same name."
        yield Pair(label, "", path, None, ImageError("no_reference", text, path))
    _tell_unmatched([name for name in originals if name not in used], distorted)


def _within(folder: str) -> dict[str, None]:
    """The names of a folder's images, relative to it and in order."""
    return dict.fromkeys(os.path.relpath(name, folder) for name in find_images(folder))


def _tell_unmatched(names: Iterable[str], folder: str) -> None:
    for name in names:
        _log.warning("%s: no image of this name in %s", name, folder)


class _Unique:
    """Makes names within a folder of what images are called, each another one."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()

    def __call__(self, name: str) -> str:
        # A name in a table may lead out of its folder, or be absolute.
        parts = PurePath(name).parts
        kept = [part for part in parts if part != ".." and not os.path.isabs(part)]
        name = "/".join(kept) or "image"
        self._taken[name] += 1
        return name if self._taken[name] == 1 else f"{name}-{self._taken[name]}"
