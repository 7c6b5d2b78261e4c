"""Malformed images, made by code: of every format fifty files, and what each is to get.

Nothing here is stored. The same seed gives the same damage, in whatever bytes the
encoders that are installed make of the one small picture. Of each format there are 12
truncations, 10 headers that lie, 8 flipped bits, 5 bombs (small files that claim or
unpack to much), 5 colour modes (good files), 5 blocks of metadata, and 5 odd files.
"""

import functools
import importlib.util
import io
import itertools
import os
import socket
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

#: How many cases of each kind every format has.
KINDS = {
    "truncation": 12,
    "lie": 10,
    "flip": 8,
    "bomb": 5,
    "mode": 5,
    "metadata": 5,
    "odd": 5,
}

SUFFIXES = {
    "JPEG": "jpg",
    "PNG": "png",
    "BMP": "bmp",
    "GIF": "gif",
    "WebP": "webp",
    "TIFF": "tif",
    "AVIF": "avif",
    "HEIC": "heic",
    "JPEG 2000": "jp2",
}

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


class Case(NamedTuple):
    """One file and what is expected of it.

    Attributes:
        name: of the file; says its format and kind.
        form: the name of the format.
        kind: a key of `KINDS`.
        make: writes the file at a path.
        expected: the codes that it may get; "scores" where it may be scored.
        pixels: what a good file is to be read as, uint8 (height, width, 3).
        tolerance: by how many grey levels these may differ.
        rows: how many rows it gets in a folder that is scored.
    """

    name: str
    form: str
    kind: str
    make: Callable[[str], None]
    expected: frozenset[str]
    pixels: np.ndarray | None = None
    tolerance: int = 0
    rows: int = 1


class File(NamedTuple):
    """What a case is made of: what is wrong with the file, and its bytes."""

    what: str
    data: bytes
    expected: frozenset[str]
    pixels: np.ndarray | None = None
    tolerance: int = 0


def corpus() -> list[Case]:
    """All cases: eight formats, and JPEG 2000 where HEIC is one of them."""
    return [case for form in formats() for case in cases(form)]


def formats() -> list[str]:
    """The formats that files can be made of here."""
    return [form for form in SUFFIXES if form != "HEIC" or has_heic()]


def has_heic() -> bool:
    """Whether the library that writes and reads HEIC is installed."""
    return importlib.util.find_spec("pillow_heif") is not None


@functools.cache
def cases(form: str) -> list[Case]:
    """The fifty cases of one format."""
    found = [
        Case(
            _name(form, kind, number, file.what),
            form,
            kind,
            functools.partial(_write, file.data),
            file.expected,
            file.pixels,
            file.tolerance,
        )
        for kind, files in FILES[form]().items()
        for number, file in enumerate(files)
    ]
    return found + list(_odd(form))


def _name(form: str, kind: str, number: int, what: str) -> str:
    words = f"{form} {kind} {number:02} {what}".lower().split()
    return "-".join(words) + "." + SUFFIXES[form]


def _write(data: bytes, path: str) -> None:
    with open(path, "wb") as file:
        file.write(data)


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
_ALPHA = np.linspace(0, 255, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).astype(np.uint8)
CLEAR = Image.fromarray(np.dstack([PICTURE, _ALPHA]))


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


def decoded(data: bytes) -> np.ndarray:
    """The pixels of a file that Pillow opens by itself."""
    return rgb(Image.open(io.BytesIO(data)))


# --- damage of any format -------------------------------------------------------------


def cut(data: bytes, *ends: int | float, what: str = "") -> Iterator[File]:
    """A file without its end: a share of its bytes, so many, or all but so many."""
    for end in ends:
        kept = int(len(data) * end) if isinstance(end, float) else end % len(data)
        yield File(f"{what} {kept} of {len(data)}", data[:kept], TRUNCATED)


def flips(data: bytes, expected: frozenset[str], seed: int) -> Iterator[File]:
    """A file in which one bit is another, eight times."""
    random = np.random.default_rng(seed)
    for bit in random.integers(0, 8 * len(data), KINDS["flip"]):
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


# --- odd files ------------------------------------------------------------------------

# No two formats share what is odd about their last file.
_LAST = {
    "JPEG": "folder",
    "PNG": "pipe",
    "BMP": "looping link",
    "GIF": "no permission",
    "WebP": "text",
    "TIFF": "socket",
    "AVIF": "broken link",
    "HEIC": "odd name",
    "JPEG 2000": "noise",
}


