"""`iqa-zoo score`: a thin skin over `iqa_zoo.scoring`, and where its rows go."""

import contextlib
import heapq
import os
import shutil
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click

from iqa_zoo.cli import INTERRUPTED, SOME_FAILED, ray, say
from iqa_zoo.cli.completion import model_names
from iqa_zoo.cli.names import Names
from iqa_zoo.cli.rows import HEADS, ROWS, RowWriter, check_new, open_rows
from iqa_zoo.cli.tally import Tally
from iqa_zoo.errors import MissingLibraryError, OutputError
from iqa_zoo.files import atomic_write
from iqa_zoo.results import ImageScore

SUFFIXES = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}

Write = Callable[[ImageScore], None]


@click.command(cls=ray.Command)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "-m",
    "--model",
    "models",
    multiple=True,
    shell_complete=model_names,
    help="A model's name or a run's folder; give it again for more models. The default "
    "model where none is named.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "jsonl"]),
    help="How rows are written: as a table, or as the suffix of FILE says.",
)
@click.option(
    "-o",
    "--out",
    metavar="FILE",
    help="Write all rows to a CSV or JSONL file; with --ray, to this folder.",
)
@click.option("--resume", is_flag=True, help="Score what FILE lacks; failed rows stay.")
@click.option("--overwrite", is_flag=True, help="Replace FILE.")
@click.option("--best", type=click.IntRange(1), help="Print only the N best images.")
@click.option("--worst", type=click.IntRange(1), help="Print only the N worst images.")
@click.option(
    "--copy-best",
    type=(click.IntRange(1), click.Path()),
    metavar="N DIR",
    help="Copy the N best images to a new folder, numbered from the best on.",
)
@click.option("-0", "--null", is_flag=True, help="Names on stdin end with a NUL byte.")
@click.option(
    "--engine",
    type=click.Choice(["auto", "litert", "tensorflow"]),
    default="auto",
    show_default=True,
    help="What runs the network; auto takes TensorFlow where that has a GPU.",
)
@click.option(
    "--threads",
    type=click.IntRange(1),
    help="Images at once; one a core; with --ray, of each actor, and 1.",
)
@click.option(
    "--max-pixels", type=click.IntRange(1), help="Refuse images of more pixels."
)
@click.option(
    "--max-side", type=click.IntRange(1), help="Refuse images of a longer side."
)
@click.option("--max-bytes", type=click.IntRange(1), help="Refuse files of more bytes.")
@click.option(
    "--also-read",
    multiple=True,
    type=click.Choice(["jpeg2000"]),
    help="Read files of a format that is refused otherwise.",
)
@click.option(
    "--ray",
    "address",
    metavar="[ADDRESS]",
    help="Score with Ray, on the cluster at ADDRESS or on this machine's processors; "
    "the rows become Parquet files in the folder FILE, and what that holds already is "
    "not scored again.",
)
@click.option("--actors", type=click.IntRange(1), help="Processes that score with Ray.")
@click.option(
    "--gpus", type=click.FloatRange(0), default=0, help="GPUs of each such process."
)
@click.pass_context
def command(
    context: click.Context,
    paths: Sequence[str],
    models: Sequence[str],
    form: str | None,
    out: str | None,
    resume: bool,
    overwrite: bool,
    best: int | None,
    worst: int | None,
    copy_best: tuple[int, str] | None,
    null: bool,
    engine: str,
    threads: int | None,
    also_read: Sequence[str],
    address: str | None,
    actors: int | None,
    gpus: float,
    **limits: int | None,
) -> int:
    """Score photos: files, folders, globs, or - for a list of names on stdin.

    Every image gets a row for each model: its score, how far opinions on it spread, the
    share of the opinions at each step from the lowest score to the highest; or a code
    and the reason where it cannot be scored. Folders are read with their subfolders.

    \b
    Examples:
      iqa-zoo score photo.jpg
      iqa-zoo score photos/ --best 10
      iqa-zoo score photos/ -o scores.csv --resume
      iqa-zoo score photos/ -m nima-mobilenetv2 -m runs/first --format jsonl
      iqa-zoo score --ray photos/ -o scores/
      find . -name '*.jpg' -print0 | iqa-zoo score -0 -

    Exit status: 0 all scored, 1 some failed or there was no image, 2 wrong use, 3 a
    model, a weight file or the output is at fault, 130 interrupted.
    """
    ray.check(context.params)
    if not address:
        form = checked_format(form, out, resume, overwrite)
    if copy_best:
        _check_copy(copy_best[1], models)

    from iqa_zoo.cli.seen import Seen
    from iqa_zoo.engines.quiet import stay_quiet
    from iqa_zoo.images import Limits
    from iqa_zoo.scoring import Scorer

    stay_quiet()  # what decoders and LiteRT have to say is in the rows
    # OpenCV takes as long to load as a photo to score, so it loads beside the model.
    threading.Thread(target=_load_opencv).start()
    given = {name.removeprefix("max_"): number for name, number in limits.items()}
    options: dict[str, Any] = {
        "engine": engine,
        "limits": Limits(**{name: number for name, number in given.items() if number}),
        "also_read": also_read,
    }
    if address and out:
        options |= {"address": address, "actors": actors, "gpus": gpus}
        return ray.score(paths, null, out, models, threads=threads or 1, **options)
    scorer = Scorer(models or None, threads=threads, **options)

    tally = Tally(len(scorer.models))
    seen = Seen(scorer.models)
    extremes = _Extremes(max(best or 0, copy_best[0] if copy_best else 0), worst or 0)
    done: set[tuple[str, str]] = set()

    def know(score: ImageScore) -> None:
        done.add((score.path, score.model))
        tally.add(score)
        tally.earlier += 1
        extremes.add(score)

    def is_done(name: str) -> bool:
        return all((name, model) in done for model in scorer.models)

    selecting = bool(best or worst)
    on_terminal = not (out or selecting) and is_terminal(sys.stdout)
    names = Names(paths, null, is_done)
    try:
        with (
            _rows_to(
                out, form, overwrite, know if resume else None, selecting, scorer
            ) as write,
            _progress(paths, is_done) as bar,
            contextlib.closing(scorer.score(names, live="-" in paths)) as scores,
        ):
            for score in scores:
                if (score.path, score.model) in done:
                    continue
                if bar is not None and on_terminal:
                    bar.clear()
                write(score)
                if bar is not None:
                    bar.update(score.model == scorer.models[-1])
                if bar is not None and on_terminal:
                    bar.refresh()
                tally.add(score)
                extremes.add(score)
                seen.add(score)
    except (KeyboardInterrupt, SystemExit) as ending:
        say(f"interrupted: {tally.summary(names.left_out)}")
        if out:
            say(f"{out} holds whole rows; --resume scores the rest.")
        return getattr(ending, "code", INTERRUPTED)
    if selecting:
        write = _to_stdout("table" if out else form, scorer)
        for model in scorer.models:
            for score in extremes.best_then_worst(model, best or 0):
                write(score)
    if copy_best:
        _copy(extremes.best(scorer.models[0])[: copy_best[0]], copy_best[1])
    if tally.rows > tally.failed.total() and (form == "table" or (selecting and out)):
        from iqa_zoo.cli.tables import notes

        for line in notes(scorer.models, scorer.weights):
            say(line)
    for line in seen.notes():
        say(line)
    say(tally.summary(names.left_out))
    return SOME_FAILED if tally.failed or names.empty or not tally.rows else 0


