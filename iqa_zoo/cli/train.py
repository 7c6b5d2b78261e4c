"""`iqa-zoo train`: a thin skin over `iqa_zoo.train`."""

import functools
import shlex
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from iqa_zoo import registry
from iqa_zoo.cli import INTERRUPTED, say
from iqa_zoo.cli.completion import model_names
from iqa_zoo.cli.opinions import opinion_options, read
from iqa_zoo.training.pace import duration

SEED = click.IntRange(0, 2**32 - 1)


def _telling_what_is_kept(command: Callable[..., Any]) -> Callable[..., Any]:
    """Say, when the command is told to end, what its folder holds."""

    @functools.wraps(command)
    def told(**arguments: Any) -> Any:
        try:
            return command(**arguments)
        except (KeyboardInterrupt, SystemExit) as ending:
            out = Path(arguments["out"])
            kept = out.is_dir() and any(out.rglob("*.safetensors"))
            what = (
                f"what {out} holds is kept, and the same command goes on from there"
                if kept
                else "nothing was saved yet"
            )
            say(f"interrupted: {what}")
            return getattr(ending, "code", INTERRUPTED)

    return told


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
    type=SEED,
    show_default="0",
    help="Seed of the split into training and test images.",
)
@click.option(
    "--shares",
    type=click.Choice(["80/20", "60/20/20"]),
    default="80/20",
    show_default=True,
    help="Parts of the split; a tenth of the 80 is for validation.",
)
@click.option(
    "--repeats",
    type=click.IntRange(2),
    help="Train on so many splits, with the seeds 0, 1, 2 ..., and give the medians.",
)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Train on all images and test on none, by a recipe that was tested before.",
)
@click.option(
    "--seed",
    type=SEED,
    default=0,
    show_default=True,
    help="Of all that is random.",
)
@click.option(
    "--limit", type=click.IntRange(1), help="Train on so many of the images only."
)
@click.option("--recipe", help="A recipe of the model's card; else its first.")
@click.option("--epochs", type=click.IntRange(1), help="Instead of the recipe's.")
@click.option(
    "--fuse",
    is_flag=True,
    help="Leave the network as it is and weigh what it sees together with BRISQUE's "
    "features and technical measures.",
)
@click.option(
    "--precision",
    type=click.Choice(["auto", "float32", "mixed_float16", "mixed_bfloat16"]),
    default="auto",
    show_default=True,
    help="auto is float32 on a CPU, 16 bits for most of the work on a GPU or TPU.",
)
@click.option(
    "--strategy",
    type=click.Choice(["auto", "one", "mirrored", "workers", "tpu"]),
    default="auto",
    show_default=True,
    help="How the work is shared: one device, all devices of this machine, the "
    "workers named in TF_CONFIG, or a TPU.",
)
@click.option(
    "--save-seconds",
    type=click.FloatRange(0),
    default=300,
    show_default=True,
    help="A checkpoint is written so long after the last one; at the end of an epoch "
    "after half a minute already.",
)
@click.option(
    "--learning-curve",
    is_flag=True,
    help="Train with 25, 50, 100 ... of the labels and with all: shows what more "
    "labels would bring.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Say what would happen, how long it takes and how much memory; write nothing.",
)
@click.option(
    "--cache",
    type=click.Path(),
    help="Folder kept for what every run on these images computes once.",
)
@_telling_what_is_kept
def command(
    model: str | None,
    out: str,
    start: str,
    split: int | None,
    shares: str,
    repeats: int | None,
    everything: bool,
    seed: int,
    limit: int | None,
    recipe: str | None,
    epochs: int | None,
    fuse: bool,
    precision: str,
    strategy: str,
    save_seconds: float,
    learning_curve: bool,
    dry_run: bool,
    cache: str | None,
    **columns: Any,
) -> None:
    """Train a model on your own opinion scores.

    The folder OUT gets the weights, their card, the split, the scores of all images,
    the figures and diagrams; its path is taken wherever a model's name is. A training
    that was interrupted or killed goes on when the same command is given again.

    \b
    Example:
      iqa-zoo train --labels mos.csv --images photos --out runs/first
      iqa-zoo score more_photos -m runs/first
    """
    if everything and split is not None:
        raise click.UsageError("--all keeps no test images, so --split says nothing.")
    if repeats is not None and (everything or split is not None or learning_curve):
        raise click.UsageError(
            "--repeats chooses the splits itself: leave out --all, --split and "
            "--learning-curve."
        )
    if learning_curve and (everything or limit is not None):
        raise click.UsageError(
            "--learning-curve measures on test images and varies the number of images "
            "itself: leave out --all and --limit."
        )
    from iqa_zoo.engines.quiet import stay_quiet
    from iqa_zoo.training.unfinished import check_own

    stay_quiet()  # TensorFlow says what it was compiled for
    # What costs nothing is looked at first: tables and TensorFlow take their time.
    if start not in ("best", "imagenet", "random"):
        registry.resolve(start)
    if repeats is None and not learning_curve:
        check_own(Path(out))
    entry = registry.resolve(model, None) if model is not None else None
    is_measure = entry is not None and entry.is_measure
    if is_measure and dry_run:
        raise click.UsageError(f"{model} is fitted at once: there is nothing to plan.")
    if fuse and dry_run:
        raise click.UsageError("A fusion is fitted at once: there is nothing to plan.")
    if is_measure and entry.card.get("fit", {}).get("from") == "photos":
        labels, columns = None, {"images": columns["images"]}
    else:
        labels, columns = read(**columns), {}

    say("loading TensorFlow")
    from iqa_zoo.cli.progress import EpochProgress

    how = {
        "model": model,
        "out": out,
        "start": start,
        "split": None if everything else split or 0,
        "shares": shares,
        "limit": limit,
        "recipe": recipe,
        "epochs": epochs,
        "precision": precision,
        "cache": cache,
    }
    if dry_run:
        from iqa_zoo.training.plan import plan

        _print_plan(plan(labels, **how))
        return
    how |= {
        "seed": seed,
        "fuse": fuse,
        "strategy": strategy,
        "save_seconds": save_seconds,
        "callbacks": [EpochProgress()],
        "command": shlex.join(["iqa-zoo", *sys.argv[1:]]),
    }
    if repeats is not None:
        from iqa_zoo.training.curve import repeated

        del how["split"]
        _print_repeats(repeated(labels, repeats=repeats, **how))
        return
    if learning_curve:
        from iqa_zoo.training.curve import labels_for_more
        from iqa_zoo.training.curve import learning_curve as curve

        del how["limit"]
        points = curve(labels, **how)
        _print_points(points)
        click.echo(labels_for_more(points), err=True)
        return
    from iqa_zoo.training.devices import is_chief, strategy_of
    from iqa_zoo.training.train import train

    folder = train(labels, **columns, **how)
    if labels is None:
        click.echo(f"Score photos with it: iqa-zoo score PHOTOS -m {folder}", err=True)
    elif is_chief(strategy_of(strategy)):  # it alone has written the folder
        _report(folder)


