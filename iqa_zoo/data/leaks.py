"""What would make figures on a test part worthless: one image on both sides."""

import contextlib
import hashlib
import io
import logging
import os
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

from iqa_zoo.errors import ImageError
from iqa_zoo.images import DEFAULT_LIMITS
from iqa_zoo.images.decoding import Encoded, decoding
from iqa_zoo.images.formats import decoder, format_of

#: Published sets have a few images twice. Files that are equal byte for byte are borne
#: with, and kept from standing on two sides of a split, up to one in so many rows.
COPIES_IN = 200

#: How many pixels `same_pixels` decodes at most: a minute or so of one processor.
COMPARED_PIXELS = 4_000_000_000

_LEAST_COST = 40_000  # pixels that opening a picture takes as long as decoding
_FORMAT = 100  # bytes that tell a format
_HEAD = 4096  # bytes that tell most files of one size apart
_THREADS = 4  # that decode; each holds one picture

_log = logging.getLogger(__name__)


def crossings(sides: Sequence[str], keys: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Rows whose key was met before on another side, each with the first such row."""
    first: dict[Hashable, int] = {}
    return [
        (row, earlier)
        for row, key in enumerate(keys)
        if sides[earlier := first.setdefault(key, row)] != sides[row]
    ]


def same_content(paths: Sequence[Path]) -> list[tuple[int, int]]:
    """Files that are byte for byte an earlier one, each with the first such.

    Of files of equal size the first _HEAD bytes are read, and the whole files only
    where those are equal. What cannot be read is passed over.
    """
    by_size: dict[int, list[int]] = defaultdict(list)
    for row, path in enumerate(paths):
        with contextlib.suppress(OSError):
            by_size[os.stat(path).st_size].append(row)
    by_head: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    for size, rows in by_size.items():
        for row in rows if len(rows) > 1 else ():
            with contextlib.suppress(OSError), open(paths[row], "rb") as file:
                by_head[size, file.read(_HEAD)].append(row)
    rows = sorted(row for rows in by_head.values() if len(rows) > 1 for row in rows)
    return _repeated(rows, (_file_sum(paths[row]) for row in rows))


def same_pixels(paths: Sequence[Path]) -> list[tuple[int, int]]:
    """Pictures whose pixels are those of an earlier one, each with the first such.

    Only pictures that are equally large, upright or turned, are decoded, and together
    at most COMPARED_PIXELS, those that share their size with the fewest first. Where
    all of one size are JPEG, they are first decoded at a quarter of their sides, which
    counts a quarter; small ones count as larger ones. Where opening all would take as
    long, none is compared. How many were passed over, or cannot be read, is logged.
    """
    if len(paths) * _LEAST_COST > COMPARED_PIXELS:
        _pass_over(len(paths))
        return []
    by_size: dict[tuple[int, int], list[int]] = defaultdict(list)
    lossless: set[tuple[int, int]] = set()
    unread = passed_over = 0
    for row, path in enumerate(paths):
        try:
            kind, size = _kind_and_size(path)
        except (ImageError, OSError):
            unread += 1
            continue
        by_size[size].append(row)
        if kind != "JPEG":
            lossless.add(size)
    left = COMPARED_PIXELS
    whole: list[int] = []  # rows to decode in full
    small: list[int] = []  # rows to decode at a quarter first
    alike = [item for item in by_size.items() if len(item[1]) > 1]
    for size, rows in sorted(alike, key=lambda item: len(item[1])):
        pixels = size[0] * size[1] // (1 if size in lossless else 4)
        cost = max(pixels, _LEAST_COST) * len(rows)
        if cost > left:
            passed_over += len(rows)
        else:
            left -= cost
            (whole if size in lossless else small).extend(rows)
    if passed_over:
        _pass_over(passed_over)

    def sums(rows: Sequence[int], scale: int) -> list[bytes | None]:
        with ThreadPoolExecutor(_THREADS) as pool:
            return list(pool.map(lambda row: _pixel_sum(paths[row], scale), rows))

    found = sums(small, 4)
    unread += found.count(None)
    often = Counter(found)
    whole += [
        row for row, each in zip(small, found, strict=True) if each and often[each] > 1
    ]
    whole.sort()
    found = sums(whole, 1)
    unread += found.count(None)
    if unread:
        _log.info("%d images cannot be read and were not compared.", unread)
    return _repeated(whole, found)


def _pass_over(count: int) -> None:
    _log.warning(
        "%d images were compared as files only: decoding them would take more than %d "
        "pixels. Copies in another format, or saved again, may be on two sides of a "
        "split.",
        count,
        COMPARED_PIXELS,
    )


def _repeated(
    rows: Iterable[int], sums: Iterable[bytes | None]
) -> list[tuple[int, int]]:
    first: dict[bytes, int] = {}
    return [
        (row, earlier)
        for row, each in zip(rows, sums, strict=True)
        if each is not None and (earlier := first.setdefault(each, row)) != row
    ]


def _file_sum(path: Path) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return None


def _pixel_sum(path: Path, scale: int) -> bytes | None:
    try:
        data = path.read_bytes()
        pixels = Encoded(data, str(path), DEFAULT_LIMITS).pixels(scale)
    except (ImageError, OSError):
        return None
    return str(pixels.shape).encode() + hashlib.blake2b(pixels.data).digest()


def _kind_and_size(path: Path) -> tuple[str, tuple[int, int]]:
    """The format, and the shorter and the longer side that the header claims."""
    name = str(path)
    with open(path, "rb") as file:
        kind = format_of(file.read(_FORMAT), name)
        file.seek(0)
        with decoding(name):  # which reads no more than the header here
            size = decoder(kind, name)(cast(io.BytesIO, file)).size
    return kind, (min(size), max(size))
