"""`iqa-zoo diagnose`: a thin skin over `iqa_zoo.diagnosis`."""

import contextlib
import itertools
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from iqa_zoo.cli import INTERRUPTED, SOME_FAILED, say, visible
from iqa_zoo.cli.rows import RowWriter, csv_line
from iqa_zoo.errors import ImageError, OutputError, UsageError

FORMATS = ("text", "json", "jsonl", "csv")
SUFFIXES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="How the diagnoses are written.",
)
@click.option(
    "-o",
    "--out",
    metavar="FILE",
    help="Draw the faults into a copy of the photo; of several photos, into a folder.",
)
@click.option("--overwrite", is_flag=True, help="Replace pictures that are there.")
@click.option("--threads", type=click.IntRange(1), help="Photos at once; one a core.")
def command(
    paths: Sequence[str],
    form: str,
    out: str | None,
    overwrite: bool,
    threads: int | None,
) -> int:
    """Say what is wrong with photos: files, folders or globs.

    Looks for blur, noise, wrong exposure, clipping, low contrast, a colour cast, blocks
    of compression, pixelation and banding. The first line of a photo is the verdict;
    then each fault has a line with its severity and what was seen, and what cannot be
    told has one with the reason.

    \b
    Examples:
      iqa-zoo diagnose photo.jpg
      iqa-zoo diagnose photo.jpg -o faults.png
      iqa-zoo diagnose photos/ --format csv > faults.csv

    Exit status: 0 all photos were diagnosed, whatever their faults, 1 some failed or
    there was no photo, 2 wrong use, 3 the output is at fault, 130 interrupted.
    """
    from iqa_zoo.engines.quiet import stay_quiet

    stay_quiet()  # what decoders have to say is in the rows
    names = _Names(paths)
    drawing = _drawing(paths, out, overwrite)
    tally: Counter[str] = Counter()
    try:
        with _writer(form) as write:
            for name, found, picture in _diagnosed(names, drawing is not None, threads):
                if isinstance(found, ImageError):
                    tally["failed"] += 1
                else:
                    tally["faulty" if found.faults else "sound"] += 1
                    if drawing:
                        drawing(name, picture)
                write(name, found)
    except (KeyboardInterrupt, SystemExit) as ending:
        say(f"interrupted: {_summary(tally, names.left_out)}")
        return getattr(ending, "code", INTERRUPTED)
    say(_summary(tally, names.left_out))
    return SOME_FAILED if tally["failed"] or names.empty or not tally else 0