def _print_plan(plan: Mapping[str, Any]) -> None:
    """What a dry run found, as a table on stdout."""
    parts = ", ".join(f"{count} {part}" for part, count in plan["images"].items())
    click.echo(f"model    {plan['model']}")
    click.echo(f"images   {parts}")
    for number, stage in enumerate(plan["stages"], 1):
        kept = "kept on the disk" if stage["kept"] else "anew in each epoch"
        click.echo(
            f"stage {number}  {stage['name']}: {stage['epochs']} epochs, "
            f"{stage['steps']} steps, about {duration(stage['seconds'])}\n"
            f"         {stage['pictures']} pictures are prepared "
            f"({stage['bytes'] / 1e9:.2f} GB, {kept})"
        )
    click.echo(f"time     about {duration(plan['seconds'])} on this machine")
    click.echo(f"memory   about {plan['memory'] / 1e9:.1f} GB")
    click.echo(f"disk     {plan['free'] / 1e9:.1f} GB free")


def _print_points(points: Sequence[Mapping[str, Any]]) -> None:
    """A learning curve as a table on stdout."""
    click.echo(f"{'labels':>7}{'SROCC':>8}  95 % interval")
    for p in points:
        click.echo(
            f"{p['labels']:>7}{p['srocc']:>8.3f}  {p['low']:.3f} to {p['high']:.3f}"
        )


