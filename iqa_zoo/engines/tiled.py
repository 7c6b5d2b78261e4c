"""Photos in their own size: networks that are run tile by tile.

Such a network has a layer `cells`, float32 (batch, rows, columns, channels): all that
it says of places, a cell for each square of so many pixels. What is below runs on
tiles, what is above on the cells of all tiles, joined. Memory grows with the cells
alone, and the answer is that of the whole network.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from iqa_zoo.engines.litert import LiteRT

#: The layer at which networks are cut in two, and what their lower part answers with.
CELLS = "cells"
#: What the upper part calls the map of places.
MAP = "map"


class Part(Protocol):
    """One part of a network: one array (height, width, channels) in, one out."""

    def predict(self, images: Sequence[np.ndarray], threads: int = 1) -> np.ndarray:
        """The answer to each image, float32 (n, ...)."""


class Tiled:
    """Runs a network in two parts, on photos of any size; see `iqa_zoo.engines`."""

    batch = 1

    def __init__(
        self,
        lower: Part,
        upper: Part,
        mapper: Part | None,
        *,
        cell: int,
        tile: Sequence[int],
        halo: int,
    ) -> None:
        """
        Args:
            lower: from a tile, with its halo, to the cells of the tile.
            upper: from cells to the output.
            mapper: from cells to the map; None where their first channel is the map.
            cell: pixels a side that a cell stands for.
            tile: height and width of the largest tile, multiples of `cell`. Where there
                is no halo, every tile has this size.
            halo: pixels around a tile that its cells depend on, a multiple of `cell`;
                0 where a cell depends on its own pixels alone.
        """
        self._lower, self._upper, self._mapper = lower, upper, mapper
        self.cell, self._tile, self._halo = cell, tuple(tile), halo

    def predict(self, images: Sequence[np.ndarray], threads: int = 1) -> np.ndarray:
        """The output for each image, of any size; see `iqa_zoo.engines`.

        Args:
            images: uint8 (height, width, 3); of pairs (height, width, 6), the reference
                behind the distorted picture.
        """
        return np.concatenate(
            [
                self._upper.predict([self._cells(image, threads)], threads)
                for image in images
            ]
        )

    def map(self, image: np.ndarray, threads: int = 1) -> np.ndarray:
        """What each place of an image is worth, float32 (rows, columns)."""
        cells = self._cells(image, threads)
        if self._mapper is not None:
            cells = self._mapper.predict([cells], threads)[0]
        return np.ascontiguousarray(cells[..., 0])

    def _cells(self, image: np.ndarray, threads: int) -> np.ndarray:
        """The cells of a whole image, float32 (rows, columns, channels).

        What is left over at the right and at the bottom is left out.
        """
        rows, columns = (n // self.cell for n in image.shape[:2])
        image = image[: rows * self.cell, : columns * self.cell]
        if not self._halo:
            found = [
                self._lower.predict([tile], threads)[0].reshape(
                    math.prod(self._tile) // self.cell**2, -1
                )
                for tile in mosaics(image, self.cell, self._tile)
            ]
            return np.concatenate(found)[: rows * columns].reshape(rows, columns, -1)
        cells = None
        for top, left, tile in framed_tiles(image, self.cell, self._tile, self._halo):
            found = self._lower.predict([tile], threads)[0]
            if cells is None:
                cells = np.empty((rows, columns, found.shape[-1]), np.float32)
            place = cells[top : top + found.shape[0], left : left + found.shape[1]]
            place[:] = found[: place.shape[0], : place.shape[1]]
        return cells


def mosaics(image: np.ndarray, cell: int, tile: Sequence[int]) -> Iterator[np.ndarray]:
    """The squares of an image, put together as tiles.

    Each is judged for itself, so that it does not matter which are side by side, and
    only the last tile is filled up.

    Args:
        image: (height, width, channels), both multiples of `cell`.
        cell: pixels a side of a square.
        tile: height and width of every tile, multiples of `cell`.

    Yields:
        (*tile, channels): squares by rows from the top, each row from the left.
    """
    high, wide, channels = image.shape
    squares = image.reshape(high // cell, cell, wide // cell, cell, channels)
    squares = squares.swapaxes(1, 2).reshape(-1, cell, cell, channels)
    rows, columns = (n // cell for n in tile)
    for start in range(0, len(squares), rows * columns):
        part = squares[start : start + rows * columns]
        filled = np.zeros((rows * columns, *part.shape[1:]), part.dtype)
        filled[: len(part)] = part
        filled = filled.reshape(rows, columns, cell, cell, channels).swapaxes(1, 2)
        yield filled.reshape(*tile, channels)


def framed_tiles(
    image: np.ndarray, cell: int, tile: Sequence[int], halo: int
) -> Iterator[tuple[int, int, np.ndarray]]:
    """An image in tiles of one size, each with what is around it.

    Args:
        image: (height, width, channels), both multiples of `cell`.
        cell: pixels a side of a cell.
        tile: the largest height and width of a tile, multiples of `cell`.
        halo: pixels around a tile; beyond the image's border is its mirror image.

    Yields:
        The row and the column of a tile's first cell, and its pixels. What reaches
        beyond the framed image is 0, and no cell of the image depends on it.
    """
    framed = np.pad(image, ((halo, halo), (halo, halo), (0, 0)), "symmetric")
    sizes = [n // cell for n in image.shape[:2]]
    # As few tiles as can be, and all of one size, so that little is filled up.
    steps = [
        math.ceil(n / math.ceil(n * cell / most))
        for n, most in zip(sizes, tile, strict=True)
    ]
    for top in range(0, sizes[0], steps[0]):
        for left in range(0, sizes[1], steps[1]):
            part = framed[
                top * cell : (top + steps[0]) * cell + 2 * halo,
                left * cell : (left + steps[1]) * cell + 2 * halo,
            ]
            shape = [step * cell + 2 * halo for step in steps]
            filled = np.zeros((*shape, image.shape[2]), image.dtype)
            filled[: part.shape[0], : part.shape[1]] = part
            yield top, left, filled


def in_litert(
    lower: bytes, upper: bytes, *, output: str, rule: dict, place: str | None, name: str
) -> Tiled:
    """A network out of the two LiteRT files that `parts.to_litert_parts` makes.

    Args:
        lower: the file from tiles to cells.
        upper: that from cells to the output and to the map.
        output: the output's name.
        rule: the card's table `input`.
        place: the layer of the map; None where there is none.
        name: of the model, for messages.
    """
    halo = rule.get("halo", 0)
    below = LiteRT(lower, CELLS, name)
    mapper = LiteRT(upper, MAP, name) if place not in (None, CELLS) else None
    above = LiteRT(upper, output, name)
    if halo:
        # Any tile tells; this is the smallest one that is a multiple of the cell.
        black = np.zeros((3 * halo, 3 * halo, 3), np.uint8)
        cell = halo // below.predict([black]).shape[1]
        tile = tuple(rule["size"])
    else:
        tile = below.size()
        cell = tile[0]
    return Tiled(below, above, mapper, cell=cell, tile=tile, halo=halo)
