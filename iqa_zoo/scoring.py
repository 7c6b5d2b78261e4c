"""Photos in, scores out: reading, resizing and judging on all cores, in input order."""

import contextlib
import itertools
import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from iqa_zoo import registry
from iqa_zoo.calibration import interval, percentile
from iqa_zoo.engines import Engine, make_engine
from iqa_zoo.errors import ImageError, IqaError, UnknownNameError, UsageError
from iqa_zoo.images import (
    SOURCES,
    Limits,
    Photo,
    check_range,
    checked_formats,
    find_images,
    image_error,
    name_of,
    out_of_memory,
)
from iqa_zoo.opinions import mean_and_std
from iqa_zoo.results import ImageScore
from iqa_zoo.threads import cores

_Name = str | os.PathLike[str]
_Models = _Name | Iterable[_Name] | None


def score(
    images: Any,
    models: _Models = None,
    *,
    engine: str = "auto",
    limits: Limits | None = None,
    value_range: tuple[float, float] | None = None,
    also_read: str | Iterable[str] = (),
    threads: int | None = None,
) -> Generator[ImageScore, None, None]:
    """Scores of images, in the order of the images, and of the models for each image.

    One of several images that cannot be scored, or is none, gives an `ImageScore` with
    an error code and no value; it never ends the run. Images are read and judged while
    the caller works on earlier ones; memory does not grow with their number.

    Args:
        images: a path, a folder (read with its subfolders), a glob, encoded bytes, a
            file open in binary mode, an array or tensor (height, width, 3) of RGB, a
            PIL image, or an iterable of them.
        models: a name, a run's folder, or an iterable of them; None for the default
            model.
        engine: "auto", "litert" or "tensorflow"; see `iqa_zoo.engines.make_engine`.
        limits: what an image may claim; None for `iqa_zoo.images.Limits()`.
        value_range: the values of black and white in arrays, such as (0, 1); arrays
            that are not uint8 need it.
        also_read: formats to read that are only read when asked for: "jpeg2000".
        threads: how many images are worked on at once; None for one a core.

    Raises:
        UnknownNameError: no such model, engine or format.
        UsageError: `images` is neither an image nor an iterable; or a model gives no
            score of one photo.
        WeightsError: a weight file is missing, or is not what its card says.
        MissingLibraryError: a library that scoring needs does not load.
    """
    scorer = Scorer(
        models,
        engine=engine,
        limits=limits,
        value_range=value_range,
        also_read=also_read,
        threads=threads,
    )
    return scorer.score(images)


