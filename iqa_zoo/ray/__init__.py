"""Scores of more images than one machine can do: on a cluster, with Ray Data.

Actors, of which each has one `iqa_zoo.Scorer`, read the images and give their rows to
the process that asked, which alone writes them. So a worker process may die at any
time: what it was at is done again by another, and no row is written twice.
"""

import os
import re
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from iqa_zoo import registry
from iqa_zoo.errors import (
    IqaError,
    MissingLibraryError,
    MissingWeightsError,
    OutputError,
    UsageError,
    WeightsError,
)
from iqa_zoo.images import Limits, checked_formats
from iqa_zoo.ray.actors import Actor, Task, weights_of
from iqa_zoo.ray.cluster import check_installed, connected
from iqa_zoo.ray.names import Found, find
from iqa_zoo.ray.parts import Parts, to_table
from iqa_zoo.ray.report import Report, Rows
from iqa_zoo.results import ImageScore
from iqa_zoo.scoring import Scorer

_Name = str | os.PathLike[str]

# Images of a task: few enough that the actors end at about the same time and that
# little is done again when one dies, many enough that handing them out costs nothing.
_LEAST, _MOST = 8, 128
_TASKS = 32  # for each actor, between these
_RETRIES = 3  # of a task whose process died
_SPARE = 0.1  # of each processor, for what Ray itself does


def score(
    images: Any,
    out: _Name,
    models: _Name | Iterable[_Name] | None = None,
    *,
    filesystem: Any = None,
    actors: int | None = None,
    gpus: float = 0,
    threads: int = 1,
    engine: str = "auto",
    limits: Limits | None = None,
    also_read: str | Iterable[str] = (),
    address: str | None = None,
    progress: Callable[[Report], object] | None = None,
) -> Report:
    """Score images on all processors of a cluster; the rows become Parquet files.

    Rows have the columns of `ImageScore` and, as the images, no order. What the folder
    holds already, failed rows too, is not scored again. An image that cannot be scored
    gets a row with an error code and never ends the run.

    Args:
        images: a file, a folder (read with its subfolders), a glob, a URI of any of
            these, or an iterable of them; or a `ray.data.Dataset` with the columns
            `path` (each its own) and `bytes` (of a file). Each machine of the cluster
            must reach the files under these names.
        out: a folder of the machine that this runs on, or a URI.
        models: as for `iqa_zoo.score`.
        filesystem: of pyarrow or fsspec, that names in `images` are of.
        actors: how many processes score; None for one a processor, or as many as the
            GPUs allow. A data set of Ray is left one processor to be read with.
        gpus: of each actor; a part of one is allowed.
        threads: images at once in each actor.
        engine: as for `iqa_zoo.score`; without `gpus`, "auto" is "litert".
        limits: as for `iqa_zoo.score`.
        also_read: likewise.
        address: of the cluster, as `ray.init` takes it; "local" for processors of this
            machine. None for the cluster that this process is connected to, if any, or
            "local".
        progress: called with the report after each task.

    Returns:
        What was done.

    Raises:
        UnknownNameError: no such model, engine or format.
        UsageError: an argument that cannot be meant, a folder that holds something
            else, or scores by other models or weights.
        WeightsError: a weight file is missing, or is not what its card says.
        MissingLibraryError: Ray or another library does not load.
        OutputError: rows cannot be written, or the cluster cannot be used.
    """
    begun = time.monotonic()
    check_installed()
    if threads < 1 or gpus < 0 or (actors is not None and actors < 1):
        raise UsageError(
            f"threads={threads}, gpus={gpus} and actors={actors}: there must be 1 or "
            "more threads and actors, and 0 or more GPUs."
        )
    if models is None:
        models = registry.default_model()
    if isinstance(models, str | os.PathLike):
        models = [models]
    weights = weights_of([os.fspath(model) for model in models])
    options: dict[str, Any] = {
        "engine": "litert" if engine == "auto" and not gpus else engine,
        "limits": limits,
        "also_read": checked_formats(also_read),
        "threads": threads,
    }
    if not gpus:  # else the GPUs' machines may be others
        Scorer(list(weights), **options)
    task = Task(weights, options, os.getcwd())
    report = Report(tuple(weights))
    with Parts(out, weights) as parts:
        done = set()
        for path, error in parts.earlier():
            done.add(path)
            report.earlier += 1
            report.rows += 1
            report.failed.update([error] if error else [])
        rows = Rows(report, parts, done, begun, progress)
        if hasattr(images, "map_batches"):
            with connected(address) as ray:
                report.actors = actors or _actors(ray, threads, gpus, spare=1)
                task = task._replace(done=frozenset(done))
                rows.take(_mapped(ray, images, task, report.actors, gpus, _LEAST))
            return report
        found = find(images, filesystem)
        for path in done & found.places.keys():
            del found.places[path]
        report.total = len(found.places)
        if found.places:
            with connected(address) as ray:
                report.actors = actors or _actors(ray, threads, gpus)
                task = task._replace(filesystem=found.filesystem)
                _score_files(ray, found, task, gpus, rows)
    return report


