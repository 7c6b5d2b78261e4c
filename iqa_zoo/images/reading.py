"""One image from whatever a user has: a path, bytes, an open file, an array."""

import errno
import os
import stat
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from iqa_zoo.errors import UsageError
from iqa_zoo.images.decoding import decode, decoding
from iqa_zoo.images.limits import (
    DEFAULT_LIMITS,
    Limits,
    check_bytes,
    check_size,
    image_error,
    out_of_memory,
)
from iqa_zoo.images.pixels import Pixels, from_array, upright_rgb

Source = (
    str | os.PathLike[Any] | bytes | bytearray | memoryview | BinaryIO | Image.Image
)

#: What can be read, for messages.
SOURCES = (
    "Give a path, the bytes of a file, a file that is open in binary mode, a PIL image "
    "or an array (height, width, 3) of uint8."
)


def read_image(
    source: Source | ArrayLike,
    *,
    limits: Limits = DEFAULT_LIMITS,
    value_range: tuple[float, float] | None = None,
) -> Pixels:
    """The pixels of one image, upright, as uint8 RGB `(height, width, 3)`.

    A file or its bytes: the first frame or page; EXIF orientation applied, a damaged
    EXIF block ignored; colour profiles ignored. JPEG pixels equal those of
    `tf.io.decode_jpeg(dct_method="INTEGER_ACCURATE", channels=3)` to the bit. Of 16
    bits the upper 8 are taken. Transparency is laid on white, as a viewer shows it.

    Args:
        source: a path, the bytes of a file, a file that is open in binary mode (read
            from where it is to its end), a PIL image, or what `np.asarray` makes an
            array of: `(height, width)`, or `(height, width, c)` with c = 1 grey,
            3 RGB or 4 RGBA. It is not modified and may be read-only.
        limits: the largest image that is read.
        value_range: the values of black and white in an array, such as `(0, 1)` or
            `(0, 255)`. An array that is not uint8 needs it; values beyond it by more
            than half a grey level are refused.

    Returns:
        A C-contiguous array. It may be read-only, and shares the memory of `source`
        where that is such an array already.

    Raises:
        ImageError: the image cannot be read; `code` says why.
        UsageError: something else, or an array whose shape, type or values are no
            image's.
    """
    if isinstance(source, str | os.PathLike):
        name = os.fsdecode(source)
        return decode(_read_file(name, limits), name, limits)
    if isinstance(source, bytes | bytearray | memoryview):
        return decode(bytes(source), "", limits)
    if isinstance(source, Image.Image):
        name = str(getattr(source, "filename", ""))
        check_size(source.size, name, limits)
        with decoding(name):
            return upright_rgb(source, name)
    if hasattr(source, "read"):
        name = name_of(source)
        return decode(_read_open(source, name, limits), name, limits)
    try:
        array = np.asarray(source)
    except MemoryError:
        raise
    except Exception as error:  # rows of unequal length, a tensor on another device
        raise UsageError(f"This is no image: {error}") from error
    if array.ndim == 0:
        raise UsageError(f"A {type(source).__name__} is no image. {SOURCES}")
    return from_array(array, value_range, limits)


def name_of(source: Any) -> str:
    """What results and messages call an image: its path, or of what kind it is."""
    if isinstance(source, str | os.PathLike):
        return os.fsdecode(source)
    if hasattr(source, "read"):
        name = getattr(source, "name", None)
        return os.fsdecode(name) if isinstance(name, str | bytes) else "<bytes>"
    is_bytes = isinstance(source, bytes | bytearray | memoryview)
    return "<bytes>" if is_bytes else "<array>"


# Errors that mean that there is no such file, rather than one that cannot be opened.
_NO_FILE = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG}


def _read_file(name: str, limits: Limits) -> bytes:
    try:
        # Opening a pipe would wait for a writer, and opening a device may do anything.
        mode = os.stat(name).st_mode
        if stat.S_ISDIR(mode):
            os.scandir(name).close()  # fails where a search could not enter it
            raise image_error(
                "unreadable", name, "this is a folder. Name an image file."
            )
        if not stat.S_ISREG(mode):
            raise image_error(
                "unreadable", name, "this is no plain file. Name an image."
            )
        with open(name, "rb", opener=_open_at_once) as file:
            check_bytes(os.fstat(file.fileno()).st_size, name, limits)
            return file.read()
    except ValueError as error:  # a NUL, or what the file system cannot encode
        raise image_error("not_found", name, "no file can have this name.") from error
    except MemoryError as error:
        raise out_of_memory(name) from error
    except OSError as error:
        if error.errno in _NO_FILE:
            raise image_error(
                "not_found", name, "there is no such file. Check the name."
            ) from error
        raise image_error(
            "unreadable",
            name,
            f"cannot be opened ({error.strerror or error}). "
            "Check its permissions and where its links lead.",
        ) from error


def _read_open(file: Any, name: str, limits: Limits) -> bytes:
    try:
        data = file.read(limits.bytes + 1)
    except MemoryError as error:
        raise out_of_memory(name) from error
    except (OSError, ValueError) as error:  # closed, or open for writing only
        raise image_error("unreadable", name, f"cannot be read ({error}).") from error
    if not isinstance(data, bytes):
        raise UsageError(
            f"{name} gives {type(data).__name__} when read. Open it in binary mode, as "
            'in open(name, "rb").'
        )
    return data


def _open_at_once(name: str, flags: int) -> int:
    # The file may have become a pipe since it was looked at.
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))
