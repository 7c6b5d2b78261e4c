"""What a training would do, how long it would take and how much memory: a dry run."""

import logging
import os
import resource
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from iqa_zoo import registry
from iqa_zoo.data.manifest import Labels
from iqa_zoo.data.pictures import pictures
from iqa_zoo.errors import UsageError
from iqa_zoo.training.devices import policy, strategy_of
from iqa_zoo.training.loop import Loop
from iqa_zoo.training.train import parts_of, stages_of, started, targets_of
from iqa_zoo.training.trunk import Sized, below, is_read_each_time, kept_size

logger = logging.getLogger("iqa_zoo")

SAMPLE, STEPS = 8, 3  # pictures prepared and steps taken to measure the rates


def plan(
    labels: Labels,
    *,
    model: str | None = None,
    out: str | os.PathLike[str],
    start: str | os.PathLike[str] = "best",
    split: int | None = 0,
    shares: str = "80/20",
    train_on_validation: bool = False,
    limit: int | None = None,
    recipe: str | None = None,
    epochs: int | None = None,
    precision: str = "auto",
    cache: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Measure a few pictures and steps, and reckon what `train` would take.

    Args: as of `train`. Nothing is written.

    Returns:
        images: number of images of each part.
        stages: for each stage its name, epochs, steps, pictures to prepare, bytes that
            they need on the disk, whether they are kept, and seconds.
        seconds: of all stages together, on this machine as busy as it is now.
        memory: bytes, the most that the trial took.
        free: free bytes of the disk that the prepared pictures go to.
    """
    name = model or registry.default_model()
    entry = registry.resolve(name, None)
    parts = parts_of(labels, split, train_on_validation, shares, limit)
    paths = labels.paths[:SAMPLE]
    scale = tuple(entry.output.get("scale", (0, 1)))
    stages = []
    logger.info(
        "Trying %d pictures and %d steps, to see how long they take.", len(paths), STEPS
    )
    with policy(precision), strategy_of("one").scope():
        network, _ = started(name, start)
        for stage in stages_of(entry, recipe, epochs):
            if is_read_each_time(stage, entry.input):
                raise UsageError(
                    f"{name} is trained on pictures in their own sizes or on pairs, "
                    "for which there is no dry run."
                )
            targets = targets_of(labels, entry.output, stage)
            size = kept_size(network, stage, entry.input, Path(cache or out))
            prepare = _preparing(network, stage, entry.input, paths)
            rows = parts["train"]
            step, steps = _stepping(network, stage, size, rows, scale, targets)
            passes = 1 if size.fits(len(labels.paths)) else stage["epochs"]
            seconds = prepare * len(labels.paths) * passes + step * steps
            if "kernel" in stage:
                again = _preparing(network, stage["kernel"], entry.input, paths)
                seconds += again * len(labels.paths)
            stages.append(
                {
                    "name": stage["name"],
                    "epochs": stage["epochs"],
                    "steps": steps,
                    "pictures": len(labels.paths),
                    "bytes": size.each * len(labels.paths),
                    "kept": size.fits(len(labels.paths)),
                    "seconds": seconds,
                }
            )
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "model": name,
        "images": {part: len(rows) for part, rows in parts.items()},
        "stages": stages,
        "seconds": sum(stage["seconds"] for stage in stages),
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit,
        "free": size.free,
    }


def _preparing(
    network: Any, stage: Mapping[str, Any], rule: Mapping[str, Any], paths: Any
) -> float:
    """Seconds a picture to read it and to run the frozen layers on its views."""
    trunk = below(network, stage["frozen_to"])
    views = 2 if trunk is not None and stage.get("mirror") else 1
    for _ in range(2):  # the first time, TensorFlow compiles
        begun = time.perf_counter()
        for batch in pictures(paths, rule).batch(len(paths)):
            if trunk is not None:
                trunk.predict_on_batch(batch.numpy().astype(np.float32))
        seconds = time.perf_counter() - begun
    return seconds * views / len(paths)


def _stepping(
    network: Any,
    stage: Mapping[str, Any],
    size: Sized,
    rows: np.ndarray,
    scale: tuple[float, float],
    targets: np.ndarray,
) -> tuple[float, int]:
    """Seconds a step, and the number of steps."""
    # Nothing but the shape matters for the time; the file behind it is never made.
    count = int(rows.max()) + 1
    inputs = np.broadcast_to(np.zeros(1, size.dtype), (count, *size.shape))
    loop = Loop(network, stage, inputs, targets, rows=rows, scale=scale, seed=(0, 0))
    before = [variable.numpy() for variable in loop.trained]
    seconds = []
    begun = time.perf_counter()
    for _ in loop.run(max(loop.batches.steps - STEPS, 0)):
        loop.look()
        seconds.append(time.perf_counter() - begun)
        begun = time.perf_counter()
    for variable, value in zip(loop.trained, before, strict=True):
        variable.assign(value)
    return min(seconds), loop.batches.steps
