"""BMP files, and what is wrong with each."""

import struct
from collections.abc import Iterable

import numpy as np

from tests.hostile.damage import (
    ANYTHING,
    CORRUPT,
    EMPTY,
    HEIGHT,
    IMAGE,
    PICTURE,
    SCORES,
    TOO_MANY,
    TRUNCATED,
    UNNOTICED,
    WIDTH,
    File,
    cut,
    decoded,
    encoded,
    flips,
    little,
    random_numbers,
    rgb,
)


def bmp(
    pixels: bytes,
    *,
    width: int = WIDTH,
    height: int = HEIGHT,
    planes: int = 1,
    bits: int = 24,
    packing: int = 0,
    colours: int = 0,
    header: int = 40,
    more: bytes = b"",
    start: int | None = None,
) -> bytes:
    """A BMP; `more` stands between its header and its pixels."""
    if start is None:
        start = 14 + 40 + len(more)
    info = struct.pack(
        "<IiiHHIIiiII",
        header,
        width,
        height,
        planes,
        bits,
        packing,
        len(pixels),
        2835,
        2835,
        colours,
        0,
    )
    size = 14 + len(info) + len(more) + len(pixels)
    return struct.pack("<2sIII", b"BM", size, 0, start) + info + more + pixels


def files() -> dict[str, Iterable[File]]:
    """Of each kind but the odd ones."""
    rows = PICTURE[::-1, :, ::-1].tobytes()
    good = bmp(rows)
    indexed = encoded(IMAGE.quantize(200), "BMP")
    runs = b"".join(b"\x40" + bytes([row]) + b"\0\0" for row in range(HEIGHT)) + b"\0\1"
    greys = b"".join(bytes([grey, grey, grey, 0]) for grey in range(256))
    packed = bmp(runs, bits=8, packing=1, more=greys)
    ladder = np.arange(HEIGHT - 1, -1, -1, dtype=np.uint8)[:, None, None]
    one_bit = IMAGE.convert("1")
    thin = random_numbers(16)
    inky = np.dstack([PICTURE[::-1, :, ::-1], np.full((HEIGHT, WIDTH), 255, np.uint8)])
    five = (thin[:, :, None] >> np.array([10, 5, 0])) & 31
    # BITMAPV5HEADER: masks, colour space, endpoints and gammas, intent, profile
    masks = little(0xFF0000, 0xFF00, 0xFF, 0)

    def new(space: bytes, points: bytes, offset: int, size: int) -> bytes:
        more = masks + space[::-1] + points + little(4, offset, size, 0)
        return bmp(rows, header=124, more=more)

    point = bytes(48)
    return {
        "truncation": [
            *cut(good, 1, 2, 13, 14, 26, 40, 54, 0.5, -64, -1),
            *cut(packed, -3, what="packed"),
            *cut(indexed, 500, what="palette"),
        ],
        "lie": [
            File("no columns", bmp(rows, width=0), EMPTY | CORRUPT),
            File("negative columns", bmp(rows, width=-WIDTH), CORRUPT | TOO_MANY),
            File("more rows", bmp(rows, height=2 * HEIGHT), TRUNCATED),
            File("least height", bmp(rows, height=-(2**31)), TOO_MANY),
            File("3 bits", bmp(rows, bits=3), CORRUPT),
            File("packing 99", bmp(rows, packing=99), CORRUPT),
            File("pixels after the end", bmp(rows, start=2**31), TRUNCATED),
            File(
                "2 to the 31 colours",
                bmp(rows, bits=8, colours=2**31, more=greys),
                CORRUPT | TRUNCATED,
            ),
            File(
                "header of 41 bytes",
                bmp(rows, header=41),
                frozenset({"unknown_format"}),
            ),
            File(
                "runs beyond the rows",
                bmp(b"\xff\7" * 500, bits=8, packing=1, more=greys),
                UNNOTICED,
            ),
        ],
        "flip": flips(good, ANYTHING, 3),
        "bomb": [
            File("60000 x 60000", bmp(rows, width=60_000, height=60_000), TOO_MANY),
            File("2 to the 31 columns", bmp(rows, width=2**31 - 1, height=1), TOO_MANY),
            File(
                "60000 x 60000 of one bit",
                bmp(rows, width=60_000, height=60_000, bits=1, more=bytes(8)),
                TOO_MANY,
            ),
            File(
                "runs end at once",
                bmp(b"\0\1", width=5000, height=4000, bits=8, packing=1, more=greys),
                TRUNCATED | CORRUPT,
            ),
            File(
                "runs skip 5000 x 4000",
                bmp(
                    b"\0\2\xff\xff" * 999 + b"\0\1",
                    width=5000,
                    height=4000,
                    bits=8,
                    packing=1,
                    more=greys,
                ),
                UNNOTICED | TRUNCATED,
            ),
        ],
        "mode": [
            File("one bit", encoded(one_bit, "BMP"), SCORES, rgb(one_bit)),
            File("palette", indexed, SCORES, decoded(indexed)),
            File(
                "runs of one colour",
                packed,
                SCORES,
                np.broadcast_to(ladder, (HEIGHT, WIDTH, 3)),
            ),
            File(
                "5 bits a channel",
                bmp(thin[::-1].astype("<u2").tobytes(), bits=16),
                SCORES,
                (five * 255 / 31).astype(np.uint8),
                1,
            ),
            File("32 bits", bmp(inky.tobytes(), bits=32), SCORES, PICTURE),
        ],
        "metadata": [
            File("sRGB", new(b"sRGB", point, 0, 0), SCORES, PICTURE),
            File("profile after the end", new(b"MBED", point, 2**31, 999), ANYTHING),
            File("profile of 4 GB", new(b"MBED", point, 124, 2**32 - 1), ANYTHING),
            File("linked profile", new(b"LINK", point, 124, 64), SCORES, PICTURE),
            File(
                "wild endpoints", new(b"\0\0\0\0", b"\xff" * 48, 0, 0), SCORES, PICTURE
            ),
        ],
    }
