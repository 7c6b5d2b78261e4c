"""The malformed images read and scored under a limit on memory, and counted.

    python -m tests.hostile.images

Another process makes the files in a temporary folder, reads each of them alone, with a
look at the time and the memory that it takes, and scores the whole folder with the
default model. Its address space is limited, and it may not read what is locked even
where root runs it.
"""

import contextlib
import ctypes
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import iqa_zoo
from iqa_zoo.errors import IMAGE_CODES, ImageError
from iqa_zoo.images import read_image
from tests.hostile.corpus import KINDS, Case, cases, formats
from tests.hostile.damage import IMAGE, encoded

#: What asks for the formats that are read by request only.
ASKED: dict[str, Any] = {"also_read": "jpeg2000"}
ASKED_COMMAND = ["--also-read", "jpeg2000"]
#: The least side that the default model takes, in pixels.
LEAST = 32

#: The most memory that the process may have, in bytes.
MEMORY = 1_500_000_000
#: The most that one file may cost: seconds, and bytes over what was there before.
SECONDS, BYTES = 2.0, 300_000_000

_CAPABILITIES = (1, 2)  # to read and to search whatever the permissions
_DROP = 24  # PR_CAPBSET_DROP


class Row(NamedTuple):
    """What became of one case.

    Attributes:
        name: of the file.
        form, kind, expected: as in the case.
        outcome: the code, or "scores", or what should never be: "uncaught: ...".
        message: that of the error.
        seconds, bytes: what reading it took, of the processor and of memory.
        scored: what scoring its folder gave for it, one outcome a row.
    """

    name: str
    form: str
    kind: str
    expected: list[str]
    outcome: str
    message: str
    seconds: float
    bytes: int
    scored: list[str] | None

    def wrong(self) -> bool:
        """Whether any outcome is not one of those expected."""
        return any(
            outcome not in self.expected
            for outcome in [self.outcome, *(self.scored or [])]
        )


class Summary(NamedTuple):
    """What a run gave.

    Attributes:
        rows: one for each case.
        peak: the most memory that the process had, in bytes.
        files: how many files it had open more than before.
        stderr: what it, or a decoder, wrote there.
    """

    rows: list[Row]
    peak: int
    files: int
    stderr: str

    def failures(self) -> list[str]:
        """Everything that is not as it must be, whatever the machine."""
        found = [
            f"{row.name!r}: {row.outcome} {row.scored or ''} instead of "
            f"{' or '.join(row.expected)} ({row.message})"
            for row in self.rows
            if row.wrong()
        ]
        if self.peak > MEMORY:
            found.append(f"{self.peak / 1e6:.0f} MB of memory")
        if self.files:
            found.append(f"{self.files} more files are open than before")
        if self.stderr:
            found.append(f"standard error: {self.stderr[:2000]}")
        return found

    def excesses(self) -> list[str]:
        """The files that take more time or memory than they may."""
        return [
            f"{row.name!r}: {row.seconds:.1f} s, {row.bytes / 1e6:.0f} MB"
            for row in self.rows
            if row.seconds > SECONDS or row.bytes > BYTES
        ]

    def text(self) -> str:
        """The counts, as lines."""
        rows = self.rows
        counts = Counter((row.form, row.kind) for row in rows)
        forms = list(dict.fromkeys(row.form for row in rows))
        scored = [row for row in rows if row.scored is not None]
        every = [(row, o) for row in rows for o in [row.outcome, *(row.scored or [])]]
        bad = [row for row in rows if "scores" not in row.expected]
        slowest = max(rows, key=lambda row: row.seconds)
        largest = max(rows, key=lambda row: row.bytes)
        lines = [f"{len(rows)} malformed images", ""]
        lines.append(f"{'':12}" + "".join(f"{kind:>12}" for kind in KINDS))
        for form in forms:
            numbers = "".join(f"{counts[form, kind]:12}" for kind in KINDS)
            lines.append(f"{form:12}{numbers}")
        figures = {
            "to be refused": len(bad),
            "refused with the code expected": sum(not row.wrong() for row in bad),
            "to be refused or scored": sum(
                "scores" in row.expected and len(row.expected) > 1 for row in rows
            ),
            "good": sum(row.expected == ["scores"] for row in rows),
            "good and scored": sum(
                row.expected == ["scores"] and not row.wrong() for row in rows
            ),
            "wrong outcome": sum(row.wrong() for row in rows),
            "uncaught exceptions": sum("uncaught" in o for _, o in every),
            "scores that are not finite": sum("finite" in o for _, o in every),
            "scores of truncated files": sum(
                row.kind == "truncation" and o == "scores" for row, o in every
            ),
            "scored through iqa_zoo.score": len(scored),
            "files left open": self.files,
            "bytes on standard error": len(self.stderr),
        }
        lines += ["", *(f"{number:6}  {what}" for what, number in figures.items())]
        codes = Counter(row.outcome for row in rows)
        lines += ["", ", ".join(f"{n} {code}" for code, n in codes.most_common())]
        lines.append(f"slowest: {slowest.seconds:.2f} s, {slowest.name}")
        lines.append(f"largest: {largest.bytes / 1e6:.0f} MB, {largest.name}")
        lines.append(
            f"peak memory: {self.peak / 1e6:.0f} MB, of {MEMORY / 1e6:.0f} allowed"
        )
        return "\n".join([*lines, *self.failures(), *self.excesses()])


