"""The options that `train` and `evaluate` share: where the opinions are."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import click

from iqa_zoo.cli import say

# Argument of `read_labels`, options that set it, help.
COLUMNS = (
    ("image", ("--image-column",), "Names of the images, as paths within the folder."),
    (
        "mos",
        ("--mos-column",),
        "Mean opinion scores, or single votes (see --observer).",
    ),
    ("std", ("--std-column",), "Standard deviations of the ratings."),
    (
        "votes",
        ("--votes-columns",),
        "Votes, the lowest score first: a column of lists, or one column a level, with "
        "commas between the names.",
    ),
    (
        "observer",
        ("--observer", "--observer-column"),
        "Who voted, in a table of one row a vote.",
    ),
    (
        "group",
        ("--group", "--group-column"),
        "What a split must not tear apart: reference picture, prompt.",
    ),
    ("reference", ("--reference-column",), "Pristine pictures, in the folder too."),
    ("split", ("--split-column",), "train, validation or test."),
    ("distortion", ("--distortion-column",), "Names of distortions."),
    ("level", ("--level-column",), "Levels of distortions."),
)


def opinion_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that name a table or a dataset and say what its columns mean."""
    for option in reversed(
        (
            click.option(
                "--labels",
                type=click.Path(),
                help="Table of opinion scores: CSV, TSV, JSON lines or a JSON list.",
            ),
            click.option(
                "--images",
                type=click.Path(),
                help="Folder of the images that the table names.",
            ),
            click.option(
                "--dataset", help="Name of a published set, instead of a table."
            ),
            click.option(
                "--data-dir",
                type=click.Path(),
                help="Folder of that set, as its publisher packs it.",
            ),
            *(
                click.option(
                    *flags,
                    f"{name}_column",
                    show_default=None if name == "observer" else name,
                    help=f"Column: {text}",
                )
                for name, flags, text in COLUMNS
            ),
            click.option(
                "--range",
                "scale",
                nargs=2,
                type=float,
                metavar="LOW HIGH",
                help="Lowest and highest possible score; taken from the scores if "
                "not given.",
            ),
            click.option(
                "--dmos/--mos",
                "dmos",
                default=None,
                help="Low is good, or high is. If neither is given, low is good where "
                "the column of scores has dmos in its name.",
            ),
            click.option(
                "--skip-bad",
                is_flag=True,
                help="Leave out rows that cannot be used; else one refuses the table.",
            ),
        )
    ):
        command = option(command)
    return command


def read(
    labels: str | None,
    images: str | None,
    dataset: str | None,
    data_dir: str | None,
    scale: tuple[float, float] | None,
    dmos: bool | None,
    skip_bad: bool,
    **columns: str | None,
) -> Any:
    """The table or the dataset as `Labels`, after telling how it was understood.

    Args:
        **columns: names of columns by their argument's name and "_column"; None for the
            default, "" for no such column.
    """
    if (labels is None) == (dataset is None):
        raise click.UsageError(
            "Name a table (--labels) or a published set (--dataset)."
        )
    wanted, needed = (
        (labels, "--images") if labels is not None else (dataset, "--data-dir")
    )
    if (images if labels is not None else data_dir) is None:
        raise click.UsageError(f"Name the folder of the images of {wanted}: {needed}.")
    from iqa_zoo.data.sources import as_labels

    given: dict[str, Any] = {
        key.removesuffix("_column"): name or None
        for key, name in columns.items()
        if name is not None
    }
    named = [key for key, name in given.items() if name]
    if "," in (given.get("votes") or ""):
        given["votes"] = [name.strip() for name in given["votes"].split(",")]
    if scale is not None:
        given["range"] = scale
    if dmos is not None:
        given["direction"] = "lower_is_better" if dmos else "higher_is_better"
    if skip_bad:
        given["skip_bad"] = True
    if named and labels is not None:
        given["required"] = named
    say(f"reading {wanted} and what it names")
    table = as_labels(labels, images, dataset=dataset, data_dir=data_dir, **given)
    inferred = labels is not None and dmos is None
    say(f"{wanted}: {_understood(table, inferred)}")
    return table


def _understood(table: Any, inferred: bool) -> str:
    """What was read, with the options that would have it read otherwise.

    Args:
        inferred: whether the direction is.
    """
    low, high = table.range
    low_is_good = table.direction == "lower_is_better"
    parts = [
        f"{len(table.names)} images",
        f"scores {low:g} to {high:g}"
        + " (--range states another range)" * table.range_inferred,
        f"{'low' if low_is_good else 'high'} is good"
        + " (--mos states the opposite)" * (low_is_good and inferred),
        f"{'with' if table.std is not None else 'without'} standard deviations",
    ]
    if table.votes is not None:
        parts.append(f"votes on {table.votes.shape[1]} levels")
    if table.group is not None:
        parts.append(f"{len(set(table.group))} groups")
    if table.split is not None:
        counts = Counter(table.split)
        sides = " / ".join(
            f"{counts[side]} {side}"
            for side in ("train", "validation", "test")
            if counts[side]
        )
        parts.append(f"split by the table: {sides}")
    if table.skipped:
        parts.append(f"{table.skipped} bad rows left out")
    return ", ".join(parts)