def _score_files(ray: Any, found: Found, task: Task, gpus: float, rows: Rows) -> None:
    """Score all files, also where some of them end the process that reads them."""
    count = rows.report.actors
    size = max(_LEAST, min(_MOST, len(found.places) // (count * _TASKS)))
    try:
        rows.take(_mapped(ray, _tables(ray, found, size), task, count, gpus))
    except _CrashedError as error:
        left = found._replace(places=rows.missing(found.places))
        batches = _tables(ray, left, 1)
        batches.context.max_errored_blocks = -1  # alone, they end none but themselves
        rows.take(_mapped(ray, batches, task, count, gpus))
        if not rows.report.images:
            raise OutputError(f"No worker process scores anything: {error}") from error
    for path in rows.missing(found.places):
        message = (
            f"{found.names[path]}: the process that scored it ended, {1 + _RETRIES} "
            "times; memory may have run out. Score it on one machine to see why."
        )
        rows.add(
            to_table(
                ImageScore(path, model, error="crashed", message=message)
                for model in task.weights
            )
        )


def _tables(ray: Any, found: Found, size: int) -> Any:
    """The names of the images as a data set, whose blocks are tasks of this size."""
    import pyarrow as pa

    pairs = [
        (os.fsencode(found.names[path]), os.fsencode(place))
        for path, place in found.places.items()
    ]
    tables = []
    for start in range(0, len(pairs), size):
        names, places = zip(*pairs[start : start + size], strict=True)
        tables.append(pa.table({"name": names, "place": places}))
    return ray.data.from_arrow(tables)


def _mapped(
    ray: Any,
    batches: Any,
    task: Task,
    actors: int,
    gpus: float,
    size: int | None = None,
) -> Iterator[Any]:
    """Tables of rows, in the order in which the actors are ready with them.

    Args:
        size: images of a batch; None for all of a block.
    """
    with warnings.catch_warnings():
        # Another way to bound the retries is not there yet.
        warnings.filterwarnings("ignore", "`ray_remote_args` is deprecated")
        scored = batches.map_batches(
            Actor,
            fn_constructor_args=(task,),
            batch_format="pyarrow",
            batch_size=size,
            zero_copy_batch=True,
            compute=ray.data.ActorPoolStrategy(size=actors),
            num_cpus=task.options["threads"] - _SPARE,
            num_gpus=gpus,
            max_task_retries=_RETRIES,
        )
    scored.context.enable_progress_bars = False
    scored.context.print_on_execution_start = False
    try:
        yield from scored.iter_batches(batch_size=None, batch_format="pyarrow")
    except ray.exceptions.RayError as error:
        raise _told(ray, error) from error


class _CrashedError(OutputError):
    """A worker process ended again and again."""


def _told(ray: Any, error: Exception) -> IqaError:
    """What a worker raised, or what became of it."""
    # Of what an actor raised, no more than the text comes here.
    text = str(error).partition("\n\nThe above exception")[0].strip()
    ours = re.search(r"^iqa_zoo\.errors\.(\w+): (.+)", text, re.MULTILINE | re.DOTALL)
    if ours and ours[1] in _RAISED:
        return _RAISED[ours[1]](ours[2])
    kinds = ray.exceptions
    crashes = (
        kinds.RayActorError,
        kinds.WorkerCrashedError,
        kinds.OutOfMemoryError,
        kinds.NodeDiedError,
        kinds.ObjectLostError,
    )
    kind = _CrashedError if isinstance(error, crashes) else OutputError
    return kind(f"Scoring on the cluster failed: {text.splitlines()[-1]}")


_RAISED = {
    kind.__name__: kind
    for kind in (MissingLibraryError, MissingWeightsError, UsageError, WeightsError)
}


def _actors(ray: Any, threads: int, gpus: float, spare: int = 0) -> int:
    """How many actors a cluster has room for.

    Raises:
        UsageError: none.
    """
    room = ray.cluster_resources()
    count = int(room.get("CPU", 0) // threads)
    if gpus:
        count = min(count, int(room.get("GPU", 0) / gpus))
    if not count:
        raise UsageError(
            f"The cluster has {room.get('CPU', 0):g} processors and "
            f"{room.get('GPU', 0):g} GPUs; an actor needs {threads} and {gpus:g}. If "
            "it grows when it has work, say how many actors there shall be."
        )
    return max(1, count - spare)


__all__ = ["Report", "score"]
