"""`iqa_zoo.train`: from a table of opinion scores to a folder that is a model."""

import contextlib
import csv
import io
import json
import logging
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tomli_w
from safetensors.numpy import save

from iqa_zoo import cards, opinions, registry
from iqa_zoo.correlation import srocc
from iqa_zoo.data.manifest import Labels
from iqa_zoo.data.sources import as_labels
from iqa_zoo.data.splits import fixed_split
from iqa_zoo.errors import OutputError, UnknownNameError, UsageError
from iqa_zoo.evaluation.figures import constant_figures, figures
from iqa_zoo.files import fingerprint, sha256, write_bytes
from iqa_zoo.images import read_image
from iqa_zoo.training.stages import predict, train_stage
from iqa_zoo.training.trunk import above, below, cached_inputs

logger = logging.getLogger("iqa_zoo")

TAG = "run"  # the weight set of a run's card
PRECISIONS = ("auto", "float32", "mixed_float16", "mixed_bfloat16")


def train(
    labels: str | os.PathLike[str] | Labels,
    images: str | os.PathLike[str] | None = None,
    *,
    model: str | None = None,
    out: str | os.PathLike[str],
    start: str | os.PathLike[str] = "best",
    split: int | None = 0,
    train_on_validation: bool = False,
    seed: int = 0,
    epochs: int | None = None,
    precision: str = "auto",
    cache: str | os.PathLike[str] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    command: str = "",
    **columns: Any,
) -> Path:
    """Train a model on your opinion scores by its card's recipe.

    Args:
        labels: table of scores (see `data.manifest.read_labels`), or one read already.
        images: folder of the images that the table names.
        model: a model's name; None for the one that `score` uses.
        out: folder to make; it may exist but must be empty. It gets `weights`,
            `card.toml`, `split.csv`, `history.csv` and `metrics.json`, and its path is
            taken wherever a model's name is.
        start: "best" for the weights that come with the model, else its backbone's;
            "imagenet", "random", or a model's name or run's folder to start from.
        split: seed of the 80/20 split into training and test images, the last tenth
            of the training images being for validation; None trains on all.
        train_on_validation: trains on the validation images too; for a recipe that is
            settled. They are then reported as trained on.
        seed: of everything random in the training; the seeds of Python, NumPy and
            TensorFlow are set to it.
        epochs: instead of the recipe's, for every stage.
        precision: "auto" (float32 on a CPU, mixed_float16 on a GPU, mixed_bfloat16 on a
            TPU) or a Keras policy.
        cache: folder for what is computed once for all runs on these images; None, or
            where it cannot be written, for one inside `out` that goes when the run
            ends.
        callbacks: Keras callbacks for every stage.
        command: what the card says made the weights.
        **columns: further arguments of `read_labels` (mos, std, group, range, ...).

    Returns:
        The folder `out`.

    Raises:
        OpinionError: rows of the table that cannot be used.
        ImageError: an image that cannot be read.
        UsageError: `out` holds files already, an argument that cannot be meant, or
            weights to start from that were trained on images of the test part.
        WeightsError: the weights to start from are missing.
        OutputError: `out` cannot be written, or, which is found before the first step,
            has no room for the weights.
    """
    if seed < 0 or (split or 0) < 0 or (epochs is not None and epochs < 1):
        raise UsageError("seed and split start from 0, epochs from 1.")
    name = model or registry.default_model()
    entry = registry.resolve(name, None)
    out = Path(out)
    labels = as_labels(labels, images, **columns)
    scale, bins = tuple(entry.output["scale"]), entry.output["bins"]
    targets = labels.distribution(scale, bins).astype(np.float32)
    parts = _split(labels, split, train_on_validation)

    keras.utils.set_random_seed(seed)
    with _policy(precision) as policy, _claimed(out) as unfinished:
        network, source = _start(name, start)
        room = unfinished / "room"
        write_bytes(room, bytes(4 * network.count_params()))
        started = (
            source.name if source else "random" if start == "random" else "imagenet"
        )
        seen = source.seen() if source else frozenset()
        fingerprints = _fingerprints(labels.paths)
        _check_unseen(seen, fingerprints, parts, start)
        history: list[dict[str, Any]] = []
        for stage in entry.card["recipe"]:
            if epochs is not None:
                stage = {**stage, "epochs": epochs}
            logger.info("Stage: %s (epochs: %d).", stage["name"], stage["epochs"])
            if start == "random" and stage["frozen_to"] != "none":
                logger.warning(
                    "The recipe keeps all up to %s as it is, which is random here.",
                    stage["frozen_to"],
                )
            trunk = below(network, stage["frozen_to"])
            upper = above(network, stage["frozen_to"])
            inputs = cached_inputs(
                trunk,
                labels.paths,
                entry.input,
                Path(cache or unfinished),
                spare=unfinished,
                mirror=stage.get("mirror", False),
            )
            log = _History(stage["name"], upper, inputs, labels, parts, scale)
            train_stage(
                network,
                stage,
                inputs,
                targets,
                rows=parts["train"],
                scale=scale,
                seed=seed,
                callbacks=[log, *callbacks],
            )
            history += log.rows

        metrics = {
            "start": started,
            "split": split,
            "seed": seed,
            "precision": policy,
            "range": list(labels.range),
            "direction": labels.direction,
        }
        for part, rows in parts.items():
            if len(rows) < 2:  # one picture agrees with anything
                continue
            answer = predict(upper, inputs, rows).astype(np.float64)
            metrics[part] = figures(
                labels, rows, opinions.mean_and_std(answer, scale)[0], answer, scale
            )
            metrics[f"{part}_constant"] = constant_figures(
                labels, rows, parts["train"], scale, bins
            )
        seen |= {fingerprints[row] for row in parts["train"]}
        with contextlib.suppress(OSError):
            room.unlink()
        _write_run(out, entry, network, metrics, history, labels, parts, seen, command)
    return out


