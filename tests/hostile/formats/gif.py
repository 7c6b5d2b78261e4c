"""GIF files, and what is wrong with each."""

from collections.abc import Iterable

import numpy as np

from tests.hostile.damage import (
    ANYTHING,
    CORRUPT,
    DAMAGED,
    HEIGHT,
    IMAGE,
    OTHER,
    SCORES,
    TOO_MANY,
    UNNOTICED,
    WIDTH,
    File,
    cut,
    encoded,
    flips,
    little,
    patched,
    rgb,
)


def gif(*blocks: bytes, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """A GIF of black and white with any blocks in it."""
    head = b"GIF89a" + little(width, height, bits=16) + b"\x80\0\0"
    return head + b"\0\0\0\xff\xff\xff" + b"".join(blocks) + b";"


def _blocks(data: bytes) -> bytes:
    parts = [data[at : at + 255] for at in range(0, len(data), 255)]
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


def gif_frame(
    left: int = 0, top: int = 0, width: int = WIDTH, height: int = HEIGHT, code: int = 2
) -> bytes:
    """A white frame whose LZW codes are never longer than three bits."""
    place = b"," + little(left, top, width, height, bits=16) + b"\0"
    if not 2 <= code <= 8:
        return place + bytes([code]) + _blocks(b"\x4c\x01" * 99)
    # A clear code before every pair of pixels keeps the codes short.
    codes = [4, 1, 1] * ((width * height + 1) // 2) + [5]
    bits = np.array([[code >> bit & 1 for bit in range(3)] for code in codes], np.uint8)
    packed = np.packbits(bits.reshape(-1), bitorder="little").tobytes()
    return place + bytes([code]) + _blocks(packed)


def files() -> dict[str, Iterable[File]]:
    """Of each kind but the odd ones."""
    indexed = IMAGE.quantize(64)
    good = encoded(indexed, "GIF")
    more = [OTHER.quantize(64)]
    moving = encoded(indexed, "GIF", save_all=True, append_images=more)
    pixels = rgb(indexed)
    white = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    frame = good.index(b",", 13 + 3 * 64)
    clear = indexed.copy()
    index = np.asarray(indexed)
    grey = IMAGE.convert("L").quantize(256)
    two = IMAGE.convert("1")
    note = b"!\xfe"

    def app(name: bytes, data: bytes) -> bytes:
        return b"!\xff\x0b" + name + data

    plain = gif_frame()
    return {
        "truncation": [
            *cut(good, 1, 5, 6, 12, 40, frame, frame + 9, 0.5, -9, -2, -1),
            *cut(moving, 0.75, what="moving"),
        ],
        "lie": [
            File("no columns", patched(good, 6, b"\0\0"), ANYTHING),
            File("wide frame", patched(good, frame + 5, b"\xff\xff"), ANYTHING),
            File("no frame rows", patched(good, frame + 7, b"\0\0"), DAMAGED),
            File("codes of 13 bits", gif(gif_frame(code=13)), CORRUPT),
            File("codes of no bits", gif(gif_frame(code=0)), UNNOTICED),
            File("no table", patched(good, 10, bytes([good[10] & 0x7F])), ANYTHING),
            File("larger table", patched(good, 10, bytes([good[10] | 7])), DAMAGED),
            File("no frame", gif(note + _blocks(b"bla")), CORRUPT),
            File("unknown block", gif(b"\x55", plain), ANYTHING),
            File("frame outside", gif(gif_frame(left=900, top=900)), UNNOTICED),
        ],
        "flip": flips(good, ANYTHING, 4),
        "bomb": [
            File(
                "60000 x 60000",
                gif(gif_frame(width=9, height=9), width=60_000, height=60_000),
                TOO_MANY,
            ),
            File("frame at 65000", gif(gif_frame(left=65_000, top=65_000)), TOO_MANY),
            File(
                "3000 frames",
                gif(plain, gif_frame(width=2, height=2) * 3000),
                SCORES,
                white,
            ),
            File(
                "60000 comments",
                gif((note + _blocks(b"bla" * 9)) * 60_000, plain),
                SCORES,
                white,
            ),
            File(
                "5000 x 4000 of one pixel",
                gif(gif_frame(width=1, height=1), width=5000, height=4000),
                SCORES,
            ),
        ],
        "mode": [
            File("palette", good, SCORES, pixels),
            File("grey", encoded(grey, "GIF"), SCORES, rgb(grey)),
            File("two colours", encoded(two, "GIF"), SCORES, rgb(two)),
            File(
                "transparent",
                encoded(clear, "GIF", transparency=7),
                SCORES,
                np.where((index == 7)[:, :, None], 255, pixels).astype(np.uint8),
            ),
            File("interlaced", encoded(indexed, "GIF", interlace=1), SCORES, pixels),
        ],
        "metadata": [
            File(
                "endless loop",
                gif(app(b"NETSCAPE2.0", b"\3\1\0\0\0"), plain),
                SCORES,
                white,
            ),
            File(
                "broken loop", gif(app(b"NETSCAPE2.0", b"\1\1\0"), plain), SCORES, white
            ),
            File(
                "XMP",
                gif(app(b"XMP DataXMP", _blocks(b"<x>" * 999)), plain),
                SCORES,
                white,
            ),
            File(
                "profile that is none",
                gif(app(b"ICCRGBG1012", _blocks(b"bla" * 999)), plain),
                SCORES,
                white,
            ),
            File(
                "1 MB of comment",
                gif(note + _blocks(b"bla " * 250_000), plain),
                SCORES,
                white,
            ),
        ],
    }
