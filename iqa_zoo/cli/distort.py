"""`iqa-zoo distort`: a thin skin over `iqa_zoo.distortions`."""

import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iqa_zoo.cli import INTERRUPTED, SOME_FAILED, say
from iqa_zoo.distortions import KINDS
from iqa_zoo.distortions.pseudo import POWERS
from iqa_zoo.errors import IqaError, OutputError, UnknownNameError, UsageError

if TYPE_CHECKING:
    from iqa_zoo.distortions.sets import Plan

FAMILIES = ("kadid", "dbcnn")
EVERY = 30  # seconds between two states of the table


@click.command()
@click.argument("photos", nargs=-1, metavar="PHOTO...")
@click.option("-o", "--out", type=click.Path(), help="Folder of the set.")
@click.option(
    "--kinds",
    default="kadid",
    show_default=True,
    metavar="NAMES",
    help="Kinds with commas between; kadid or dbcnn stands for all of that family.",
)
@click.option(
    "--levels",
    default="1-5",
    show_default=True,
    help="Levels with commas between, or first-last.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Of noise, places and directions, and of chains.",
)
@click.option(
    "--chains",
    type=click.IntRange(1),
    metavar="N",
    help="N chains of one to three distortions of each photo, drawn by the seed, "
    "instead of each kind at each level.",
)
@click.option(
    "--side",
    type=click.IntRange(16),
    metavar="PIXELS",
    help="Cut the photos to so many pixels a side, around their middle.",
)
@click.option(
    "--pseudo-mos",
    "metric",
    type=click.Choice([*POWERS]),
    help="Put the score of this full-reference metric into the table, and a pseudo-MOS "
    "that is made from it, 0 to 1.",
)
@click.option(
    "--list", "listing", is_flag=True, help="List the kinds and their parameters."
)
def command(
    photos: Sequence[str],
    out: str | None,
    kinds: str,
    levels: str,
    seed: int,
    chains: int | None,
    side: int | None,
    metric: str | None,
    listing: bool,
) -> int:
    """Write distorted pictures of photos: files, folders or patterns.

    The folder OUT gets a folder for each photo, with the photo and its pictures as PNG
    files, and manifest.csv, a table of image, reference, distortion, level, seed and
    mse (mean squared error to the reference). Pictures that are there already are
    kept, so that the same command goes on where it was interrupted.

    With --pseudo-mos the table is one to train on, with the columns mos, pseudo (the
    metric that it is taken from: nobody has judged these pictures) and that metric's
    own score; pictures that have the pixels of another one are not in it.

    \b
    Examples:
      iqa-zoo distort photos/ --out set
      iqa-zoo distort photo.jpg --out set --kinds jpeg,white_noise --levels 2,4
      iqa-zoo distort photos/ --out set --side 384 --pseudo-mos vsi
      iqa-zoo distort photos/ --out set --chains 50 --pseudo-mos fsimc
      iqa-zoo distort --list
    """
    if listing:
        _list_kinds()
        return 0
    if not photos or out is None:
        raise click.UsageError("Name photos, and with --out a folder for the set.")
    from iqa_zoo.distortions.sets import Plan

    plan = Plan(_kinds(kinds), _levels(levels), seed, chains, side, metric)
    return _write_set(photos, Path(out), plan)


def _list_kinds() -> None:
    width = max(map(len, KINDS))
    for name, kind in KINDS.items():
        levels = " ".join(f"{value:<10.4g}" for value in kind.levels)
        click.echo(f"{kind.family:<6} {name:<{width}}  {levels} {kind.parameter}")


def _kinds(text: str) -> list[str]:
    """The kinds that names and families stand for, each once, in the table's order."""
    given = {name.strip() for name in text.split(",")}
    for name in sorted(given - {*KINDS, *FAMILIES}):
        raise UnknownNameError("distortion", name, [*KINDS, *FAMILIES])
    return [name for name, kind in KINDS.items() if given & {name, kind.family}]


def _levels(text: str) -> list[int]:
    """The levels in a text such as 1-5 or 2,4."""
    wanted: set[int] = set()
    if re.fullmatch("[1-5]-[1-5]", text):
        wanted = {*range(int(text[0]), int(text[2]) + 1)}
    elif re.fullmatch("[1-5](,[1-5])*", text):
        wanted = {*map(int, text.split(","))}
    if not wanted:
        raise UsageError(
            f"levels {text!r} cannot be meant; write 1-5, or some of 1 to 5 with "
            "commas between."
        )
    return sorted(wanted)


def _write_set(photos: Sequence[str], out: Path, plan: "Plan") -> int:
    from iqa_zoo.cli.pictures import Bar
    from iqa_zoo.distortions.sets import place_pictures
    from iqa_zoo.distortions.table import write_manifest
    from iqa_zoo.images import find_images

    if out.is_file():
        raise OutputError(f"Cannot make the folder {out}: a file has that name.")
    names = []
    for path in photos:
        found = [name for name in find_images(path) if not _is_within(name, out)]
        names += found
        if not found:
            say(f"no images in {path}")
    known, plan = _known(out, plan)
    rows = dict(known)
    count = failed = 0
    ended = None
    written = time.monotonic()
    bar = Bar(len(names) * plan.per_photo())
    try:
        for made in place_pictures(names, out, plan, known):
            if isinstance(made, IqaError):
                failed += 1
                say(str(made))
                continue
            rows[made["image"]] = made
            count += 1
            bar.update()
            # A run that is killed keeps the scores that took its time.
            if time.monotonic() - written > EVERY:
                write_manifest(out, rows.values(), plan.metric)
                written = time.monotonic()
    except (KeyboardInterrupt, SystemExit) as ending:
        ended = getattr(ending, "code", INTERRUPTED)
    finally:
        bar.close()
        copies = write_manifest(out, rows.values(), plan.metric) if count else 0
    if ended is not None:
        say(f"interrupted: {count} pictures in {out}; the same command makes the rest.")
        return ended
    if copies:
        say(f"{copies} have the pixels of another one and are not in the table.")
    say(f"{count} pictures in {out}, {failed} failed")
    return SOME_FAILED if failed or not count else 0


def _known(out: Path, plan: "Plan") -> tuple[dict[str, Any], "Plan"]:
    """The rows of the set's table by name, and the plan with the set's metric.

    Rows without a pseudo-MOS have no place in a table that has one.
    """
    from iqa_zoo.distortions.table import read_manifest

    rows = {row["image"]: row for row in read_manifest(out)}
    metrics = {row.get("pseudo") for row in rows.values()} - {None}
    for metric in metrics - {plan.metric} if plan.metric else ():
        raise UsageError(
            f"The pseudo-MOS in {out} is of {metric}, not of {plan.metric}. Name "
            "another folder, or the same metric."
        )
    for metric in metrics:
        plan = plan._replace(metric=metric)
    if plan.metric and not metrics and rows:
        say(
            f"{len(rows)} pictures in {out} have no pseudo-MOS; those that this "
            "command does not make leave the table."
        )
        rows = {}
    return rows, plan


def _is_within(name: str, folder: Path) -> bool:
    """Whether it is a picture of the set itself, whose folder may be among photos."""
    # Unlike Path.resolve, this takes a link that leads to itself.
    return Path(os.path.realpath(name)).is_relative_to(os.path.realpath(folder))
