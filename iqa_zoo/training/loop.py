"""The steps of one stage, on one device or many.

A step gives the part of the network above the frozen layers its batch, asks for the
gradient of the loss and lets the optimizer change the weights. With several replicas
each takes its share of the batch, and the loss is that of the whole batch: the answers
of the others are gathered first, so that terms that compare the pictures of a batch
(correlation, ranking) are the same on one device and on eight.
"""

import contextlib
import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from iqa_zoo.errors import TrainingError
from iqa_zoo.models.losses import OpinionLoss
from iqa_zoo.training.batches import Batches
from iqa_zoo.training.inputs import Inputs
from iqa_zoo.training.trunk import below, trained_part


class Loop:
    """One stage's training of a network, in place.

    Args:
        network: the whole network, built in the scope of `strategy`; what lies above
            the stage's `frozen_to` is trained.
        stage: the stage's table (see `training.stages`).
        inputs: (pictures, views, h, w, channels), uint8 or float16.
        targets: float32 (pictures, columns), as the stage's loss takes them.
        rows: int (n,), the pictures to train on.
        scale: lowest and highest score.
        seed: of the order, the crops, the mirror images and dropout.
        strategy: how the work is shared; None for one device.
        below_too: the inputs are pictures though the stage freezes layers: these run
            in every step.
        classes: columns of the targets that are classes beside a score.

    Attributes:
        upper: the part that runs in every step.
        batches: what the steps draw.
        losses: sum and number of the losses of the present epoch.
    """

    def __init__(
        self,
        network: keras.Model,
        stage: Mapping[str, Any],
        inputs: Inputs,
        targets: np.ndarray,
        *,
        rows: np.ndarray,
        scale: Sequence[float],
        seed: Sequence[int],
        strategy: tf.distribute.Strategy | None = None,
        below_too: bool = False,
        classes: int = 0,
    ) -> None:
        self.strategy = strategy or tf.distribute.get_strategy()
        self.replicas = self.strategy.num_replicas_in_sync
        self.batches = Batches(inputs, targets, stage, rows, seed, self.replicas)
        frozen = below(network, stage["frozen_to"])
        fixed = {id(layer) for layer in frozen.layers} if frozen else set()
        live = stage.get("batch_norm", "frozen") == "live"
        for layer in network.layers:
            norm = isinstance(layer, keras.layers.BatchNormalization)
            layer.trainable = id(layer) not in fixed and (live or not norm)
            if norm and id(layer) not in fixed:
                # With statistics of its share alone each replica would train another
                # network.
                layer.synchronized = live and self.replicas > 1
        self.upper = trained_part(network, stage, below_too)
        self.loss = OpinionLoss(stage["loss"], scale, classes)
        self.trained = self.upper.trainable_variables
        others = self.upper.non_trainable_variables
        self.seeds = [v for v in others if "seed_generator" in v.path]
        random = np.random.default_rng([*seed, 1])
        self._dropout = random.integers(2**31, size=len(self.seeds))
        below_cut = {id(v) for v in frozen.variables} if frozen else set()
        self.statistics = [
            v
            for v in (others if live else ())
            if "/moving_" in v.path and id(v) not in below_cut
        ]
        self.average = stage.get("average")
        self.accumulated = stage.get("accumulate", 1)
        with self.strategy.scope():
            self.optimizer = _optimizer(stage, self.batches.steps, self.replicas)
            self.optimizer.build(self.trained)
            self.averages = [
                tf.Variable(v.value, trainable=False)
                for v in (self.trained if self.average is not None else ())
            ]
            self.sums = [
                tf.Variable(
                    tf.zeros(v.shape, v.dtype),
                    trainable=False,
                    aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
                )
                for v in (self.trained if self.accumulated > 1 else ())
            ]
        # The optimizer adds up what the replicas give, but clips and looks for overflow
        # before that.
        scaled = isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer)
        self._reduced = "clip" in stage or scaled or self.accumulated > 1
        self._step = tf.function(self._shared_step, reduce_retracing=True)
        self._pending: list[tuple[int, tf.Tensor]] = []
        self.losses = [0.0, 0]

    def run(self, first: int = 0) -> Iterator[int]:
        """Take the steps from `first` on; after each, yield how many are done."""
        for step, (x, y) in enumerate(self._data(first), first):
            update = (step + 1) % self.accumulated == 0
            loss = self._step(x, y, tf.constant(step, tf.int64), update)
            self._pending.append((step, loss))
            yield step + 1

    def look(self) -> None:
        """Take the losses of the steps since the last look from the device.

        Raises:
            TrainingError: one of them, or a weight, is no finite number; `step` is the
                number of the step.
        """
        for step, loss in self._pending:
            value = float(loss)
            if not math.isfinite(value):
                raise TrainingError(
                    f"The loss of step {step + 1} is {value}.", step=step
                )
            self.losses[0] += value
            self.losses[1] += 1
        # A step's loss is that of the weights before it.
        finite = [tf.reduce_all(tf.math.is_finite(v.value)) for v in self.trained]
        if self._pending and not bool(tf.reduce_all(finite)):
            step = self._pending[-1][0]
            raise TrainingError(
                f"After step {step + 1} some weights are no finite numbers.", step=step
            )
        self._pending.clear()

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Within, the weights are their averages, where the stage averages any."""
        kept = [v.numpy() for v in self.trained] if self.averages else []
        self.take_averages()
        try:
            yield
        finally:
            for variable, value in zip(self.trained, kept, strict=False):
                variable.assign(value)

    def start_averages(self) -> None:
        """Begin averaging from the weights as they are."""
        for variable, average in zip(self.trained, self.averages, strict=False):
            average.assign(variable.numpy())

    def take_averages(self) -> None:
        """Set the weights to their averages, where the stage averages any."""
        for variable, average in zip(self.trained, self.averages, strict=False):
            variable.assign(average.numpy())

    def arrays(self) -> dict[str, np.ndarray]:
        """What the optimizer, averages and sums of gradients stand at, by name."""
        return {name: v.numpy() for name, v in self._state().items()}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Set what `arrays` gave."""
        for name, variable in self._state().items():
            variable.assign(arrays[name])

    def _state(self) -> dict[str, Any]:
        named = {f"optimizer/{i:04}": v for i, v in enumerate(self.optimizer.variables)}
        named |= {f"average/{i:04}": v for i, v in enumerate(self.averages)}
        named |= {f"sum/{i:04}": v for i, v in enumerate(self.sums)}
        return named

    def _data(self, first: int) -> Any:
        if self.replicas == 1:
            return self.batches.dataset(first)

        def mine(context: tf.distribute.InputContext) -> tf.data.Dataset:
            count = self.replicas // context.num_input_pipelines
            start = context.input_pipeline_id * count
            return self.batches.dataset(
                first, replicas=range(start, start + count), of=self.replicas
            )

        return self.strategy.distribute_datasets_from_function(mine)

    def _shared_step(self, x: Any, y: Any, step: tf.Tensor, update: bool) -> tf.Tensor:
        loss = self.strategy.run(self._replica_step, args=(x, y, step, update))
        for average, variable in zip(self.averages, self.trained, strict=False):
            if update:
                value = variable.value
                self.strategy.extended.update(average, self._blend, args=(value,))
        return self.strategy.experimental_local_results(loss)[0]

    def _blend(self, average: tf.Variable, value: tf.Tensor) -> None:
        average.assign(average * self.average + value * (1 - self.average))

    def _replica_step(
        self, x: tf.Tensor, y: tf.Tensor, step: tf.Tensor, update: bool
    ) -> tf.Tensor:
        context = tf.distribute.get_replica_context()
        replica = tf.cast(context.replica_id_in_sync_group, tf.int64)
        # Dropout follows from seed, step and replica, and no state has to be kept.
        given = [
            (v, tf.cast(tf.stack([base, step * self.replicas + replica]), v.dtype))
            for v, base in zip(self.seeds, self._dropout, strict=True)
        ]
        with tf.GradientTape() as tape:
            with keras.StatelessScope(state_mapping=given) as scope:
                answer = tf.cast(self.upper(x, training=True), tf.float32)
            # Called as a loss, Keras would divide it by the number of replicas.
            loss = tf.reduce_mean(self.loss.call(y, self._of_all(answer, context)))
            scaled = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, self.trained)
        for variable in self.statistics:
            variable.assign(scope.get_current_value(variable))
        if self.replicas > 1 and self._reduced:
            gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
            gradients = [gradient / self.replicas for gradient in gradients]
        if self.sums:
            gradients = [s + g for s, g in zip(self.sums, gradients, strict=True)]
            for variable, value in zip(self.sums, gradients, strict=True):
                variable.assign(tf.zeros_like(value) if update else value)
            gradients = [gradient / self.accumulated for gradient in gradients]
        if update:
            self.optimizer.apply(gradients, self.trained)
        return loss

    def _of_all(self, answer: tf.Tensor, context: Any) -> tf.Tensor:
        """The answers of all replicas, with a gradient for this one's only."""
        if self.replicas == 1:
            return answer
        everyone = tf.stop_gradient(context.all_gather(answer, axis=0))
        before = context.replica_id_in_sync_group * tf.shape(answer)[0]
        after = tf.shape(everyone)[0] - before - tf.shape(answer)[0]
        nothing = answer - tf.stop_gradient(answer)  # 0, with a gradient
        others = [[0, 0]] * (len(answer.shape) - 1)
        return everyone + tf.pad(nothing, [[before, after], *others])


