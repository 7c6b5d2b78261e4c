"""Progress of a training on stderr: a bar on a terminal, a line an epoch elsewhere."""

import sys
from typing import Any

import click
import keras
from tqdm import tqdm


class EpochProgress(keras.callbacks.Callback):
    """Shows steps with rate and time left, then loss and validation SROCC."""

    def __init__(self) -> None:
        super().__init__()
        self.bar: Any = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.bar = tqdm(
            total=None,
            unit="step",
            file=sys.stderr,
            disable=not sys.stderr.isatty(),
            leave=False,
        )

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if steps := self.params.get("steps"):
            self.bar.total = steps * self.params["epochs"]
        self.bar.set_description(f"epoch {epoch + 1}/{self.params['epochs']}")

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        self.bar.update()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        logs = logs or {}
        self.bar.total = self.bar.n // (epoch + 1) * self.params["epochs"]
        line = f"epoch {epoch + 1}/{self.params['epochs']}  loss {logs['loss']:.4f}"
        if "validation_srocc" in logs:
            line += f"  validation SROCC {logs['validation_srocc']:.3f}"
        with self.bar.external_write_mode(file=sys.stderr):
            click.echo(line, err=True)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self.bar.close()