def _load_opencv() -> None:
    from iqa_zoo.images import opencv

    with contextlib.suppress(MissingLibraryError):  # said where it is needed
        opencv()


def checked_format(
    form: str | None, out: str | None, resume: bool, overwrite: bool
) -> str:
    """The format of the rows, if the options about the output go together."""
    if out is None:
        if resume or overwrite:
            raise click.UsageError("--resume and --overwrite need --out FILE.")
        return form or "table"
    form = form or SUFFIXES.get(os.path.splitext(out)[1].lower())
    if form not in ROWS:
        raise click.UsageError(
            f"{out} can be CSV or JSON lines: end its name with one of "
            f"{', '.join(SUFFIXES)}, or give --format csv or jsonl."
        )
    if resume and overwrite:
        raise click.UsageError("Give --resume or --overwrite, not both.")
    if not (resume or overwrite):
        check_new(out)
    return form


def _check_copy(folder: str, models: Sequence[str]) -> None:
    if len(models) > 1:
        raise click.UsageError("--copy-best takes one model: each ranks otherwise.")
    if os.path.exists(folder) and (not os.path.isdir(folder) or os.listdir(folder)):
        raise click.UsageError(f"--copy-best needs a new folder; {folder} is there.")


class _Extremes:
    """The best and the worst scores of each model, however many there are."""

    def __init__(self, best: int, worst: int) -> None:
        self._sizes = {1: best, -1: worst}
        self._heaps: dict[tuple[str, int], list[Any]] = defaultdict(list)
        self._count = 0

    def add(self, score: ImageScore) -> None:
        if score.value is None:
            return
        self._count += 1
        sign = -1 if score.direction == "lower_is_better" else 1
        for end, size in self._sizes.items():
            heap = self._heaps[score.model, end]
            # Of equal scores the first stays, and scores themselves have no order.
            heapq.heappush(heap, (end * sign * score.value, -self._count, score))
            if len(heap) > size:
                heapq.heappop(heap)

    def best(self, model: str) -> list[ImageScore]:
        """The best scores, the best first."""
        return [row[-1] for row in sorted(self._heaps[model, 1], reverse=True)]

    def best_then_worst(self, model: str, best: int) -> list[ImageScore]:
        """The `best` best scores and the worst ones, the worst last."""
        first = self.best(model)[:best]
        last = [row[-1] for row in sorted(self._heaps[model, -1])]
        return first + [score for score in last if score not in first]


