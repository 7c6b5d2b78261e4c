"""Losses and figures of every epoch in TensorBoard's format."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from iqa_zoo.errors import OutputError


class Events:
    """Writes a run's scalars into a folder that TensorBoard reads.

    TensorBoard itself need not be installed: TensorFlow writes its files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writer: Any = None

    def write(self, epoch: int, row: Mapping[str, Any]) -> None:
        """Write the numbers of an epoch, counted through all stages.

        Raises:
            OutputError: the disk does not take them.
        """
        try:
            self._write(epoch, row)
        except tf.errors.OpError as error:
            raise OutputError(f"Cannot write {self.folder}: {error.message}") from error

    def _write(self, epoch: int, row: Mapping[str, Any]) -> None:
        # Not before there is something to write: it makes the folder.
        self._writer = self._writer or tf.summary.create_file_writer(str(self.folder))
        plugin = tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars")
        kind = tf.compat.v1.SummaryMetadata(plugin_data=plugin, data_class=1)
        with self._writer.as_default():
            for name in ("loss", "validation_srocc"):
                if name in row:
                    tf.summary.write(name, row[name], step=epoch, metadata=kind)
        self._writer.flush()
