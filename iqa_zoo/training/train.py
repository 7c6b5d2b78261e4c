"""`iqa_zoo.train`: from a table of opinion scores to a folder that is a model."""

import contextlib
import dataclasses
import functools
import hashlib
import logging
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from iqa_zoo import opinions, registry
from iqa_zoo.correlation import srocc
from iqa_zoo.data.manifest import Labels
from iqa_zoo.data.pictures import Decoded
from iqa_zoo.data.sources import as_labels
from iqa_zoo.data.splits import split_labels
from iqa_zoo.errors import TrainingError, UnknownNameError, UsageError
from iqa_zoo.evaluation.figures import constant_figures, figures, high_is_good
from iqa_zoo.evaluation.intervals import bootstrap
from iqa_zoo.files import fingerprint, sha256
from iqa_zoo.images import read_image
from iqa_zoo.training import checkpoints, fused_run, measures
from iqa_zoo.training.devices import is_chief, policy, strategy_of
from iqa_zoo.training.events import Events
from iqa_zoo.training.folder import LOGS, write_history, write_run
from iqa_zoo.training.inputs import Inputs
from iqa_zoo.training.interrupts import Interrupt, deferred
from iqa_zoo.training.loop import Loop
from iqa_zoo.training.stages import (
    Predictor,
    answering,
    pooled_features,
    predictor,
    set_head,
    solve,
)
from iqa_zoo.training.trunk import above, stage_inputs
from iqa_zoo.training.unfinished import Unfinished, claimed

logger = logging.getLogger("iqa_zoo")

HELD_OUT = ("validation", "test")
EPOCH_SECONDS = 30  # shorter epochs are not worth a checkpoint each
# What TensorFlow says when a worker does not answer.
LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
)
LOOK = 10  # steps between two looks at the losses; a GPU waits for nobody between them


