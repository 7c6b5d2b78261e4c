"""`iqa-zoo score --ray`: a thin skin over `iqa_zoo.ray`."""

import contextlib
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import click

from iqa_zoo.cli import INTERRUPTED, SOME_FAILED, say
from iqa_zoo.cli.names import Names
from iqa_zoo.cli.tally import summary

# What `ray.init` takes. All else after --ray is an image, a folder or a pattern.
ADDRESS = re.compile(r"local|auto|ray://.+|[\w.-]+:\d+|\[[0-9a-fA-F:]+\]:\d+")
LOCAL = "local"

# Options that stand for what a folder of Parquet files cannot be or does not need.
REFUSED = {
    "form": "--format",
    "overwrite": "--overwrite",
    "best": "--best",
    "worst": "--worst",
    "copy_best": "--copy-best",
}


class Command(click.Command):
    """A command whose option --ray may have an address after it, or none."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Give --ray the address `LOCAL` where none follows."""
        filled = []
        for place, arg in enumerate(args):
            filled.append(arg)
            if arg == "--":
                filled += args[place + 1 :]
                break
            follows = args[place + 1] if place + 1 < len(args) else ""
            if arg == "--ray" and not ADDRESS.fullmatch(follows):
                filled.append(LOCAL)
        return super().parse_args(ctx, filled)


def check(params: Mapping[str, Any]) -> None:
    """Refuse options that do not go together.

    Args:
        params: of `iqa-zoo score`, by the names of its function's parameters.

    Raises:
        click.UsageError: they do not.
    """
    if params["address"] is None:
        for name in ("actors", "gpus"):
            if params[name]:
                raise click.UsageError(f"--{name} needs --ray.")
        return
    for name, option in REFUSED.items():
        if params[name]:
            raise click.UsageError(f"{option} does not go with --ray.")
    if not ADDRESS.fullmatch(params["address"]):
        raise click.UsageError(
            f"--ray: {params['address']} is no address. Give HOST:PORT or auto, or "
            "nothing."
        )
    if params["out"] is None:
        raise click.UsageError("--ray needs --out DIR, a folder for Parquet files.")
    if params["out"].lower().endswith((".csv", ".jsonl", ".parquet")):
        raise click.UsageError(
            f"With --ray {params['out']} would be a folder of Parquet files. Give it a "
            "folder's name."
        )


def score(
    paths: Sequence[str], null: bool, out: str, models: Sequence[str], **options: Any
) -> int:
    """Score on a cluster and say what came of it; the exit status.

    Args:
        paths: the images as they were named.
        null: whether names on stdin end with a NUL byte.
        out: the folder, or its URI.
        models: as they were named.
        options: more of `iqa_zoo.ray.score`.
    """
    from iqa_zoo import ray
    from iqa_zoo.ray.names import is_uri

    report = ray.Report(())
    names = Names(paths, null, is_done=lambda name: False)
    images = paths if any(map(is_uri, paths)) else names

    def said() -> str:
        rate = report.images / report.seconds if report.seconds else 0
        left_out = names.left_out
        return summary(report.rows, report.failed, report.earlier, left_out, rate)

    with _progress() as show:

        def know(now: Any) -> None:
            nonlocal report
            report = now
            show(now)

        try:
            know(ray.score(images, out, models or None, progress=know, **options))
        except (KeyboardInterrupt, SystemExit) as ending:
            say(f"interrupted: {said()}")
            say(f"{out} holds whole rows; the same command scores the rest.")
            return getattr(ending, "code", INTERRUPTED)
    say(said())
    return SOME_FAILED if report.failed or names.empty or not report.rows else 0


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[Any], None]]:
    """Shows reports: start-up as a line, then a bar where stderr is a terminal."""
    from tqdm import tqdm

    bar: Any = None

    def show(report: Any) -> None:
        nonlocal bar
        if not report.images:
            return
        if bar is None:
            actors = f"{report.actors} actor{'s' * (report.actors > 1)}"
            say(f"start-up {report.startup:.1f} s, {actors}")
            hidden = sys.stderr is None or not sys.stderr.isatty()
            bar = tqdm(
                total=report.total,
                unit="image",
                leave=False,
                file=sys.stderr,
                disable=hidden,
            )
        bar.update(report.images - bar.n)

    # Ray tells there of workers that die, in colours; what comes of it is in the rows.
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        try:
            yield show
        finally:
            if bar is not None:
                bar.close()
