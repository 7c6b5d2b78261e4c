"""The boxes of ISO media files (ISO/IEC 14496-12), of which AVIF and HEIC are kinds.

Read only as far as two questions need: whether a file reaches to the end of its images,
and what sizes it claims for them. Decoders take the size from one place and memory by
another, so all places are looked at.
"""

import itertools
import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# The boxes at the top of a file. Others there are bytes appended to it.
_TOP = {b"ftyp", b"meta", b"moov", b"mdat", b"moof", b"free", b"skip", b"uuid"}
_SEQUENCES = {b"avis", b"msf1", b"hevc", b"hevx"}  # the brands of films
_PARTS = 20_000  # more are not looked at, so that a hostile file costs no minutes
# What comes before the boxes inside a box.
_BEFORE = {b"meta": 4}


class Box(NamedTuple):
    """A box's type, and where its content begins and ends."""

    kind: bytes
    start: int  # of its content
    end: int


class _Item(NamedTuple):
    kind: bytes
    parts: list[tuple[int, int]]  # start and end in the file


def media_is_whole(data: bytes) -> bool:
    """Whether all that the items and the tracks of a file point at is there."""
    try:
        top = _top(data)
        if b"" in top:  # one that the file ends within
            return False
        if (b"moov" if data[8:12] in _SEQUENCES else b"meta") not in top:
            return False
        ends = [end for item in _items(data, top) for _, end in item.parts]
        ends += [end for _, end in _chunks(data, top)]
    except (struct.error, ValueError, KeyError):
        return False
    return max(ends, default=0) <= len(data)


def media_sizes(data: bytes) -> list[tuple[int, int]]:
    """Every width and height that a whole file claims for an image or a part of one."""
    top = _top(data)
    sizes = []
    for box in _inside(data, _find(data, top.get(b"meta"), b"iprp", b"ipco")):
        if box.kind == b"ispe":
            sizes.append(struct.unpack_from(">II", data, box.start + 4))
    streams = _chunks(data, top)[:1]
    for item in _items(data, top):
        start, end = item.parts[0] if item.parts else (0, 0)
        if item.kind == b"grid":
            numbers = ">II" if data[start + 1] & 1 else ">HH"
            sizes.append(struct.unpack_from(numbers, data, start + 4))
        elif item.kind == b"av01":
            streams.append((start, end))
    for start, end in streams:
        sizes += _sequence_sizes(data[start:end])
    return sizes


def _top(data: bytes) -> dict[bytes, Box]:
    found: dict[bytes, Box] = {}
    for box in boxes(data, 0, len(data)):
        if box.kind in _TOP:
            found.setdefault(b"" if box.end > len(data) else box.kind, box)
    return found


def boxes(data: bytes, start: int, end: int) -> Iterator[Box]:
    """The boxes that follow each other from `start`; the last may be cut off."""
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, start + 8)
            head = 16
        elif size == 0:
            size = end - start
        if size < head:
            return
        yield Box(kind, start + head, start + size)
        start += size


def _inside(data: bytes, box: Box | None) -> list[Box]:
    if box is None:
        return []
    inner = boxes(data, box.start + _BEFORE.get(box.kind, 0), box.end)
    found = list(itertools.islice(inner, _PARTS + 1))
    if len(found) > _PARTS:
        raise ValueError("too many boxes")
    return found


def _find(data: bytes, box: Box | None, *path: bytes) -> Box | None:
    for kind in path:
        found = (inner for inner in _inside(data, box) if inner.kind == kind)
        box = next(found, None)
    return box


def _reader(data: bytes, start: int) -> Callable[[int], int]:
    """Gives the next number of as many bytes as are asked for."""
    place = start

    def read(size: int) -> int:
        nonlocal place
        place += size
        if place > len(data):
            raise ValueError("a box ends early")
        return int.from_bytes(data[place - size : place], "big")

    return read


def _items(data: bytes, top: dict[bytes, Box]) -> list[_Item]:
    """The items that the box `iloc` places, with the types that `iinf` gives them."""
    meta = top.get(b"meta")
    places, held = _find(data, meta, b"iloc"), _find(data, meta, b"idat")
    if places is None:
        return []
    kinds = _item_kinds(data, _find(data, meta, b"iinf"))
    read = _reader(data, places.start)
    version, _ = read(1), read(3)
    widths = read(2)
    offset, length, base, index = (widths >> shift & 15 for shift in (12, 8, 4, 0))
    items = []
    count = 0
    for _ in range(read(4 if version == 2 else 2)):
        name = read(4 if version == 2 else 2)
        inner = version > 0 and read(2) & 15 == 1  # counted from where idat begins
        read(2)
        origin = read(base) + (held.start if inner and held else 0)
        number = read(2)
        count += 1 + number
        if count > _PARTS:  # which may take no bytes of the file
            raise ValueError("too many items")
        parts = []
        for _ in range(number):
            read(index if version else 0)
            start = origin + read(offset)
            size = read(length)
            parts.append((start, start + size if size else max(start, len(data))))
        items.append(_Item(kinds.get(name, b""), parts))
    return items


