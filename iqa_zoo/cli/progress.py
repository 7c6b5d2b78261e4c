"""Progress of a training on stderr: a bar on a terminal, lines elsewhere."""

import sys
from typing import Any

import click
import keras
from tqdm import tqdm

from iqa_zoo.training.pace import Pace


class EpochProgress(keras.callbacks.Callback):
    """Shows steps with rate and time left, then loss and validation SROCC.

    An epoch has a line. Where there is no terminal, its steps have some if it is long.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bar: Any = None
        self.pace: Any = None
        self.before = 0  # steps of the stage before the present epoch

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.bar = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.before = epoch * self.params["steps"]
        if self.bar is not None:
            self.bar.set_description(self._epoch(epoch))

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        done = self.before + batch + 1
        total = self.params["steps"] * self.params["epochs"]
        if self.bar is None:
            self.pace = Pace(total, "steps", done - 1)
            # Made late: a training that goes on begins in the middle, and its rate
            # is that of its own steps.
            self.bar = tqdm(
                desc=self._epoch(self.before // self.params["steps"]),
                total=total,
                initial=done - 1,
                unit="step",
                file=sys.stderr,
                disable=not sys.stderr.isatty(),
                leave=False,
            )
        if self.bar.disable:
            self.pace.tell(done)
        else:
            self.bar.update(done - self.bar.n)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        logs = logs or {}
        line = f"{self._epoch(epoch)}  loss {logs['loss']:.4f}"
        if "validation_srocc" in logs:
            line += f"  validation SROCC {logs['validation_srocc']:.3f}"
        with tqdm.external_write_mode(file=sys.stderr):
            click.echo(line, err=True)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self.bar is not None:
            self.bar.close()

    def _epoch(self, epoch: int) -> str:
        return f"epoch {epoch + 1}/{self.params['epochs']}"