class _History(keras.callbacks.Callback):
    """Loss and validation SROCC of every epoch, of the weights as they are then."""

    def __init__(self, stage, upper, inputs, labels, parts, scale) -> None:
        super().__init__()
        self.stage, self.upper, self.inputs = stage, upper, inputs
        self.mos = labels.mos if labels.direction == "higher_is_better" else -labels.mos
        self.validation = parts.get("validation", parts["train"][:0])
        self.bins = opinions.bin_values(scale, upper.output_shape[-1])
        self.rows: list[dict[str, Any]] = []

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        row = {"stage": self.stage, "epoch": epoch + 1, "loss": (logs or {})["loss"]}
        if len(self.validation) > 1:
            answer = predict(self.upper, self.inputs, self.validation) @ self.bins
            row["validation_srocc"] = srocc(self.mos[self.validation], answer)
        self.rows.append(row)
        if logs is not None:
            logs.update(row)


def _split(
    labels: Labels, seed: int | None, train_on_validation: bool
) -> dict[str, np.ndarray]:
    if seed is None:
        return {"train": np.arange(len(labels.mos))}
    split = fixed_split(len(labels.mos), seed, groups=labels.group)
    if train_on_validation:
        return {"train": split.train, "test": split.test}
    return {
        "train": split.fitting,
        "validation": split.validation,
        "test": split.test,
    }


def _start(
    name: str, start: str | os.PathLike[str]
) -> tuple[keras.Model, registry.Entry | None]:
    """The network to train, and the weight set that it starts from, if one."""
    if start == "best":
        entry = registry.resolve(name, None)
        tagged = os.fspath(name) != entry.name
        start = name if tagged or "default_weights" in entry.card else "imagenet"
    if start in ("random", "imagenet"):
        weights = None if start == "random" else "imagenet"
        return registry.load_model(name, weights), None
    source = registry.resolve(start)
    network = registry.load_model(name, None)
    registry.fill(network, source.arrays(), source.name)
    return network, source