class Scorer:
    """One model or several, loaded once and used as often as wanted.

    Takes the arguments of `score` but for the images. May be used by several threads.

    Attributes:
        models: the names of the models, with their tags.
        weights: what the models' cards say of these weight sets.
    """

    def __init__(
        self,
        models: _Models = None,
        *,
        engine: str = "auto",
        limits: Limits | None = None,
        value_range: tuple[float, float] | None = None,
        also_read: str | Iterable[str] = (),
        threads: int | None = None,
    ) -> None:
        if threads is not None and threads < 1:
            raise UsageError(f"threads is {threads}; it must be 1 or more.")
        if value_range is not None:
            check_range(value_range)
        self._also_read = checked_formats(also_read)
        self._one = models is None or isinstance(models, str | os.PathLike)
        if models is None:
            models = registry.default_model()
        if isinstance(models, str | os.PathLike):
            models = [models]
        names = list(models)
        if not names:
            raise UsageError("No model is named. Give one, or None for the default.")
        entries = [registry.resolve(name) for name in names]
        for entry in entries:
            _check_scores(entry)
        self._judges = [_Judge(entry, make_engine(entry, engine)) for entry in entries]
        self.models = tuple(judge.entry.name for judge in self._judges)
        self.weights = tuple(judge.entry.weights or {} for judge in self._judges)
        self._limits = Limits() if limits is None else limits
        self._value_range = value_range
        self._threads = threads or cores()

    def __call__(self, image: Any) -> ImageScore | list[ImageScore]:
        """The score of one image, on all cores; a list if several models were named."""
        look = self._look((name_of(image), image), self._threads, alone=True)
        scores = self._scores([look])
        return next(scores) if self._one else list(scores)

    def score(
        self, images: Any, *, live: bool = False
    ) -> Generator[ImageScore, None, None]:
        """Scores of any number of images; see `iqa_zoo.score`.

        Args:
            images: as there.
            live: `images` waits for someone: it is iterated over in a thread of its
                own, and a score that is ready is given while the next image is awaited.
        """
        items = _items(images)
        first = [] if live else list(itertools.islice(items, 2))
        if len(first) < 2 and not live:  # a photo alone gets all cores
            alone = _is_one(images)
            yield from self._scores(
                [self._look(item, self._threads, alone) for item in first]
            )
            return
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="iqa_zoo")
        batch = 1 if live else max(judge.engine.batch for judge in self._judges)
        # Enough that no core waits while a batch, or one large photo, is worked on.
        ahead = max(2 * batch, 4 * self._threads)
        begin = _map_live if live else _map_ahead
        wait = True
        try:
            looks = begin(pool, self._look, itertools.chain(first, items), ahead)
            while chunk := list(itertools.islice(looks, batch)):
                yield from self._scores(chunk)
        except (KeyboardInterrupt, SystemExit):
            wait = False  # a large image takes seconds
            raise
        finally:
            pool.shutdown(wait, cancel_futures=True)

    def _look(self, item: "_Item", threads: int = 1, alone: bool = False) -> "_Look":
        """Read an image and judge it, or only fit it where the engine wants a batch."""
        name, source = item
        try:
            with _blaming(name, alone):
                photo = Photo(
                    source,
                    limits=self._limits,
                    value_range=self._value_range,
                    also_read=self._also_read,
                )
                looks = self._fitted(name, photo)
        except ImageError as error:
            return _Look(name, [_failed(name, model, error) for model in self.models])
        for number, judge in enumerate(self._judges):
            if judge.engine.batch == 1 and isinstance(looks[number], np.ndarray):
                looks[number : number + 1] = judge([name], [looks[number]], threads)
        return _Look(name, looks)

    def _fitted(self, name: str, photo: Photo) -> list[Any]:
        """For each model the pixels that it takes, or the reason why it takes none."""
        height, width = photo.height, photo.width
        looks: list[Any] = []
        for entry, _ in self._judges:
            try:
                registry.check_large_enough(entry, height, width, name)
            except ImageError as error:
                looks.append(_failed(name, entry.name, error))
                continue
            whole = entry.is_measure or entry.input["fit"] == "native"
            looks.append(photo.pixels() if whole else photo.fitted(entry.input))
        return looks

    def _scores(self, chunk: "list[_Look]") -> Iterator[ImageScore]:
        """The scores of a batch of images that workers have looked at."""
        for number, judge in enumerate(self._judges):
            waiting = [
                look for look in chunk if isinstance(look.scores[number], np.ndarray)
            ]
            if waiting:
                names = [look.name for look in waiting]
                inputs = [look.scores[number] for look in waiting]
                scores = judge(names, inputs, self._threads)
                for look, score in zip(waiting, scores, strict=True):
                    look.scores[number] = score
        for look in chunk:
            yield from look.scores


_Item = tuple[str, Any]  # an image's name, and what is read


def _check_scores(entry: registry.Entry) -> None:
    """Raise UsageError where a model does not answer one photo with a score."""
    name = entry.name
    if entry.input.get("pair"):
        raise UsageError(
            f"{name} compares a photo with its original: iqa-zoo compare ORIGINAL "
            f"PHOTO -m {name}, or iqa_zoo.compare(original, photo, {name!r})."
        )
    if entry.output["kind"] == "classes":
        raise UsageError(
            f"{name} says which distortion a photo has, and gives no score: "
            f"iqa_zoo.name_distortion(photo, {name!r}), or iqa-zoo diagnose PHOTO "
            f"--distortion {name}."
        )


class _Judge(NamedTuple):
    entry: registry.Entry
    engine: Engine

    def __call__(
        self, names: Sequence[str], inputs: Sequence[np.ndarray], threads: int
    ) -> list[ImageScore]:
        """The scores of images as the network takes them."""
        try:
            outputs = self.engine.predict(inputs, threads)
        except MemoryError:
            model = self.entry.name
            return [_failed(name, model, out_of_memory(name)) for name in names]
        except ImageError as error:  # of a measure, which gets one image at a time
            (name,), model = names, self.entry.name
            reason = str(error).removeprefix("The image: ")
            return [_failed(name, model, image_error(error.code, name, reason))]
        return [
            _judged(name, self.entry, shares)
            for name, shares in zip(names, outputs, strict=True)
        ]


class _Look(NamedTuple):
    """What a worker gives: for each model a score, or the pixels that wait for one."""

    name: str
    scores: list[Any]