def run(
    folder: str | None = None, forms: list[str] | None = None, *, scoring: bool = True
) -> Summary:
    """Read all cases, and score them, in a process of its own.

    Args:
        folder: where the files are made and stay; None for a temporary one.
        forms: the formats; None for all that can be written here.
        scoring: whether the folder is scored with the default model as well.

    Raises:
        RuntimeError: that process ended before its time.
    """
    with contextlib.ExitStack() as stack:
        if folder is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
        asked = json.dumps([folder, forms or formats(), scoring])
        done = limited([sys.executable, "-m", "tests.hostile.images", asked])
    if done.returncode:
        raise RuntimeError(f"ended with {done.returncode}: {done.stderr[-2000:]!r}")
    rows, peak, files = json.loads(done.stdout)
    stderr = done.stderr.decode(errors="replace")
    return Summary([Row(*row) for row in rows], peak, files, stderr)


def limited(
    command: list[str], stdin: bytes = b""
) -> "subprocess.CompletedProcess[bytes]":
    """Run a program that gets no more memory than `MEMORY` and no locked file."""
    return subprocess.run(
        command,
        cwd=Path(__file__).parents[2],
        input=stdin,
        capture_output=True,
        preexec_fn=_limit,
        timeout=600,
        check=False,
    )


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    if sys.platform == "linux":
        for capability in _CAPABILITIES:
            ctypes.CDLL(None).prctl(_DROP, capability, 0, 0, 0)


# --- in the process of its own --------------------------------------------------------


def _work(folder: str, forms: list[str], scoring: bool) -> tuple[list[Row], int, int]:
    found = [case for form in forms for case in cases(form)]
    for case in found:
        case.make(os.path.join(folder, case.name))
    for form in forms:  # so that no file pays for loading a decoder
        read_image(encoded(IMAGE, form), **ASKED)
    before, peak, rows = _open_files(), 0, []
    for case in found:
        row, most = _read(case, os.path.join(folder, case.name))
        rows.append(row)
        peak = max(peak, most)
    if scoring:
        scored = _scored(folder)
        rows = [
            row._replace(scored=_checked(case, scored.get(case.name, [])))
            for case, row in zip(found, rows, strict=True)
        ]
    return rows, max(peak, _memory("VmHWM")), _open_files() - before


def _read(case: Case, path: str) -> tuple[Row, int]:
    _forget_peak()
    base = _memory("VmRSS")
    start = time.process_time()
    outcome, message = outcome_of(case, path)
    seconds = time.process_time() - start
    peak = _memory("VmHWM")
    row = Row(
        case.name,
        case.form,
        case.kind,
        sorted(case.expected),
        outcome,
        message,
        seconds,
        peak - base,
        None,
    )
    return row, peak


def outcome_of(case: Case, source: Any) -> tuple[str, str]:
    """What reading a case gives, as its `expected` has it, and the message."""
    try:
        pixels = read_image(source, **ASKED)
    except ImageError as error:
        known = error.code in IMAGE_CODES and str(error)
        return (error.code, str(error)) if known else ("unknown code", error.code)
    except Exception as error:
        return f"uncaught: {type(error).__name__}", str(error)
    if min(pixels.shape[:2]) < LEAST:
        return "too_small", ""
    if case.pixels is None:
        return "scores", ""
    if pixels.shape != case.pixels.shape:
        return f"pixels of shape {pixels.shape}", str(case.pixels.shape)
    off = int(np.abs(pixels.astype(int) - case.pixels).max())
    return ("scores" if off <= case.tolerance else f"other pixels, by {off}"), ""


def _scored(folder: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in iqa_zoo.score(folder, **ASKED):
        outcomes = found.setdefault(os.path.basename(row.path), [])
        if row.error:
            outcomes.append(row.error)
        elif row.value is None or not math.isfinite(row.value):
            outcomes.append("a score that is not finite")
        else:
            outcomes.append("scores")
    return found


def _checked(case: Case, outcomes: list[str]) -> list[str]:
    wrong = len(outcomes) != case.rows
    return [*outcomes, f"{len(outcomes)} rows"] if wrong else outcomes


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def _forget_peak() -> None:
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def _memory(kind: str) -> int:
    with open("/proc/self/status") as file:
        (line,) = (line for line in file if line.startswith(kind))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    if len(sys.argv) == 1:
        summary = run()
        print(summary.text())
        sys.exit(bool(summary.failures() or summary.excesses()))
    print(json.dumps(_work(*json.loads(sys.argv[1]))))
