"""PNG files, and what is wrong with each."""

import struct
import zlib
from collections.abc import Iterable

import numpy as np
from PIL import Image

from tests.hostile.damage import (
    ALPHA,
    CORRUPT,
    DAMAGED,
    EMPTY,
    HEIGHT,
    IMAGE,
    OTHER,
    PICTURE,
    SCORES,
    TOO_MANY,
    TRUNCATED,
    UNNOTICED,
    WIDTH,
    File,
    big,
    cut,
    encoded,
    flips,
    on_white,
    opened,
    patched,
    rgb,
    with_metadata,
)

_PNG = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG, with the checksum that it should have."""
    return big(len(data)) + kind + data + big(zlib.crc32(kind + data))


def png(
    *,
    width: int = WIDTH,
    height: int = HEIGHT,
    depth: int = 8,
    colour: int = 2,
    packing: int = 0,
    interlaced: int = 0,
    before: bytes = b"",
    pixels: bytes | None = None,
) -> bytes:
    """A PNG of the picture in RGB, or of rows of samples with their filter bytes."""
    if pixels is None:
        pixels = b"".join(b"\0" + row.tobytes() for row in PICTURE)
    header = struct.pack(
        ">IIBBBBB", width, height, depth, colour, packing, 0, interlaced
    )
    return (
        _PNG
        + chunk(b"IHDR", header)
        + before
        + chunk(b"IDAT", zlib.compress(pixels))
        + chunk(b"IEND", b"")
    )


def files() -> dict[str, Iterable[File]]:
    """Of each kind but the odd ones."""
    good = png()
    moving = encoded(IMAGE, "PNG", save_all=True, append_images=[OTHER])
    data = good.index(b"IDAT")
    end = good.index(b"IEND")
    bomb = zlib.compress(bytes(40_000_000), 9)
    indexed = IMAGE.quantize(16)
    grey = IMAGE.convert("LA")
    grey.putalpha(Image.fromarray(ALPHA))
    one_bit = IMAGE.convert("1")
    deep = np.random.default_rng(4).integers(0, 65536, (HEIGHT, WIDTH, 4), np.uint16)
    deep[:, :, 3] = 65535
    rows = deep.astype(">u2").reshape(HEIGHT, -1)
    deep_rows = b"".join(b"\0" + row.tobytes() for row in rows)
    half_clear = encoded(indexed, "PNG", transparency=bytes(range(0, 256, 16)))
    palette_free = png(colour=3, pixels=bytes((WIDTH + 1) * HEIGHT))
    return {
        "truncation": [
            *cut(good, 1, 8, 12, 33, data, 0.5, 0.9, end - 8, end, -4, -1),
            *cut(moving, -1, what="moving"),
        ],
        "lie": [
            File("no columns", png(width=0), EMPTY | CORRUPT),
            File("more columns", png(width=2 * WIDTH), CORRUPT | TRUNCATED),
            File("more rows", png(height=2 * HEIGHT), CORRUPT | TRUNCATED),
            File("3 bits", png(depth=3), CORRUPT),
            File("colour type 5", png(colour=5), CORRUPT),
            File("no palette", palette_free, UNNOTICED),
            File("unknown packing", png(packing=1), UNNOTICED),
            File("chunk too long", patched(good, data - 4, b"\x7f\xff\xff"), TRUNCATED),
            File("wrong checksum", patched(good, b"IHDR", b"abcd", 13), CORRUPT),
            File("no pixels", good[: data - 4] + good[end - 4 :], CORRUPT),
        ],
        "flip": flips(good, DAMAGED, 2),
        "bomb": [
            File("60000 x 60000", png(width=60_000, height=60_000), TOO_MANY),
            File(
                "texts that unpack to 40 MB",
                png(
                    before=chunk(b"zTXt", b"bla\0\0" + bomb)
                    + chunk(b"iTXt", b"bla\0\1\0\0\0" + bomb) * 9
                ),
                UNNOTICED,
            ),
            File(
                "profile that unpacks to 40 MB",
                png(before=chunk(b"iCCP", b"bla\0\0" + bomb)),
                UNNOTICED,
            ),
            File("110000 chunks", png(before=chunk(b"abCd", b"") * 110_000), CORRUPT),
            File(
                "pixels that unpack to 40 MB", png(pixels=bytes(40_000_000)), UNNOTICED
            ),
        ],
        "mode": [
            File("one bit", encoded(one_bit, "PNG"), SCORES, rgb(one_bit)),
            File("palette", encoded(indexed, "PNG"), SCORES, rgb(indexed)),
            File(
                "half-clear palette",
                half_clear,
                SCORES,
                on_white(opened(half_clear)),
                1,
            ),
            File("grey with alpha", encoded(grey, "PNG"), SCORES, on_white(grey), 1),
            File(
                "16 bits with alpha",
                png(depth=16, colour=6, pixels=deep_rows),
                SCORES,
                (deep[:, :, :3] >> 8).astype(np.uint8),
            ),
        ],
        "metadata": with_metadata(lambda block: png(before=chunk(b"eXIf", block))),
    }
