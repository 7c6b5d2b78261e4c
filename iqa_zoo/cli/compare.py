"""`iqa-zoo compare`: a thin skin over `iqa_zoo.comparing`, and where its rows go."""

import contextlib
import dataclasses
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import click

from iqa_zoo.cli import INTERRUPTED, SOME_FAILED, say
from iqa_zoo.cli.pairs import rows_to
from iqa_zoo.cli.rows import Kind
from iqa_zoo.cli.score import checked_format, is_terminal


def _list_metrics(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted or context.resilient_parsing:
        return
    from iqa_zoo.comparing.metrics import metric_card, metric_names

    width = max(map(len, metric_names()))
    for name in metric_names():
        card = metric_card(name)
        direction = card["direction"].replace("_", " ")
        click.echo(f"{name:<{width}}  {direction:<16}  {card['title']}")
    context.exit()


def _metric_names(_: click.Context, __: click.Parameter, typed: str) -> list[str]:
    from iqa_zoo.comparing.metrics import metric_names

    return [name for name in [*metric_names(), "all"] if name.startswith(typed)]


@click.command()
@click.argument("reference", metavar="REF")
@click.argument("distorted", metavar="[DIST]", required=False)
@click.option(
    "-m",
    "--metric",
    "metrics",
    multiple=True,
    shell_complete=_metric_names,
    help="A metric's name, or a model that compares; give it again for more, or all. "
    "PSNR, SSIM, GMSD and MDSI where none is named.",
)
@click.option(
    "--list",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_metrics,
    help="List the metrics.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "jsonl"]),
    help="How rows are written: as a table, or as the suffix of FILE says.",
)
@click.option(
    "-o", "--out", metavar="FILE", help="Write all rows to a CSV or JSONL file."
)
@click.option(
    "--resume", is_flag=True, help="Compare what FILE lacks; failed rows stay."
)
@click.option("--overwrite", is_flag=True, help="Replace FILE.")
@click.option(
    "--map",
    "maps",
    metavar="FOLDER",
    help="Write grey pictures of where they differ: white is alike.",
)
@click.option(
    "--resize",
    type=click.Choice(["reference", "distorted", "smaller"]),
    help="Bring images of different sizes to the size of one of them, or to the lesser "
    "height and width.",
)
@click.option("--threads", type=click.IntRange(1), help="Pairs at once; one a core.")
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
def command(
    reference: str,
    distorted: str | None,
    metrics: Sequence[str],
    form: str | None,
    out: str | None,
    resume: bool,
    overwrite: bool,
    maps: str | None,
    resize: str | None,
    threads: int | None,
    also_read: Sequence[str],
    **limits: int | None,
) -> int:
    """Compare images with their originals: how much of the quality is left.

    REF and DIST are two images, or two folders, whose images belong together by name
    (but for the suffix, where only one image of REF has that name). Without DIST, REF
    is a table of pairs: CSV with the columns reference and distorted, and names that
    are relative to its folder.

    Every pair gets a row for each metric: its score, or a code and the reason where it
    cannot be compared. Images of different sizes cannot, unless --resize says how.
    Videos are out of scope: compare the frames that another program takes out of them.

    \b
    Examples:
      iqa-zoo compare photo.png photo.jpg
      iqa-zoo compare originals/ compressed/ -m ssim -m gmsd
      iqa-zoo compare originals/ compressed/ -m all -o scores.csv --resume
      iqa-zoo compare pairs.csv --map maps/ --format jsonl

    Exit status: 0 all compared, 1 some failed or there was no pair, 2 wrong use, 3 the
    output is at fault, 130 interrupted.
    """
    form = checked_format(form, out, resume, overwrite)

    from iqa_zoo import comparing
    from iqa_zoo.comparing.metrics import metric_card
    from iqa_zoo.comparing.pairs import find_pairs
    from iqa_zoo.comparing.scores import FIELDS, check_columns, from_row
    from iqa_zoo.engines.quiet import stay_quiet
    from iqa_zoo.images import Limits

    stay_quiet()  # what decoders have to say is in the rows
    names = comparing.checked_metrics(metrics or None)
    cards = [metric_card(name) for name in names]
    kind = Kind(
        "compare",
        FIELDS,
        dataclasses.asdict,
        from_row,
        check_columns,
    )
    given = {name.removeprefix("max_"): number for name, number in limits.items()}
    pairs = list(find_pairs(reference, distorted))
    tally = _Tally()
    done: set[tuple[str, str, str]] = set()

    def know(score: Any) -> None:
        done.add((score.reference, score.distorted, score.metric))
        tally.add(score)

    try:
        with rows_to(
            out, form, overwrite, know if resume else None, kind, names, cards
        ) as write:
            left = [
                pair
                for pair in pairs
                if not all((pair.reference, pair.distorted, n) in done for n in names)
            ]
            begun = {(pair.reference, pair.distorted) for pair in left}
            tally.earlier = len(tally.pairs.keys() - begun)
            scores = comparing.compare(
                left,
                metrics=names,
                resize=resize,
                maps=maps,
                limits=Limits(**{name: n for name, n in given.items() if n}),
                also_read=also_read,
                threads=threads,
            )
            with contextlib.closing(scores), _progress(len(left)) as bar:
                for _ in left:
                    rows = [next(scores) for _ in names]
                    rows = [
                        row
                        for row in rows
                        if (row.reference, row.distorted, row.metric) not in done
                    ]
                    if bar is not None and is_terminal(sys.stdout) and not out:
                        bar.clear()
                    write(rows)
                    if bar is not None:
                        bar.update()
                    for row in rows:
                        tally.add(row)
    except (KeyboardInterrupt, SystemExit) as ending:
        say(f"interrupted: {tally.summary()}")
        if out:
            say(f"{out} holds whole rows; --resume compares the rest.")
        return getattr(ending, "code", INTERRUPTED)
    say(tally.summary())
    return SOME_FAILED if any(tally.pairs.values()) or not tally.pairs else 0


class _Tally:
    """What the summary says.

    Attributes:
        pairs: the code of each pair of names of which a metric failed, else None.
        earlier: how many of them an earlier run finished.
    """

    def __init__(self) -> None:
        self.pairs: dict[tuple[str, str], str | None] = {}
        self.earlier = 0
        self._start = time.monotonic()

    def add(self, score: Any) -> None:
        pair = (score.reference, score.distorted)
        self.pairs[pair] = self.pairs.get(pair) or score.error

    def summary(self) -> str:
        """One line of figures."""
        seconds = time.monotonic() - self._start
        failed = Counter(code for code in self.pairs.values() if code)
        whole = len(self.pairs) - failed.total()
        parts = [f"{whole} pair{'s' * (whole != 1)} compared"]
        if failed:
            codes = ", ".join(f"{n} {code}" for code, n in failed.most_common())
            parts.append(f"{failed.total()} failed ({codes})")
        if self.earlier:
            parts.append(f"{self.earlier} of them earlier")
        if whole and (fresh := len(self.pairs) - self.earlier):
            parts.append(f"{fresh / seconds:.1f} pairs/s")
        return ", ".join(parts)


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Any]:
    """A bar with rate and time left on stderr, or None where that is no terminal."""
    if total < 2 or not is_terminal(sys.stderr):
        yield None
        return
    from tqdm import tqdm

    with tqdm(total=total, unit="pair", leave=False, file=sys.stderr) as bar:
        yield bar
