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
# Columns of the distortion that a photo looks like.
NAMED = ("distortion", "distortion_level", "distortion_probability")
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
@click.option(
    "--distortion",
    "model",
    metavar="MODEL",
    help="Also name the distortion that each photo looks like by this model, say scnn.",
)
@click.option("--threads", type=click.IntRange(1), help="Photos at once; one a core.")
def command(
    paths: Sequence[str],
    form: str,
    out: str | None,
    overwrite: bool,
    model: str | None,
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
      iqa-zoo diagnose photo.jpg --distortion scnn

    Exit status: 0 all photos were diagnosed, whatever their faults, 1 some failed or
    there was no photo, 2 wrong use, 3 the output is at fault, 130 interrupted.
    """
    from iqa_zoo.engines.quiet import stay_quiet

    stay_quiet()  # what decoders have to say is in the rows
    names = _Names(paths)
    drawing = _drawing(paths, out, overwrite)
    tally: Counter[str] = Counter()
    try:
        look = _look_by(drawing is not None, model)
        with _writer(form, model is not None) as write:
            for name, found, picture, named in _diagnosed(names, look, threads):
                if isinstance(found, ImageError):
                    tally["failed"] += 1
                else:
                    tally["faulty" if found.faults else "sound"] += 1
                    if drawing:
                        drawing(name, picture)
                write(name, found, named)
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


# Name, diagnosis or error, drawn picture, and what distortion the photo looks like.
_Row = tuple[str, Any, Any, Any]


def _diagnosed(
    names: Iterable[str], look: Callable[[str], _Row], threads: int | None
) -> Iterator[_Row]:
    """The row of each photo, in order."""
    from collections import deque
    from concurrent.futures import Future, ThreadPoolExecutor

    from iqa_zoo.threads import cores

    count = threads or cores()
    pool = ThreadPoolExecutor(count, thread_name_prefix="iqa_zoo")
    begun: deque[Future[_Row]] = deque()
    wait = True
    try:
        for name in names:
            begun.append(pool.submit(look, name))
            while begun and (len(begun) > 2 * count or begun[0].done()):
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    except (KeyboardInterrupt, SystemExit):
        wait = False
        raise
    finally:
        pool.shutdown(wait, cancel_futures=True)


def _look_by(draw: bool, model: str | None) -> Callable[[str], _Row]:
    """What makes the row of a photo."""
    from iqa_zoo.diagnosis import annotated, diagnose
    from iqa_zoo.images import out_of_memory, read_image
    from iqa_zoo.naming import namer

    naming = namer(model) if model else None

    def named(image: Any) -> Any:
        try:
            return naming(image)[0] if naming else None
        except ImageError:  # too small for the model, not for the diagnosis
            return None

    def look(name: str) -> _Row:
        try:
            image = read_image(name)
            found = diagnose(image, path=name)
            picture = annotated(image, found) if draw else None
            return name, found, picture, named(image)
        except ImageError as error:
            return name, error, None, None
        except MemoryError:
            return name, out_of_memory(name), None, None

    return look


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
def _writer(form: str, naming: bool) -> Iterator[Callable[[str, Any, Any], None]]:
    """What writes the row of a photo to standard output."""
    from iqa_zoo.diagnosis import FLAGS

    if sys.stdout is None:
        raise OutputError("Cannot write to standard output: it is closed.")
    stream = sys.stdout.buffer
    # Rows go around the buffer, which would be written in parts.
    writer = RowWriter(getattr(stream, "raw", stream), "standard output")
    count = 0

    def write(name: str, found: Any, named: Any) -> None:
        nonlocal count
        if form == "text":
            text = _text(name, found) + _named_line(named)
            row = text.encode(sys.stdout.encoding, "backslashreplace")
        elif form == "csv":
            more = list(named or (None,) * len(NAMED)) if naming else []
            row = csv_line([*_cells(name, found, FLAGS), *more])
        else:
            more = {"distortion": named and named._asdict()} if naming else {}
            row = json.dumps({**_data(name, found), **more}).encode()
            row = row + b"\n" if form == "jsonl" else (b",\n" if count else b"") + row
        writer.write(row)
        count += 1

    if form == "csv":
        writer.write(csv_line([*_heads(FLAGS), *(NAMED if naming else ())]))
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


def _named_line(named: Any) -> str:
    if named is None:
        return ""
    level = "" if named.level is None else f", level {named.level}"
    evidence = f"{named.kind}{level}, probability {named.probability:.2f}"
    return f"  {'looks like':<12}  {evidence}\n"


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
