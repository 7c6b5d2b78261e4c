"""JPEG 2000 files, and what is wrong with each."""

from collections.abc import Iterable

import numpy as np
from PIL import Image

from tests.hostile.damage import (
    ANYTHING,
    CLEAR,
    CORRUPT,
    DAMAGED,
    HEIGHT,
    HUGE,
    IMAGE,
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
    patched,
    random_numbers,
    rgb,
)
from tests.hostile.formats.heif import box


def files() -> dict[str, Iterable[File]]:
    """Of each kind but the odd ones."""
    good = encoded(IMAGE, "JPEG 2000")
    stream = good[good.index(b"\xff\x4f\xff\x51") :]
    lossy = encoded(IMAGE, "JPEG 2000", irreversible=True, quality_layers=[20])
    # Capabilities; then sizes and offsets of picture and tiles, number of channels.
    size = b"\xff\x51\0\x2f"
    head = b"ihdr"  # height, width, channels, depth
    tile = b"\xff\x90\0\x0a"  # number of the tile, its length
    levels = random_numbers(16)
    grey = IMAGE.convert("L")
    cut_early = frozenset({"truncated", "unknown_format"})

    def resized(width: int, height: int) -> bytes:
        data = patched(good, size, big(width, height), 2)
        return patched(data, head, big(height, width))

    both = CLEAR.convert("LA")
    tiled = encoded(IMAGE, "JPEG 2000", tile_size=(16, 16))
    return {
        "truncation": [
            *(File(f"{n} of {len(good)}", good[:n], cut_early) for n in (3, 11)),
            *cut(good, 12, 40, good.index(stream), good.index(tile), 0.5, -9, -2, -1),
            *cut(lossy, 0.7, what="lossy"),
            *cut(stream, 0.6, what="stream"),
        ],
        "lie": [
            File("no columns", resized(0, HEIGHT), DAMAGED),
            File("more columns", resized(4 * WIDTH, HEIGHT), DAMAGED),
            File("no components", patched(good, size, b"\0\0", 34), DAMAGED),
            File("16384 components", patched(good, size, b"\x40\0", 34), DAMAGED),
            File("38 bits", patched(good, size, b"\x25", 36), UNNOTICED),
            File("tile of no columns", patched(good, size, big(0), 18), CORRUPT),
            File("tile 9999", patched(good, tile, big(9999, bits=16)), CORRUPT),
            File("tile of 2 GB", patched(good, tile, big(2**31), 2), DAMAGED),
            File("channel every 0 columns", patched(good, size, b"\0", 37), CORRUPT),
            File(
                "box of 2 GB",
                patched(good, good.index(b"jp2c") - 4, big(2**31)),
                TRUNCATED,
            ),
        ],
        "flip": flips(good, ANYTHING, 9),
        "bomb": [
            File("60000 x 60000", resized(60_000, 60_000), TOO_MANY),
            File("4 billion columns", resized(2**32 - 1, 1), TOO_MANY | CORRUPT),
            File(
                "tiles of one pixel",
                patched(resized(5000, 4000), size, big(1, 1), 18),
                DAMAGED,
            ),
            File("5000 x 4000", resized(5000, 4000), DAMAGED),
            File(
                "tile of 4 billion columns",
                patched(good, size, big(2**32 - 1, 2**32 - 1), 18),
                ANYTHING,
            ),
        ],
        "mode": [
            File("grey", encoded(grey, "JPEG 2000"), SCORES, rgb(grey)),
            File("alpha", encoded(CLEAR, "JPEG 2000"), SCORES, on_white(CLEAR), 1),
            File(
                "grey with alpha", encoded(both, "JPEG 2000"), SCORES, on_white(both), 1
            ),
            File(
                "16 bits",
                encoded(Image.fromarray(levels), "JPEG 2000"),
                SCORES,
                np.repeat((levels >> 8).astype(np.uint8)[:, :, None], 3, axis=2),
            ),
            File("tiles", tiled, SCORES, PICTURE),
        ],
        "metadata": [
            File("stream alone", stream, SCORES, PICTURE),
            File("comment", good, SCORES, PICTURE),
            File(
                "EXIF box",
                good + box(b"uuid", b"JpgTiffExif->JP2", HUGE),
                SCORES,
                PICTURE,
            ),
            File("XML box", good + box(b"xml ", b"<x>" * 9999), SCORES, PICTURE),
            File("broken box", good + big(3) + b"xml ", ANYTHING),
        ],
    }