def _item_kinds(data: bytes, box: Box | None) -> dict[int, bytes]:
    if box is None:
        return {}
    kinds = {}
    before = 8 if data[box.start] else 6  # version, flags and the number of items
    for entry in boxes(data, box.start + before, box.end):
        wide = data[entry.start] > 2
        name, _, kind = struct.unpack_from(
            ">IH4s" if wide else ">HH4s", data, entry.start + 4
        )
        kinds[name] = kind
    return kinds


def _chunks(data: bytes, top: dict[bytes, Box]) -> list[tuple[int, int]]:
    """Start and end of every chunk of samples of every track."""
    chunks: list[tuple[int, int]] = []
    for track in _inside(data, top.get(b"moov")):
        table = _find(data, track, b"mdia", b"minf", b"stbl")
        boxes = {box.kind: box for box in _inside(data, table)}
        if b"stsz" not in boxes:
            continue
        wide = b"co64" in boxes
        place = boxes[b"co64" if wide else b"stco"].start
        starts = _table(data, place + 4, ">u8" if wide else ">u4", 1)[:, 0]
        first, per, _ = _table(data, boxes[b"stsc"].start + 4, ">u4", 3).T
        # Each row of the table holds from its first chunk, counted from 1, onwards.
        rows = np.searchsorted(first, np.arange(len(starts)) + 1, side="right") - 1
        samples = np.cumsum(per[rows])
        same, count = struct.unpack_from(">II", data, boxes[b"stsz"].start + 4)
        if same:
            ends = np.minimum(samples, count) * same
        else:
            sizes = _table(data, boxes[b"stsz"].start + 8, ">u4", 1)[:, 0]
            sums = np.concatenate([[0], np.cumsum(sizes)])
            ends = sums[np.minimum(samples, count)]
        sizes = np.diff(ends, prepend=0)
        chunks += zip(starts.tolist(), (starts + sizes).tolist(), strict=True)
    return chunks


def _table(data: bytes, place: int, kind: str, columns: int) -> NDArray[np.int64]:
    """A count of four bytes and then as many rows of numbers."""
    (count,) = struct.unpack_from(">I", data, place)
    numbers = np.frombuffer(data, kind, count * columns, place + 4)
    return numbers.astype(np.int64).reshape(count, columns)


def _sequence_sizes(stream: bytes) -> Iterator[tuple[int, int]]:
    """The sizes that the sequence headers of an AV1 stream claim (AV1, section 5)."""
    position = 0
    while position < len(stream):
        head = stream[position]
        position += 2 if head & 4 else 1  # an extension
        size, shift = 0, 0
        while head & 2 and position < len(stream):  # 7 bits a byte, the lowest first
            byte = stream[position]
            size |= (byte & 127) << shift
            position, shift = position + 1, shift + 7
            if byte < 128 or shift > 28:
                break
        else:
            size = len(stream) - position
        if head >> 3 & 15 == 1:
            yield _sequence_size(stream[position : position + size])
        position += size


def _sequence_size(header: bytes) -> tuple[int, int]:
    bits = int.from_bytes(header[:_HEADER].ljust(_HEADER, b"\0"), "big")
    left = 8 * _HEADER

    def read(count: int) -> int:
        nonlocal left
        left -= count
        if left < 0:
            raise ValueError("a sequence header ends early")
        return bits >> left & (1 << count) - 1

    read(4)  # profile, still picture
    if read(1):  # the reduced header of a still picture
        read(5)
    else:
        delay = 0
        if read(1):  # timing
            read(64)
            if read(1):  # equal intervals: a number of as many bits as zeros precede
                zeros = 0
                while not read(1):
                    zeros += 1
                read(zeros)
            if read(1):  # a decoder model
                delay = read(5) + 1
                read(42)
        display = read(1)
        for _ in range(read(5) + 1):  # operating points
            read(12)
            if read(5) > 7:
                read(1)
            if delay and read(1):
                read(2 * delay + 1)
            if display and read(1):
                read(4)
    widths = read(4) + 1, read(4) + 1
    width, height = (read(count) + 1 for count in widths)
    return width, height


_HEADER = 400  # bytes of a sequence header that can hold its size
