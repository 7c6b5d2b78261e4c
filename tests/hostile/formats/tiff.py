"""TIFF files, and what is wrong with each."""

import struct
import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from PIL import Image

from tests.hostile.damage import (
    ANYTHING,
    CLEAR,
    CORRUPT,
    EMPTY,
    EXIF_IFD,
    HEIGHT,
    IMAGE,
    PICTURE,
    SCORES,
    TOO_MANY,
    TRUNCATED,
    WIDTH,
    File,
    cut,
    encoded,
    flips,
    ifd,
    little,
    on_white,
    patched,
    random_numbers,
    rgb,
)


def tiff(
    pixels: bytes,
    tags: dict[int, tuple[int, int, int] | None] | None = None,
    *,
    following: int = 0,
    tail: bytes = b"",
) -> bytes:
    """A TIFF in RGB of one strip; `tags` are changed, further or missing ones.

    The pixels begin at byte 8, the directory follows them, then `tail`.
    """
    depth = 8 + len(pixels)
    every = {
        256: (3, 1, WIDTH),
        257: (3, 1, HEIGHT),
        258: (3, 3, depth),
        259: (3, 1, 1),
        262: (3, 1, 2),
        273: (4, 1, 8),
        277: (3, 1, 3),
        278: (4, 1, HEIGHT),
        279: (4, 1, len(pixels)),
    } | (tags or {})
    entries = [(tag, *every[tag]) for tag in sorted(every) if every[tag]]
    head = b"II*\0" + little(depth + 6)
    bits = little(8, 8, 8, bits=16)
    return head + pixels + bits + ifd(entries, following) + tail


def files() -> dict[str, Iterable[File]]:
    """Of each kind but the odd ones."""
    raw = PICTURE.tobytes()
    good = tiff(raw)
    first = 8 + len(raw) + 6  # where the directory is
    front = encoded(IMAGE, "TIFF")
    packed = encoded(IMAGE, "TIFF", compression="tiff_lzw")
    inks = Image.fromarray(np.dstack([PICTURE, PICTURE[:, :, 1] // 2]), "CMYK")
    paper = 255 - np.asarray(inks)[:, :, :3].astype(int)
    black = 255 - np.asarray(inks)[:, :, 3:].astype(int)
    levels = random_numbers(16)
    indexed = IMAGE.quantize(99)
    one_bit = IMAGE.convert("1")
    fax = encoded(one_bit, "TIFF", compression="group4")
    bomb = zlib.compress(bytes(40_000_000), 9)
    clear = encoded(CLEAR, "TIFF")

    def claim(width: int, height: int, **more: Any) -> bytes:
        return tiff(raw, {256: (4, 1, width), 257: (4, 1, height)}, **more)

    # Every entry of the directory claims the same bytes of the file.
    sharing = dict.fromkeys(range(1000, 61_000), (1, 200_000, 8))
    many = dict.fromkeys(range(300, 400), (4, 2**30, 8))
    return {
        "truncation": [
            *cut(good, 1, 4, 7, 8, 0.5, first, first + 1, first + 40, -1),
            *cut(front, -1, what="directory first"),
            *cut(packed, 0.7, -2, what="packed"),
        ],
        "lie": [
            File("no columns", claim(0, HEIGHT), EMPTY | CORRUPT),
            File("more rows", claim(WIDTH, 4 * HEIGHT), CORRUPT | TRUNCATED),
            File("65535 channels", tiff(raw, {277: (3, 1, 65535)}), CORRUPT),
            File("packing 999", tiff(raw, {259: (3, 1, 999)}), CORRUPT),
            File("strip after the end", tiff(raw, {273: (4, 1, 2**31)}), TRUNCATED),
            File("strip of 4 GB", tiff(raw, {279: (4, 1, 2**32 - 1)}), TRUNCATED),
            File("directory after the end", patched(good, 4, little(2**31)), TRUNCATED),
            File("one strip of two", tiff(raw, {278: (4, 1, 24)}), CORRUPT),
            File("no strips", tiff(raw, {273: (4, 0, 0), 279: (4, 0, 0)}), CORRUPT),
            File(
                "float pixels",
                tiff(raw, {339: (3, 1, 3)}),
                CORRUPT | frozenset({"refused_format"}),
            ),
        ],
        "flip": flips(good, ANYTHING, 6),
        "bomb": [
            File("60000 x 60000", claim(60_000, 60_000), TOO_MANY),
            File("counts of 2 to the 30", tiff(raw, many), CORRUPT),
            File("60000 tags of one value", tiff(bytes(200_000), sharing), CORRUPT),
            File("1000 overlapping pages", _overlapping_pages(), CORRUPT),
            File(
                "strip that unpacks to 40 MB",
                tiff(bomb, {259: (3, 1, 8)}),
                ANYTHING,
            ),
        ],
        "mode": [
            File(
                "inks",
                encoded(inks, "TIFF"),
                SCORES,
                (paper * black / 255).astype(np.uint8),
                1,
            ),
            File(
                "16 bits",
                encoded(Image.fromarray(levels), "TIFF"),
                SCORES,
                np.repeat((levels >> 8).astype(np.uint8)[:, :, None], 3, axis=2),
            ),
            File("palette", encoded(indexed, "TIFF"), SCORES, rgb(indexed)),
            File("one bit as a fax", fax, SCORES, rgb(one_bit)),
            File("alpha", clear, SCORES, on_white(CLEAR), 1),
        ],
        "metadata": [
            File(
                "turned right",
                tiff(raw, {274: (3, 1, 6)}),
                SCORES,
                np.rot90(PICTURE, -1),
            ),
            File("orientation 99", tiff(raw, {274: (3, 1, 99)}), SCORES, PICTURE),
            File(
                "706 further tags",
                tiff(raw, {tag: (4, 1, tag) for tag in range(50_000, 50_706)}),
                SCORES,
                PICTURE,
            ),
            File("cyclic pages", tiff(raw, following=first), SCORES, PICTURE),
            File(
                "cyclic EXIF, unknown type",
                tiff(raw, {EXIF_IFD: (4, 1, first), 40_000: (99, 5, 8)}),
                SCORES,
                PICTURE,
            ),
        ],
    }


def _overlapping_pages() -> bytes:
    # Each of 1000 directories has 65535 entries and begins 12 bytes after the one
    # before it. A cell is an entry for all of them, and its end is a page's count.
    entries = struct.pack("<HHI2s", 50_000, 1, 4, b"") + b"\xff\xff"
    links = b"".join(little(20 + 12 * i) + bytes(6) + b"\xff\xff" for i in range(1000))
    return b"II*\0" + little(8) + b"\xff\xff" + entries * 65_535 + links
