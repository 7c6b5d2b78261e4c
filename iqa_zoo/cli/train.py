"""`iqa-zoo train`: a thin skin over `iqa_zoo.train`."""

import shlex
import sys
from typing import Any

import click

from iqa_zoo.cli.completion import model_names
from iqa_zoo.cli.opinions import opinion_options, read


@click.command()
@opinion_options
@click.option(
    "-m",
    "--model",
    shell_complete=model_names,
    help="The model to train; the default one if not given.",
)
@click.option(
    "-o", "--out", required=True, type=click.Path(), help="New folder for the run."
)
@click.option(
    "--start",
    default="best",
    show_default=True,
    help="best, imagenet, random, a model's name or a run's folder.",
)
@click.option(
    "--split",
    type=click.IntRange(0),
    show_default="0",
    help="Seed of the split into training and test images.",
)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Train on all images and test on none, by a recipe that was tested before.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Of all that is random.",
)
@click.option("--epochs", type=click.IntRange(1), help="Instead of the recipe's.")
@click.option(
    "--precision",
    type=click.Choice(["auto", "float32", "mixed_float16", "mixed_bfloat16"]),
    default="auto",
    show_default=True,
    help="auto is float32 on a CPU, 16 bits for most of the work on a GPU or TPU.",
)
@click.option(
    "--cache",
    type=click.Path(),
    help="Folder kept for what every run on these images computes once.",
)
def command(
    model: str | None,
    out: str,
    start: str,
    split: int | None,
    everything: bool,
    seed: int,
    epochs: int | None,
    precision: str,
    cache: str | None,
    **columns: Any,
) -> None:
    """Train a model on your own opinion scores.

    The folder OUT gets the weights, their card, the split, the history of the losses
    and the figures; its path is taken wherever a model's name is.

    \b
    Example:
      iqa-zoo train --labels mos.csv --images photos --out runs/first
      iqa-zoo score more_photos -m runs/first
    """
    if everything and split is not None:
        raise click.UsageError("--all keeps no test images, so --split says nothing.")
    from iqa_zoo.engines.quiet import stay_quiet

    stay_quiet()  # TensorFlow says what it was compiled for
    labels = read(**columns)

    from iqa_zoo.cli.progress import EpochProgress
    from iqa_zoo.training.train import train

    folder = train(
        labels,
        model=model,
        out=out,
        start=start,
        split=None if everything else split or 0,
        seed=seed,
        epochs=epochs,
        precision=precision,
        cache=cache,
        callbacks=[EpochProgress()],
        command=shlex.join(["iqa-zoo", *sys.argv[1:]]),
    )
    _report(folder)


def _report(folder: Any) -> None:
    """What the run's metrics say, as a table, and what to do next."""
    import json

    from iqa_zoo.cli.evaluate import print_figures

    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    rows = []
    for part in ("train", "validation", "test"):
        if part in metrics:
            rows += [
                {"model": part, **metrics[part]},
                {"model": f"{part}, constant", **metrics[f"{part}_constant"]},
            ]
    print_figures(rows, first="part")
    click.echo(f"\nScore photos with it: iqa-zoo score PHOTOS -m {folder}", err=True)