def _fingerprints(paths: Sequence[Path]) -> list[str]:
    try:
        return [fingerprint(path) for path in paths]
    except OSError:
        for path in paths:
            read_image(path)  # says which one and why
        raise


def _check_unseen(
    seen: frozenset[str],
    fingerprints: Sequence[str],
    parts: Mapping[str, np.ndarray],
    start: str | os.PathLike[str],
) -> None:
    for part in ("validation", "test"):
        rows = parts.get(part, [])
        known = sum(fingerprints[row] in seen for row in rows)
        if known:
            raise UsageError(
                f"{known} of the {len(rows)} {part} images were among those that the "
                f"weights of the start ({os.fspath(start)}) were trained on, so their "
                "figures would prove nothing. Start from imagenet or random, or train "
                "on all images."
            )


@contextlib.contextmanager
def _policy(precision: str) -> Iterator[str]:
    """The Keras policy that networks are built under, set back at the end."""
    if precision not in PRECISIONS:
        raise UnknownNameError("precision", precision, PRECISIONS)
    if precision == "auto":
        devices = {device.device_type for device in tf.config.list_logical_devices()}
        precision = (
            "mixed_bfloat16"
            if "TPU" in devices
            else "mixed_float16"
            if "GPU" in devices
            else "float32"
        )
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield precision
    finally:
        keras.config.set_dtype_policy(before)


@contextlib.contextmanager
def _claimed(out: Path) -> Iterator[Path]:
    """A folder in the new or empty folder `out`, which goes at the end.

    As long as it is there, no other training takes `out`.
    """
    folder = out / "unfinished"
    try:
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise UsageError(
                f"{out} holds files already; give a new or an empty folder."
            )
        folder.mkdir()
    except OSError as error:
        raise OutputError(f"Cannot make the folder {out}: {error.strerror}.") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write_run(
    out: Path,
    entry: registry.Entry,
    network: keras.Model,
    metrics: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]],
    labels: Labels,
    parts: Mapping[str, np.ndarray],
    seen: frozenset[str],
    command: str,
) -> None:
    """Write the run's folder; the card comes last and makes it a model."""
    data = save({path: v.numpy() for path, v in registry.variables(network).items()})
    write_bytes(out / "weights.safetensors", data)
    seen_text = "".join(f"{each}\n" for each in sorted(seen)).encode()
    write_bytes(out / "seen.txt", seen_text)
    part_of = {row: part for part, rows in parts.items() for row in rows}
    _write_csv(
        out / "split.csv",
        [
            {"image": name, "part": part_of[row]}
            for row, name in enumerate(labels.names)
        ],
    )
    _write_csv(out / "history.csv", history)
    write_bytes(out / "metrics.json", (json.dumps(metrics, indent=1) + "\n").encode())
    card = {k: v for k, v in entry.card.items() if k not in ("weights", "preferred")}
    card["default_weights"] = TAG
    card["weights"] = {
        TAG: {
            "kind": "local",
            "file": "weights.safetensors",
            "bytes": len(data),
            "sha256": sha256(data),
            "dtype": "float32",
            "arrays": len(registry.variables(network)),
            "licence": "as the opinions and images it was trained on allow",
            "data": f"{len(labels.names)} images with opinions",
            "terms": "those of the opinions and images",
            "start": metrics["start"],
            "command": command or "iqa_zoo.train",
            "seed": metrics["seed"],
            "trained_on": len(parts["train"]),
            "seen": {
                "file": "seen.txt",
                "bytes": len(seen_text),
                "sha256": sha256(seen_text),
            },
            "results": {
                part: metrics[part]
                for part in ("validation", "test")
                if part in metrics
            },
        }
    }
    cards.check_card(card, str(out / "card.toml"))
    write_bytes(out / "card.toml", tomli_w.dumps(card).encode())


def _write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [])
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(path, text.getvalue().encode("utf-8", "surrogateescape"))
