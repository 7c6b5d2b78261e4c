"""`iqa-zoo evaluate`: a thin skin over `iqa_zoo.evaluate`."""

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from iqa_zoo.cli import SOME_FAILED, say
from iqa_zoo.cli.completion import model_names
from iqa_zoo.cli.opinions import opinion_options, read

# Heading, key of the row, format.
COLUMNS = (
    ("images", "n", "d"),
    ("SROCC", "srocc", ".3f"),
    ("PLCC", "plcc_logistic", ".3f"),
    ("KROCC", "krocc", ".3f"),
    ("RMSE", "rmse", ".3f"),
    ("EMD", "emd", ".4f"),
    ("failed", "failed", "d"),
)


@click.command()
@click.argument(
    "models", nargs=-1, required=True, metavar="MODEL...", shell_complete=model_names
)
@opinion_options
@click.option(
    "--split",
    type=click.Path(exists=True, dir_okay=False),
    help="A run's split.csv: measure the images of one part only.",
)
@click.option(
    "--part",
    type=click.Choice(["train", "validation", "test"]),
    default="test",
    show_default=True,
    help="Part of the split.",
)
@click.option(
    "--engine",
    type=click.Choice(["auto", "litert", "tensorflow"]),
    default="auto",
    show_default=True,
    help="What runs the network.",
)
@click.option(
    "--format",
    "style",
    type=click.Choice(["table", "csv", "jsonl"]),
    default="table",
    show_default=True,
    help="How the figures are printed.",
)
def command(
    models: Sequence[str],
    split: str | None,
    part: str,
    engine: str,
    style: str,
    **columns: Any,
) -> int:
    """Measure how well models agree with people's opinions.

    SROCC, PLCC after a four-parameter logistic, KROCC, RMSE in the opinions' units and
    EMD (r = 1), beside a constant answer.

    \b
    Example:
      iqa-zoo evaluate nima-mobilenetv2 --labels mos.csv --images photos
      iqa-zoo evaluate runs/first --labels mos.csv --images photos \\
          --split runs/first/split.csv
    """
    from iqa_zoo.engines.quiet import stay_quiet

    stay_quiet()  # TensorFlow says what it was compiled for
    labels = read(**columns)

    from iqa_zoo.evaluation.evaluate import evaluate

    rows = evaluate(list(models), labels, split=split, part=part, engine=engine)
    for row in rows:
        if row["seen"]:
            say(
                f"{row['seen']} of these images trained {row['model']}: its figures "
                "say little about photos that it has not seen."
            )
    if style == "jsonl":
        for row in rows:
            click.echo(json.dumps(row))
    elif style == "csv":
        keys = dict.fromkeys(key for row in rows for key in row)
        writer = csv.DictWriter(sys.stdout, keys, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    else:
        print_figures(rows)
    return SOME_FAILED if any(row["failed"] for row in rows) else 0


def print_figures(rows: Sequence[Mapping[str, Any]], first: str = "model") -> None:
    """A table of figures on stdout, one row each, names on the left."""
    columns = [column for column in COLUMNS if any(column[1] in row for row in rows)]
    width = max(len(first), *(len(row["model"]) for row in rows))
    heads = "".join(f"{head:>9}" for head, _, _ in columns)
    click.echo(f"{first:<{width}}{heads}")
    for row in rows:
        cells = (format(row[k], f) if k in row else "" for _, k, f in columns)
        click.echo(f"{row['model']:<{width}}" + "".join(f"{c:>9}" for c in cells))
