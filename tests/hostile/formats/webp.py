"""WebP files, and what is wrong with each."""

import itertools
from collections.abc import Iterable

from tests.hostile.damage import (
    ANYTHING,
    BROKEN,
    CLEAR,
    CORRUPT,
    DAMAGED,
    HEIGHT,
    IMAGE,
    OTHER,
    PICTURE,
    SCORES,
    TOO_MANY,
    TRUNCATED,
    WIDTH,
    File,
    cut,
    decoded,
    encoded,
    flips,
    little,
    on_white,
    opened,
    patched,
    rgb,
    with_metadata,
)


def webp(*chunks: bytes, size: int | None = None) -> bytes:
    """A WebP of any chunks."""
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + little(len(body) if size is None else size) + body


def riff(kind: bytes, data: bytes, size: int | None = None) -> bytes:
    """A chunk of a WebP, filled to an even length."""
    length = little(len(data) if size is None else size)
    return kind + length + data + bytes(len(data) % 2)


def _canvas(flags: int, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    sides = little(width - 1, height - 1, bits=24)
    return riff(b"VP8X", bytes([flags, 0, 0, 0]) + sides)


def _webp_frame(image: bytes, left: int = 0, top: int = 0) -> bytes:
    place = little(left // 2, top // 2, WIDTH - 1, HEIGHT - 1, 100, bits=24)
    return riff(b"ANMF", place + b"\0" + image)


def files() -> dict[str, Iterable[File]]:
    """Of each kind but the odd ones."""
    good = encoded(IMAGE, "WebP", quality=90)
    exact = encoded(IMAGE, "WebP", lossless=True)
    more = {"save_all": True, "append_images": [OTHER]}
    moving = encoded(IMAGE, "WebP", **more)
    image = good[12:]
    start = b"\x9d\x01\x2a"  # what follows: width and height in 14 bits each
    loop = riff(b"ANIM", bytes(6))
    sharp = encoded(CLEAR, "WebP", lossless=True, exact=True)
    soft = encoded(CLEAR, "WebP", quality=90)
    grey = encoded(IMAGE.convert("L"), "WebP", lossless=True)
    junk = riff(b"ICCP", b"bla" * 9000)

    def with_exif(block: bytes) -> bytes:
        return webp(_canvas(8), exact[12:], riff(b"EXIF", block))

    return {
        "truncation": [
            *cut(good, 1, 8, 12, 16, 20, 30, 0.5, -2, -1),
            *cut(exact, 0.9, what="lossless"),
            *cut(moving, 0.6, -1, what="moving"),
        ],
        "lie": [
            File("no columns", patched(good, start, b"\0\0"), DAMAGED),
            File("more columns", patched(good, start, little(999, bits=16)), ANYTHING),
            File("long file", patched(good, 4, little(2**31)), TRUNCATED),
            File("short file", patched(good, 4, little(40)), DAMAGED),
            File("long chunk", patched(good, 16, little(2**31)), DAMAGED),
            File("odd start code", patched(good, 23, b"\0\0\0"), CORRUPT),
            File("unknown chunk", webp(riff(b"VP9 ", image[8:])), CORRUPT),
            File("canvas of another size", webp(_canvas(0, 99, 99), image), CORRUPT),
            File("lossless mark", patched(exact, 20, b"\0"), CORRUPT),
            File(
                "frame outside",
                webp(_canvas(2), loop, _webp_frame(image, 900, 900)),
                CORRUPT,
            ),
        ],
        "flip": flips(good, ANYTHING, 5),
        "bomb": [
            File(
                "16383 x 16383",
                patched(good, start, b"\xff\x3f" * 2),
                TOO_MANY | CORRUPT,
            ),
            File(
                "canvas of 16777216 x 16777216",
                webp(_canvas(2, 2**24, 2**24), loop, _webp_frame(image)),
                TOO_MANY | CORRUPT,
            ),
            File(
                "canvas of 60000 x 60000",
                webp(_canvas(2, 60_000, 60_000), loop, _webp_frame(image)),
                TOO_MANY,
            ),
            File(
                "canvas of 4000 x 3000",
                webp(_canvas(2, 4000, 3000), loop, _webp_frame(image)),
                SCORES,
            ),
            File(
                "300 frames",
                webp(_canvas(2), loop, _webp_frame(image) * 300),
                SCORES,
                decoded(good),
            ),
        ],
        "mode": [
            File("lossless", exact, SCORES, PICTURE),
            File("lossy", good, SCORES, decoded(good)),
            File("lossless with alpha", sharp, SCORES, on_white(CLEAR), 1),
            File("lossy with alpha", soft, SCORES, on_white(opened(soft)), 1),
            File("grey", grey, SCORES, rgb(IMAGE.convert("L"))),
        ],
        "metadata": [
            *itertools.islice(with_metadata(with_exif), 4),
            File(
                "EXIF and profile broken",
                webp(_canvas(0x28), junk, exact[12:], riff(b"EXIF", BROKEN)),
                SCORES,
                PICTURE,
            ),
        ],
    }
