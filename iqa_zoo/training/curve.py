"""The same training again: with fewer labels, or on other splits."""

import json
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from iqa_zoo import registry
from iqa_zoo.data.manifest import Labels
from iqa_zoo.errors import UsageError
from iqa_zoo.evaluation.plots import learning_curve as plot
from iqa_zoo.files import sha256
from iqa_zoo.training.folder import write_table
from iqa_zoo.training.train import has_opinions, parts_of, stages_of, train

logger = logging.getLogger("iqa_zoo")

FEWEST = 25  # labels of the first point; each next one has twice as many
#: Arguments of `train` that change no figure.
UNTOLD = {"cache", "callbacks", "command", "save_seconds"}


def learning_curve(
    labels: Labels,
    *,
    out: str | os.PathLike[str],
    sizes: Sequence[int] | None = None,
    split: int = 0,
    **arguments: Any,
) -> list[dict[str, Any]]:
    """Train with more and more of the labels, and measure each on the same test images.

    Args:
        labels: opinions and images.
        out: folder of the curve: a folder `labels-N` for each training, and
            `learning-curve.csv` and `.png`. Trainings that are finished there are not
            run again.
        sizes: numbers of images to train on; None for 25, 50, 100, ... and all.
        split: seed of the split whose test images measure all trainings.
        **arguments: of `train`.

    Returns:
        For each size: labels, srocc, and the bounds low and high of its 95 % interval
        over other test images of the kind.

    Raises:
        UsageError: a size that the training part does not have.
        As `train`; and a recipe that learns from no opinions.
    """
    out = Path(out)
    parts = parts_of(labels, split, shares=arguments.get("shares", "80/20"))
    if len(parts.get("test", ())) < 2:
        raise UsageError("A learning curve needs test images; the split has none.")
    most = len(parts["train"])
    if sizes is None:
        doubled = [FEWEST * 2**k for k in range(32)]
        sizes = [*(size for size in doubled if size < most), most]
    for size in sizes:
        if not 1 <= size <= most:
            raise UsageError(f"The training part has {most} images, and not {size}.")
    arguments = _complete(labels, out, arguments)
    points = []
    for size in sizes:
        run = out / f"labels-{size}"
        if not _finished(run, arguments["command"]):
            logger.info("Training on %d of %d images.", size, most)
            train(labels, out=run, split=split, limit=size, **arguments)
        metrics = json.loads((run / "metrics.json").read_text("utf-8"))
        low, high = metrics["test_intervals"]["srocc"]
        point = {"labels": size, "srocc": metrics["test"]["srocc"]}
        points.append(point | {"low": low, "high": high})
        write_table(out / "learning-curve.csv", points)
    plot(out / "learning-curve.png", points)
    return points


def repeated(
    labels: Labels, *, out: str | os.PathLike[str], repeats: int, **arguments: Any
) -> list[dict[str, Any]]:
    """Train on the splits with the seeds 0 to `repeats` - 1, and measure each.

    Args:
        labels: opinions and images.
        out: folder of the runs: `split-K` for each, and `repeats.csv`. Trainings that
            are finished there are not run again.
        repeats: how many, 1 or more.
        **arguments: of `train`.

    Returns:
        For each split: split, and the test figures.
    """
    if labels.split is not None:
        raise UsageError("The table has a split of its own, which is always the same.")
    out = Path(out)
    arguments = _complete(labels, out, arguments)
    rows = []
    for split in range(repeats):
        run = out / f"split-{split}"
        if not _finished(run, arguments["command"]):
            train(labels, out=run, split=split, **arguments)
        metrics = json.loads((run / "metrics.json").read_text("utf-8"))
        rows.append({"split": split, **metrics["test"]})
        write_table(out / "repeats.csv", rows)
    return rows


def _complete(
    labels: Labels, out: Path, arguments: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments with a cache, and a command that tells them from others.

    Raises:
        UsageError: the runs will have no figures.
    """
    name = arguments.get("model") or registry.default_model()
    entry, recipe = registry.resolve(name, None), arguments.get("recipe")
    trained = not entry.is_measure and not arguments.get("fuse")
    if trained and entry.output["kind"] != "classes":
        stages = stages_of(entry, recipe, None)
        if not any(map(has_opinions, stages)):
            raise UsageError(
                f"This recipe of {name} learns from no opinions, so there is nothing "
                "to measure; train once, without repeats or a curve."
            )
    told = {k: v for k, v in sorted(arguments.items()) if k not in UNTOLD}
    listed = "".join(f", {key}={value!r}" for key, value in told.items())
    opinions = "".join(labels.names).encode() + labels.mos.tobytes()
    command = f"iqa_zoo.train(opinions {sha256(opinions)[:16]}{listed})"
    return {
        **arguments,
        "cache": arguments.get("cache") or out / "cache",
        "command": arguments.get("command") or command,
    }


def _finished(run: Path, command: str) -> bool:
    """Whether a run is there already, of the same command."""
    if not (run / "card.toml").exists():
        return False
    made = (run / "command.txt").read_text("utf-8").strip()
    if made != command:
        raise UsageError(
            f"{run} was made by another command: {made}. Name another folder."
        )
    return True


def labels_for_more(points: Sequence[dict[str, Any]]) -> str:
    """In words: what twice the labels would bring, judged by the curve's last steps.

    The error 1 - SROCC falls about as a power of the number of labels (Hestness and
    others, 2017), so its logarithm is fitted by a line to the last four points.
    """
    last = list(points)[-4:]
    if len(last) < 3:
        return "Three points or more are needed to say what further labels would bring."
    x = np.log([point["labels"] for point in last])
    y = np.log([max(1 - point["srocc"], 1e-3) for point in last])
    slope = np.polyfit(x, y, 1)[0]
    now = last[-1]
    wider = (now["high"] - now["low"]) / 2
    if slope >= 0:
        return "Further labels have brought nothing here: the last points do not rise."
    gain = (1 - now["srocc"]) * (1 - 2**slope)
    return (
        f"Twice the labels ({2 * now['labels']}) may bring SROCC from "
        f"{now['srocc']:.3f} to about {now['srocc'] + gain:.3f}; the test images tell "
        f"it to within {wider:.3f} only."
    )
