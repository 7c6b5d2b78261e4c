"""Distortions one after the other: what a chain is called, and how one is drawn.

A picture on the web was often enlarged, blurred and compressed in turn. A chain of one
is the plain distortion.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from iqa_zoo.distortions import KINDS, LEVELS, distort
from iqa_zoo.errors import UsageError

#: Kinds and levels, in the order in which they are applied.
Chain = tuple[tuple[str, int], ...]

LONGEST = 3


def single(kinds: Sequence[str], levels: Sequence[int]) -> list[Chain]:
    """Every kind at every level, alone."""
    return [((kind, level),) for kind in kinds for level in levels]


def draw_chains(
    count: int, kinds: Sequence[str], levels: Sequence[int], seed: Sequence[int]
) -> list[Chain]:
    """Chains of one to three kinds, all different, no kind twice in one.

    Every length is as likely, and so is every kind and level in it. Fewer chains from
    the same seed are the first of these.

    Raises:
        UsageError: there are not as many.
    """
    lengths = range(1, LONGEST + 1)
    most = sum(math.perm(len(kinds), n) * len(levels) ** n for n in lengths)
    if count > most:
        raise UsageError(
            f"{count} chains cannot be drawn: of {len(kinds)} kinds at {len(levels)} "
            f"levels there are {most}. Ask for fewer, or for more kinds or levels."
        )
    generator = np.random.default_rng(seed)
    found: dict[Chain, None] = {}
    while len(found) < count:
        length = generator.integers(1, min(LONGEST, len(kinds)) + 1)
        places = generator.permutation(len(kinds))[:length]
        steps = generator.integers(len(levels), size=length)
        chain = tuple(
            (kinds[place], levels[step])
            for place, step in zip(places, steps, strict=True)
        )
        found[chain] = None
    return list(found)


def distort_by(
    image: NDArray[np.uint8], chain: Chain, seed: int = 0
) -> NDArray[np.uint8]:
    """The photo after all of a chain; `distort` says what it takes and raises."""
    for kind, level in chain:
        image = distort(image, kind, level, seed=seed)
    return image


def chain_name(chain: Chain) -> str:
    """As in KIND-LEVEL+KIND-LEVEL."""
    return "+".join(f"{kind}-{level}" for kind, level in chain)


def chain_of(name: str) -> Chain:
    """The chain of that name.

    Raises:
        ValueError: no chain is called so.
    """
    steps = [part.rpartition("-") for part in name.split("+")]
    chain = tuple((kind, int(level)) for kind, _, level in steps)
    known = all(kind in KINDS and level in LEVELS for kind, level in chain)
    if not known or len(chain) > LONGEST or chain_name(chain) != name:
        raise ValueError(f"no chain is called {name[:200]!r}")
    return chain
