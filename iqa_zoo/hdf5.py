"""The part of HDF5 that weight files use, read out of their bytes.

Groups, lists of texts in attributes, and arrays of numbers that lie in one piece: what
h5py writes of itself, so what Keras wrote. Links out of a group or file, other files,
filters and chunks are refused, and so are large groups in "fractal heaps", which h5py
writes only when it is told that old readers do not matter.

The HDF5 library is not asked, since files come from strangers: its version 1.14.6 goes
round for ever in some small files, and takes memory out of all proportion for others.

Source: HDF5 File Format Specification 3.0; comments name its sections.
"""

import math
import struct
from collections.abc import Iterator

import numpy as np

SIGNATURE = b"\x89HDF\r\n\x1a\n"
#: Messages, links and texts that a file may have, and one more for so many bytes, which
#: is about what each takes in memory. A network of 780 layers has 24,000.
PARTS = 5_000
BYTES_PER_PART = 300
#: Bytes that one name may have.
MOST_NAME = 256

_NOWHERE = (1 << 64) - 1
_TREE, _LIST, _COLLECTION = (
    int.from_bytes(mark, "little") for mark in (b"TREE", b"SNOD", b"GCOL")
)
# Kinds of messages (IV.A.2).
_DATASPACE, _DATATYPE, _LINK, _EXTERNAL, _LAYOUT = 0x01, 0x03, 0x06, 0x07, 0x08
_FILTERS, _ATTRIBUTE, _CONTINUATION, _SYMBOLS = 0x0B, 0x0C, 0x10, 0x11
_LINK_INFO, _ATTRIBUTE_INFO = 0x02, 0x15
# How the types that are read describe themselves (IV.A.2.d), without the version.
_TYPES = {
    bytes.fromhex("01 200f00 02000000 0000 1000 0a 05 00 0a 0f000000"): "<f2",
    bytes.fromhex("01 201f00 04000000 0000 2000 17 08 00 17 7f000000"): "<f4",
    bytes.fromhex("01 203f00 08000000 0000 4000 34 0b 00 34 ff030000"): "<f8",
    bytes.fromhex("00 080000 04000000 0000 2000"): "<i4",
    bytes.fromhex("00 080000 08000000 0000 4000"): "<i8",
}


