"""Where a training runs and in which precision: chosen, or as asked."""

import contextlib
import functools
import os
from collections.abc import Iterator

import keras
import tensorflow as tf

from iqa_zoo.errors import UnknownNameError, UsageError

PRECISIONS = ("auto", "float32", "mixed_float16", "mixed_bfloat16")
STRATEGIES = ("auto", "one", "mirrored", "workers", "tpu")


def strategy_of(
    chosen: str | tf.distribute.Strategy = "auto",
) -> tf.distribute.Strategy:
    """The strategy of that name.

    Args:
        chosen: "one" device; "mirrored" over all devices of this machine's best kind;
            "workers", the machines that the environment variable TF_CONFIG names;
            "tpu"; or "auto": workers where TF_CONFIG is set, a TPU where there is one,
            mirrored where there are several GPUs, else one. Or a strategy itself.

    Raises:
        UnknownNameError: no strategy of that name.
        UsageError: TF_CONFIG is not set, or there is no TPU.
    """
    if isinstance(chosen, tf.distribute.Strategy):
        return chosen
    if chosen not in STRATEGIES:
        raise UnknownNameError("strategy", chosen, STRATEGIES)
    if chosen == "auto" and os.environ.get("TF_CONFIG"):
        chosen = "workers"
    if chosen == "workers":
        if not os.environ.get("TF_CONFIG"):
            raise UsageError(
                "The strategy workers needs the environment variable TF_CONFIG, which "
                "names all workers and this one's place among them."
            )
        return _workers()
    # Not before: TensorFlow meets no other workers once it has set up its devices.
    gpus = tf.config.list_logical_devices("GPU")
    if chosen == "auto":
        chosen = (
            "tpu"
            if tf.config.list_physical_devices("TPU")
            else "mirrored"
            if len(gpus) > 1
            else "one"
        )
    if chosen == "tpu":
        try:
            resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect(
                "local"
            )
        except (ValueError, tf.errors.OpError) as error:
            raise UsageError(f"There is no TPU to train on: {error}") from error
        return tf.distribute.TPUStrategy(resolver)
    if chosen == "mirrored":
        devices = gpus or tf.config.list_logical_devices("CPU")
        # Processors have no collectives that a synchronised normalisation could use.
        reduce = None if gpus else tf.distribute.ReductionToOneDevice()
        names = [device.name for device in devices]
        return tf.distribute.MirroredStrategy(names, cross_device_ops=reduce)
    return tf.distribute.get_strategy()


@functools.cache
def _workers() -> tf.distribute.Strategy:
    """The strategy that a process can make but once."""
    return tf.distribute.MultiWorkerMirroredStrategy()


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process writes what all of them come to."""
    resolver = strategy.cluster_resolver
    if resolver is None or not resolver.task_type:
        return True
    return resolver.task_type == "chief" or (
        resolver.task_type == "worker"
        and resolver.task_id == 0
        and "chief" not in resolver.cluster_spec().as_dict()
    )


@contextlib.contextmanager
def policy(precision: str) -> Iterator[str]:
    """The Keras policy that networks are built under, set back at the end.

    Raises:
        UnknownNameError: no precision of that name.
    """
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