def _odd(form: str) -> Iterator[Case]:
    longest = {"WebP": 16383, "HEIC": 4096}.get(form, 30_000)
    thin = encoded(Image.new("RGB", (1, longest), (200, 100, 50)), form)
    too_small = frozenset({"too_small"})
    another = encoded(IMAGE, "BMP" if form == "PNG" else "PNG")
    files = [
        File("no bytes", b"", EMPTY),
        File("one pixel", encoded(IMAGE.crop((0, 0, 1, 1)), form), too_small),
        File(f"1 x {longest}", thin, too_small),
        File("wrong suffix", another, SCORES, PICTURE),
    ]
    for number, file in enumerate(files):
        name = _name(form, "odd", number, file.what)
        make = functools.partial(_write, file.data)
        yield Case(name, form, "odd", make, file.expected, file.pixels)
    what = _LAST[form]
    name = _name(form, "odd", 4, what)
    if what == "odd name":
        name = "new\nline " + os.fsdecode(b"caf\xe9 ") + name
    make, expected = _ODD[what]
    yield Case(name, form, "odd", make, expected, rows=int(what != "folder"))


def _socket(path: str) -> None:
    # A socket's address has few bytes, so that it cannot be any path.
    with socket.socket(socket.AF_UNIX) as server:
        folder = os.open(os.path.dirname(path), os.O_RDONLY)
        try:
            server.bind(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
        finally:
            os.close(folder)


def _locked(path: str) -> None:
    _write(encoded(IMAGE, "GIF"), path)
    os.chmod(path, 0)


_UNREADABLE = frozenset({"unreadable"})
_ODD: dict[str, tuple[Callable[[str], None], frozenset[str]]] = {
    "folder": (os.mkdir, _UNREADABLE),
    "pipe": (os.mkfifo, _UNREADABLE),
    "looping link": (lambda path: os.symlink(path, path), _UNREADABLE),
    "no permission": (_locked, _UNREADABLE),
    "text": (
        functools.partial(_write, b"These are words in a file.\n" * 9),
        frozenset({"unknown_format"}),
    ),
    "socket": (_socket, _UNREADABLE),
    "broken link": (
        lambda path: os.symlink(path + ".missing", path),
        frozenset({"not_found"}),
    ),
    "odd name": (functools.partial(_write, encoded(IMAGE, "PNG")), SCORES),
    "noise": (
        functools.partial(_write, np.random.default_rng(9).bytes(9999)),
        frozenset({"unknown_format"}),
    ),
}


# --- EXIF -----------------------------------------------------------------------------

ORIENTATION = 0x0112
DESCRIPTION = 0x010E
_EXIF_IFD = 0x8769
_UPRIGHT = {6: np.rot90(PICTURE, -1), 8: np.rot90(PICTURE), 3: PICTURE[::-1, ::-1]}


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


_TURNED = {turn: exif((ORIENTATION, 3, 1, turn)) for turn in _UPRIGHT}
_CYCLIC = exif((ORIENTATION, 3, 1, 3), (_EXIF_IFD, 4, 1, 8), following=8)
_BROKEN = exif((DESCRIPTION, 2, 4_000_000_000, 20), (ORIENTATION, 3, 1, 6))[:-9]
_HUGE = exif(
    (ORIENTATION, 3, 1, 6), *((50_000 + i, 4, 1, i) for i in range(5000))
)  # 60 KB, near the most that a JPEG can have


def with_metadata(
    attach: Callable[[bytes], bytes], *, tolerance: int = 0, turns: bool = True
) -> Iterator[File]:
    """Files with blocks of EXIF that `attach` makes; `turns` where they turn it."""
    plain = attach(exif())
    base = decoded(plain)

    def upright(turn: int) -> np.ndarray:
        quarter = {6: -1, 8: 1, 3: 2}
        return np.rot90(base, quarter[turn]) if turns else base

    for what, block, turn in (
        ("turned right", _TURNED[6], 6),
        ("turned left", _TURNED[8], 8),
        ("huge EXIF", _HUGE, 6),
        ("cyclic EXIF", _CYCLIC, 3),
    ):
        yield File(what, attach(block), SCORES, upright(turn), tolerance)
    yield File("broken EXIF", attach(_BROKEN), SCORES, None)


# --- JPEG -----------------------------------------------------------------------------


def _segment(marker: int, data: bytes) -> bytes:
    return bytes([0xFF, marker]) + big(len(data) + 2, bits=16) + data


def _jpeg() -> dict[str, Iterable[File]]:
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


# --- PNG ------------------------------------------------------------------------------

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


def _png() -> dict[str, Iterable[File]]:
    good = png()
    moving = encoded(IMAGE, "PNG", save_all=True, append_images=[OTHER])
    data = good.index(b"IDAT")
    end = good.index(b"IEND")
    bomb = zlib.compress(bytes(40_000_000), 9)
    indexed = IMAGE.quantize(16)
    grey = IMAGE.convert("LA")
    grey.putalpha(Image.fromarray(_ALPHA))
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
                on_white(_opened(half_clear)),
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


def _opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


# --- BMP ------------------------------------------------------------------------------


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


def _bmp() -> dict[str, Iterable[File]]:
    rows = PICTURE[::-1, :, ::-1].tobytes()
    good = bmp(rows)
    indexed = encoded(IMAGE.quantize(200), "BMP")
    runs = b"".join(b"\x40" + bytes([row]) + b"\0\0" for row in range(HEIGHT)) + b"\0\1"
    greys = b"".join(bytes([grey, grey, grey, 0]) for grey in range(256))
    packed = bmp(runs, bits=8, packing=1, more=greys)
    ladder = np.arange(HEIGHT - 1, -1, -1, dtype=np.uint8)[:, None, None]
    one_bit = IMAGE.convert("1")
    thin = rng_rows(16)
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


def rng_rows(bits: int) -> np.ndarray:
    """Numbers of so many bits, their highest 0, one for each pixel."""
    random = np.random.default_rng(bits)
    return random.integers(0, 1 << (bits - 1), (HEIGHT, WIDTH), np.uint16)


# --- GIF ------------------------------------------------------------------------------


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


def _gif() -> dict[str, Iterable[File]]:
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


# --- WebP -----------------------------------------------------------------------------


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


def _webp() -> dict[str, Iterable[File]]:
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
            File("lossy with alpha", soft, SCORES, on_white(_opened(soft)), 1),
            File("grey", grey, SCORES, rgb(IMAGE.convert("L"))),
        ],
        "metadata": [
            *itertools.islice(with_metadata(with_exif), 4),
            File(
                "EXIF and profile broken",
                webp(_canvas(0x28), junk, exact[12:], riff(b"EXIF", _BROKEN)),
                SCORES,
                PICTURE,
            ),
        ],
    }