#: What takes the steps, from a stage's `optimizer`. SGD's momentum is that of all the
#: papers that use it.
_OPTIMIZERS = {
    "adamw": keras.optimizers.AdamW,
    "adam": keras.optimizers.Adam,
    "nadam": keras.optimizers.Nadam,
    "sgd": functools.partial(keras.optimizers.SGD, momentum=0.9),
}
LAST = 1e-3  # of an exponential schedule, as a share of the first rate


def _optimizer(stage: Mapping[str, Any], steps: int, replicas: int) -> Any:
    """The stage's optimizer and rates, 16-bit safe where the policy computes so."""
    updates = max(steps // stage.get("accumulate", 1), 1)
    optimizer = _OPTIMIZERS[stage.get("optimizer", "adamw")](
        _rate(stage, updates),
        weight_decay=stage.get("weight_decay", 0.0),
        global_clipnorm=stage["clip"] / replicas if "clip" in stage else None,
    )
    if keras.config.dtype_policy().compute_dtype == "float16":
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def _rate(stage: Mapping[str, Any], updates: int) -> Any:
    """The learning rate by the number of the step of the optimizer."""
    rate, schedule = stage["learning_rate"], stage.get("schedule", "cosine")
    if schedule == "constant":
        return rate
    if schedule == "exponential":
        return keras.optimizers.schedules.ExponentialDecay(rate, updates, LAST)
    warmup = round(stage.get("warmup", 0.0) * updates)
    return keras.optimizers.schedules.CosineDecay(
        0.0 if warmup else rate,
        max(updates - warmup, 1),
        warmup_target=rate if warmup else None,
        warmup_steps=warmup,
    )
