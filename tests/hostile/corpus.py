"""Malformed images, made by code: of every format fifty files, and what each is to get.

Nothing here is stored. The same seed gives the same damage, in whatever bytes the
encoders that are installed make of the one small picture. Of each format there are 12
truncations, 10 headers that lie, 8 flipped bits, 5 bombs (small files that claim or
unpack to much), 5 colour modes (good files), 5 blocks of metadata, and 5 odd files.
"""

import functools
import importlib.util
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from tests.hostile.damage import EMPTY, IMAGE, PICTURE, SCORES, File, encoded
from tests.hostile.formats import bmp, gif, heif, jpeg, jpeg2000, png, tiff, webp

#: How many cases of each kind every format has.
KINDS = {
    "truncation": 12,
    "lie": 10,
    "flip": 8,
    "bomb": 5,
    "mode": 5,
    "metadata": 5,
    "odd": 5,
}

SUFFIXES = {
    "JPEG": "jpg",
    "PNG": "png",
    "BMP": "bmp",
    "GIF": "gif",
    "WebP": "webp",
    "TIFF": "tif",
    "AVIF": "avif",
    "HEIC": "heic",
    "JPEG 2000": "jp2",
}


class Case(NamedTuple):
    """One file and what is expected of it.

    Attributes:
        name: of the file; says its format and kind.
        form: the name of the format.
        kind: a key of `KINDS`.
        make: writes the file at a path.
        expected: the codes that it may get; "scores" where it may be scored.
        pixels: what a good file is to be read as, uint8 (height, width, 3).
        tolerance: by how many grey levels these may differ.
        rows: how many rows it gets in a folder that is scored.
    """

    name: str
    form: str
    kind: str
    make: Callable[[str], None]
    expected: frozenset[str]
    pixels: np.ndarray | None = None
    tolerance: int = 0
    rows: int = 1


def formats() -> list[str]:
    """The formats that files can be made of here; JPEG 2000 is the ninth, or eighth."""
    return [form for form in SUFFIXES if form != "HEIC" or has_heic()]


def has_heic() -> bool:
    """Whether the library that writes and reads HEIC is installed."""
    return importlib.util.find_spec("pillow_heif") is not None


@functools.cache
def cases(form: str) -> list[Case]:
    """The fifty cases of one format."""
    found = [
        Case(
            _name(form, kind, number, file.what),
            form,
            kind,
            functools.partial(_write, file.data),
            file.expected,
            file.pixels,
            file.tolerance,
        )
        for kind, files in FILES[form]().items()
        for number, file in enumerate(files)
    ]
    return found + list(_odd(form))


def _name(form: str, kind: str, number: int, what: str) -> str:
    words = f"{form} {kind} {number:02} {what}".lower().split()
    return "-".join(words) + "." + SUFFIXES[form]


def _write(data: bytes, path: str) -> None:
    with open(path, "wb") as file:
        file.write(data)


# --- odd files ------------------------------------------------------------------------

# No two formats share what is odd about their last file.
_LAST = {
    "JPEG": "folder",
    "PNG": "pipe",
    "BMP": "looping link",
    "GIF": "no permission",
    "WebP": "text",
    "TIFF": "socket",
    "AVIF": "broken link",
    "HEIC": "odd name",
    "JPEG 2000": "noise",
}


def _odd(form: str) -> Iterator[Case]:
    longest = {"WebP": 16383, "HEIC": 4096}.get(form, 30_000)
    thin = encoded(Image.new("RGB", (1, longest), (200, 100, 50)), form)
    too_small = frozenset({"too_small"})
    another = encoded(IMAGE, "BMP" if form == "PNG" else "PNG")
    files = [
        File("no bytes", b"", EMPTY),
        File("one pixel", encoded(IMAGE.crop((0, 0, 1, 1)), form), too_small),
        File(f"1 x {longest}", thin, too_small),
        File("wrong suffix", another, SCORES, PICTURE),
    ]
    for number, file in enumerate(files):
        name = _name(form, "odd", number, file.what)
        make = functools.partial(_write, file.data)
        yield Case(name, form, "odd", make, file.expected, file.pixels)
    what = _LAST[form]
    name = _name(form, "odd", 4, what)
    if what == "odd name":
        name = "new\nline " + os.fsdecode(b"caf\xe9 ") + name
    make, expected = _ODD[what]
    yield Case(name, form, "odd", make, expected, rows=int(what != "folder"))


def _socket(path: str) -> None:
    # A socket's address has few bytes, so that it cannot be any path.
    with socket.socket(socket.AF_UNIX) as server:
        folder = os.open(os.path.dirname(path), os.O_RDONLY)
        try:
            server.bind(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
        finally:
            os.close(folder)


def _locked(path: str) -> None:
    _write(encoded(IMAGE, "GIF"), path)
    os.chmod(path, 0)


_UNREADABLE = frozenset({"unreadable"})
_ODD: dict[str, tuple[Callable[[str], None], frozenset[str]]] = {
    "folder": (os.mkdir, _UNREADABLE),
    "pipe": (os.mkfifo, _UNREADABLE),
    "looping link": (lambda path: os.symlink(path, path), _UNREADABLE),
    "no permission": (_locked, _UNREADABLE),
    "text": (
        functools.partial(_write, b"These are words in a file.\n" * 9),
        frozenset({"unknown_format"}),
    ),
    "socket": (_socket, _UNREADABLE),
    "broken link": (
        lambda path: os.symlink(path + ".missing", path),
        frozenset({"not_found"}),
    ),
    "odd name": (functools.partial(_write, encoded(IMAGE, "PNG")), SCORES),
    "noise": (
        functools.partial(_write, np.random.default_rng(9).bytes(9999)),
        frozenset({"unknown_format"}),
    ),
}


# --- all formats ----------------------------------------------------------------------

FILES: dict[str, Callable[[], dict[str, Iterable[File]]]] = {
    "JPEG": jpeg.files,
    "PNG": png.files,
    "BMP": bmp.files,
    "GIF": gif.files,
    "WebP": webp.files,
    "TIFF": tiff.files,
    "AVIF": functools.partial(heif.files, "AVIF", 7),
    "HEIC": functools.partial(heif.files, "HEIC", 8),
    "JPEG 2000": jpeg2000.files,
}
