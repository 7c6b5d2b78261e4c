"""`iqa-zoo screens`: a thin skin over `iqa_zoo.screens`."""

import re
from pathlib import Path

import click

from iqa_zoo.cli import INTERRUPTED, say
from iqa_zoo.errors import OutputError, UsageError
from iqa_zoo.screens import SIZE


@click.command()
@click.argument("count", type=click.IntRange(1), metavar="N")
@click.option("-o", "--out", type=click.Path(), required=True, help="Their folder.")
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Another seed gives other screens.",
)
@click.option(
    "--size",
    default="x".join(map(str, SIZE)),
    show_default=True,
    metavar="WIDTHxHEIGHT",
    help="Pixels a side.",
)
def command(count: int, out: str, seed: int, size: str) -> int:
    """Draw N screens: windows, pages, tables, plots, programs; no two alike.

    Pristine pictures of screen content, as PNG files, for `iqa-zoo distort`. Screens
    that are there already are kept, so that the same command goes on where it was
    interrupted, and a larger N adds to them.

    \b
    Examples:
      iqa-zoo screens 100 --out screens
      iqa-zoo screens 40 --out screens --seed 1 --size 1920x1080
    """
    from iqa_zoo.cli.pictures import Bar
    from iqa_zoo.screens import place_screens

    if not re.fullmatch(r"\d{1,5}x\d{1,5}", size):
        raise UsageError(f"size {size!r} cannot be meant; write it as in 1280x720.")
    width, height = map(int, size.split("x"))
    if Path(out).is_file():
        raise OutputError(f"Cannot make the folder {out}: a file has that name.")
    done = 0
    bar = Bar(count)
    try:
        for _ in place_screens(count, Path(out), seed=seed, size=(width, height)):
            done += 1
            bar.update()
    except (KeyboardInterrupt, SystemExit) as ending:
        bar.close()
        say(f"interrupted: {done} screens in {out}; the same command draws the rest.")
        return getattr(ending, "code", INTERRUPTED)
    finally:
        bar.close()
    say(f"{done} screens in {out}")
    return 0
