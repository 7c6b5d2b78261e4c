"""Checkpoints: folders that are whole or not there, of which the newest counts.

A checkpoint is a folder whose name is its number:

arrays.safetensors   every number that the training goes on from
state.json           where it stands, and what it has seen so far
SHA256SUMS           of the two
complete             an empty file, written last: without it nothing counts
"""

import json
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from iqa_zoo.errors import OutputError
from iqa_zoo.files import sha256, write_bytes

logger = logging.getLogger("iqa_zoo")

KEPT = 2
ARRAYS, STATE, SUMS, MARKER = (
    "arrays.safetensors",
    "state.json",
    "SHA256SUMS",
    "complete",
)


def write(
    folder: Path, number: int, arrays: Mapping[str, np.ndarray], state: Mapping
) -> None:
    """Write the checkpoint `number` and remove all but the newest `KEPT`.

    Raises:
        OutputError: the disk does not take it; the earlier ones are as they were.
    """
    place = folder / f"{number:09}"
    if (place / MARKER).exists():
        return
    contents = {
        ARRAYS: save({name: np.ascontiguousarray(a) for name, a in arrays.items()}),
        STATE: json.dumps(state, indent=1).encode(),
    }
    sums = "".join(f"{sha256(data)}  {name}\n" for name, data in contents.items())
    try:
        shutil.rmtree(place, ignore_errors=True)  # what a killed run left of it
        place.mkdir(parents=True)
        for name, data in {**contents, SUMS: sums.encode(), MARKER: b""}.items():
            write_bytes(place / name, data)
    except OSError as error:
        shutil.rmtree(place, ignore_errors=True)
        needed = sum(map(len, contents.values()))
        raise OutputError(
            f"Cannot write the checkpoint {place}, which needs {needed:,} bytes: "
            f"{error.strerror or error}"
        ) from error
    for old in _numbered(folder)[KEPT:]:
        # Its marker goes first, so that no half of it is ever taken for the whole.
        (old / MARKER).unlink(missing_ok=True)
        shutil.rmtree(old, ignore_errors=True)


def newest(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
    """Arrays and state of the newest checkpoint that is whole; None where none is."""
    for place in _numbered(folder):
        if not (place / MARKER).exists():
            continue  # a killed run was writing it
        try:
            sums = dict(
                reversed(line.split("  ", 1))
                for line in (place / SUMS).read_text("utf-8").splitlines()
            )
            contents = {name: (place / name).read_bytes() for name in (ARRAYS, STATE)}
        except (OSError, ValueError) as error:
            logger.warning("The checkpoint %s cannot be read: %s", place, error)
            continue
        damaged = [
            name for name, data in contents.items() if sums.get(name) != sha256(data)
        ]
        if damaged:
            logger.warning(
                "The checkpoint %s is damaged (%s); the one before it is taken.",
                place,
                ", ".join(damaged),
            )
            continue
        return load(contents[ARRAYS]), json.loads(contents[STATE])
    return None


def last_number(folder: Path) -> int:
    """The number of the newest checkpoint with its marker; -1 where there is none."""
    whole = (int(p.name) for p in _numbered(folder) if (p / MARKER).exists())
    return next(whole, -1)


def _numbered(folder: Path) -> list[Path]:
    """The checkpoints, the newest first."""
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if path.name.isdecimal()]
    return sorted(found, key=lambda path: int(path.name), reverse=True)
