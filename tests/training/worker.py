"""`iqa-zoo train` of the small model: `python -m tests.training.worker OPTIONS`.

The environment variable DEVICES says how many devices the processor is to be, and PAUSE
how many seconds to wait after each step.
"""

import os
import sys
import time

import pytest

from iqa_zoo import cli
from tests.helpers import small

#: Without dropout, whose random numbers are each device's own.
NETWORK = {"dropout": 0.0}
RECIPE = [
    {
        "name": "upper layers",
        "frozen_to": "low_out",
        "epochs": 2,
        "batch": 8,
        "learning_rate": 1e-2,
        "weight_decay": 1e-3,
        "average": 0.5,
        "accumulate": 2,
        "clip": 0.5,
        "mirror": True,
        "ridge": 1.0,
        "loss": {"emd": 1.0, "plcc": 0.5},
    },
    {
        "name": "everything",
        "frozen_to": "none",
        "epochs": 2,
        "batch": 8,
        "learning_rate": 1e-3,
        "crop": 0.75,
        "batch_norm": "live",
        "loss": {"emd": 1.0, "ranking": 0.5},
    },
]


def main() -> None:
    import keras
    import tensorflow as tf

    if os.environ.get("DEVICES"):
        (cpu,) = tf.config.list_physical_devices("CPU")
        parts = [tf.config.LogicalDeviceConfiguration()] * int(os.environ["DEVICES"])
        tf.config.set_logical_device_configuration(cpu, parts)
    with (
        small.packaged(recipe=RECIPE, arguments=NETWORK) as name,
        small.plainly(),
        pytest.MonkeyPatch.context() as patch,
    ):
        seconds = float(os.environ.get("PAUSE", 0))
        pausing = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: time.sleep(seconds)
        )
        patch.setattr("iqa_zoo.cli.progress.EpochProgress", lambda: pausing)
        cli.main(["train", "-m", name, "--start", "random", *sys.argv[1:]])


if __name__ == "__main__":
    main()