@contextlib.contextmanager
def _rows_to(
    out: str | None,
    form: str,
    overwrite: bool,
    earlier: Write | None,
    selecting: bool,
    scorer: Any,
) -> Iterator[Write]:
    """Where the row of every image goes while they are scored."""
    if out:
        with open_rows(out, form, overwrite=overwrite, earlier=earlier) as writer:
            yield lambda score: writer.write(ROWS[form](score))
    elif selecting:
        yield lambda score: None
    else:
        yield _to_stdout(form, scorer)


def _to_stdout(form: str, scorer: Any) -> Write:
    from iqa_zoo.cli.tables import Table, wants_colour

    if sys.stdout is None:
        raise OutputError("Cannot write to standard output: it is closed.")
    stream = sys.stdout.buffer
    # Rows go around the buffer, which would be written in parts.
    writer = RowWriter(getattr(stream, "raw", stream), "standard output")
    if form in ROWS:
        writer.write(HEADS[form])
        return lambda score: writer.write(ROWS[form](score))
    encoding = sys.stdout.encoding
    colour = wants_colour(sys.stdout.isatty())
    table = Table(scorer.models, scorer.weights, encoding=encoding, colour=colour)
    waiting = [table.head()]

    def write(score: ImageScore) -> None:
        lines = [*waiting, table.line(score), ""]
        waiting.clear()
        writer.write("\n".join(lines).encode(encoding, "backslashreplace"))

    return write


@contextlib.contextmanager
def _progress(paths: Sequence[str], is_done: Callable[[str], bool]) -> Iterator[Any]:
    """A bar with rate and time left on stderr, or None where that is no terminal."""
    if not is_terminal(sys.stderr):
        yield None
        return
    from iqa_zoo.images import find_images

    total = None  # a list on stdin comes as it comes
    if "-" not in paths:
        total = sum(not is_done(name) for name in find_images(paths))
    if total == 1:
        yield None
        return
    from tqdm import tqdm

    with tqdm(total=total, unit="image", leave=False, file=sys.stderr) as bar:
        yield bar


def is_terminal(stream: Any) -> bool:
    return stream is not None and stream.isatty()


def _copy(scores: Sequence[ImageScore], folder: str) -> None:
    """Copy the images of scores to a folder, with their rank before their name."""
    try:
        os.makedirs(folder, exist_ok=True)
        width = len(str(len(scores)))
        for rank, score in enumerate(scores, 1):
            name = f"{rank:0{width}}-{os.path.basename(score.path)}"
            with (
                open(score.path, "rb") as photo,
                atomic_write(os.path.join(folder, name)) as copy,
            ):
                shutil.copyfileobj(photo, copy)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"Cannot copy to {folder}: {error}.") from error
