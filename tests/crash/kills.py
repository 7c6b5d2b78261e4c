"""`iqa-zoo score` killed at random moments, and gone on with until all is scored."""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from iqa_zoo.cli.rows import HEADS

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
