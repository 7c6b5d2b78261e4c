"""What decoders do not look at: costs out of all proportion, and missing rows."""

import itertools
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from iqa_zoo.images.boxes import boxes
from iqa_zoo.images.limits import CONVERT, image_error
from iqa_zoo.images.whole import gif_pieces, jpeg_segments, png_chunks

_PIECES = 100_000  # of a file; Pillow looks at each in Python
_EXIFS = 50  # of a JPEG; Pillow copies all of them for each
_SCANS = 100  # a progressive JPEG has about ten, and each is a pass over all pixels
_TAGS = 4000  # of one page of a TIFF, which has some fifty at most
_NUMBERS = 1_000_000  # in one tag, of numbers that Pillow makes Python objects of
_BYTES_AND_TEXT = {1, 2, 6, 7}  # types of tags that it leaves as they are
_START_OF_SCAN = 0xDA
_APP1 = 0xE1
_PIECE = 1 << 20  # bytes that are unpacked at once


def check_cost(kind: str, data: bytes, name: str) -> None:
    """Refuse a file that takes far more time or memory than its pixels need.

    Raises:
        ImageError: code "corrupt".
    """
    excess = _EXCESSES.get(kind, _none)(data)
    if excess:
        raise image_error("corrupt", name, f"{excess}. No camera makes such. {CONVERT}")


def _none(data: bytes) -> str:
    return ""


def _jpeg_excess(data: bytes) -> str:
    exifs = scans = 0
    for number, (marker, end) in enumerate(jpeg_segments(data)):
        if number == _PIECES:
            return f"it has more than {_PIECES} segments"
        scans += marker == _START_OF_SCAN
        exifs += marker == _APP1 and data[end + 2 : end + 6] == b"Exif"
    if exifs > _EXIFS:
        return f"it has {exifs} blocks of EXIF, more than {_EXIFS}"
    return f"it has {scans} scans, more than {_SCANS}" if scans > _SCANS else ""


def _png_excess(data: bytes) -> str:
    enough = itertools.islice(png_chunks(data), _PIECES, None)
    return f"it has more than {_PIECES} chunks" if any(enough) else ""


def _gif_excess(data: bytes) -> str:
    most = _PIECES + len(data) // 50  # GIF's own pieces have 255 bytes
    enough = itertools.islice(gif_pieces(data), most, None)
    return f"it has more than {most} pieces" if any(enough) else ""


def _boxes_excess(data: bytes) -> str:
    enough = itertools.islice(boxes(data, 0, len(data)), _PIECES, None)
    return f"it has more than {_PIECES} boxes" if any(enough) else ""


def _tiff_excess(data: bytes) -> str:
    order = "<" if data[:2] == b"II" else ">"
    big = b"+" in data[:4]
    place, number, entry = ("Q", "Q", "HHQQ") if big else ("I", "H", "HHII")
    try:
        (page,) = struct.unpack_from(order + place, data, 8 if big else 4)
        (tags,) = struct.unpack_from(order + number, data, page)
        if tags > _TAGS:
            return f"its first page has {tags} tags, more than {_TAGS}"
        start = page + struct.calcsize(order + number)
        size = tags * struct.calcsize(order + entry)
        for tag, kind, count, _ in struct.iter_unpack(
            order + entry, data[start : start + size]
        ):
            if count > _NUMBERS and kind not in _BYTES_AND_TEXT:
                return f"its tag {tag} has {count} values, more than {_NUMBERS}"
    except (struct.error, OverflowError):  # it ends early, which others tell
        return ""
    return ""


_EXCESSES: dict[str, Callable[[bytes], str]] = {
    "JPEG": _jpeg_excess,
    "PNG": _png_excess,
    "GIF": _gif_excess,
    "AVIF": _boxes_excess,
    "HEIC": _boxes_excess,
    "JPEG 2000": _boxes_excess,
    "TIFF": _tiff_excess,
}


def check_rows(image: Image.Image, data: bytes) -> None:
    """Refuse a decoded PNG whose pixels end before its last row.

    Pillow leaves the rows that are missing black. Where the last one is black, what
    the file unpacks to is counted.

    Raises:
        ValueError: rows are missing.
    """
    width, height = image.size
    depth, colour, _, _, interlaced = data[24:29]
    bits = depth * _SAMPLES[colour]
    if not interlaced and np.asarray(image.crop((0, height - 1, width, height))).any():
        return
    passes = _PASSES if interlaced else [(0, 0, 1, 1)]
    sizes = [
        (len(range(left, width, right)), len(range(top, height, down)))
        for left, top, right, down in passes
    ]
    # Each row begins with the number of its filter; a pass without columns has no rows.
    wanted = sum(
        rows * (1 + (columns * bits + 7) // 8) for columns, rows in sizes if columns
    )
    unpacker = zlib.decompressobj()
    for kind, start, end in png_chunks(data):
        packed = data[start:end] if kind == b"IDAT" else b""
        while packed and wanted > 0:
            wanted -= len(unpacker.decompress(packed, _PIECE))
            packed = unpacker.unconsumed_tail
    if wanted > 0:
        raise ValueError("its pixels end before its last row")


# Samples of each colour type, and the first column and row and the steps of each pass
# of an interlaced picture (PNG, third edition, 11.2.1 and 8).
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PASSES = [
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
]


def check_strips(image: Any) -> None:
    """Refuse a TIFF that is opened, not yet decoded, and lacks strips or tiles.

    Raises:
        ValueError: parts are missing.
    """
    tags = image.tag_v2
    width, height = tags[256], tags[257]  # before the picture is turned
    # Channels in parts of their own; where libtiff decodes, it counts those itself.
    apart = tags.get(284) == 2 and image.tile and image.tile[0][0] != "libtiff"
    covered = sum(
        (min(right, width) - left) * (min(bottom, height) - top)
        for _, (left, top, right, bottom), *_ in image.tile
    )
    if covered < width * height * (tags.get(277, 1) if apart else 1):
        raise ValueError("strips or tiles of it are missing")
