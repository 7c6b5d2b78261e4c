"""AVIF and HEIC files, and what is wrong with each."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from tests.hostile.damage import (
    ANYTHING,
    BROKEN,
    CLEAR,
    CORRUPT,
    CYCLIC,
    DAMAGED,
    DESCRIPTION,
    HUGE,
    IMAGE,
    PICTURE,
    QUARTERS,
    SCORES,
    TOO_MANY,
    TRUNCATED,
    TURNED,
    UNNOTICED,
    File,
    big,
    cut,
    decoded,
    encoded,
    exif,
    flips,
    on_white,
    opened,
    patched,
    random_numbers,
    rgb,
)


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box of an ISO base media file."""
    data = b"".join(parts)
    return big(len(data) + 8) + kind + data


def _full(kind: bytes, *parts: bytes, version: int = 0) -> bytes:
    return box(kind, bytes([version, 0, 0, 0]), *parts)


def find_box(data: bytes, *kinds: bytes) -> tuple[int, int]:
    """Where the content of a box inside boxes begins and ends."""
    start, end = 0, len(data)
    skipped = {b"meta": 4, b"iinf": 6}
    for kind in kinds:
        while data[start + 4 : start + 8] != kind:
            start += int.from_bytes(data[start : start + 4], "big")
        end = start + int.from_bytes(data[start : start + 4], "big")
        start += 8 + skipped.get(kind, 0)
    return start, end


class Item(NamedTuple):
    """A picture in a file: its type, place in the media data, and properties."""

    kind: bytes
    start: int
    length: int
    properties: tuple[int, ...]


def heif(
    brand: bytes,
    media: bytes,
    properties: bytes,
    items: list[Item],
    *references: bytes,
) -> bytes:
    """An AVIF or HEIC file whose first item is the picture."""

    def meta(offset: int) -> bytes:
        places = b"".join(
            big(number, 0, 1, bits=16) + big(offset + item.start, item.length)
            for number, item in enumerate(items, 1)
        )
        infos = b"".join(
            _full(b"infe", big(number, 0, bits=16), item.kind, b"\0", version=2)
            for number, item in enumerate(items, 1)
        )
        links = b"".join(
            big(number, bits=16) + bytes([len(item.properties), *item.properties])
            for number, item in enumerate(items, 1)
        )
        return _full(
            b"meta",
            _full(b"hdlr", bytes(4), b"pict", bytes(13)),
            _full(b"pitm", big(1, bits=16)),
            _full(b"iloc", b"\x44\0", big(len(items), bits=16), places),
            _full(b"iinf", big(len(items), bits=16), infos),
            _full(b"iref", *references) if references else b"",
            box(
                b"iprp",
                box(b"ipco", properties),
                _full(b"ipma", big(len(items)), links),
            ),
        )

    kinds = box(b"ftyp", brand, bytes(4), b"mif1", brand, b"miaf")
    offset = len(kinds) + len(meta(0)) + 8
    return kinds + meta(offset) + box(b"mdat", media)


def _grid(form: str, rows: int, columns: int, width: int, height: int) -> bytes:
    # A picture of tiles that are all the same bytes of the file.
    single = encoded(Image.fromarray(np.resize(PICTURE, (64, 64, 3))), form)
    start, end = find_box(single, b"meta", b"iprp", b"ipco")
    properties = single[start:end] + _full(b"ispe", big(width, height))
    count = len(list(_boxes(properties)))
    start, end = find_box(single, b"mdat")
    head = bytes([0, 1, rows - 1, columns - 1]) + big(width, height)
    media = head + single[start:end]
    brand, kind = _TYPES[form]
    tile = Item(kind, len(head), end - start, tuple(range(1, count)))
    number = rows * columns
    tiles = range(2, number + 2)
    reference = box(b"dimg", big(1, number, *tiles, bits=16))
    items = [Item(b"grid", 0, len(head), (count,)), *[tile] * number]
    return heif(brand, media, properties, items, reference)


# Brands of files, and types of the pictures in them.
_TYPES = {"AVIF": (b"avif", b"av01"), "HEIC": (b"heic", b"hvc1")}


def _boxes(data: bytes) -> Iterator[bytes]:
    while data:
        size = int.from_bytes(data[:4], "big")
        yield data[:size]
        data = data[size:]