def _print_repeats(rows: Sequence[Mapping[str, Any]]) -> None:
    """The test figures of several splits, and their medians, as a table on stdout."""
    from iqa_zoo.cli.evaluate import print_figures

    named = [{"model": f"split {row['split']}", **row} for row in rows]
    keys = [key for key in rows[0] if key not in ("split", "n")]
    medians = {key: statistics.median(row[key] for row in rows) for key in keys}
    print_figures([*named, {"model": "median", **medians}], first="test part")


def _report(folder: Any) -> None:
    """What the run's metrics say, as a table, and what to do next."""
    import json

    from iqa_zoo.cli.evaluate import print_figures

    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    entry = registry.resolve(folder)
    if entry.output["kind"] == "classes":
        for part in ("train", "validation", "test"):
            if part in metrics:
                share, count = (metrics[part][key] for key in ("accuracy", "n"))
                click.echo(f"{part:<12}{share:>6.1%} of {count} named rightly")
        click.echo(
            f"\nName distortions with it: iqa-zoo diagnose PHOTO --distortion {folder}",
            err=True,
        )
        return
    if not (folder / "scores.csv").exists():
        click.echo(
            "\nIt has not learned from opinions yet. Train it on some, by a recipe "
            f"that does: iqa-zoo train --model {metrics['model']} --start {folder} "
            "--recipe ...",
            err=True,
        )
        return
    rows = []
    for part in ("train", "validation", "test"):
        if part in metrics:
            bounds = {
                f"{figure}_{end}": bound
                for figure, both in metrics.get(f"{part}_intervals", {}).items()
                for end, bound in zip(("low", "high"), both, strict=True)
            }
            rows.append({"model": part, **metrics[part], **bounds})
            if constant := metrics.get(f"{part}_constant"):
                rows.append({"model": f"{part}, constant", **constant})
    print_figures(rows, first="part")
    if "fusion" in metrics:
        _print_fusion(metrics["fusion"])
    use = f"Score photos with it: iqa-zoo score PHOTOS -m {folder}"
    if entry.input.get("pair"):
        use = f"Compare with it: iqa-zoo compare ORIGINALS PHOTOS -m {folder}"
    click.echo(f"\n{use}", err=True)


def _print_fusion(fusion: Mapping[str, Any]) -> None:
    """What each block of a fusion says alone, and adds, as a table on stdout."""
    click.echo("\noff by, on photos left out of the training (root mean square)")
    for name, error in fusion["left_out_rmse"].items():
        click.echo(f"{name.replace('_', ' '):<18}{error:>7.3g}")
    weights = fusion.get("weights", {})
    shares = [f"{block.replace('_', ' ')} {w:.2f}" for block, w in weights.items()]
    click.echo(
        f"It is {fusion['kind']} fusion: "
        + (
            f"the blocks' own answers, weighed {', '.join(shares)}."
            if weights
            else "photos are compared by all blocks at once."
        )
    )
    if "gains" not in fusion:
        return
    click.echo(
        f"{'SROCC, ' + fusion['part']:<18}{'alone':>7}{'adds':>8}  95 % interval"
    )
    for block, gain in fusion["gains"].items():
        low, high = gain["interval"]
        click.echo(
            f"{block.replace('_', ' '):<18}{fusion['alone'][block]['srocc']:>7.3f}"
            f"{gain['srocc']:>+8.3f}  {low:+.3f} to {high:+.3f}"
        )
