"""`iqa-zoo distort`: a thin skin over `iqa_zoo.distortions`."""

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from iqa_zoo.cli import INTERRUPTED, SOME_FAILED, say
from iqa_zoo.distortions import KINDS
from iqa_zoo.errors import IqaError, OutputError, UnknownNameError, UsageError

FAMILIES = ("kadid", "dbcnn")


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
    help="Of noise, places and directions.",
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
    listing: bool,
) -> int:
    """Write distorted pictures of photos: files, folders or patterns.

    The folder OUT gets a folder for each photo, with the photo and its pictures as PNG
    files, and manifest.csv, a table of image, reference, distortion, level, seed and
    mse (mean squared error to the reference). Pictures that are there already are
    kept, so that the same command goes on where it was interrupted.

    \b
    Examples:
      iqa-zoo distort photos/ --out set
      iqa-zoo distort photo.jpg --out set --kinds jpeg,white_noise --levels 2,4
      iqa-zoo distort --list
    """
    if listing:
        _list_kinds()
        return 0
    if not photos or out is None:
        raise click.UsageError("Name photos, and with --out a folder for the set.")
    return _write_set(photos, Path(out), _kinds(kinds), _levels(levels), seed)


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


def _write_set(
    photos: Sequence[str],
    out: Path,
    kinds: Sequence[str],
    levels: Sequence[int],
    seed: int,
) -> int:
    from tqdm import tqdm

    from iqa_zoo.distortions import sets
    from iqa_zoo.images import find_images

    if out.is_file():
        raise OutputError(f"Cannot make the folder {out}: a file has that name.")
    names = []
    for path in photos:
        found = [name for name in find_images(path) if not _is_within(name, out)]
        names += found
        if not found:
            say(f"no images in {path}")
    rows = sets.read_manifest(out)
    count = failed = 0
    ended = None
    bar = tqdm(
        total=len(names) * len(kinds) * len(levels),
        unit="picture",
        leave=False,
        file=sys.stderr,
        disable=sys.stderr is None or not sys.stderr.isatty(),
    )
    try:
        for name in names:
            for made in sets.place_pictures(name, out, kinds, levels, seed):
                if isinstance(made, IqaError):
                    failed += 1
                    say(str(made))
                else:
                    rows.append(made)
                    count += 1
                    bar.update()
    except (KeyboardInterrupt, SystemExit) as ending:
        ended = getattr(ending, "code", INTERRUPTED)
    finally:
        bar.close()
        if count:
            sets.write_manifest(out, rows)
    if ended is not None:
        say(f"interrupted: {count} pictures in {out}; the same command makes the rest.")
        return ended
    say(f"{count} pictures in {out}, {failed} failed")
    return SOME_FAILED if failed or not count else 0


def _is_within(name: str, folder: Path) -> bool:
    """Whether it is a picture of the set itself, whose folder may be among photos."""
    # Unlike Path.resolve, this takes a link that leads to itself.
    return Path(os.path.realpath(name)).is_relative_to(os.path.realpath(folder))
