"""One image from whatever a user has: a path, bytes, an open file, an array."""

import errno
import os
import stat
from collections.abc import Collection, Iterable, Mapping
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from iqa_zoo.errors import UsageError
from iqa_zoo.images.decoding import Encoded, decoding
from iqa_zoo.images.formats import checked_formats
from iqa_zoo.images.limits import (
    DEFAULT_LIMITS,
    Limits,
    check_bytes,
    check_size,
    image_error,
    out_of_memory,
)
from iqa_zoo.images.pixels import Pixels, from_array, upright_rgb
from iqa_zoo.images.resizing import ENLARGE_RULES, fit_by, shrink_reduced

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
    also_read: str | Iterable[str] = (),
) -> Pixels:
    """The pixels of one image, upright, as uint8 RGB `(height, width, 3)`.

    A file or its bytes: the first frame or page; EXIF orientation applied, or what AVIF
    and HEIC have instead; a damaged EXIF block ignored. Colours are brought to sRGB
    where the image has a profile of another colour space; a damaged profile is ignored.
    JPEG pixels without such a profile equal those of
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
        also_read: formats to read that are only read when asked for: "jpeg2000".

    Returns:
        A C-contiguous array. It may be read-only, and shares the memory of `source`
        where that is such an array already.

    Raises:
        ImageError: the image cannot be read; `code` says why.
        UsageError: something else, an array whose shape, type or values are no image's,
            or a name in `also_read` that is none.
    """
    opened = _opened(source, limits, value_range, checked_formats(also_read))
    return opened.pixels() if isinstance(opened, Encoded) else opened


class Photo:
    """An image that is decoded when it is wanted, as large as it is wanted.

    A JPEG file in colour, of two megapixels or more, is decoded at half its size where
    it is at least four times as high and as wide as the network's input, at a quarter
    from twelve times on, if its sides can be divided so and the card's rule shrinks by
    area. That depends on nothing but the photo and the rule.

    Takes the arguments of `read_image`.

    Attributes:
        height: of the upright picture, in pixels.
        width: likewise.

    Raises:
        ImageError: the image cannot be read; `code` says why.
        UsageError: it is no image; see `read_image`.
    """

    def __init__(
        self,
        source: Source | ArrayLike,
        *,
        limits: Limits = DEFAULT_LIMITS,
        value_range: tuple[float, float] | None = None,
        also_read: str | Iterable[str] = (),
    ) -> None:
        opened = _opened(source, limits, value_range, checked_formats(also_read))
        self._pixels: dict[int, Pixels] = {}
        self._fitted: dict[tuple[Any, ...], Pixels] = {}
        self._encoded: Encoded | None = None
        if isinstance(opened, Encoded):
            self._encoded = opened
            self.height, self.width = opened.height, opened.width
        else:
            self._pixels[1] = opened
            self.height, self.width, _ = opened.shape

    def fitted(self, rule: Mapping[str, Any]) -> Pixels:
        """The picture as a card's table `input` wants it; see `fit_by`.

        Raises:
            ImageError: the image is damaged, or there is too little memory.
            UnknownNameError: a rule that is not known.
            MissingLibraryError: OpenCV does not load.
        """
        key = (*rule["size"], rule["fit"], rule["shrink"], rule["enlarge"])
        if key not in self._fitted:
            scale = self._scale(rule)
            if self._encoded and scale not in self._pixels:
                self._pixels[scale] = self._encoded.pixels(scale)
            pixels = self._pixels[scale]
            if scale > 1:
                self._fitted[key] = shrink_reduced(pixels, *rule["size"])
            else:
                self._fitted[key] = fit_by(rule, pixels)
        return self._fitted[key]

    def pixels(self) -> Pixels:
        """The picture in its own size, uint8 `(height, width, 3)`.

        Raises:
            ImageError: the image is damaged, or there is too little memory.
        """
        if 1 not in self._pixels and self._encoded:
            self._pixels[1] = self._encoded.pixels()
        return self._pixels[1]

    def _scale(self, rule: Mapping[str, Any]) -> int:
        """Which part of each side is decoded: 1, or one in 2 or 4."""
        if (
            self._encoded is None
            or self._encoded.kind != "JPEG"
            or self._encoded.is_grey  # its scores can move beyond the tolerance
            or (rule["fit"], rule["shrink"]) != ("stretch", "area")
            or rule["enlarge"] not in ENLARGE_RULES  # which `fit_by` tells
            or self.height * self.width < _LARGE
        ):
            return 1
        for scale, times in _SCALES:
            # A last pixel that stands for less than the others would shift the rest.
            if not (self.height % scale or self.width % scale) and all(
                have >= times * want
                for have, want in zip(
                    (self.height, self.width), rule["size"], strict=True
                )
            ):
                return scale
        return 1


_LARGE = 2_000_000  # pixels; fewer take little time to decode
# At which scale a JPEG image is decoded from how many times the size of the network's
# input on. From eight times on at a quarter, scores would move by up to 0.07.
_SCALES = ((4, 12), (2, 4))


def _opened(
    source: Source | ArrayLike,
    limits: Limits,
    value_range: tuple[float, float] | None,
    also_read: Collection[str],
) -> Encoded | Pixels:
    """An image that is ready to be decoded, or the pixels of one that is already."""
    if isinstance(source, str | os.PathLike):
        name = os.fsdecode(source)
        return Encoded(_read_file(name, limits), name, limits, also_read)
    if isinstance(source, bytes | bytearray | memoryview):
        return Encoded(bytes(source), "", limits, also_read)
    if isinstance(source, Image.Image):
        name = str(getattr(source, "filename", ""))
        check_size(source.size, name, limits)
        with decoding(name):
            return upright_rgb(source, name)
    if hasattr(source, "read"):
        name = name_of(source)
        return Encoded(_read_open(source, name, limits), name, limits, also_read)
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
