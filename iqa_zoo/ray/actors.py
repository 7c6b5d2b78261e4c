"""What runs in the worker processes: each has one `Scorer`."""

import contextlib
import os
import platform
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from iqa_zoo import registry
from iqa_zoo.errors import UsageError, WeightsError
from iqa_zoo.files import sha256
from iqa_zoo.images import Limits, image_error, opencv
from iqa_zoo.ray.parts import to_table
from iqa_zoo.scoring import Scorer

#: The column of the seconds that a batch took, beside those of the rows.
SECONDS = "seconds"
READS = 8  # files that an actor reads at once where they are not on its own machine


class Task(NamedTuple):
    """What every actor has to know.

    Attributes:
        weights: the SHA-256 of each model's weights, by the model's name.
        options: of `Scorer`.
        folder: where names of files begin that begin at no root.
        filesystem: fsspec's, that the images are on; None for files as Python opens
            them, and for images that come as bytes.
        done: paths of images that are not to be scored again.
    """

    weights: Mapping[str, str]
    options: Mapping[str, Any]
    folder: str
    filesystem: Any = None
    done: frozenset[str] = frozenset()


def weights_of(models: list[str]) -> dict[str, str]:
    """The SHA-256 of each model's weights by the model's name; "" where it has none.

    Raises:
        UnknownNameError: no such model.
        WeightsError: a weight file is missing, or is not what its card says.
    """
    entries = [registry.resolve(name) for name in models]
    return {
        entry.name: sha256(entry.content()) if entry.weights else ""
        for entry in entries
    }


class Actor:
    """Takes tables of images, gives tables of rows; see `Task`."""

    def __init__(self, task: Task) -> None:
        # As for the process that asked: names and runs' folders are relative to it. On
        # another machine there may be no such folder.
        with contextlib.suppress(OSError):
            os.chdir(task.folder)
        models = list(task.weights)
        if weights_of(models) != task.weights:
            raise WeightsError(
                f"{platform.node()} has other weights of {', '.join(models)}. "
                "Install the same version of iqa_zoo on all machines."
            )
        opencv().setNumThreads(task.options["threads"])  # the other cores have actors
        self._task = task
        self._scorer = Scorer(models, **task.options)
        self._limits = task.options["limits"] or Limits()

    def __call__(self, batch: Any) -> Any:
        """The rows of a table of images.

        Args:
            batch: with columns `path` and `bytes`, or, where the actor reads the files,
                `name` and `place`, which hold bytes of the system's encoding.
        """
        import pyarrow as pa

        start = time.monotonic()
        with ThreadPoolExecutor(READS) as pool:
            images = list(self._images(batch, pool))
            table = to_table(self._scorer.score(images))
        seconds = time.monotonic() - start
        return table.append_column(SECONDS, pa.array([seconds] * len(table)))

    def _images(self, batch: Any, pool: ThreadPoolExecutor) -> Iterator[Any]:
        if {"path", "bytes"} <= set(batch.column_names):
            for path, data in zip(batch["path"], batch["bytes"], strict=True):
                if path.as_py() not in self._task.done:
                    ready: Future[bytes] = Future()
                    ready.set_result(data.as_py())
                    yield _Open(path.as_py(), ready)
            return
        if "place" not in batch.column_names:
            raise UsageError(
                f"The data set has the columns {batch.column_names}; it needs path and "
                "bytes."
            )
        names = map(os.fsdecode, batch["name"].to_pylist())
        places = map(os.fsdecode, batch["place"].to_pylist())
        for name, place in zip(names, places, strict=True):
            if self._task.filesystem is None:
                yield name
            else:
                yield _Open(name, pool.submit(self._read, place))

    def _read(self, place: str) -> bytes:
        with self._task.filesystem.open(place, "rb") as file:
            # One more than is allowed, so that it is refused.
            return bytes(file.read(self._limits.bytes + 1))


class _Open:
    """An image with the name that its row gets, to be read once.

    What goes wrong with it is told when it is read, and costs its own row.
    """

    def __init__(self, name: str, data: "Future[bytes]") -> None:
        self.name = name
        self._data = data

    def read(self, size: int = -1) -> bytes:
        """All its bytes."""
        try:
            return self._data.result()
        except FileNotFoundError as error:
            text = "there is no such file. Check the name."
            raise image_error("not_found", self.name, text) from error
        except MemoryError:
            raise
        except Exception as error:  # each file system has errors of its own
            text = f"cannot be read ({error})."
            raise image_error("unreadable", self.name, text) from error
