"""Images of every kind that a user has, made into the same pixels everywhere.

`find_images` names the files, `read_image` decodes one of them, `fit_image` brings it
to the size that a network takes. All pixels are uint8 `(height, width, 3)`, RGB.

What is read is decided by the content, never by the suffix, and by an allow-list:
JPEG, PNG, BMP, GIF, WebP and TIFF, decoded by Pillow. A damaged or hostile file costs
an `ImageError` with a stable code and never yields pixels of a part of an image.
"""

import contextlib
import dataclasses
import errno
import fnmatch
import functools
import importlib
import io
import logging
import os
import re
import stat
import struct
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from iqa_zoo.errors import (
    ImageError,
    MissingLibraryError,
    UnknownNameError,
    UsageError,
)

Pixels = NDArray[np.uint8]
Source = (
    str | os.PathLike[Any] | bytes | bytearray | memoryview | BinaryIO | Image.Image
)


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """The largest image that is read; checked before its pixels are allocated.

    Args:
        pixels: width times height.
        side: the longer side, in pixels.
        bytes: the size of the file.

    Raises:
        UsageError: a limit that is no positive whole number. There is no way to
            switch a limit off; a large number does it.
    """

    pixels: int = 100_000_000
    side: int = 30_000
    bytes: int = 256_000_000

    def __post_init__(self) -> None:
        """Refuse what cannot limit anything."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise UsageError(
                    f"The limit {field.name}={value!r} is not a positive whole number. "
                    "A limit cannot be switched off; give a larger number instead."
                )


DEFAULT_LIMITS = Limits()

# --- reading ------------------------------------------------------------------------

# Our name of the format: the Pillow class that decodes it. Naming the classes keeps
# Pillow's forty other parsers out, and a multi-picture JPEG is simply a JPEG.
_DECODERS = {
    "JPEG": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "PNG": ("PIL.PngImagePlugin", "PngImageFile"),
    "BMP": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "GIF": ("PIL.GifImagePlugin", "GifImageFile"),
    "WebP": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "TIFF": ("PIL.TiffImagePlugin", "TiffImageFile"),
}

# How a file of each format begins. Formats without a decoder above are refused by
# name, and stand first where their beginning is also that of an accepted one.
_BEGINNINGS = {
    "Canon raw": rb"II\*\0....CR",
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "BMP": rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0",
    "GIF": rb"GIF8[79]a",
    "WebP": rb"RIFF....WEBP",
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "AVIF": rb"....ftypavi[fs]",
    "HEIC": rb"....ftyp(?:he[iv]|mif1|msf1)",
    "Canon raw 3": rb"....ftypcrx",
    "JPEG 2000": rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51",
    "JPEG XL": rb"\0\0\0\x0cJXL \r\n\x87\n|\xff\x0a",
    "Photoshop": rb"8BPS\0[\1\2]",
    "icon": rb"\0\0[\1\2]\0[^\0]\0",
    "PDF": rb"%PDF-",
    "PostScript": rb"%!PS|\xc5\xd0\xd3\xc6",
    "SVG": rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml.{0,2000}?)?<svg[\s>]",
    "Netpbm": rb"P[1-7]\s+[#\d]",
    "OpenEXR": rb"\x76\x2f\x31\x01",
    "Radiance HDR": rb"#\?RADIANCE|#\?RGBE",
    "DirectDraw surface": rb"DDS \x7c\0\0\0",
    "QOI": rb"qoif",
    "FITS": rb"SIMPLE  =",
    "GIMP": rb"gimp xcf",
    "Fujifilm raw": rb"FUJIFILMCCD-RAW",
    "Olympus raw": rb"IIR[OS]",
    "Panasonic raw": rb"IIU\0",
}
# Files of fewer bytes than the longest beginning, which could still be one of these.
_STARTS = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF89a",
    b"GIF87a",
    b"RIFF",
    b"BM",
    b"II*\0",
    b"MM\0*",
)
_LONGEST_START = 18

_CONVERT = "Convert it to PNG or JPEG, or decode it yourself and pass the array."

# EXIF orientation: what brings the picture upright (Exif 2.32, tag 0x0112).
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


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
        return _decode(_read_file(name, limits), name, limits)
    if isinstance(source, bytes | bytearray | memoryview):
        return _decode(bytes(source), "", limits)
    if isinstance(source, Image.Image):
        name = str(getattr(source, "filename", ""))
        _check_size(source.size, name, limits)
        with _decoding(name):
            return _upright_rgb(source, name)
    if hasattr(source, "read"):
        name = name_of(source)
        return _decode(_read_open(source, name, limits), name, limits)
    try:
        array = np.asarray(source)
    except MemoryError:
        raise
    except Exception as error:  # rows of unequal length, a tensor on another device
        raise UsageError(f"This is no image: {error}") from error
    if array.ndim == 0:
        raise UsageError(f"A {type(source).__name__} is no image. {SOURCES}")
    return _from_array(array, value_range, limits)


def name_of(source: Any) -> str:
    """What results and messages call an image: its path, or of what kind it is."""
    if isinstance(source, str | os.PathLike):
        return os.fsdecode(source)
    if hasattr(source, "read"):
        name = getattr(source, "name", None)
        return os.fsdecode(name) if isinstance(name, str | bytes) else "<bytes>"
    is_bytes = isinstance(source, bytes | bytearray | memoryview)
    return "<bytes>" if is_bytes else "<array>"


def _error(code: str, name: str, text: str) -> ImageError:
    return ImageError(code, f"{name or 'The image'}: {text}", name)


# Errors that mean that there is no such file, rather than one that cannot be opened.
_NO_FILE = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG}


def _read_file(name: str, limits: Limits) -> bytes:
    try:
        # Opening a pipe would wait for a writer, and opening a device may do anything.
        mode = os.stat(name).st_mode
        if stat.S_ISDIR(mode):
            os.scandir(name).close()  # fails where a search could not enter it
            raise _error("unreadable", name, "this is a folder. Name an image file.")
        if not stat.S_ISREG(mode):
            raise _error("unreadable", name, "this is no plain file. Name an image.")
        with open(name, "rb", opener=_open_at_once) as file:
            _check_bytes(os.fstat(file.fileno()).st_size, name, limits)
            return file.read()
    except ValueError as error:  # a NUL, or what the file system cannot encode
        raise _error("not_found", name, "no file can have this name.") from error
    except MemoryError as error:
        raise out_of_memory(name) from error
    except OSError as error:
        if error.errno in _NO_FILE:
            raise _error(
                "not_found", name, "there is no such file. Check the name."
            ) from error
        raise _error(
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
        raise _error("unreadable", name, f"cannot be read ({error}).") from error
    if not isinstance(data, bytes):
        raise UsageError(
            f"{name} gives {type(data).__name__} when read. Open it in binary mode, as "
            'in open(name, "rb").'
        )
    return data


def _open_at_once(name: str, flags: int) -> int:
    # The file may have become a pipe since it was looked at.
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))


def out_of_memory(name: str) -> ImageError:
    """The error of an image that there is not enough memory for."""
    return _error(
        "out_of_memory",
        name,
        "not enough memory. Lower the limits, or score fewer images at a time.",
    )


def _check_bytes(count: int, name: str, limits: Limits) -> None:
    if count > limits.bytes:
        raise _error(
            "too_many_bytes",
            name,
            f"{count} bytes are more than the limit of {limits.bytes}. "
            "Raise the limit, or score a smaller copy.",
        )


def _check_size(size: tuple[int, int], name: str, limits: Limits) -> None:
    width, height = size
    if width * height > limits.pixels or max(size) > limits.side:
        raise _error(
            "too_many_pixels",
            name,
            f"{width} x {height} pixels are more than the limits of {limits.pixels} "
            f"pixels and {limits.side} a side. Raise them, or score a smaller copy.",
        )
    if min(size) < 1:
        raise _error("empty", name, f"{width} x {height} pixels are no image.")


def _decode(data: bytes, name: str, limits: Limits) -> Pixels:
    _check_bytes(len(data), name, limits)
    kind = _format_of(data, name)
    whole = _WHOLE[kind]
    with _decoding(name, functools.partial(whole, data)):
        image = _decoder(kind)(io.BytesIO(data))
        _check_size(image.size, name, limits)
        if kind == "TIFF":
            _check_tiff(image, name, limits)
        # Pillow is content with some files that lack their end, or with any file
        # where the user has set LOAD_TRUNCATED_IMAGES.
        if not whole(data):
            raise EOFError("it ends before the image does")
        return _upright_rgb(image, name)


def _format_of(data: bytes, name: str) -> str:
    if not data:
        raise _error("empty", name, "the file has no bytes. Fetch it again.")
    for kind, pattern in _BEGINNINGS.items():
        # Compiled here and not at import, which few images need all of.
        if re.match(pattern, data, re.DOTALL):
            if kind in _DECODERS:
                return kind
            raise _error(
                "refused_format", name, f"{kind} files are not read. {_CONVERT}"
            )
    if len(data) < _LONGEST_START and any(
        start.startswith(data[: len(start)]) for start in _STARTS
    ):
        raise _error("truncated", name, "only the first few bytes are there.")
    raise _error(
        "unknown_format",
        name,
        f"the content is none of {', '.join(_DECODERS)}. {_CONVERT}",
    )


@functools.cache
def _decoder(kind: str) -> Callable[[io.BytesIO], Image.Image]:
    # Without a handler of its own, Pillow's logger would write to stderr.
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    if kind == "TIFF":
        _quieten_libtiff()
    module, name = _DECODERS[kind]
    decoder: Callable[[io.BytesIO], Image.Image] = getattr(
        importlib.import_module(module), name
    )
    return decoder


def _quieten_libtiff() -> None:
    # libtiff prints what it finds wrong with a file; Pillow reports the same as an
    # exception. Looking the function up through Pillow's own library finds the copy
    # that Pillow is linked to; where it cannot be found, libtiff goes on printing.
    import ctypes

    from PIL import _imaging

    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(_imaging.__file__)
        library.TIFFSetErrorHandler.argtypes = [ctypes.c_void_p]
        library.TIFFSetErrorHandler.restype = ctypes.c_void_p
        library.TIFFSetErrorHandler(None)


_thread = threading.local()


class _WhileDecoding(type):
    def __subclasscheck__(cls, subclass: type) -> bool:
        return getattr(_thread, "decoding", False)


class _DecoderWarning(Warning, metaclass=_WhileDecoding):
    """Matches, as a warning filter's category, what a thread decoding here raises.

    `warnings.catch_warnings` swaps the filters of the whole process and so cannot be
    used in a thread; a filter of this category leaves all other threads alone.
    """


@contextlib.contextmanager
def _decoding(name: str, whole: Callable[[], bool] | None = None) -> Iterator[None]:
    # Turns whatever a decoder raises into an ImageError; `whole` tells whether the
    # file reaches to the end of its image.
    if not warnings.filters or warnings.filters[0][2] is not _DecoderWarning:
        warnings.filterwarnings("ignore", category=_DecoderWarning)
    _thread.decoding = True
    try:
        yield
    except ImageError:
        raise
    except MemoryError as error:
        raise out_of_memory(name) from error
    except Image.DecompressionBombError as error:
        raise _error(
            "too_many_pixels", name, f"{error} The limit is PIL.Image.MAX_IMAGE_PIXELS."
        ) from error
    except Exception as error:  # parsers raise IndexError, struct.error, SyntaxError...
        if whole is not None and not whole():
            raise _error(
                "truncated",
                name,
                "the file ends before the image does. Fetch or copy it again.",
            ) from error
        raise _error(
            "corrupt",
            name,
            f"cannot be decoded ({error or type(error).__name__}). It is damaged, or "
            f"of a rare kind. {_CONVERT}",
        ) from error
    finally:
        _thread.decoding = False


# --- whether a file reaches to the end of its image ----------------------------------


def _jpeg_is_whole(data: bytes) -> bool:
    position = 2
    while match := _JPEG_MARKER.search(data, position):
        marker = data[match.end() - 1]
        if marker == 0xD9:  # end of image
            return True
        position = match.end()
        if marker != 0x01:  # all but this one have a length
            position += int.from_bytes(data[position : position + 2], "big")
    return False


# In compressed data 0xff is followed by 0x00, or by 0xd0..0xd7 where decoding may
# restart; any other follower makes a marker.
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)


def _png_is_whole(data: bytes) -> bool:
    position = 8
    while (end := position + 12) <= len(data):
        end += int.from_bytes(data[position : position + 4], "big")
        if data[position + 4 : position + 8] == b"IEND":
            return end <= len(data)
        position = end
    return False


def _bmp_is_whole(data: bytes) -> bool:
    if len(data) < 26:
        return False
    (start,) = struct.unpack_from("<I", data, 10)
    if data[14] == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        packing = 0
    elif len(data) >= 38:
        width, height, _, bits, packing, count = struct.unpack_from("<iiHHII", data, 18)
    else:
        return False
    if packing in (1, 2):  # run lengths
        return bool(start + count <= len(data))
    return bool(start + (width * bits + 31) // 32 * 4 * abs(height) <= len(data))


def _gif_is_whole(data: bytes) -> bool:
    with contextlib.suppress(IndexError):
        position = 13 + _gif_table(data[10])
        while (block := data[position]) != 0x3B:  # the trailer
            if block == 0x21:  # an extension
                position = _gif_after_blocks(data, position + 2)
            elif block == 0x2C:  # a frame
                position += 11 + _gif_table(data[position + 9])
                position = _gif_after_blocks(data, position)
            else:
                position += 1
        return True
    return False


def _gif_table(flags: int) -> int:
    return 6 << (flags & 7) if flags & 0x80 else 0


def _gif_after_blocks(data: bytes, position: int) -> int:
    while count := data[position]:
        position += count + 1
    return position + 1


def _webp_is_whole(data: bytes) -> bool:
    return int.from_bytes(data[4:8], "little") + 8 <= len(data)


def _tiff_is_whole(data: bytes) -> bool:
    order = "<" if data[:2] == b"II" else ">"
    big = b"+" in data[:4]
    word, count, entry = ("Q", "Q", "HHQ") if big else ("I", "H", "HHI")
    head, room = struct.calcsize(order + count), struct.calcsize(order + word)
    size = struct.calcsize(order + entry) + room
    pages: set[int] = set()
    try:
        (page,) = struct.unpack_from(order + word, data, 8 if big else 4)
        while page and page not in pages and len(pages) < _TIFF_PAGES:
            pages.add(page)
            (entries,) = struct.unpack_from(order + count, data, page)
            tags = {}
            for position in range(page + head, page + head + entries * size, size):
                tag, kind, number = struct.unpack_from(order + entry, data, position)
                width = _TIFF_WIDTHS.get(kind, 0)
                place = position + size - room
                if number * width > room:  # the value is elsewhere
                    (place,) = struct.unpack_from(order + word, data, place)
                if place + number * width > len(data):
                    return False
                if tag in _TIFF_PARTS and kind in (3, 4, 16):
                    tags[tag] = np.frombuffer(
                        data, f"{order}u{width}", count=number, offset=place
                    ).astype(np.float64)
            for starts, lengths in ((273, 279), (324, 325)):
                if starts in tags and lengths in tags:
                    parts = min(len(tags[starts]), len(tags[lengths]))
                    ends = tags[starts][:parts] + tags[lengths][:parts]
                    if (ends > len(data)).any():
                        return False
            (page,) = struct.unpack_from(
                order + word, data, page + head + entries * size
            )
    except (struct.error, OverflowError):
        return False
    return True


_TIFF_PAGES = 1000  # more are not looked at, so that a hostile file costs no minutes
_TIFF_PARTS = {273, 279, 324, 325}  # starts and lengths of strips and of tiles
# Bytes of one value of each type: TIFF 6.0 section 2, and BigTIFF's 16 to 18.
_TIFF_WIDTHS = {
    **dict.fromkeys((1, 2, 6, 7), 1),
    **dict.fromkeys((3, 8), 2),
    **dict.fromkeys((4, 9, 11, 13), 4),
    **dict.fromkeys((5, 10, 12, 16, 17, 18), 8),
}

_WHOLE: dict[str, Callable[[bytes], bool]] = {
    "JPEG": _jpeg_is_whole,
    "PNG": _png_is_whole,
    "BMP": _bmp_is_whole,
    "GIF": _gif_is_whole,
    "WebP": _webp_is_whole,
    "TIFF": _tiff_is_whole,
}

# --- pixels of any kind to RGB --------------------------------------------------------

_SIXTEEN_BITS = {"I;16", "I;16L", "I;16B", "I;16N"}
_WITH_ALPHA = {"LA", "La", "PA", "RGBA", "RGBa"}
_OPAQUE = {"1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr"}


def _check_tiff(image: Any, name: str, limits: Limits) -> None:
    # A tile is allocated whole, however small the image that it is for.
    tags = image.tag_v2
    _check_size((tags.get(322, 1), tags.get(323, 1)), name, limits)
    # A raw photo (DNG, NEF, ARW) is a TIFF whose first page is only a preview.
    if 50706 in tags or tags.get(254, 0) & 1:
        raise _error("refused_format", name, f"raw photos are not read. {_CONVERT}")


def _upright_rgb(image: Image.Image, name: str) -> Pixels:
    image.load()
    try:
        turn = _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # a damaged block says nothing about the picture
        turn = None
    rgb = _rgb(image, name)
    if turn is not None:
        rgb = rgb.transpose(turn)
    return np.ascontiguousarray(np.asarray(rgb))


def _rgb(image: Image.Image, name: str) -> Image.Image:
    if image.mode in _SIXTEEN_BITS:
        return _upper_bits(image)
    if image.mode in _WITH_ALPHA or "transparency" in image.info:
        return _on_white(image.convert("RGBA"))
    if image.mode not in _OPAQUE:
        raise _error(
            "refused_format",
            name,
            f"{image.mode} pixels have no stated black and white. Convert it to 8 or "
            "16 bits, or pass the array with value_range.",
        )
    if image.mode == "CMYK":
        return _from_inks(image)
    return image.convert("RGB")


def _from_inks(image: Image.Image) -> Image.Image:
    light = np.asarray(image)
    # Pillow takes every CMYK JPEG for one of Adobe's, whose inks are inverted.
    if image.format != "JPEG" or "adobe" in image.info:
        light = 255 - light
    # Rounded down, as TensorFlow does; Pillow rounds to the nearest.
    rgb = light[:, :, :3].astype(np.uint16) * light[:, :, 3:] // 255
    return Image.fromarray(rgb.astype(np.uint8))


def _upper_bits(image: Image.Image) -> Image.Image:
    levels = np.asarray(image).astype(np.uint16)
    tags: Any = getattr(image, "tag_v2", {})
    bits = tags.get(258, (16,))[0]  # BitsPerSample; 12 bits also come as 16
    grey = (levels >> (bits - 8)).astype(np.uint8)
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        grey[levels == clear] = 255
    return Image.fromarray(grey).convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGB", image.size, "white")
    white.paste(image.convert("RGB"), mask=image.getchannel("A"))
    return white


def _from_array(
    array: NDArray[Any], value_range: tuple[float, float] | None, limits: Limits
) -> Pixels:
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        raise UsageError(
            f"An array of shape {array.shape} is no image. Allowed are "
            "(height, width) and (height, width, 1, 3 or 4)."
        )
    height, width, channels = array.shape
    _check_size((width, height), "", limits)
    array = _grey_levels(array, value_range)
    if channels == 4:
        return np.asarray(_on_white(Image.fromarray(array)))
    if channels == 1:
        array = np.repeat(array, 3, axis=2)
    return np.ascontiguousarray(array)


def _grey_levels(
    array: NDArray[Any], value_range: tuple[float, float] | None
) -> Pixels:
    if value_range is None:
        if array.dtype == np.uint8:
            return array
        raise UsageError(
            f"An array of {array.dtype} does not say which values are black and white. "
            "Pass uint8, or the two values, as in value_range=(0, 1)."
        )
    if array.dtype.kind not in "buif":
        raise UsageError(f"An array of {array.dtype} holds no grey levels.")
    check_range(value_range)
    black, white = value_range
    if not np.isfinite(array).all():
        raise _error("non_finite", "", "the array holds NaN or infinity.")
    slack = (white - black) / 510
    if array.min() < black - slack or array.max() > white + slack:
        raise UsageError(
            f"The array holds values from {array.min()} to {array.max()}, outside "
            f"value_range={value_range}. State the range that it has."
        )
    levels = (array - np.float32(black)) * np.float32(255 / (white - black))
    grey: Pixels = np.rint(levels.clip(0, 255)).astype(np.uint8)
    return grey


def check_range(value_range: Any) -> None:
    """Raise UsageError unless `value_range` is two numbers, the lower one first."""
    try:
        black, white = map(float, value_range)
    except (TypeError, ValueError):
        black = white = np.nan
    if not (np.isfinite(black) and np.isfinite(white) and black < white):
        raise UsageError(
            f"value_range={value_range} is no range. Give black, white: (0, 1)."
        )


# --- resizing -------------------------------------------------------------------------


def opencv() -> Any:
    """The module `cv2`, imported when first needed.

    Raises:
        MissingLibraryError: it does not load; the message has the remedy.
    """
    try:
        import cv2
    except ImportError as error:
        raise MissingLibraryError(
            f"OpenCV does not load ({error}). On a system without a display, first "
            "`pip uninstall opencv-python`, then `pip install --force-reinstall "
            "--no-deps opencv-python-headless`."
        ) from error
    return cv2


def fit_image(
    image: Pixels,
    size: tuple[int, int],
    *,
    fit: str = "stretch",
    shrink: str = "area",
    enlarge: str = "corner",
) -> Pixels:
    """`image` brought to `size` by rules that a card names.

    Each axis follows its own rule: one that gets shorter is shrunk, one that gets
    longer is enlarged, and an axis that keeps its length is left as it is.

    Args:
        image: uint8 `(height, width, 3)`.
        size: the height and width wanted, in pixels.
        fit: "stretch" fills `size` without keeping the aspect ratio.
        shrink: "area" averages what falls under each new pixel; equals
            `tf.image.resize(method="area")` to one grey level.
        enlarge: "corner" interpolates linearly at `i * old / new`, without a
            half-pixel shift, the last row and column repeated; equals
            `tf.raw_ops.ResizeBilinear(half_pixel_centers=False)` to one grey level,
            and is the mapping that MediaPipe uses.

    Returns:
        uint8 `(*size, 3)`; `image` itself where it has that size already.

    Raises:
        UnknownNameError: a rule that is not in the tables below.
        UsageError: `image` or `size` is not as described.
        MemoryError: there is too little for the result.
        MissingLibraryError: OpenCV does not load.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise UsageError(
            f"An array of {image.dtype} {image.shape} cannot be resized. Pass what "
            "read_image returns: uint8 (height, width, 3)."
        )
    if len(size) != 2 or min(size) < 1:
        raise UsageError(f"size={size} is not a height and a width of 1 or more.")
    fitter: Callable[..., Pixels] = _rule("fit rule", fit, FIT_RULES)
    shrinker = _rule("shrink rule", shrink, SHRINK_RULES)
    enlarger = _rule("enlarge rule", enlarge, ENLARGE_RULES)
    return fitter(image, size, shrinker, enlarger)


