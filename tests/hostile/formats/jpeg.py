"""JPEG files, and what is wrong with each."""

from collections.abc import Iterable

import numpy as np
from PIL import Image

from tests.hostile.damage import (
    ANYTHING,
    CORRUPT,
    EMPTY,
    IMAGE,
    PICTURE,
    SCORES,
    TOO_MANY,
    TRUNCATED,
    File,
    big,
    cut,
    decoded,
    encoded,
    flips,
    patched,
    with_metadata,
)


def _segment(marker: int, data: bytes) -> bytes:
    return bytes([0xFF, marker]) + big(len(data) + 2, bits=16) + data


def files() -> dict[str, Iterable[File]]:
    """Of each kind but the odd ones."""
    good = encoded(IMAGE, "JPEG", quality=90)
    steps = encoded(IMAGE, "JPEG", progressive=True)
    frame = b"\xff\xc0\0\x11"  # what follows: depth, height, width, components
    tables = good.index(b"\xff\xc4")
    scan = good.index(b"\xff\xda")
    quantisation = good.index(b"\xff\xdb")

    def with_exif(block: bytes) -> bytes:
        return good[:2] + _segment(0xE1, b"Exif\0\0" + block) + good[2:]

    inks = np.dstack([PICTURE, PICTURE[:, :, 1] // 2])
    cmyk = encoded(Image.fromarray(inks, "CMYK"), "JPEG", quality=95)
    adobe = cmyk.index(b"Adobe")
    ycck = patched(cmyk, adobe + 11, b"\x02")
    grey = encoded(IMAGE.convert("L"), "JPEG")
    plain_rgb = encoded(IMAGE, "JPEG", keep_rgb=True)
    flat = encoded(Image.new("L", (3000, 3000), 90), "JPEG", progressive=True)
    last = flat.rindex(b"\xff\xda")
    return {
        "truncation": [
            *cut(good, 1, 2, 3, 20, scan, scan + 9, 0.5, 0.8, -9, -2, -1),
            *cut(steps, 0.7, what="progressive"),
        ],
        "lie": [
            File("no rows", patched(good, frame, big(0, bits=16), 1), EMPTY | CORRUPT),
            File("too wide", patched(good, frame, b"\xff\xff", 3), TOO_MANY),
            File("more rows", patched(good, frame, big(200, bits=16), 1), ANYTHING),
            File("12 bits", patched(good, frame, b"\x0c"), CORRUPT),
            File("no components", patched(good, frame, b"\0", 5), CORRUPT),
            File("two components", patched(good, frame, b"\2", 5), CORRUPT),
            File("subsampling 15", patched(good, frame, b"\xff", 7), CORRUPT),
            File(
                "no quantisation",
                good[:quantisation] + good[good.index(b"\xff\xc0") :],
                CORRUPT,
            ),
            File("long segment", patched(good, tables + 2, b"\xff\xff"), TRUNCATED),
            File("short segment", patched(good, tables + 2, b"\0\0"), CORRUPT),
        ],
        "flip": flips(good, ANYTHING, 1),
        "bomb": [
            File("65535 x 65535", patched(good, frame, b"\xff" * 4, 1), TOO_MANY),
            File(
                "60000 x 60000 progressive",
                patched(steps, b"\xff\xc2\0\x11", big(60_000, 60_000, bits=16), 1),
                TOO_MANY,
            ),
            File("1000 scans", flat[:last] + flat[last:-2] * 1000 + flat[-2:], CORRUPT),
            File(
                "20000 blocks of EXIF",
                good[:2] + _segment(0xE1, b"Exif\0\0bla") * 20_000 + good[2:],
                CORRUPT,
            ),
            File(
                "colour profile in 255 parts",
                good[:2]
                + b"".join(
                    _segment(0xE2, b"ICC_PROFILE\0" + bytes([i, 255]) + bytes(900))
                    for i in range(1, 256)
                )
                + good[2:],
                SCORES,
                decoded(good),
            ),
        ],
        "mode": [
            File("grey", grey, SCORES, decoded(grey)),
            File("inks", cmyk, SCORES, decoded(cmyk), 1),
            File("inks as YCCK", ycck, SCORES, decoded(ycck), 1),
            File("RGB", plain_rgb, SCORES, decoded(plain_rgb)),
            File("progressive", steps, SCORES, decoded(steps)),
        ],
        "metadata": with_metadata(with_exif),
    }