class File:
    """An HDF5 file in memory.

    Objects (groups and arrays) are known by their place, an offset into the file. All
    methods raise ValueError where the file is not as it should be. Its parts are
    counted, so that no file costs more time and room than its bytes may.

    Attributes:
        root: the place of the first group.
    """

    def __init__(self, data: bytes) -> None:
        if not data.startswith(SIGNATURE):
            raise ValueError("it does not begin as HDF5 files do")
        self._data = memoryview(data)
        self._parts_left = PARTS + len(data) // BYTES_PER_PART
        self._headers: dict[int, list[tuple[int, memoryview]]] = {}
        self._groups: dict[int, dict[str, int]] = {}
        self._attributes: dict[int, dict[str, list[memoryview]]] = {}
        self._collections: dict[int, dict[int, memoryview]] = {}
        # II. Where each version says sizes, base address and the first group.
        places = {0: (13, 24, 64), 1: (13, 28, 68), 2: (9, 12, 36), 3: (9, 12, 36)}
        (version,) = _numbers(self._data, 8, "B")
        if version not in places:
            raise ValueError(f"it has a beginning of version {version}")
        sizes, base, first = places[version]
        start, _, end = _numbers(self._data, base, "QQQ")
        if _numbers(self._data, sizes, "BB") != (8, 8) or start != 0:
            raise ValueError("its addresses are not of 8 bytes from its beginning on")
        if end > len(data):
            raise ValueError(f"it has {len(data):,} bytes and speaks of {end:,}")
        (self.root,) = _numbers(self._data, first, "Q")

    def links(self, group: int) -> dict[str, int]:
        """The objects of a group by name; `2 ** 64 - 1` where a link leads out."""
        if group not in self._groups:
            found: dict[str, int] = {}
            for kind, content in self._header(group):
                read = {_LINK: self._link, _SYMBOLS: self._symbols}.get(kind)
                for name, target in read(content) if read else ():
                    if name in found:
                        raise ValueError(f"it has {name[:80]!r} twice in one group")
                    found[name] = target
            self._groups[group] = found
        return self._groups[group]

    def follow(self, group: int, path: str) -> int:
        """The object that lies under a group, by hard links only."""
        for name in path.split("/"):
            found = self.links(group)
            if name not in found:
                raise ValueError(f"it lists {path[:80]!r}, but lacks it")
            group = found[name]
            if group == _NOWHERE:
                raise ValueError(f"{path[:80]!r} is a link out of its group")
        return group

    def texts(self, place: int, name: str) -> list[str] | None:
        """The texts of an object's list attribute; None where it has none."""
        if place not in self._attributes:
            self._attributes[place] = dict(
                _attribute(content)
                for kind, content in self._header(place)
                if kind == _ATTRIBUTE
            )
        if name not in self._attributes[place]:
            return None
        kind, space, content = self._attributes[place][name]
        shape = _shape(space)
        if len(shape) != 1:
            raise ValueError(f"its {name} is no list")
        return self._texts(kind, shape[0], content, name)

    def array(self, place: int) -> np.ndarray:
        """The array of a data set, read-only: it shares its bytes with the file."""
        parts = dict(self._header(place))
        if parts.keys() & {_EXTERNAL, _FILTERS}:
            raise ValueError("it lies in another file, or packed")
        if not parts.keys() >= {_DATASPACE, _DATATYPE, _LAYOUT}:
            raise ValueError("it is no array")
        kind = bytes(parts[_DATATYPE][:24])
        kind = bytes([byte & 15 for byte in kind[:1]]) + kind[1:]
        dtypes = [dtype for form, dtype in _TYPES.items() if kind.startswith(form)]
        if not dtypes:
            raise ValueError(f"it is not of the types {', '.join(_TYPES.values())}")
        shape, dtype = _shape(parts[_DATASPACE]), np.dtype(dtypes[0])
        # IV.A.2.i: version, 1 for "in one piece", where, and how many bytes.
        version, layout = _numbers(parts[_LAYOUT], 0, "BB")
        if version in (3, 4) and layout == 1:
            offset, size = _numbers(parts[_LAYOUT], 2, "QQ")
        else:
            offset, size = _NOWHERE, 0
        if offset == _NOWHERE:
            raise ValueError("it does not lie in the file in one piece")
        count = math.prod(shape)
        if count == 0 or size != count * dtype.itemsize:
            raise ValueError(f"it has not the bytes of its shape {shape}")
        if offset + size > len(self._data):
            raise ValueError("it lies behind the file's end")
        return np.frombuffer(self._data, dtype, count, offset).reshape(shape)

    def _spend(self, parts: int) -> None:
        self._parts_left -= parts
        if self._parts_left < 0:
            raise ValueError("it has more parts than a file of its size may have")

    def _header(self, place: int) -> list[tuple[int, memoryview]]:
        """Kinds and contents of an object's messages (IV.A)."""
        if place not in self._headers:
            self._headers[place] = list(self._messages(place))
        return self._headers[place]

    def _messages(self, place: int) -> Iterator[tuple[int, memoryview]]:
        data = self._data
        newer = data[place : place + 4].tobytes() == b"OHDR"
        if newer:
            version, flags = _numbers(data, place + 4, "BB")
            start = place + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
            length, start = _sized(data, start, flags)
            form, head = "BHB", 6 if flags & 4 else 4
        else:
            version, length = _numbers(data, place, "B7xI")
            start = place + 16
            form, head = "HHB", 8
        if version != 1 + newer:
            raise ValueError("it leads to what is neither group nor array")
        blocks = [(start, length)]
        for start, length in blocks:  # grows on the way
            end = start + length
            while start + head <= end:
                self._spend(1)
                kind, size, flags = _numbers(data, start, form)
                start += head
                if start + size > end:
                    raise ValueError("the parts of an object overlap")
                content = _piece(data, start, size)
                if kind in (_LINK_INFO, _ATTRIBUTE_INFO):
                    # Version, flags, perhaps the greatest number, and the heap.
                    width = 8 if kind == _LINK_INFO else 2
                    (has_greatest,) = _numbers(content, 1, "B")
                    heap = 2 + (width if has_greatest & 1 else 0)
                    if _numbers(content, heap, "Q") != (_NOWHERE,):
                        raise ValueError("it has groups in a newer form than is read")
                elif kind == _CONTINUATION:
                    there, room = _numbers(content, 0, "QQ")
                    # Newer ones begin with a mark and end with a check sum.
                    blocks.append((there + 4, room - 8) if newer else (there, room))
                elif flags & 2:
                    raise ValueError("a part of an object lies elsewhere")
                yield kind, content
                start += size

    def _link(self, content: memoryview) -> Iterator[tuple[str, int]]:
        """The link of a link message (IV.A.2.g)."""
        _, flags = _numbers(content, 0, "BB")
        soft = flags & 8 and _numbers(content, 2, "B") != (0,)
        start = 2 + sum(n for bit, n in ((8, 1), (4, 8), (16, 1)) if flags & bit)
        length, start = _sized(content, start, flags)
        (target,) = (_NOWHERE,) if soft else _numbers(content, start + length, "Q")
        yield _text(_piece(content, start, length)), target

    def _symbols(self, content: memoryview) -> Iterator[tuple[str, int]]:
        """The links of a symbol table (IV.A.2.r): a tree of lists (III.A to III.D)."""
        tree, heap = _numbers(content, 0, "QQ")
        size, names = _numbers(self._data, heap + 8, "Q8xQ")
        nodes = [(tree, _numbers(self._data, tree + 5, "B")[0])]
        for node, level in nodes:  # grows on the way
            found = _numbers(self._data, node, "IBB")
            (count,) = _numbers(self._data, node + 6, "H")
            self._spend(1 + count)
            if found == (_TREE, 0, level):
                keys_and_children = _numbers(self._data, node + 24, f"{2 * count}Q")
                nodes += [(child, level - 1) for child in keys_and_children[1::2]]
            elif found == (_LIST, 1, 0) and level < 0:
                for entry in range(count):
                    place = node + 8 + 40 * entry
                    offset, target, cache = _numbers(self._data, place, "QQI")
                    room = max(0, min(size - offset, MOST_NAME))
                    name = _text(_piece(self._data, names + offset, room))
                    yield name, _NOWHERE if cache == 2 else target
            else:
                raise ValueError("its list of names is broken")

    def _texts(
        self, kind: memoryview, count: int, content: memoryview, name: str
    ) -> list[str]:
        """Texts of a fixed length, or of variable length (IV.A.2.d)."""
        if count == 0:
            return []
        form, bits, size = _numbers(kind, 0, "BBxxI")
        fixed, variable = form & 15 == 3, form & 15 == 9 and bits & 15 == 1
        if not (fixed or variable):
            raise ValueError(f"its {name} is no list of texts")
        if not 0 < size < MOST_NAME or count * size > len(content):
            raise ValueError(f"its {name} has not the bytes of {count:,} texts")
        self._spend(count)
        pieces = (content[at : at + size] for at in range(0, count * size, size))
        if variable:
            return [_text(self._variable(piece)) for piece in pieces]
        # They end at the first zero, or are padded with spaces.
        return [_text(piece).rstrip(" " if bits & 15 == 2 else "") for piece in pieces]

    def _variable(self, reference: memoryview) -> memoryview:
        """A text of variable length: an object of a collection (III.E)."""
        length, place, index = _numbers(reference, 0, "IQI")
        if place not in self._collections:
            self._collections[place] = dict(self._objects(place))
        text = self._collections[place].get(index)
        if text is None or length > len(text):
            raise ValueError("one of its texts is not where it should be")
        self._spend(length // 64)
        return text[:length]

    def _objects(self, place: int) -> Iterator[tuple[int, memoryview]]:
        mark, size = _numbers(self._data, place, "I4xQ")
        end = place + size
        if mark != _COLLECTION or end > len(self._data):
            raise ValueError("one of its texts is not where it should be")
        place += 16
        while place + 16 <= end:
            self._spend(1)
            index, length = _numbers(self._data, place, "H6xQ")
            if index == 0:  # what is left
                return
            yield index, _piece(self._data, place + 16, min(length, MOST_NAME))
            place += 16 + length + -length % 8


def _piece(data: memoryview, place: int, size: int) -> memoryview:
    if place + size > len(data):
        raise ValueError("a part of it lies behind its end")
    return data[place : place + size]


def _numbers(data: memoryview, place: int, form: str) -> tuple[int, ...]:
    """Numbers in the forms of `struct`, one after the other without gaps."""
    return struct.unpack(f"<{form}", _piece(data, place, struct.calcsize(f"<{form}")))


def _sized(data: memoryview, place: int, flags: int) -> tuple[int, int]:
    """A length in as many bytes as the last two flags say, and the place after it."""
    width = 1 << (flags & 3)
    return int.from_bytes(_piece(data, place, width), "little"), place + width


def _text(piece: memoryview) -> str:
    """The text of a piece, which ends at its first zero or is all of it."""
    text = bytes(piece[:MOST_NAME]).partition(b"\0")[0]
    if not 0 < len(text) < MOST_NAME:
        raise ValueError(f"it has a name of no or of {MOST_NAME:,} letters and more")
    return text.decode()


def _attribute(content: memoryview) -> tuple[str, list[memoryview]]:
    """Name, and type, shape and content of an attribute (IV.A.2.m)."""
    version, flags, *sizes = _numbers(content, 0, "BBHHH")
    if version not in (1, 2, 3) or (version > 1 and flags):
        raise ValueError("it has an attribute of an unknown kind")
    # Version 1 pads each part to eights, 3 adds the name's encoding.
    start, parts = 9 if version == 3 else 8, []
    for size in sizes:
        parts.append(_piece(content, start, size))
        start += size + (-size % 8 if version == 1 else 0)
    return _text(parts[0]), [*parts[1:], content[start:]]


def _shape(space: memoryview) -> tuple[int, ...]:
    """The shape that a dataspace has (IV.A.2.b)."""
    version, rank = _numbers(space, 0, "BB")
    if version not in (1, 2) or rank > 32:
        raise ValueError("it has a shape of an unknown kind")
    return _numbers(space, 8 if version == 1 else 4, f"{rank}Q")
