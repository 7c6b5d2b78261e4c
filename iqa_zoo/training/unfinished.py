"""The folder of a run that is not finished: whose it is, and what it goes on from.

`OUT/unfinished` holds the plan (`plan.json`), the checkpoints, a lock, and what the run
computes for itself alone. It goes when the run is finished, or when it failed before a
step was saved.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from iqa_zoo.errors import OutputError, UsageError
from iqa_zoo.files import lock, write_bytes
from iqa_zoo.training import checkpoints

UNFINISHED = "unfinished"
FINISHED = "card.toml"  # the last file that a run writes
#: What a run writes before it; a killed one may leave them.
PARTS = {
    "weights.safetensors",
    "network.tflite",
    "seen.txt",
    "split.csv",
    "history.csv",
    "metrics.json",
    "scatter.png",
    "history.png",
    "scores.csv",
    "command.txt",
    "logs",
}


class Unfinished:
    """A run's folder while it is being made.

    Attributes:
        out: the run's folder.
        folder: where the run keeps what it alone needs.
        saved: a step was saved, by this process or by one before it.
        finished: the run was finished by an earlier process that was killed while it
            cleaned up.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.folder = out / UNFINISHED
        self.checkpoints = self.folder / "checkpoints"
        self.saved = checkpoints.last_number(self.checkpoints) > 0
        self.finished = False

    def follow(self, plan: Mapping[str, Any]) -> None:
        """Note what the run is to do; one that was begun must have had the same plan.

        Raises:
            UsageError: it had another.
            OutputError: the plan cannot be written.
        """
        place = self.folder / "plan.json"
        plan = json.loads(json.dumps(plan))
        self.finished = (self.out / FINISHED).exists()
        if not (self.saved or self.finished):
            # A killed run may have had another plan when it tried the disk.
            shutil.rmtree(self.checkpoints, ignore_errors=True)
            write_bytes(place, json.dumps(plan, indent=1).encode())
            return
        # Of a finished run the plan may be gone already.
        earlier = json.loads(place.read_bytes()) if place.exists() else plan
        other = [key for key in plan if plan[key] != earlier.get(key)]
        if other:
            raise UsageError(
                f"{self.out} holds a training that had another {' and '.join(other)}. "
                "Give the arguments that it was begun with, name another folder, or "
                f"remove {self.folder}."
            )

    def save(
        self, number: int, arrays: Mapping[str, np.ndarray], state: Mapping[str, Any]
    ) -> None:
        """Keep what the training goes on from after `number` steps."""
        checkpoints.write(self.checkpoints, number, arrays, state)
        self.saved = number > 0

    def check_room(self, more: int) -> None:
        """See that the disk takes what comes after the first checkpoint.

        That is two that are kept and one that is being written, each `more` bytes
        larger than the first.

        Raises:
            OutputError: it does not.
        """
        files = [path for path in self.checkpoints.rglob("*") if path.is_file()]
        needed = 3 * (sum(path.stat().st_size for path in files) + more)
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            raise OutputError(
                f"{self.out} has {free:,} bytes free, and checkpoints need {needed:,}. "
                "Make room, or name a folder on another disk."
            )

    def remove(self) -> None:
        """Remove what the run alone needed."""
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def claimed(out: Path) -> Iterator[Unfinished]:
    """Take the folder `out`, new, empty or of a run that is not finished.

    As long as it is taken, no other training takes it. On an error, what was saved
    stays for the next try; where nothing was saved, nothing stays.

    Raises:
        UsageError: it holds files of something else.
        OutputError: it cannot be made, or another process trains in it.
    """
    folder = out / UNFINISHED
    try:
        out.mkdir(parents=True, exist_ok=True)
        check_own(out)
        folder.mkdir(exist_ok=True)
        guard = open(folder / "lock", "ab", buffering=0)  # noqa: SIM115
    except OSError as error:
        raise OutputError(f"Cannot make the folder {out}: {error.strerror}.") from error
    try:
        lock(guard, os.fspath(out))
        for place in (out, folder):
            for half in place.glob(".*.part"):  # of a process that was killed
                with contextlib.suppress(OSError):
                    half.unlink()
        unfinished = Unfinished(out)  # as the process that had the lock left it
        try:
            yield unfinished
        except BaseException:
            if not unfinished.saved and not (out / FINISHED).exists():
                unfinished.remove()
                _remove_parts(out)
            raise
        unfinished.remove()
    finally:
        with contextlib.suppress(OSError):  # nothing was written to it
            guard.close()


def _remove_parts(out: Path) -> None:
    """Remove what a run wrote that is not finished."""
    for name in PARTS:
        path = out / name
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                path.unlink()


def check_own(out: Path) -> None:
    """Raise UsageError where `out` holds files that are of no unfinished run."""
    if not out.is_dir():
        return
    begun = (out / UNFINISHED).is_dir()
    allowed = PARTS | {FINISHED, UNFINISHED} if begun else set()
    others = [
        path.name
        for path in out.iterdir()
        if path.name not in allowed and not path.name.endswith(".part")
    ]
    if others:
        raise UsageError(
            f"{out} holds files already ({min(others)}); give a new or an empty folder."
        )
