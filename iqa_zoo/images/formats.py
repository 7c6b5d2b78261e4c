"""Which formats are read, told by how a file begins, and what decodes them."""

import contextlib
import functools
import importlib
import io
import logging
import re
from collections.abc import Callable, Collection, Iterable

from PIL import Image

from iqa_zoo.errors import UnknownNameError
from iqa_zoo.images.limits import CONVERT, FRAMES, image_error

# Our name of the format: the Pillow class that decodes it. Naming the classes keeps
# Pillow's forty other parsers out, and a multi-picture JPEG is simply a JPEG.
_DECODERS = {
    "JPEG": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "PNG": ("PIL.PngImagePlugin", "PngImageFile"),
    "BMP": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "GIF": ("PIL.GifImagePlugin", "GifImageFile"),
    "WebP": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "TIFF": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "AVIF": ("PIL.AvifImagePlugin", "AvifImageFile"),
    "HEIC": ("pillow_heif.as_plugin", "HeifImageFile"),
    "JPEG 2000": ("PIL.Jpeg2KImagePlugin", "Jpeg2KImageFile"),
}

VIDEO = "video"

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
    "AVIF": rb"....ftyp(?:avi[fs]|mif1.{4}(?:.{4}){0,9}?avif)",
    "HEIC film": rb"....ftyp(?:hev|msf1)",
    "HEIC": rb"....ftyp(?:hei|mif1)",
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
    # MP4 and QuickTime, Matroska and WebM, AVI, Flash, Windows Media, MPEG.
    VIDEO: (
        rb"....ftyp(?:iso[m2-9]|mp4|avc1|qt  |M4V|3g[2p]|dash|MSNV|f4v)|....moov"
        rb"|\x1a\x45\xdf\xa3|RIFF....AVI |FLV\x01|\x30\x26\xb2\x75\x8e\x66\xcf\x11"
        rb"|\0\0\x01[\xb3\xba]|\x47.{187}\x47"
    ),
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
    b"\0\0\0\x0cjP  \r\n\x87\n",
    b"\xff\x4f\xff\x51",
)
_LONGEST_START = 18

#: Formats that are read only when asked for, by the name to ask with. The decoder of
#: JPEG 2000 takes far more memory than the others, and has more behind it.
ON_REQUEST = {"jpeg2000": "JPEG 2000"}


def checked_formats(names: str | Iterable[str]) -> frozenset[str]:
    """The formats on request that `names` ask for.

    Raises:
        UnknownNameError: a name that is not in `ON_REQUEST`.
    """
    names = [names] if isinstance(names, str) else names
    for name in (names := list(names)):
        if name not in ON_REQUEST:
            raise UnknownNameError("format on request", name, ON_REQUEST)
    return frozenset(names)


def format_of(data: bytes, name: str, also_read: Collection[str] = ()) -> str:
    """The name of the format that `data` begins like, if that is one to read.

    Formats on request are to be read where they are in `also_read`.

    Raises:
        ImageError: there is no data, too little, or that of another format.
    """
    if not data:
        raise image_error("empty", name, "the file has no bytes. Fetch it again.")
    for kind, pattern in _BEGINNINGS.items():
        # Compiled here and not at import, which few images need all of.
        if re.match(pattern, data, re.DOTALL):
            for asked_as, on_request in ON_REQUEST.items():
                if kind == on_request and asked_as not in also_read:
                    raise image_error(
                        "refused_format",
                        name,
                        f"{kind} files are only read when asked for: pass "
                        f'also_read="{asked_as}", or --also-read {asked_as}.',
                    )
            if kind in _DECODERS:
                return kind
            remedy = FRAMES if kind == VIDEO else CONVERT
            raise image_error(
                "refused_format", name, f"{kind} files are not read. {remedy}"
            )
    if len(data) < _LONGEST_START and (
        any(start.startswith(data[: len(start)]) for start in _STARTS)
        or (not any(data[:3]) and b"ftyp".startswith(data[4:8]))
    ):
        raise image_error("truncated", name, "only the first few bytes are there.")
    raise image_error(
        "unknown_format",
        name,
        f"the content is none of {', '.join(_DECODERS)}. {CONVERT}",
    )


def decoder(kind: str, name: str) -> Callable[[io.BytesIO], Image.Image]:
    """What makes a Pillow image of an open file of a format.

    Raises:
        ImageError: the extra that reads the format is not installed.
    """
    try:
        return _decoder(kind)
    except ImportError as error:
        if kind != "HEIC":
            raise
        raise image_error(
            "refused_format",
            name,
            f"{kind} files are read with an extra: pip install 'iqa_zoo[heif]' "
            f"({error}).",
        ) from error


@functools.cache
def _decoder(kind: str) -> Callable[[io.BytesIO], Image.Image]:
    # Without a handler of its own, Pillow's logger would write to stderr.
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    if kind == "TIFF":
        _quieten_libtiff()
    module, name = _DECODERS[kind]
    made: Callable[[io.BytesIO], Image.Image] = getattr(
        importlib.import_module(module), name
    )
    return made


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
