"""All faults and all kills, and their counts: `python -m tests.crash`.

A writer that does not survive one of them ends it with a traceback.
"""

import argparse
import contextlib
import errno
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from iqa_zoo import store
from tests.crash.faults import ERRORS
from tests.crash.kills import kill_scoring, kill_training
from tests.crash.sweep import WRITERS, sweep
from tests.helpers import tiny


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100, help="in each way of scoring")
    parser.add_argument(
        "--train-kills", type=int, metavar="KILLS", help="of a training, and no others"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the training's kills")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ[store.HOME_VARIABLE] = str(folder / "store")
        if options.train_kills is not None:
            train_kills(folder / "training", options.train_kills, options.seed)
            return
        sweeps(folder / "sweeps")
        kills(folder / "kills", options.kills)
        train_kills(folder / "training", 200, options.seed)


def sweeps(folder: Path) -> None:
    """Fail every call of every writer, once alone and once with all that follow."""
    print("failed calls, one at a time and again with all later ones:")
    print(f"{'':34}", *(f"{errno.errorcode[number]:>12}" for number in ERRORS))
    total = 0
    for place, (name, writer) in enumerate(WRITERS.items()):
        cells = []
        for number in ERRORS:
            counts = []
            for forever in (False, True):
                where = folder / f"{place}-{number}-{forever}"
                with contextlib.redirect_stderr(None):
                    counts.append(sweep(writer, where, number, forever=forever))
            total += sum(counts)
            cells.append(" + ".join(map(str, counts)))
        print(f"{name:34}", *(f"{cell:>12}" for cell in cells), flush=True)
    print(f"{total} faults, {len(WRITERS)} writers: what was there before was kept\n")


def kills(folder: Path, number: int) -> None:
    """Kill scoring into either format, going on and replacing."""
    run = tiny.make_run(folder / "run")
    photos = tiny.make_photos(folder / "photos", 300)
    for form in ("csv", "jsonl"):
        for overwrite in (False, True):
            option = "--overwrite" if overwrite else "--resume"
            counts = kill_scoring(
                run,
                photos,
                folder / f"{form}{option}",
                form,
                kills=number,
                overwrite=overwrite,
            )
            print(f"score -o FILE.{form} {option}: {_said(counts)}", flush=True)


def train_kills(folder: Path, number: int, seed: int) -> None:
    """Kill a training, and go on with it."""
    counts = kill_training(folder, kills=number, seed=seed)
    print(f"train --out: {_said(counts)}", flush=True)


def _said(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in counts.items())


if __name__ == "__main__":
    main()
