"""Checkpoints: folders that are whole or not there, of which the newest counts.

A checkpoint is a folder whose name is its number:

arrays.safetensors   every number that the training goes on from
state.json           where it stands, and what it has seen so far
SHA256SUMS           of the two
complete             an empty file, written last: without it nothing counts
"""

import contextlib
import json
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from iqa_zoo.errors import OutputError
from iqa_zoo.files import sha256, sync_folder, write_bytes

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

    Those of that number and later ones go first: the training would have gone on from
    them if they were whole.

    Raises:
        OutputError: the disk does not take it; the earlier ones are as they were.
    """
    place = folder / f"{number:09}"
    contents = {
        # Not by ascontiguousarray, which gives single numbers a dimension.
        ARRAYS: save({name: np.asarray(a, order="C") for name, a in arrays.items()}),
        STATE: json.dumps(state, indent=1).encode(),
    }
    sums = "".join(f"{sha256(data)}  {name}\n" for name, data in contents.items())
    try:
        for other in _numbered(folder):
            if int(other.name) >= number:
                _remove(other)
        place.mkdir(parents=True)
        for name, data in {**contents, SUMS: sums.encode(), MARKER: b""}.items():
            write_bytes(place / name, data)
        sync_folder(folder)  # before those are gone that it stands for
    except OSError as error:
        shutil.rmtree(place, ignore_errors=True)
        needed = sum(map(len, contents.values()))
        raise OutputError(
            f"Cannot write the checkpoint {place}, which needs {needed:,} bytes: "
            f"{error.strerror or error}"
        ) from error
    numbered = _numbered(folder)
    kept = [other for other in numbered if (other / MARKER).exists()][:KEPT]
    for other in numbered:
        if other not in kept:
            with contextlib.suppress(OSError):  # the next time, then
                _remove(other)


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
            wrong = str(error)
        else:
            wrong = ", ".join(
                name
                for name, data in contents.items()
                if sums.get(name) != sha256(data)
            )
        if not wrong:
            return load(contents[ARRAYS]), json.loads(contents[STATE])
        logger.warning(
            "The checkpoint %s is damaged (%s); the one before it is taken.",
            place,
            wrong,
        )
        with contextlib.suppress(OSError):  # it is none of those that are kept
            (place / MARKER).unlink()
    return None


def last_number(folder: Path) -> int:
    """The number of the newest checkpoint with its marker; -1 where there is none."""
    whole = (int(p.name) for p in _numbered(folder) if (p / MARKER).exists())
    return next(whole, -1)


def _remove(place: Path) -> None:
    # Its marker goes first, so that no half of it is ever taken for the whole.
    (place / MARKER).unlink(missing_ok=True)
    shutil.rmtree(place)


def _numbered(folder: Path) -> list[Path]:
    """The checkpoints, the newest first."""
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if path.name.isdecimal()]
    return sorted(found, key=lambda path: int(path.name), reverse=True)