class _Names:
    """The photos' names, found while they are diagnosed.

    Attributes:
        left_out: how many files in folders had no image's suffix, so far.
        empty: the paths that stood for no image, so far.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self.left_out = 0
        self.empty: list[str] = []
        self._paths = paths

    def __iter__(self) -> Iterator[str]:
        from iqa_zoo.images import find_images

        for path in self._paths:
            files = find_images(path)
            found = False
            for name in files:
                found = True
                yield name
            self.left_out += files.left_out
            if not found:
                self.empty.append(path)
                say(f"no images in {path}")


def _diagnosed(
    names: Iterable[str], draw: bool, threads: int | None
) -> Iterator[tuple[str, Any, Any]]:
    """Name, diagnosis or error, and drawn picture of each photo, in order."""
    from collections import deque
    from concurrent.futures import Future, ThreadPoolExecutor

    from iqa_zoo.threads import cores

    count = threads or cores()
    pool = ThreadPoolExecutor(count, thread_name_prefix="iqa_zoo")
    begun: deque[Future[tuple[str, Any, Any]]] = deque()
    wait = True
    try:
        for name in names:
            begun.append(pool.submit(_look, name, draw))
            while begun and (len(begun) > 2 * count or begun[0].done()):
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    except (KeyboardInterrupt, SystemExit):
        wait = False
        raise
    finally:
        pool.shutdown(wait, cancel_futures=True)


def _look(name: str, draw: bool) -> tuple[str, Any, Any]:
    from iqa_zoo.diagnosis import annotated, diagnose
    from iqa_zoo.images import out_of_memory, read_image

    try:
        image = read_image(name)
        found = diagnose(image, path=name)
        return name, found, annotated(image, found) if draw else None
    except ImageError as error:
        return name, error, None
    except MemoryError:
        return name, out_of_memory(name), None


def _drawing(
    paths: Sequence[str], out: str | None, overwrite: bool
) -> Callable[[str, Any], None] | None:
    """What keeps the drawn picture of a photo, if any is wanted."""
    if out is None:
        if overwrite:
            raise click.UsageError("--overwrite needs --out FILE.")
        return None
    from iqa_zoo.images import find_images

    several = len(list(itertools.islice(find_images(paths), 2))) > 1
    one = not (several or os.path.isdir(paths[0]) or os.path.isdir(out))
    kind = SUFFIXES.get(os.path.splitext(out)[1].lower())
    if one and kind is None:
        raise click.UsageError(
            f"{out} can be a picture of one photo: end its name with one of "
            f"{', '.join(SUFFIXES)}. For several photos name a folder that is there."
        )
    if not one and not os.path.isdir(out):
        raise click.UsageError(f"For several photos --out is a folder: make {out}.")
    used: set[str] = set()

    def keep(name: str, picture: Any) -> None:
        if one:
            place = Path(out)
        else:
            stem, number = Path(name).stem, 1
            place = Path(out, f"{stem}.png")
            while str(place) in used:  # of another folder
                number += 1
                place = Path(out, f"{stem}-{number}.png")
            used.add(str(place))
        _save(place, picture, kind if one and kind else "PNG", overwrite)

    return keep


def _save(place: Path, picture: Any, kind: str, overwrite: bool) -> None:
    from iqa_zoo.files import atomic_write

    if place.exists() and not overwrite:
        raise UsageError(f"{place} is there already: --overwrite replaces it.")
    with atomic_write(place) as file:
        picture.save(file, kind)


@contextlib.contextmanager
def _writer(form: str) -> Iterator[Callable[[str, Any], None]]:
    """What writes the row of a photo to standard output."""
    from iqa_zoo.diagnosis import FLAGS

    if sys.stdout is None:
        raise OutputError("Cannot write to standard output: it is closed.")
    stream = sys.stdout.buffer
    # Rows go around the buffer, which would be written in parts.
    writer = RowWriter(getattr(stream, "raw", stream), "standard output")
    count = 0

    def write(name: str, found: Any) -> None:
        nonlocal count
        if form == "text":
            row = _text(name, found).encode(sys.stdout.encoding, "backslashreplace")
        elif form == "csv":
            row = csv_line(_cells(name, found, FLAGS))
        else:
            row = json.dumps(_data(name, found)).encode()
            row = row + b"\n" if form == "jsonl" else (b",\n" if count else b"") + row
        writer.write(row)
        count += 1

    if form == "csv":
        writer.write(csv_line(_heads(FLAGS)))
    if form == "json":
        writer.write(b"[")
    try:
        yield write
    finally:
        if form == "json":
            writer.write(b"]\n")


def _text(name: str, found: Any) -> str:
    if isinstance(found, ImageError):
        reason = str(found).removeprefix(f"{name}: ")
        return f"{visible(name)}: {found.code} ({visible(reason)})\n"
    lines = [f"{visible(name)}: {found.verdict}"]
    rows = [(flag.name, flag.severity, flag.evidence) for flag in found.faults]
    rows += [(flag.name, flag.verdict, flag.evidence) for flag in found.unknown]
    for flag, how, evidence in rows:
        lines.append(f"  {flag.replace('_', ' '):<12}  {how:<11}  {evidence}")
    return "\n".join(lines) + "\n"


def _data(name: str, found: Any) -> dict[str, Any]:
    from iqa_zoo.diagnosis import to_data

    if isinstance(found, ImageError):
        return {"path": name, "error": found.code, "message": str(found)}
    return {**to_data(found), "error": None, "message": None}


def _heads(flags: Iterable[str]) -> list[str]:
    columns = [f"{flag}{part}" for flag in flags for part in ("", "_score", "_kind")]
    return ["path", "width", "height", "verdict", *columns, "error", "message"]


def _cells(name: str, found: Any, flags: Sequence[str]) -> list[Any]:
    """One row; a flag's own column has its severity, "no" or "cannot tell"."""
    if isinstance(found, ImageError):
        empty = [None] * (3 + 3 * len(flags))
        return [name, *empty, found.code, str(found)]
    cells: list[Any] = [name, found.width, found.height, found.verdict]
    for flag in found.flags.values():
        score = None if flag.score is None else round(flag.score, 4)
        cells += [flag.severity or flag.verdict, score, flag.kind]
    return [*cells, None, None]


def _summary(tally: Counter[str], left_out: int) -> str:
    parts = [
        f"{tally['faulty'] + tally['sound']} diagnosed, {tally['faulty']} with faults"
    ]
    if tally["failed"]:
        parts.append(f"{tally['failed']} failed")
    if left_out:
        parts.append(f"{left_out} other file{'s' * (left_out > 1)} left out")
    return ", ".join(parts)