@contextlib.contextmanager
def _blaming(name: str, alone: bool) -> Iterator[None]:
    """Turn what goes wrong with one image into an `ImageError`.

    What is no image is the caller's mistake where it is `alone`. Missing libraries and
    rules that no image can follow are not the image's fault.
    """
    try:
        yield
    except MemoryError as error:
        raise out_of_memory(name) from error
    except UsageError as error:
        if alone or isinstance(error, UnknownNameError):
            raise
        raise ImageError("not_an_image", f"{name}: {error}", name) from error
    except IqaError:
        raise
    except Exception as error:
        reason = str(error) or type(error).__name__
        text = f"{name}: cannot be brought to the model's size ({reason})."
        raise ImageError("corrupt", text, name) from error


def _failed(name: str, model: str, error: ImageError) -> ImageScore:
    return ImageScore(name, model, error=error.code, message=str(error))


def _judged(name: str, entry: registry.Entry, shares: np.ndarray) -> ImageScore:
    """The score that an output (1,) is, or a distribution (bins,) stands for."""
    if not np.isfinite(shares).all():
        message = f"{name}: {entry.name} answers with NaN or infinity."
        return _failed(name, entry.name, ImageError("non_finite", message, name))
    output, weights = entry.output, entry.weights or {}
    scale = tuple(map(float, output["scale"])) if "scale" in output else None
    std, distribution = None, None
    if output["kind"] == "distribution":
        mean, spread = mean_and_std(shares, scale)
        # Shares sum to 1 but for rounding, which must not lead out of the scale.
        value, std = float(np.clip(mean, *scale)), float(spread)
        distribution = tuple(shares.astype(np.float64).tolist())
    else:
        # Nothing holds a network's score within the scale that it was trained on.
        value = float(np.clip(shares[0], *scale) if scale else shares[0])
    direction = output["direction"]
    quantiles, known = weights.get("quantiles"), weights.get("interval")
    return ImageScore(
        name,
        entry.name,
        value=value,
        std=std,
        distribution=distribution,
        scale=scale,
        direction=direction,
        percentile=percentile(value, quantiles, direction) if quantiles else None,
        interval=interval(value, known, scale) if known else None,
    )


def _items(images: Any) -> Iterator[_Item]:
    """Name and source of every image in what a caller gave."""
    try:
        images = iter([images] if _is_one(images) else images)
    except TypeError as error:
        raise UsageError(
            f"A {type(images).__name__} cannot be scored. {SOURCES} An iterable may "
            "give any number of them."
        ) from error
    for image in images:
        if isinstance(image, str | os.PathLike):
            for path in find_images([image]):
                yield path, path
        else:
            yield name_of(image), image


def _is_one(images: Any) -> bool:
    if isinstance(
        images, str | os.PathLike | bytes | bytearray | memoryview | Image.Image
    ):
        return True
    # Arrays and tensors of other dimensions are names, or images side by side.
    is_array = hasattr(images, "__array__") and getattr(images, "ndim", 0) in (2, 3)
    return is_array or hasattr(images, "read")


def _map_ahead(
    pool: ThreadPoolExecutor,
    look: Callable[[_Item], _Look],
    items: Iterable[_Item],
    ahead: int,
) -> Iterator[_Look]:
    """Looks at items in order; at most `ahead` of them are begun and not given."""
    begun: deque[Future[_Look]] = deque()
    for item in items:
        begun.append(pool.submit(look, item))
        while begun and (len(begun) >= ahead or begun[0].done()):
            yield begun.popleft().result()
    while begun:
        yield begun.popleft().result()


def _map_live(
    pool: ThreadPoolExecutor,
    look: Callable[[_Item], _Look],
    items: Iterable[_Item],
    ahead: int,
) -> Iterator[_Look]:
    """Like `_map_ahead`, but a look that is ready waits for no further item."""
    begun: queue.Queue[Future[_Look] | None] = queue.Queue(ahead)
    ended = threading.Event()

    def begin() -> None:
        try:
            for item in items:
                begun.put(pool.submit(look, item))
                if ended.is_set():
                    return
            begun.put(None)
        except Exception as error:
            failed: Future[_Look] = Future()
            failed.set_exception(error)
            begun.put(failed)

    threading.Thread(target=begin, name="iqa_zoo-items", daemon=True).start()
    try:
        while future := begun.get():
            yield future.result()
    finally:
        ended.set()
        while not begun.empty():  # so that the thread, where it waits to put, can end
            begun.get()
