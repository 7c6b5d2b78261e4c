"""Distorted pictures in a folder, made on all cores.

A file's name says all that its content depends on: the photo (its name, and the first
digits of the SHA-256 of its pixels), the kinds, the levels and the seed. So what is
there already need not be made again, and nothing else ever gets that name.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from iqa_zoo.distortions.chains import (
    Chain,
    chain_name,
    distort_by,
    draw_chains,
    single,
)
from iqa_zoo.distortions.pseudo import raw_score
from iqa_zoo.distortions.table import REFERENCE, Row, make_row, picture_name
from iqa_zoo.errors import ImageError, IqaError, UsageError
from iqa_zoo.files import sha256
from iqa_zoo.images import out_of_memory, read_image
from iqa_zoo.images.writing import kept_png, write_png
from iqa_zoo.threads import in_order

#: Numbers in the photos whose pictures are made at the same time, if more than one is.
AT_ONCE = 2**26

Pixels = NDArray[np.uint8]


class Plan(NamedTuple):
    """What is made of each photo.

    Attributes:
        kinds, levels, seed: as `distort` takes them.
        chains: so many chains, drawn from these by the seed, for each photo its own;
            None: each kind at each level.
        side: the photo is cut to so many pixels a side, around its middle; None: whole.
        metric: a key of `pseudo.POWERS`, for pseudo-MOS; None: none.
    """

    kinds: Sequence[str]
    levels: Sequence[int]
    seed: int = 0
    chains: int | None = None
    side: int | None = None
    metric: str | None = None

    def per_photo(self) -> int:
        """How many pictures a photo gives."""
        if self.chains is not None:
            return self.chains
        return len(self.kinds) * len(self.levels)


_Made = Row | IqaError
_Job = tuple[int, Callable[[], _Made]]  # numbers in the photo, and what makes a picture


def place_pictures(
    photos: Iterable[str],
    out: Path,
    plan: Plan,
    known: Mapping[str, Row] = MappingProxyType({}),
) -> Iterator[_Made]:
    """Make the distorted pictures of photos, and the photos' own copies beside them.

    Args:
        photos: names of files.
        out: the set's folder; it gets a folder for each photo, with PNG files.
        plan: which pictures.
        known: rows of the manifest by their picture's name. The metric's score is taken
            from them where the picture is there and its error is that of the row.

    Yields:
        A row of the manifest for each picture, made now or there already, in the order
        of photos and plan; or in place of it the reason why there is none: an
        ImageError once for a photo that cannot be read, a UsageError once for each kind
        or chain that the photo is too small for.

    Raises:
        OutputError: a picture cannot be written.
        UsageError: there are not as many chains.
    """
    told = set()
    for made in in_order(_jobs(photos, out, plan, known), AT_ONCE):
        if isinstance(made, IqaError):
            if str(made) in told:
                continue
            told.add(str(made))
        yield made


def _jobs(
    photos: Iterable[str], out: Path, plan: Plan, known: Mapping[str, Row]
) -> Iterator[_Job]:
    for photo in photos:
        try:
            pixels = _cut(photo, read_image(photo), plan.side)
            folder, digits = _folder(photo, pixels)
            kept = kept_png(out / folder / REFERENCE, pixels.shape)
            if kept is None or not np.array_equal(kept, pixels):
                write_png(out / folder / REFERENCE, pixels)
        except ImageError as error:
            yield 1, partial(_given, error)
            continue
        except MemoryError:
            yield 1, partial(_given, out_of_memory(photo))
            continue
        if plan.chains is None:
            chains = single(plan.kinds, plan.levels)
        else:
            seed = (plan.seed, int(digits, 16))
            chains = draw_chains(plan.chains, plan.kinds, plan.levels, seed)
        for chain in chains:
            row = known.get(picture_name(folder, chain, plan.seed))
            yield (
                pixels.size,
                partial(_place, photo, pixels, out, folder, chain, plan, row),
            )


def _given(error: IqaError) -> IqaError:
    return error


def _cut(photo: str, pixels: Pixels, side: int | None) -> Pixels:
    """The middle of a photo, `side` pixels a side."""
    if side is None:
        return pixels
    height, width = pixels.shape[:2]
    if min(height, width) < side:
        raise ImageError(
            "too_small",
            f"{photo}: {width} x {height} pixels cannot be cut to {side} x {side}.",
            photo,
        )
    top, left = (height - side) // 2, (width - side) // 2
    return np.ascontiguousarray(pixels[top : top + side, left : left + side])


def _folder(photo: str, pixels: Pixels) -> tuple[str, str]:
    """The name of a photo's folder, and the digits in it that tell the pixels."""
    # Names that all systems and tables take.
    stem = re.sub(r"[^\w.-]", "_", Path(photo).stem)[:50]
    size = "x".join(map(str, pixels.shape)).encode()
    digits = sha256(size + pixels.tobytes())[:12]
    return f"{stem}-{digits}", digits


def _place(
    photo: str,
    pixels: Pixels,
    out: Path,
    folder: str,
    chain: Chain,
    plan: Plan,
    row: Row | None,
) -> _Made:
    """Make one picture where it is not there, and its row."""
    path = out / picture_name(folder, chain, plan.seed)
    try:
        damaged = kept_png(path, pixels.shape)
        if damaged is None:
            damaged = distort_by(pixels, chain, plan.seed)
            write_png(path, damaged)
        error = np.square(np.subtract(damaged, pixels, dtype=np.float32))
        mse = round(float(np.mean(error)), 4)
        score = 1.0
        if plan.metric and row and row["mse"] == mse and plan.metric in row:
            score = row[plan.metric]
        elif plan.metric:
            score = raw_score(plan.metric, pixels, damaged)
        return make_row(folder, chain, plan.seed, mse, plan.metric, score)
    except (UsageError, ImageError) as problem:
        name = chain[0][0] if len(chain) == 1 else chain_name(chain)
        return UsageError(f"{photo}: {name}: {problem}")
    except MemoryError:
        return out_of_memory(photo)