def fit_by(rule: Mapping[str, Any], image: Pixels) -> Pixels:
    """`image` brought to the size that a card's table `input` asks for, by its rules.

    See `fit_image`, whose arguments are the keys `size`, `fit`, `shrink` and `enlarge`.
    """
    height, width = rule["size"]
    names = {name: rule[name] for name in ("fit", "shrink", "enlarge")}
    return fit_image(image, (height, width), **names)


Resizer = Callable[[Pixels, int, int], Pixels]


def _rule(what: str, name: str, rules: dict[str, Any]) -> Any:
    if name not in rules:
        raise UnknownNameError(what, name, rules)
    return rules[name]


def _stretch(
    image: Pixels, size: tuple[int, int], shrink: Resizer, enlarge: Resizer
) -> Pixels:
    smaller = min(image.shape[0], size[0]), min(image.shape[1], size[1])
    if image.shape[:2] != smaller:
        image = shrink(image, *smaller)
    if image.shape[:2] != tuple(size):
        image = enlarge(image, *size)
    return image


def _area(image: Pixels, height: int, width: int) -> Pixels:
    cv2 = opencv()
    with _opencv_memory(cv2):
        resized: Pixels = cv2.resize(
            image, (width, height), interpolation=cv2.INTER_AREA
        )
    return resized


