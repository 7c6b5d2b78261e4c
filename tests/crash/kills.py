"""Scoring and training, killed at random moments and gone on with until all is done."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from iqa_zoo.cli.rows import HEADS
from iqa_zoo.training import checkpoints
from tests.crash.training import PICTURES, Server
from tests.helpers.small import make_opinions

IQA_ZOO = (sys.executable, "-m", "iqa_zoo")


def kill_scoring(
    run: Path,
    photos: Path,
    folder: Path,
    form: str,
    *,
    kills: int,
    overwrite: bool = False,
    seed: int = 0,
) -> Counter[str]:
    """Score a folder, kill -9 at a random moment, resume, and so on.

    When all is scored, the file must be byte for byte that of an unbroken run: every
    image once, in order, with the same values. Then it begins anew. A kill of the
    process alone seldom tears a line, as a power cut may; so after a third of the
    kills some of the last bytes are cut off too.

    Args:
        run: the model.
        photos: folder of images.
        folder: new; the result files go here.
        form: "csv" or "jsonl".
        kills: how many processes to kill.
        overwrite: begin every time with a file that --overwrite is to replace, which
            must be either as it was or the new one.
        seed: of the moments.

    Returns:
        Counts: kills, of those the ones while starting and while rows were written,
        lines torn by a kill and torn here, runs gone through, their images, and of
        those the lost ones and the ones that are there twice.
    """
    folder.mkdir(parents=True)
    out = folder / f"scores.{form}"
    command = [*IQA_ZOO, "score", str(photos), "-m", str(run), "-o", str(out)]
    start = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    seconds = time.monotonic() - start
    whole = out.read_bytes()
    lines = whole.splitlines(keepends=True)  # no name here has a line break
    names = len(lines) - bool(HEADS[form])
    old = b"".join(lines[:1] + lines[2:])
    out.unlink()

    moments = random.Random(seed)
    counts: Counter[str] = Counter()
    while counts["kills"] < kills:
        replacing = overwrite
        left = old if replacing else b""  # what the last process left
        if replacing:
            out.write_bytes(left)
        while True:
            option = "--overwrite" if replacing else "--resume"
            with subprocess.Popen([*command, option], stderr=subprocess.PIPE) as child:
                if moments.random() < 0.5:  # while it writes, most likely
                    while child.poll() is None and _read(out) == left:
                        time.sleep(0.002)
                    patience = moments.uniform(0, seconds / 5)
                else:
                    patience = moments.uniform(0, seconds)
                try:
                    _, said = child.communicate(timeout=patience)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.communicate()
            if child.returncode == 0:
                break
            assert child.returncode == -9, said
            counts["kills"] += 1
            data = _read(out)
            counts["while starting" if data == left else "while writing"] += 1
            if data != left:
                replacing = False
                assert whole.startswith(data), counts
                counts["torn"] += not data.endswith(b"\n") and data != b""
            if not replacing and data and moments.random() < 1 / 3:
                data = data[: -moments.randrange(1, 200)]
                os.truncate(out, len(data))
                counts["torn here"] += 1
            left = data
            if counts["kills"] >= kills:
                option = "--overwrite" if replacing else "--resume"
                subprocess.run([*command, option], check=True, capture_output=True)
                break
        found = out.read_bytes()
        rows = Counter(found.splitlines()[len(lines) - names :])
        counts["runs"] += 1
        counts["images"] += names
        counts["twice"] += sum(count - 1 for count in rows.values())
        counts["lost"] += names - len(rows)
        assert found == whole, counts
        out.unlink()
    return counts


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def kill_training(folder: Path, *, kills: int, seed: int = 0) -> Counter[str]:
    """Train, kill -9 at a random moment, call the same again, and so on to the end.

    Then the files of the run must be byte for byte those of an unbroken one, and a new
    run begins.

    Args:
        folder: new; pictures and runs go here.
        kills: how many processes to kill.
        seed: of the moments.

    Returns:
        Counts: kills, and of those the ones before the first checkpoint, in the middle
        of an epoch, while a checkpoint was written or removed, and while the finished
        run was written; processes that went on from a saved step; runs gone through,
        and those that ended with the same bytes.
    """
    table, photos = make_opinions(folder / "opinions", PICTURES)
    moments = random.Random(seed)
    counts: Counter[str] = Counter()
    with Server(table, photos) as server:
        server.start(folder / "whole")
        start = time.monotonic()
        if server.wait():
            raise RuntimeError("The unbroken run failed.")
        seconds = time.monotonic() - start
    wanted = _result(folder / "whole")
    # Another process, with other hashes of strings.
    with Server(table, photos) as server:
        while counts["kills"] < kills:
            out = folder / f"run-{counts['runs']}"
            while True:
                saved = out / "unfinished" / "checkpoints"
                before = checkpoints.last_number(saved)
                counts["resumed"] += before > 0
                pid = server.start(out)
                if counts["kills"] < kills:
                    _wait_for_a_moment(server, out, saved, before, seconds, moments)
                    os.kill(pid, signal.SIGKILL)
                status = server.wait()
                if status == 0:
                    break
                assert status == -signal.SIGKILL, status
                counts["kills"] += 1
                if (out / "card.toml").exists() and not saved.parent.exists():
                    break  # killed when all was done: the folder is a model by now
                counts.update(_where(out, saved))
            counts["runs"] += 1
            counts["bit-equal"] += _result(out) == wanted
    return counts


def _wait_for_a_moment(
    server: Server,
    out: Path,
    saved: Path,
    before: int,
    seconds: float,
    moments: random.Random,
) -> None:
    """Wait until a moment at which the training is to be killed."""
    kind = moments.choices(("any", "saving", "writing"), (4, 5, 1))[0]
    if kind == "any":
        server.ended(moments.uniform(0, seconds))
        return
    # A new folder: a checkpoint has just begun, or the run is written.
    least = before + moments.randint(1, 6)
    while not server.ended(0.0005):
        if kind == "writing" and (out / "weights.safetensors").exists():
            break
        names = os.listdir(saved) if kind == "saving" and saved.is_dir() else []
        if any(int(name) >= least for name in names):
            break
    server.ended(moments.uniform(0, 0.03))


def _where(out: Path, saved: Path) -> list[str]:
    """What a killed training was doing, from what it left."""
    if (out / "weights.safetensors").exists():
        return ["while the run was written"]
    places = list(saved.iterdir()) if saved.is_dir() else []
    whole = [place for place in places if (place / checkpoints.MARKER).exists()]
    found = []
    if len(whole) < len(places) or len(whole) > checkpoints.KEPT:
        found.append("while saving")
    newest = checkpoints.newest(saved)
    # What has its marker is whole.
    assert (newest is None) == (not whole)
    if newest is None:
        found.append("before the first checkpoint")
    elif newest[1]["losses"][1]:
        found.append("mid-epoch")
    return found


def _result(out: Path) -> dict[str, bytes]:
    """The files of a finished run that follow from its arguments alone."""
    names = {path.name for path in out.iterdir()} - {"logs"}
    return {name: (out / name).read_bytes() for name in names}