def files(form: str, seed: int) -> dict[str, Iterable[File]]:
    """Of each kind but the odd ones."""
    good = encoded(IMAGE, form, quality=90)
    clear = encoded(CLEAR, form, quality=90)
    grey = encoded(IMAGE.convert("L"), form, quality=90)
    media, _ = find_box(good, b"mdat")
    meta, _ = find_box(good, b"meta")
    coder, coder_end = find_box(
        good, b"meta", b"iprp", b"ipco", b"av1C" if form == "AVIF" else b"hvcC"
    )
    properties, _ = find_box(good, b"meta", b"iprp", b"ipco")
    links_end = find_box(good, b"meta", b"iprp", b"ipma")[1]
    # One extent of one item: its offset and length end the box.
    places = find_box(good, b"meta", b"iloc")[1] - 8
    primary = find_box(good, b"meta", b"pitm")[1] - 2

    def beside(count: int) -> bytes:
        # The picture beside so many items that are the same bytes.
        start, end = find_box(good, b"mdat")
        inner = good[slice(*find_box(good, b"meta", b"iprp", b"ipco"))]
        numbers = tuple(range(1, len(list(_boxes(inner))) + 1))
        brand, kind = _TYPES[form]
        item = Item(kind, 0, end - start, numbers)
        return heif(brand, good[start:end], inner, [item] * count)

    early = frozenset({"truncated", "unknown_format"})
    return {
        "truncation": [
            *(File(f"{size} of {len(good)}", good[:size], early) for size in (3, 11)),
            *cut(good, 12, 30, meta + 9, properties, media - 8, media, 0.8, -16, -1),
            *cut(clear, -1, what="alpha"),
        ],
        "lie": [
            File("no columns", patched(good, b"ispe", big(0), 4), DAMAGED),
            File("more columns", patched(good, b"ispe", big(999), 4), UNNOTICED),
            File("data after the end", patched(good, places, big(2**31)), TRUNCATED),
            File("data of 4 GB", patched(good, places + 4, big(2**32 - 1)), TRUNCATED),
            File("long meta box", patched(good, meta - 12, big(2**31)), TRUNCATED),
            File(
                "short meta box", patched(good, meta - 12, big(3)), CORRUPT | TRUNCATED
            ),
            File("no such item", patched(good, primary, big(99, bits=16)), CORRUPT),
            File(
                "no such property",
                patched(good, links_end - 2, b"\x7f\x7f"),
                UNNOTICED,
            ),
            File(
                "coder of zeros",
                patched(good, coder, bytes(coder_end - coder)),
                UNNOTICED,
            ),
            File("65535 items", patched(good, b"iinf", b"\xff\xff", 4), DAMAGED),
        ],
        "flip": flips(good, ANYTHING, seed),
        "bomb": [
            File(
                "60000 x 60000",
                patched(good, b"ispe", big(60_000, 60_000), 4),
                TOO_MANY | CORRUPT,
            ),
            File(
                "4 billion columns",
                patched(good, b"ispe", big(2**32 - 1), 4),
                TOO_MANY | CORRUPT,
            ),
            File(
                "grid of 60000 x 60000",
                _grid(form, 64, 64, 60_000, 60_000),
                TOO_MANY | CORRUPT,
            ),
            File("grid that lies", _grid(form, 2, 2, 20_000, 4999), CORRUPT),
            File("900 items", beside(900), SCORES, decoded_by(form, good)),
        ],
        "mode": [
            File("grey", grey, SCORES, decoded_by(form, grey)),
            File("alpha", clear, SCORES, on_white(_opened_by(form, clear)), 1),
            *_heif_modes(form),
        ],
        "metadata": _heif_metadata(form),
    }


def _opened_by(form: str, data: bytes) -> Image.Image:
    if form == "HEIC":
        import pillow_heif

        return pillow_heif.open_heif(data).to_pillow()
    return opened(data)


def decoded_by(form: str, data: bytes) -> np.ndarray:
    """The pixels of a file of a format that Pillow may need help with."""
    return rgb(_opened_by(form, data))


def _heif_modes(form: str) -> Iterator[File]:
    pictures = {"palette": IMAGE.quantize(9), "grey with alpha": CLEAR.convert("LA")}
    for what, image in pictures.items():
        data = encoded(image, form, quality=90)
        yield File(what, data, SCORES, on_white(_opened_by(form, data)), 1)
    if form == "AVIF":
        data = encoded(IMAGE, form, subsampling="4:4:4", quality=100)
        yield File("444", data, SCORES, decoded(data))
    else:
        deep = Image.fromarray(random_numbers(16) & 0x0FFF)
        data = encoded(deep, form, quality=-1)
        yield File("16 bits", data, SCORES)


def _heif_metadata(form: str) -> Iterator[File]:
    for what, turn in (("turned right", 6), ("turned left", 8)):
        data = encoded(IMAGE, form, quality=90, exif=TURNED[turn])
        plain = decoded_by(form, encoded(IMAGE, form, quality=90))
        yield File(what, data, SCORES, np.rot90(plain, QUARTERS[turn]))
    for what, block in (("huge", HUGE), ("cyclic", CYCLIC), ("broken", BROKEN)):
        room = exif((DESCRIPTION, 2, len(block) - 26, 26)) + bytes(len(block) - 26)
        data = encoded(IMAGE, form, quality=90, exif=room)
        damaged = data.replace(room, block)
        assert damaged != data
        yield File(f"{what} EXIF", damaged, SCORES, plain)