def _corner(image: Pixels, height: int, width: int) -> Pixels:
    cv2 = opencv()
    old_height, old_width = image.shape[:2]
    back = np.array([[old_width / width, 0, 0], [0, old_height / height, 0]])
    # Before OpenCV 5 positions are rounded to 1/32 pixel: up to 4 grey levels.
    with _opencv_memory(cv2):
        resized: Pixels = cv2.warpAffine(
            image,
            back,
            (width, height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
            hint=cv2.ALGO_HINT_ACCURATE,
        )
    return resized


@contextlib.contextmanager
def _opencv_memory(cv2: Any) -> Iterator[None]:
    # OpenCV has an exception of its own where memory is short.
    try:
        yield
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError(str(error)) from error
        raise


#: The rules that a card may name.
FIT_RULES: dict[str, Callable[..., Pixels]] = {"stretch": _stretch}
SHRINK_RULES: dict[str, Resizer] = {"area": _area}
ENLARGE_RULES: dict[str, Resizer] = {"corner": _corner}

# --- finding --------------------------------------------------------------------------

#: Suffixes of the files that a folder is searched for: those that are read, then those
#: of formats that are refused, so that they are reported instead of passed over.
# fmt: off
IMAGE_SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".bmp", ".dib", ".gif",
    ".webp", ".tif", ".tiff",
    ".avif", ".avifs", ".heic", ".heif", ".hif", ".jp2", ".j2k", ".j2c", ".jpc",
    ".jpf", ".jpx", ".jxl", ".psd", ".ico", ".svg", ".eps",
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
