"""Pictures of screens that nobody has seen: drawn by code, as many as are needed.

Desktops with windows and icons, pages of a browser, editors, tables, documents, slides,
plots. Pristine pictures to make distorted ones of, where no data set of screen content
is at hand. No two are alike.
"""

import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iqa_zoo.errors import UsageError
from iqa_zoo.images.writing import kept_png, write_png
from iqa_zoo.threads import cores, in_order

#: Part of every file's name: raised whenever a screen of some number looks otherwise.
VERSION = 1

SIZE = (1280, 720)  # width and height, pixels
LEAST = (640, 400)


def screen(
    number: int, *, seed: int = 0, size: tuple[int, int] = SIZE
) -> NDArray[np.uint8]:
    """The screen of that number.

    It depends on the arguments, `VERSION` and the fonts of Pillow and Matplotlib alone.

    Args:
        number: 0 or more.
        seed: another seed gives other screens.
        size: width and height, pixels.

    Returns:
        RGB, uint8 (height, width, 3).

    Raises:
        UsageError: it would be smaller than `LEAST`.
    """
    from iqa_zoo.screens.desktop import draw_screen

    width, height = size
    if width < LEAST[0] or height < LEAST[1]:
        raise UsageError(
            f"A screen of {width} x {height} pixels is too small to draw; it needs "
            f"{LEAST[0]} x {LEAST[1]} or more."
        )
    rng = random.Random(f"{VERSION} {seed} {number} {width} {height}")
    return np.array(draw_screen(rng, width, height))


def place_screens(
    count: int, out: Path, *, seed: int = 0, size: tuple[int, int] = SIZE
) -> Iterator[Path]:
    """Draw the screens 0 to `count` - 1 as PNG files, those that are not there yet.

    Args:
        count: how many.
        out: their folder.
        seed, size: as `screen` takes them.

    Yields:
        Each file, in order, once it is there.

    Raises:
        UsageError: they would be too small.
        OutputError: a file cannot be written.
    """
    name = f"screen-{VERSION}-{seed}-{{:05}}-{size[0]}x{size[1]}.png".format
    jobs = (
        (1, partial(_place, number, seed, size, out / name(number)))
        for number in range(count)
    )
    return in_order(jobs, 2 * cores())


def _place(number: int, seed: int, size: tuple[int, int], path: Path) -> Path:
    if kept_png(path, (size[1], size[0], 3)) is None:
        write_png(path, screen(number, seed=seed, size=size))
    return path
