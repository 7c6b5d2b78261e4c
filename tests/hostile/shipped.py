"""Shipped weight files with one byte changed or the end cut off: all must be noticed.

Each is read through the registry's entry of its weight set, from another folder.
"""

import dataclasses
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from iqa_zoo import cards, registry
from iqa_zoo.errors import WeightsError

#: How many bytes are changed, one at a time, and at how many places each file is cut.
FLIPS, CUTS = 256, 64


class Count(NamedTuple):
    """What became of one file.

    Attributes:
        file: its name.
        flips, cuts: how many were tried.
        missed: descriptions of those that were read as if nothing were wrong, or that
            raised anything but a WeightsError.
    """

    file: str
    flips: int
    cuts: int
    missed: list[str]


Read = Callable[[registry.Entry], object]


def readers() -> Iterator[tuple[registry.Entry, str, Read]]:
    """Every shipped file: its weight set, its name, and how the set reads it."""
    for name, card in cards.all_cards().items():
        for tag, weights in card.get("weights", {}).items():
            if weights["kind"] != "own":
                continue
            entry = registry.resolve(f"{name}.{tag}")
            yield entry, weights["file"], registry.Entry.arrays
            if "litert" in weights:
                file = weights["litert"]["file"]
                yield entry, file, registry.Entry.litert_bytes
            if "seen" in weights:
                yield entry, weights["seen"]["file"], registry.Entry.seen


def run(flips: int = FLIPS, cuts: int = CUTS) -> list[Count]:
    """Damage every shipped file so many times, at seeded places all over it."""
    with tempfile.TemporaryDirectory() as folder:
        return [_damage(*one, Path(folder), flips, cuts) for one in readers()]


def _damage(
    entry: registry.Entry,
    file: str,
    read: Read,
    folder: Path,
    flips: int,
    cuts: int,
) -> Count:
    data = (entry.folder / file).read_bytes()
    entry = dataclasses.replace(entry, folder=folder)
    copy = folder / file
    copy.write_bytes(data)
    read(entry)  # whole, it is read
    random_ = random.Random(file)
    missed = []
    with copy.open("r+b", buffering=0) as changed:
        for place in _places(random_, len(data), flips):
            byte = data[place] ^ random_.randrange(1, 256)
            for content, expected in ((byte, False), (data[place], True)):
                changed.seek(place)
                changed.write(bytes([content]))
                if not expected and (problem := _problem(entry, read)):
                    missed.append(f"{file}, byte {place}: {problem}")
        for length in sorted(_places(random_, len(data), cuts), reverse=True):
            changed.truncate(length)
            if problem := _problem(entry, read):
                missed.append(f"{file}, cut to {length}: {problem}")
    copy.unlink()
    return Count(file, flips, cuts, missed)


def _places(random_: random.Random, size: int, count: int) -> list[int]:
    """Places all over a file: the first byte, the last, one in each part between."""
    parts = [random_.randrange(size // count) + size * n // count for n in range(count)]
    return [0, *parts[1:-1], size - 1]


def _problem(entry: registry.Entry, read: Read) -> str | None:
    try:
        read(entry)
    except WeightsError:
        return None
    except Exception as error:
        return f"uncaught {type(error).__name__}"
    return "read"