def train(
    labels: str | os.PathLike[str] | Labels | None = None,
    images: str | os.PathLike[str] | None = None,
    *,
    model: str | None = None,
    out: str | os.PathLike[str],
    start: str | os.PathLike[str] = "best",
    split: int | None = 0,
    shares: str = "80/20",
    train_on_validation: bool = False,
    limit: int | None = None,
    seed: int = 0,
    recipe: str | None = None,
    epochs: int | None = None,
    precision: str = "auto",
    strategy: str | tf.distribute.Strategy = "auto",
    cache: str | os.PathLike[str] | None = None,
    fuse: bool = False,
    save_seconds: float = 300,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    command: str = "",
    **columns: Any,
) -> Path:
    """Train a model on your opinion scores by a recipe of its card.

    A training that was killed, at whatever moment, goes on where it was saved last when
    the same call is made again, and ends with the weights of an unbroken one.

    Args:
        labels: table of scores (see `data.manifest.read_labels`), or one read already.
        images: folder of the images that the table names.
        model: a model's name; None for the one that `score` uses.
        out: folder to make; it may exist but must be empty, or hold a training that is
            not finished. It gets the weights and their card, the split, the scores of
            all images, the figures, diagrams, the losses as a table and for TensorBoard
            and the command; its path is taken wherever a model's name is. Networks
            that have learned from no opinions get no scores and figures.
        start: "best" for the weights that come with the model, else its backbone's;
            "imagenet", "random", or a model's name or run's folder to start from; of
            another model the arrays of the same names and shapes are taken.
        split: seed of the split into images to train, to validate and to test on,
            by groups or references where the table has any; None trains on all. A split
            of the table's own goes before it.
        shares: "80/20", a tenth of the 80 being for validation, or "60/20/20".
        train_on_validation: trains on the validation images too; for a recipe that is
            settled. They are then reported as trained on.
        limit: of the images to train on, take only so many (those that a permutation
            by the split's seed has first).
        seed: of everything random in the training; the seeds of Python, NumPy and
            TensorFlow are set to it.
        recipe: which of the card's `recipes`; None for its `recipe`.
        epochs: instead of the recipe's, for every stage.
        precision: "auto" (float32 on a CPU, mixed_float16 on a GPU, mixed_bfloat16 on a
            TPU) or a Keras policy.
        strategy: "auto", "one", "mirrored", "workers", "tpu" (see
            `training.devices.strategy_of`) or a `tf.distribute.Strategy`.
        cache: folder for what is computed once for all runs on these images; None, or
            where it cannot be written, for one inside `out` that goes when the run
            ends.
        fuse: leaves the network as it is and fits a regression on what its layer `pool`
            gives, BRISQUE's features and technical measures (see
            `training.fused_run.fuse`).
        save_seconds: a checkpoint is written whenever this many seconds have passed
            since the last one; at the end of an epoch after half a minute already.
        callbacks: Keras callbacks for every stage; what they keep is not saved.
        command: what the card says made the weights.
        **columns: further arguments of `data.sources.as_labels` (dataset, mos, std,
            group, range, ...).

    Returns:
        The folder `out`.

    Raises:
        OpinionError: rows of the table that cannot be used.
        ImageError: an image that cannot be read.
        UsageError: `out` holds files already or a training with other arguments, an
            argument that cannot be meant, or weights to start from that were trained on
            images of the test part.
        WeightsError: the weights to start from are missing.
        TrainingError: the loss is no finite number, or another worker was lost.
        OutputError: `out` cannot be written, or, which is found before the first step,
            has no room for the weights.
    """
    least = {"seed": (seed, 0), "split": (split, 0), "epochs": (epochs, 1)}
    for argument, (given, low) in {**least, "limit": (limit, 1)}.items():
        if given is not None and not low <= given < 2**32:
            raise UsageError(f"{argument} is {given}; it must be {low} to {2**32 - 1}.")
    name = model or registry.default_model()
    entry = registry.resolve(name, None)
    out = Path(out)
    if fuse:
        _check_fusible(entry, epochs, precision, strategy)
    if entry.is_measure and (epochs is not None or start != "best"):
        raise UsageError(f"{name} is fitted at once: leave out epochs and start.")
    if entry.is_measure and measures.learns(entry) == "photos":
        return measures.fit_photos(entry, images, out=out, command=command)
    labels = as_labels(labels, images, **columns)
    if entry.is_measure:
        parts = parts_of(labels, split, train_on_validation, shares, limit)
        how = {"out": out, "split": split, "command": command}
        return measures.fit_opinions(entry, labels, parts, **how)
    output = entry.output
    scale = tuple(output.get("scale", (0, 1)))
    parts = parts_of(labels, split, train_on_validation, shares, limit)
    stages = stages_of(entry, recipe, epochs)
    targets = [targets_of(labels, output, stage) for stage in stages]
    source = source_of(name, start)
    seen = source.seen() if source else frozenset()
    fingerprints = _fingerprints(labels.paths)
    _check_unseen(seen, fingerprints, parts, start)

    keras.utils.set_random_seed(seed)
    if fuse:
        with policy("float32"):
            network = _pooled(started(name, start)[0], name)
        if source is not None:
            # A weight set may take pictures of another size than its model does.
            card = {**entry.card, "input": source.input}
            entry = dataclasses.replace(entry, card=card)
        return fused_run.fuse(
            entry,
            network,
            labels,
            parts,
            out=out,
            fingerprints=fingerprints,
            start=_start_name(source, name, start),
            seen=seen,
            split=split,
            seed=seed,
            cache=cache,
            command=command,
        )
    devices = strategy_of(strategy)
    chief = is_chief(devices)
    with (
        policy(precision) as precise,
        _place(out, chief) as place,
        _together(devices),
    ):
        logger.info("Building %s.", name)
        with devices.scope():
            network, _ = started(name, start)
        if chief:
            place.follow(
                {
                    "model": name,
                    "recipe": stages,
                    "start weights": _hash(registry.variables(network).values()),
                    "opinions or images": sha256(
                        b"".join(each.tobytes() for each in targets)
                        + "".join(fingerprints).encode()
                    ),
                    "split": {part: rows.tolist() for part, rows in parts.items()},
                    "seed": seed,
                    "precision": precise,
                    # They make up the batches together.
                    "number of devices": devices.num_replicas_in_sync,
                }
            )
            if place.finished:
                return out
        run = _Run(
            network,
            labels,
            output,
            parts,
            scale,
            seed,
            devices,
            place,
            chief,
            save_seconds,
            callbacks,
            has_head=source is not None and any(map(has_opinions, made_by(source))),
        )
        prepared = functools.partial(
            stage_inputs,
            network,
            paths=labels.paths,
            rule=entry.input,
            cache=Path(cache or place.folder),
            spare=place.folder,
            fingerprints=fingerprints,
            references=labels.reference,
        )
        for number, stage in enumerate(stages):
            if run.saved and run.saved[1]["stage"] > number:
                continue
            inputs, streamed = prepared(
                stage,
                # A run that goes on must draw what it drew before.
                streamed=run.saved[1]["streamed"] if run.saved else None,
            )
            answer = run.stage(number, stage, targets[number], inputs, streamed)
            if "kernel" in stage:
                logger.info("Setting the kernel head.")
                inputs, streamed = prepared(stage["kernel"])
                rows = parts["train"]
                kernel = stage["kernel"]
                answer = solve(network, kernel, inputs, targets[number], rows, streamed)

        metrics = {
            "model": entry.name,
            "start": _start_name(source, name, start),
            "split": split,
            "seed": seed,
            "precision": precise,
            "range": list(labels.range),
            "direction": labels.direction,
        }
        scores = np.full(len(labels.names), np.nan)
        classes = output["kind"] == "classes"
        # What has learned from no opinion says nothing that could agree with any.
        judges = classes or run.has_head or any(map(has_opinions, stages))
        if judges:
            logger.info("Measuring all parts.")
        for part, rows in parts.items() if judges else ():
            answers = answer(inputs, rows).astype(np.float64)
            if classes:
                known = targets_of(labels, output, {"target": "distortion"})[rows]
                right = answers.argmax(1) == known.argmax(1)
                scores[rows] = right
                metrics[part] = {"accuracy": float(right.mean()), "n": len(rows)}
                continue
            scores[rows] = scores_of(answers, scale)
            if len(rows) < 2:  # one picture agrees with anything
                continue
            given = answers if output["kind"] == "distribution" else None
            metrics[part] = figures(labels, rows, scores[rows], given, scale)
            metrics[f"{part}_constant"] = constant_figures(
                labels, rows, parts["train"], scale, output.get("bins")
            )
        for part in filter(metrics.__contains__, HELD_OUT):
            if not classes:
                metrics[f"{part}_intervals"] = _intervals(labels, parts[part], scores)
        if chief:
            card = {**entry.card, "recipe": stages}
            seen |= {fingerprints[row] for row in parts["train"]}
            network_arrays = registry.variables(network).items()
            write_run(
                out,
                card,
                {path: variable.numpy() for path, variable in network_arrays},
                metrics,
                run.history,
                labels,
                parts,
                scores if judges else None,
                seen,
                command,
            )
    return out


