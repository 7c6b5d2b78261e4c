"""Whether a file reaches to the end of its image, by the layout of its format."""

import contextlib
import re
import struct
from collections.abc import Callable, Iterator

import numpy as np

from iqa_zoo.images.boxes import boxes, media_is_whole, media_sizes


def _jpeg_is_whole(data: bytes) -> bool:
    return any(marker == _END_OF_IMAGE for marker, _ in jpeg_segments(data))


def jpeg_segments(data: bytes) -> Iterator[tuple[int, int]]:
    """The markers of a JPEG file up to that of its end, and where each one ends."""
    position = 2
    while match := _JPEG_MARKER.search(data, position):
        position = match.end()
        marker = data[position - 1]
        yield marker, position
        if marker == _END_OF_IMAGE:
            return
        if marker != 0x01:  # all but this one have a length
            position += int.from_bytes(data[position : position + 2], "big")


_END_OF_IMAGE = 0xD9
# In compressed data 0xff is followed by 0x00, or by 0xd0..0xd7 where decoding may
# restart; any other follower makes a marker.
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)


def _png_is_whole(data: bytes) -> bool:
    return any(
        kind == b"IEND" and end + _CHECKSUM <= len(data)
        for kind, _, end in png_chunks(data)
    )


def png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The types of a PNG file's chunks, and where the content of each begins and ends.

    The last one may end after the file does.
    """
    position = 8
    while position + 8 + _CHECKSUM <= len(data):
        size, kind = struct.unpack_from(">I4s", data, position)
        start = position + 8
        yield kind, start, start + size
        if kind == b"IEND":
            return
        position = start + size + _CHECKSUM


_CHECKSUM = 4  # bytes after the content of a chunk


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
    return any(kind == _TRAILER for kind in gif_pieces(data))


def gif_pieces(data: bytes) -> Iterator[int]:
    """How each block of a GIF file begins, and 1 for each piece of its content.

    Ends with the trailer, or where the file does.
    """
    with contextlib.suppress(IndexError):
        position = 13 + _gif_table(data[10])
        while match := _GIF_BLOCK.search(data, position):
            kind = data[match.start()]
            yield kind
            if kind == _TRAILER:
                return
            position = match.start() + 2  # of an extension
            if kind == _FRAME:
                position += 9 + _gif_table(data[position + 7])
            while count := data[position]:
                yield 1
                position += count + 1
            position += 1


_FRAME, _TRAILER = 0x2C, 0x3B
_GIF_BLOCK = re.compile(rb"[\x21\x2c\x3b]")  # an extension, a frame or the trailer


def _gif_table(flags: int) -> int:
    return 6 << (flags & 7) if flags & 0x80 else 0


def _webp_is_whole(data: bytes) -> bool:
    return int.from_bytes(data[4:8], "little") + 8 <= len(data)


def _tiff_is_whole(data: bytes) -> bool:
    order = "<" if data[:2] == b"II" else ">"
    big = b"+" in data[:4]
    word, count, entry = ("Q", "Q", "HHQ") if big else ("I", "H", "HHI")
    head, room = struct.calcsize(order + count), struct.calcsize(order + word)
    size = struct.calcsize(order + entry) + room
    pages: set[int] = set()
    looked_at = 0
    try:
        (page,) = struct.unpack_from(order + word, data, 8 if big else 4)
        while page and page not in pages:
            pages.add(page)
            (entries,) = struct.unpack_from(order + count, data, page)
            looked_at += 1 + entries
            if looked_at > _TIFF_ENTRIES:
                break
            tags = {}
            for position in range(page + head, page + head + entries * size, size):
                tag, kind, number = struct.unpack_from(order + entry, data, position)
                width = _TIFF_WIDTHS.get(kind, 0)
                place = position + size - room
                if number * width > room:  # the value is elsewhere
                    (place,) = struct.unpack_from(order + word, data, place)
                if place + number * width > len(data):
                    return False
                if tag in _TIFF_PARTS and tag not in tags and kind in (3, 4, 16):
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


_TIFF_ENTRIES = (
    100_000  # more are not looked at, so that a hostile file costs no minutes
)
_TIFF_PARTS = {273, 279, 324, 325}  # starts and lengths of strips and of tiles
# Bytes of one value of each type: TIFF 6.0 section 2, and BigTIFF's 16 to 18.
_TIFF_WIDTHS = {
    **dict.fromkeys((1, 2, 6, 7), 1),
    **dict.fromkeys((3, 8), 2),
    **dict.fromkeys((4, 9, 11, 13), 4),
    **dict.fromkeys((5, 10, 12, 16, 17, 18), 8),
}


def _jpeg2000_is_whole(data: bytes) -> bool:
    # ISO/IEC 15444-1: a codestream, bare or in a box, is a head and parts of tiles.
    for box in boxes(data, 0, len(data)):
        if box.kind in _JPEG2000_BOXES and box.end > len(data):
            return False
    start, end = _codestream(data)
    tiles = set()
    with contextlib.suppress(struct.error):
        position = start + 2
        while (marker := data[position : position + 2]) != b"\xff\xd9":  # its end
            (length,) = struct.unpack_from(">H", data, position + 2)
            if marker == b"\xff\x90":  # a part of a tile
                tile, length = struct.unpack_from(">HI", data, position + 4)
                tiles.add(tile)
                if not length:  # which reaches to the end
                    position = end - 2
                    break
                position += max(length, _TILE_HEAD)
            else:
                position += 2 + length
        ends = data[position : position + 2] == b"\xff\xd9"
        fits = position + 2 <= end <= len(data)
        return ends and fits and len(tiles) >= _tiles(data, start)
    return False


_JPEG2000_BOXES = {b"jp2h", b"jp2c", b"jp2i", b"xml ", b"uuid", b"uinf"}
_TILE_HEAD = 14  # bytes; no part of a tile has fewer


def _tiles(data: bytes, start: int) -> int:
    """How many tiles the picture of a codestream that begins at `start` has."""
    right, bottom, _, _, width, height, left, top = struct.unpack_from(
        ">8I", data, start + 8
    )
    if not (width and height):  # no size, which the decoder refuses
        return 0
    return int(-((left - right) // width) * -((top - bottom) // height))


def _codestream(data: bytes) -> tuple[int, int]:
    """Where the codestream of a JPEG 2000 file begins and ends; (0, 0) without one."""
    if data.startswith(b"\xff\x4f"):
        return 0, len(data)
    for box in boxes(data, 0, len(data)):
        if box.kind == b"jp2c":
            return box.start, box.end
    return 0, 0


def _jpeg2000_sizes(data: bytes) -> list[tuple[int, int]]:
    start, _ = _codestream(data)
    return [struct.unpack_from(">II", data, start + 8)]


#: For each format, whether these bytes of it are a whole file.
WHOLE: dict[str, Callable[[bytes], bool]] = {
    "JPEG": _jpeg_is_whole,
    "PNG": _png_is_whole,
    "BMP": _bmp_is_whole,
    "GIF": _gif_is_whole,
    "WebP": _webp_is_whole,
    "TIFF": _tiff_is_whole,
    "AVIF": media_is_whole,
    "HEIC": media_is_whole,
    "JPEG 2000": _jpeg2000_is_whole,
}

#: The sizes that a whole file claims beside that which its decoder tells.
SIZES: dict[str, Callable[[bytes], list[tuple[int, int]]]] = {
    "AVIF": media_sizes,
    "HEIC": media_sizes,
    "JPEG 2000": _jpeg2000_sizes,
}
