"""What all malformed images are made of: one small picture, and ways to damage it."""

import io
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

SCORES = frozenset({"scores"})
TRUNCATED = frozenset({"truncated"})
CORRUPT = frozenset({"corrupt"})
TOO_MANY = frozenset({"too_many_pixels"})
EMPTY = frozenset({"empty"})
#: What a damaged file may be called.
DAMAGED = frozenset(
    {
        "corrupt",
        "truncated",
        "unknown_format",
        "refused_format",
        "too_many_pixels",
        "too_small",
        "empty",
    }
)
#: Not every format has checksums, so that some damage goes unnoticed.
ANYTHING = DAMAGED | SCORES
UNNOTICED = CORRUPT | SCORES


class File(NamedTuple):
    """What a case is made of: what is wrong with the file, and its bytes."""

    what: str
    data: bytes
    expected: frozenset[str]
    pixels: np.ndarray | None = None
    tolerance: int = 0


# --- the picture ----------------------------------------------------------------------

HEIGHT, WIDTH = 48, 64


def _picture() -> np.ndarray:
    random = np.random.default_rng(15)
    coarse = Image.fromarray(random.integers(0, 256, (5, 6, 3), np.uint8))
    smooth = np.asarray(coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))
    noise = random.integers(-9, 10, smooth.shape)
    return (smooth + noise).clip(0, 255).astype(np.uint8)


PICTURE = _picture()
PICTURE.flags.writeable = False
IMAGE = Image.fromarray(PICTURE)
OTHER = Image.fromarray(PICTURE[::-1].copy())
ALPHA = np.linspace(0, 255, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).astype(np.uint8)
CLEAR = Image.fromarray(np.dstack([PICTURE, ALPHA]))


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    """The bytes of a file of a format, by the library that writes it."""
    buffer = io.BytesIO()
    if form == "HEIC":
        import pillow_heif

        pillow_heif.from_pillow(image).save(buffer, **options)
    else:
        image.copy().save(buffer, form.replace(" ", ""), **options)
    return buffer.getvalue()


def on_white(image: Image.Image) -> np.ndarray:
    """What a picture with transparency shows on white paper."""
    levels = np.asarray(image.convert("RGBA")).astype(np.float64)
    share = levels[:, :, 3:] / 255
    return np.rint(levels[:, :, :3] * share + 255 * (1 - share)).astype(np.uint8)


def rgb(image: Image.Image) -> np.ndarray:
    """The colours of a picture, by Pillow."""
    return np.asarray(image.convert("RGB"))


def opened(data: bytes) -> Image.Image:
    """A file that Pillow opens by itself."""
    return Image.open(io.BytesIO(data))


def decoded(data: bytes) -> np.ndarray:
    """The pixels of such a file."""
    return rgb(opened(data))


def random_numbers(bits: int) -> np.ndarray:
    """Numbers of so many bits, their highest 0, one for each pixel."""
    random = np.random.default_rng(bits)
    return random.integers(0, 1 << (bits - 1), (HEIGHT, WIDTH), np.uint16)


# --- damage of any format -------------------------------------------------------------


def cut(data: bytes, *ends: int | float, what: str = "") -> Iterator[File]:
    """A file without its end: a share of its bytes, so many, or all but so many."""
    for end in ends:
        kept = int(len(data) * end) if isinstance(end, float) else end % len(data)
        yield File(f"{what} {kept} of {len(data)}", data[:kept], TRUNCATED)


def flips(data: bytes, expected: frozenset[str], seed: int) -> Iterator[File]:
    """A file in which one bit is another, eight times."""
    random = np.random.default_rng(seed)
    for bit in random.integers(0, 8 * len(data), 8):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        yield File(f"bit {bit}", bytes(damaged), expected)


def patched(data: bytes, at: int | bytes, new: bytes, skip: int = 0) -> bytes:
    """`data` with other bytes at a position, or `skip` bytes after a mark's end."""
    if isinstance(at, bytes):
        at = data.index(at) + len(at) + skip
    assert at + len(new) <= len(data)
    return data[:at] + new + data[at + len(new) :]


def big(*numbers: int, bits: int = 32) -> bytes:
    """Whole numbers, their highest byte first."""
    return b"".join(number.to_bytes(bits // 8, "big") for number in numbers)


def little(*numbers: int, bits: int = 32) -> bytes:
    """Whole numbers, their lowest byte first."""
    return b"".join(number.to_bytes(bits // 8, "little") for number in numbers)


# --- EXIF -----------------------------------------------------------------------------

ORIENTATION = 0x0112
DESCRIPTION = 0x010E
EXIF_IFD = 0x8769
#: By how many quarters the picture is turned to the left, for each orientation.
QUARTERS = {3: 2, 6: -1, 8: 1}


def ifd(
    entries: Iterable[tuple[int, int, int, int]], following: int = 0, order: str = "<"
) -> bytes:
    """A directory of a TIFF: (tag, type, count, value) each, where the next one is."""
    packed = [
        struct.pack(order + "HHI", tag, kind, count)
        + (
            struct.pack(order + "HH", value, 0)
            if (kind, count) == (3, 1)
            else struct.pack(order + "I", value)
        )
        for tag, kind, count, value in entries
    ]
    head = struct.pack(order + "H", len(packed))
    return head + b"".join(packed) + struct.pack(order + "I", following)


def exif(*entries: tuple[int, int, int, int], following: int = 0) -> bytes:
    """A block of EXIF of one directory, as cameras write it."""
    return b"MM\0*\0\0\0\x08" + ifd(entries, following, ">")


TURNED = {turn: exif((ORIENTATION, 3, 1, turn)) for turn in QUARTERS}
CYCLIC = exif((ORIENTATION, 3, 1, 3), (EXIF_IFD, 4, 1, 8), following=8)
BROKEN = exif((DESCRIPTION, 2, 4_000_000_000, 20), (ORIENTATION, 3, 1, 6))[:-9]
#: 60 KB, near the most that a JPEG can have.
HUGE = exif((ORIENTATION, 3, 1, 6), *((50_000 + i, 4, 1, i) for i in range(5000)))


def with_metadata(attach: Callable[[bytes], bytes]) -> Iterator[File]:
    """Files with blocks of EXIF, of which `attach` makes a file."""
    plain = decoded(attach(exif()))
    for what, block, turn in (
        ("turned right", TURNED[6], 6),
        ("turned left", TURNED[8], 8),
        ("huge EXIF", HUGE, 6),
        ("cyclic EXIF", CYCLIC, 3),
    ):
        yield File(what, attach(block), SCORES, np.rot90(plain, QUARTERS[turn]))
    yield File("broken EXIF", attach(BROKEN), SCORES, plain)