@dataclasses.dataclass
class _Run:
    """One training: what it goes by, and how far it is."""

    network: keras.Model
    labels: Labels
    output: Mapping[str, Any]
    parts: Mapping[str, np.ndarray]
    scale: tuple[float, float]
    seed: int
    strategy: tf.distribute.Strategy
    place: Unfinished
    chief: bool
    save_seconds: float
    callbacks: Sequence[keras.callbacks.Callback]
    has_head: bool  # the weights of the start have learned from opinions

    def __post_init__(self) -> None:
        self.history: list[dict[str, Any]] = []
        self.events = Events(self.place.out / LOGS)
        self.best: dict[str, Any] = {}  # of the stage: epoch, validation SROCC
        self.best_weights: dict[str, np.ndarray] = {}
        self.done = 0  # steps of all stages
        self.saved_at = time.monotonic()
        # What an earlier process saved.
        self.saved = (
            checkpoints.newest(self.place.checkpoints) if self.place.saved else None
        )
        if self.saved:
            arrays, state = self.saved
            for path, variable in registry.variables(self.network).items():
                variable.assign(arrays[f"network/{path}"])
            self.history, self.best = state["history"], state["best"]
            self.done = state["done"]
            self.best_weights = _below("best/", arrays)

    def stage(
        self,
        number: int,
        stage: Mapping[str, Any],
        targets: np.ndarray,
        inputs: Inputs,
        streamed: bool,
    ) -> Predictor:
        """Run a stage, or what is left of it; gives what predicts from its inputs."""
        rows, self.streamed = self.parts["train"], streamed
        below_too = streamed and stage["frozen_to"] != "none"
        loop = Loop(
            self.network,
            stage,
            inputs,
            targets,
            rows=rows,
            scale=self.scale,
            seed=(self.seed, number),
            strategy=self.strategy,
            below_too=below_too,
            classes=len(self.output["classes"]) if stage.get("target") == "both" else 0,
        )
        answer = predictor(answering(self.network, stage, loop.upper, below_too))
        first = 0
        if self.saved:
            arrays, state = self.saved
            loop.restore(arrays)
            loop.losses, first = list(state["losses"]), state["step"]
            logger.info("Going on from step %d of %d.", first, loop.batches.steps)
            self.saved = None
        else:
            logger.info("Stage: %s (epochs: %d).", stage["name"], stage["epochs"])
            self.best, self.best_weights = {}, {}
            if "ridge" in stage and not self.has_head:
                pooled = pooled_features(self.network, stage, below_too)
                ridge = stage["ridge"]
                set_head(self.network, pooled, ridge, inputs, targets, rows)
                loop.start_averages()
            # Finds out before the first step whether the disk takes a checkpoint.
            self.save(number, 0, loop)
            if self.chief:
                self.place.check_room(sum(v.numpy().nbytes for v in loop.trained))
        with deferred() as interrupt:
            try:
                self._steps(number, stage, loop, first, answer, interrupt)
            except tf.errors.OpError as error:
                self._explain(error, inputs)
        if self.best:
            for variable in (*loop.trained, *loop.statistics):
                variable.assign(self.best_weights[variable.path])
        else:
            loop.take_averages()
        return answer

    def _steps(
        self,
        number: int,
        stage: Mapping[str, Any],
        loop: Loop,
        first: int,
        answer: Predictor,
        interrupt: Interrupt,
    ) -> None:
        an_epoch, patience = loop.batches.an_epoch, stage.get("patience")
        told = keras.callbacks.CallbackList(
            list(self.callbacks),
            model=loop.upper,
            epochs=stage["epochs"],
            steps=an_epoch,
        )
        told.on_train_begin()
        try:
            if not self._ended(first, loop, patience):
                told.on_epoch_begin(first // an_epoch)
                for step in loop.run(first):
                    self.done += 1
                    epoch, place = divmod(step, an_epoch)
                    if step % LOOK == 0:
                        self._look(loop)
                    told.on_train_batch_end((step - 1) % an_epoch, {})
                    if place == 0:
                        self._look(loop)
                        row = self._epoch(stage, epoch, loop, answer)
                        told.on_epoch_end(epoch - 1, row)
                    ended = place == 0 and self._ended(step, loop, patience)
                    asked = interrupt.number is not None
                    if asked or ended or self._due(place == 0):
                        self._look(loop)
                        self.save(number, step, loop)
                        # Not outside: one that comes now would leave without saving.
                        if interrupt.number is not None:
                            self._leave(step, loop, interrupt)
                    if ended:
                        break
                    if place == 0:
                        told.on_epoch_begin(epoch)
        finally:
            told.on_train_end()

    def _due(self, epoch_ends: bool) -> bool:
        """Whether a checkpoint is due: now and then, at the end of an epoch sooner."""
        wait = self.save_seconds
        since = time.monotonic() - self.saved_at
        return since >= (min(wait, EPOCH_SECONDS) if epoch_ends else wait)

    def _leave(self, step: int, loop: Loop, interrupt: Interrupt) -> None:
        logger.warning(
            "Saved after step %d of %d; the same command goes on from there.",
            step,
            loop.batches.steps,
        )
        interrupt.leave()

    def _look(self, loop: Loop) -> None:
        try:
            loop.look()
        except TrainingError as error:
            rows = loop.batches.rows_of(error.step or 0)
            names = "".join(f"\n  {self.labels.names[row]}" for row in rows)
            raise TrainingError(
                f"{error} A smaller learning rate, or clip in the recipe, may help; "
                f"these are the images of the batch:{names}",
                error.step,
            ) from error

    def _explain(self, error: tf.errors.OpError, inputs: Inputs) -> None:
        """Raise what was behind an error of TensorFlow's."""
        if isinstance(inputs, Decoded):
            for path in inputs.paths:
                read_image(path)  # says which one cannot be read
        if isinstance(error, tf.errors.ResourceExhaustedError):
            raise TrainingError(
                "The device has not enough memory for this batch. A smaller batch in "
                "the recipe, or 16-bit precision, may help."
            ) from error
        raise error

    def _epoch(
        self, stage: Mapping[str, Any], epoch: int, loop: Loop, answer: Predictor
    ) -> dict[str, Any]:
        """Loss and validation SROCC of an epoch; keeps the weights of the best one."""
        total, count = loop.losses
        loop.losses = [0.0, 0]
        row = {"stage": stage["name"], "epoch": epoch, "loss": total / count}
        rows = self.parts.get("validation", ())
        if self.output["kind"] == "classes" or not has_opinions(stage):
            rows = ()
        if len(rows) > 1:
            with loop.averaged():
                found = scores_of(answer(loop.batches.inputs, rows), self.scale)
                row["validation_srocc"] = srocc(high_is_good(self.labels)[rows], found)
                better = row["validation_srocc"] > self.best.get("srocc", -2)
                if "patience" in stage and better:
                    self.best = {"epoch": epoch, "srocc": row["validation_srocc"]}
                    kept = (*loop.trained, *loop.statistics)
                    self.best_weights = {v.path: v.numpy() for v in kept}
        self.history.append(row)
        if self.chief:
            write_history(self.place.out, self.history)
            self.events.write(len(self.history), row)
        return row

    def _ended(self, step: int, loop: Loop, patience: int | None) -> bool:
        """Whether the stage ends after `step` steps."""
        epoch = step // loop.batches.an_epoch
        waited = epoch - self.best.get("epoch", epoch)
        tired = patience is not None and waited >= patience
        return tired or step >= loop.batches.steps

    def save(self, number: int, step: int, loop: Loop) -> None:
        """Write a checkpoint of `step` steps of the stage `number`."""
        if not self.chief:
            return
        network = registry.variables(self.network)
        arrays = {f"network/{path}": v.numpy() for path, v in network.items()}
        arrays |= loop.arrays()
        arrays |= {f"best/{path}": value for path, value in self.best_weights.items()}
        state = {
            "stage": number,
            "step": step,
            "done": self.done,
            "losses": loop.losses,
            "history": self.history,
            "best": self.best,
            "streamed": self.streamed,
        }
        self.place.save(self.done + number, arrays, state)
        self.saved_at = time.monotonic()


@contextlib.contextmanager
def _together(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Say what an error means where several workers train."""
    try:
        yield
    except LOST as error:
        if strategy.cluster_resolver is None:
            raise
        raise TrainingError(
            "Another worker was lost. Start the same command again on all of them; the "
            f"training goes on from its last checkpoint. ({error.message})"
        ) from error


@contextlib.contextmanager
def _place(out: Path, chief: bool) -> Iterator[Unfinished]:
    """The run's folder; for other workers, a look at the chief's."""
    if chief:
        with claimed(out) as place:
            yield place
        return
    place = Unfinished(out)
    with tempfile.TemporaryDirectory() as folder:
        place.folder = Path(folder)
        yield place


def _check_fusible(
    entry: registry.Entry,
    epochs: int | None,
    precision: str,
    strategy: str | tf.distribute.Strategy,
) -> None:
    """Raise UsageError where a fusion cannot be fitted to a model, or so."""
    if entry.is_measure:
        raise UsageError(
            f"{entry.name} is a hand-made measure; a fusion takes a network's features "
            "and adds the measures by itself. Name a network (model, --model)."
        )
    given = {
        "epochs": epochs is not None,
        "precision": precision != "auto",
        "strategy": strategy != "auto",
    }
    for argument, is_given in given.items():
        if is_given:
            raise UsageError(
                f"A fusion is fitted at once, without steps: leave out {argument}."
            )


def _pooled(network: keras.Model, name: str) -> keras.Model:
    """The network up to its layer `pool`, which a fusion takes."""
    try:
        return above(network, "none", "pool")
    except UnknownNameError as error:
        raise UsageError(
            f"{name} has no layer `pool`, whose output a fusion takes. Name another "
            "model (model, --model)."
        ) from error


def _start_name(
    source: registry.Entry | None, name: str, start: str | os.PathLike[str]
) -> str:
    """What a run says of the weights that it started from."""
    if source is not None:
        return source.name
    return _first_weights(name, start) or "random"


def _hash(variables: Sequence[Any]) -> str:
    hash_ = hashlib.sha256()
    for variable in variables:
        hash_.update(variable.path.encode() + variable.numpy().tobytes())
    return hash_.hexdigest()


def _below(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    named = (name for name in arrays if name.startswith(prefix))
    return {name.removeprefix(prefix): arrays[name] for name in named}


def _intervals(
    labels: Labels, rows: np.ndarray, scores: np.ndarray
) -> dict[str, tuple[float, float]]:
    """95 % intervals of the figures of `rows`, by drawing images or groups anew."""
    groups = measures.groups_of(labels, rows)
    return bootstrap(high_is_good(labels)[rows], scores[rows], groups=groups)


def stages_of(
    entry: registry.Entry, recipe: str | None, epochs: int | None
) -> list[dict[str, Any]]:
    """The stages of a recipe of the card, with another number of epochs if given.

    Raises:
        UnknownNameError: the card has no such recipe.
    """
    recipes = entry.card.get("recipes", {})
    if recipe is not None and recipe not in recipes:
        raise UnknownNameError("recipe", recipe, recipes)
    stages = entry.card["recipe"] if recipe is None else recipes[recipe]
    return [
        dict(stage) if epochs is None else {**stage, "epochs": epochs}
        for stage in stages
    ]


def made_by(source: registry.Entry) -> Sequence[Mapping[str, Any]]:
    """The stages of the recipe that a weight set was trained by."""
    recipe = (source.weights or {}).get("recipe")
    stages: list[dict[str, Any]] = (
        source.card["recipes"][recipe] if recipe else source.card["recipe"]
    )
    return stages


def has_opinions(stage: Mapping[str, Any]) -> bool:
    """Whether a stage learns from opinions."""
    own = stage.get("network") is not None
    return not own and stage.get("target", "opinion") in ("opinion", "both")


def targets_of(
    labels: Labels, output: Mapping[str, Any], stage: Mapping[str, Any]
) -> np.ndarray:
    """float32 (pictures, columns): what a stage's answers are compared with.

    Raises:
        UsageError: the table lacks a column that the stage needs, or has a distortion
            that the model does not know.
    """
    target = stage.get("target", "opinion")
    if target == "order":
        _check_columns(labels, stage, "reference", "distortion", "level")
        kinds = [*zip(labels.reference or (), labels.distortion or (), strict=True)]
        numbers = {kind: number for number, kind in enumerate(dict.fromkeys(kinds))}
        groups = [numbers[kind] for kind in kinds]
        return np.array([groups, labels.level], np.float32).T
    if target in ("distortion", "both"):
        _check_columns(labels, stage, "distortion", "level")
        classes = _one_hot(labels, output["classes"])
        if target == "distortion":
            return classes
        scores = labels.scores(tuple(output["scale"]))[:, None]
        return np.concatenate([scores, classes], axis=1).astype(np.float32)
    if output["kind"] == "distribution":
        scale, bins = tuple(output["scale"]), output["bins"]
        return labels.distribution(scale, bins).astype(np.float32)
    scale = tuple(output.get("scale", (0, 1)))
    return labels.scores(scale)[:, None].astype(np.float32)


def _check_columns(labels: Labels, stage: Mapping[str, Any], *columns: str) -> None:
    for column in columns:
        if getattr(labels, column) is None:
            raise UsageError(
                f"The stage {stage['name']!r} needs a column {column!r}, which the "
                "table does not have. `iqa-zoo distort` makes such tables."
            )


def _one_hot(labels: Labels, classes: Sequence[str]) -> np.ndarray:
    """float32 (pictures, classes): which class each picture's distortion is."""
    places = {name: place for place, name in enumerate(classes)}
    found = []
    for image, kind, level in zip(
        labels.names, labels.distortion or (), labels.level or (), strict=True
    ):
        name = kind if kind in places else f"{kind}-{level}"
        if name not in places:
            raise UsageError(
                f"{image}: the model knows no distortion {name!r}, only "
                f"{', '.join(classes)}. Leave the image out of the table."
            )
        found.append(places[name])
    return np.eye(len(classes), dtype=np.float32)[found]


def scores_of(answers: np.ndarray, scale: tuple[float, float]) -> np.ndarray:
    """float64 (n,): the scores that answers are, or that distributions stand for."""
    if answers.shape[1] == 1:
        return answers[:, 0].astype(np.float64)
    return opinions.mean_and_std(answers, scale)[0]


def parts_of(
    labels: Labels,
    seed: int | None,
    train_on_validation: bool = False,
    shares: str = "80/20",
    limit: int | None = None,
) -> dict[str, np.ndarray]:
    """The rows of each part that there is (see `data.splits.split_labels`)."""
    if seed is None:
        parts = {"train": np.arange(len(labels.mos))}
    else:
        parts = split_labels(labels, seed, shares=shares)
    if train_on_validation and "validation" in parts:
        validation = parts.pop("validation")
        parts["train"] = np.concatenate([parts["train"], validation])
    if limit is not None:
        rows = parts["train"]
        # Else they are in the table's order, which may be sorted.
        if seed is None or labels.split is not None:
            rows = np.random.default_rng(seed or 0).permutation(rows)
        parts["train"] = rows[:limit]
    return {part: rows for part, rows in parts.items() if len(rows)}


def started(
    name: str, start: str | os.PathLike[str]
) -> tuple[keras.Model, registry.Entry | None]:
    """The network to train, and the weight set that it starts from, if one."""
    source = source_of(name, start)
    if source is None:
        return registry.load_network(name, _first_weights(name, start)), None
    network = registry.load_network(name, None)
    fill = registry.fill
    if source.card["builder"] != registry.resolve(name, None).card["builder"]:
        fill = registry.fill_shared
    fill(network, source.arrays(), source.name)
    return network, source


def source_of(name: str, start: str | os.PathLike[str]) -> registry.Entry | None:
    """The weight set that a training starts from; None for imagenet and random."""
    if start == "best":
        entry = registry.resolve(name, None)
        tagged = os.fspath(name) != entry.name
        start = name if tagged or "default_weights" in entry.card else "imagenet"
    return None if start in ("random", "imagenet") else registry.resolve(start)


def _first_weights(name: str, start: str | os.PathLike[str]) -> str | None:
    """What `load_network` is asked for where a training starts from no weight set."""
    has_backbone = "backbone" in registry.resolve(name, None).card
    if start == "random" or (start == "best" and not has_backbone):
        return None
    return "imagenet"


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
                "figures would prove nothing. Start from imagenet or random (start, "
                "--start), or train on all images (split=None, --all)."
            )