# --- TIFF -----------------------------------------------------------------------------


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


def _tiff() -> dict[str, Iterable[File]]:
    raw = PICTURE.tobytes()
    good = tiff(raw)
    first = 8 + len(raw) + 6  # where the directory is
    front = encoded(IMAGE, "TIFF")
    packed = encoded(IMAGE, "TIFF", compression="tiff_lzw")
    inks = Image.fromarray(np.dstack([PICTURE, PICTURE[:, :, 1] // 2]), "CMYK")
    paper = 255 - np.asarray(inks)[:, :, :3].astype(int)
    black = 255 - np.asarray(inks)[:, :, 3:].astype(int)
    levels = rng_rows(16)
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
            File("turned right", tiff(raw, {274: (3, 1, 6)}), SCORES, _UPRIGHT[6]),
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
                tiff(raw, {_EXIF_IFD: (4, 1, first), 40_000: (99, 5, 8)}),
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


# --- AVIF and HEIC --------------------------------------------------------------------


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


def _heif(form: str, seed: int) -> dict[str, Iterable[File]]:
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
    return _opened(data)


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
        deep = Image.fromarray(rng_rows(16) & 0x0FFF)
        data = encoded(deep, form, quality=-1)
        yield File("16 bits", data, SCORES)


def _heif_metadata(form: str) -> Iterator[File]:
    for what, turn in (("turned right", 6), ("turned left", 8)):
        data = encoded(IMAGE, form, quality=90, exif=_TURNED[turn])
        plain = decoded_by(form, encoded(IMAGE, form, quality=90))
        yield File(what, data, SCORES, np.rot90(plain, {6: -1, 8: 1}[turn]))
    for what, block in (("huge", _HUGE), ("cyclic", _CYCLIC), ("broken", _BROKEN)):
        room = exif((DESCRIPTION, 2, len(block) - 26, 26)) + bytes(len(block) - 26)
        data = encoded(IMAGE, form, quality=90, exif=room)
        damaged = data.replace(room, block)
        assert damaged != data
        yield File(f"{what} EXIF", damaged, SCORES, plain)


# --- JPEG 2000 ------------------------------------------------------------------------


def _jpeg_2000() -> dict[str, Iterable[File]]:
    good = encoded(IMAGE, "JPEG 2000")
    stream = good[good.index(b"\xff\x4f\xff\x51") :]
    lossy = encoded(IMAGE, "JPEG 2000", irreversible=True, quality_layers=[20])
    # Capabilities; then sizes and offsets of picture and tiles, number of channels.
    size = b"\xff\x51\0\x2f"
    head = b"ihdr"  # height, width, channels, depth
    tile = b"\xff\x90\0\x0a"  # number of the tile, its length
    levels = rng_rows(16)
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
                good + box(b"uuid", b"JpgTiffExif->JP2", _HUGE),
                SCORES,
                PICTURE,
            ),
            File("XML box", good + box(b"xml ", b"<x>" * 9999), SCORES, PICTURE),
            File("broken box", good + big(3) + b"xml ", ANYTHING),
        ],
    }


FILES: dict[str, Callable[[], dict[str, Iterable[File]]]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "BMP": _bmp,
    "GIF": _gif,
    "WebP": _webp,
    "TIFF": _tiff,
    "AVIF": functools.partial(_heif, "AVIF", 7),
    "HEIC": functools.partial(_heif, "HEIC", 8),
    "JPEG 2000": _jpeg_2000,
}
