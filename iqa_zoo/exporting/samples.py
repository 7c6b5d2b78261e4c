"""The photos on which a file is compared with its network."""

import os
from collections.abc import Iterator
from importlib import resources
from itertools import islice
from typing import NamedTuple

import numpy as np

from iqa_zoo.distortions import KINDS, distort
from iqa_zoo.errors import ImageError, UsageError
from iqa_zoo.images import Pixels, find_images, read_image

#: So many photos at least say how far a file is from its network.
LEAST = 200
#: Levels of the distortions that the packaged photos are put under.
LEVELS = (2, 4)
#: A folder's photos beyond so many are left alone.
MOST = 1000
#: Width and height of what cameras, phones and the web make: the reading of photos is
#: compared on these, since it is the size that matters there.
SIZES = (
    (300, 200),
    (500, 500),
    (640, 480),
    (800, 600),
    (1024, 768),
    (1080, 1350),
    (1280, 960),
    (1920, 1080),
    (2048, 1536),
    (3000, 2000),
    (3264, 2448),
    (4000, 3000),
)


class Photos(NamedTuple):
    """Photos that are made or read one by one.

    Attributes:
        folder: where they are; None for the packaged ones.
        count: how many there are, or files that may be some.
        images: pixels of each, uint8 (height, width, 3).
    """

    folder: str | os.PathLike[str] | None
    count: int
    images: Iterator[Pixels]


def photos(folder: str | os.PathLike[str] | None) -> Photos:
    """The photos of a folder, those that can be read; or the packaged ones, distorted.

    The packaged ones are four, as they are and under each of KADID-10k's 25 distortions
    at two levels: 204 pictures.

    Raises:
        UsageError: the folder has fewer than `LEAST` images; or, once they have been
            gone through, fewer of them can be read.
    """
    if folder is None:
        return Photos(None, 4 * (1 + len(LEVELS) * len(_kinds())), _distorted())
    names = enough(folder, LEAST, "photos")
    return Photos(folder, len(names), readable(names, LEAST))


def enough(folder: str | os.PathLike[str], least: int, option: str) -> list[str]:
    """The names of a folder's images, `MOST` at most, spread over it.

    Raises:
        UsageError: there are fewer than `least`.
    """
    names = list(find_images([folder]))
    if len(names) < least:
        raise UsageError(
            f"{os.fspath(folder)} has {len(names)} images; {option} takes a folder of "
            f"{least} or more."
        )
    step = -(-len(names) // MOST)
    return names[::step]


def readable(names: list[str], least: int = 1) -> Iterator[Pixels]:
    """The pixels of images, of those that can be read.

    Raises:
        UsageError: those were fewer than `least`, when all have been tried.
    """
    count, reason = 0, ""
    for name in names:
        try:
            pixels = read_image(name)
        except ImageError as error:  # a folder of photos may hold one that is damaged
            reason = f" {error}"
            continue
        count += 1
        yield pixels
    if count < least:
        raise UsageError(
            f"Only {count} of {len(names)} images can be read; {least} are needed."
            f"{reason}"
        )


def sizes(folder: str | os.PathLike[str] | None) -> Iterator[Pixels]:
    """Photos of many sizes: a folder's own, or mosaics of the packaged ones."""
    if folder is not None:
        yield from islice(readable(enough(folder, 1, "photos")), LEAST)
        return
    tiles = _packaged()
    for turn, (width, height) in enumerate(SIZES):
        yield _mosaic(tiles, width, height, turn)


def _packaged() -> list[Pixels]:
    folder = resources.files("iqa_zoo.example_photos")
    names = ("astronaut", "chelsea", "coffee", "rocket")
    return [read_image((folder / f"{name}.jpg").read_bytes()) for name in names]


def _distorted() -> Iterator[Pixels]:
    for photo in _packaged():
        yield photo
        for kind in _kinds():
            for level in LEVELS:
                yield distort(photo, kind, level)


def _kinds() -> list[str]:
    return [name for name, kind in KINDS.items() if kind.family == "kadid"]


def _mosaic(tiles: list[Pixels], width: int, height: int, turn: int) -> Pixels:
    """Photos side by side in full detail, without seams of one and the same photo."""
    rows, top, number = [], 0, turn
    while top < height:
        row: list[np.ndarray] = []
        # One height a row: the tiles differ.
        tall = min(tile.shape[0] for tile in tiles)
        while sum(tile.shape[1] for tile in row) < width:
            tile = tiles[number % len(tiles)][:tall]
            row.append(tile[:, ::-1] if number // len(tiles) % 2 else tile)
            number += 1
        rows.append(np.concatenate(row, 1)[:, :width])
        top += tall
    return np.ascontiguousarray(np.concatenate(rows)[:height])
