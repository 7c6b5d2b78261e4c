"""Photos in, scores out: reading, resizing and judging on all cores, in input order."""

import itertools
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from iqa_zoo import registry
from iqa_zoo.engines import Engine, make_engine
from iqa_zoo.errors import ImageError, UsageError
from iqa_zoo.images import Limits, find_images, fit_image, read_image
from iqa_zoo.results import ImageScore

_Name = str | os.PathLike[str]
_Models = _Name | Iterable[_Name] | None


def score(
    images: Any,
    models: _Models = None,
    *,
    engine: str = "auto",
    limits: Limits | None = None,
    threads: int | None = None,
) -> Generator[ImageScore, None, None]:
    """Scores of images, in the order of the images, and of the models for each image.

    An image that cannot be scored gives an `ImageScore` with an error code and no
    value; it never ends the run. Images are read and judged while the caller works on
    earlier ones; memory does not grow with their number.

    Args:
        images: a path, a folder (read with its subfolders), a glob, encoded bytes, a
            uint8 RGB array (height, width, 3), a PIL image, or an iterable of them.
        models: a name, a run's folder, or an iterable of them; None for the default
            model.
        engine: "auto", "litert" or "tensorflow"; see `iqa_zoo.engines.make_engine`.
        limits: what an image may claim; None for `iqa_zoo.images.Limits()`.
        threads: how many images are worked on at once; None for one a core.

    Raises:
        UnknownNameError: no such model or engine.
        WeightsError: a weight file is missing, or is not what its card says.
    """
    scorer = Scorer(models, engine=engine, limits=limits, threads=threads)
    return scorer.score(images)


class Scorer:
    """One model or several, loaded once and used as often as wanted.

    Takes the arguments of `score` but for the images. May be used by several threads.

    Attributes:
        models: the names of the models, with their tags.
    """

    def __init__(
        self,
        models: _Models = None,
        *,
        engine: str = "auto",
        limits: Limits | None = None,
        threads: int | None = None,
    ) -> None:
        if threads is not None and threads < 1:
            raise UsageError(f"threads is {threads}; it must be 1 or more.")
        self._one = models is None or isinstance(models, str | os.PathLike)
        if models is None:
            models = registry.default_model()
        if isinstance(models, str | os.PathLike):
            models = [models]
        names = list(models)
        if not names:
            raise UsageError("No model is named. Give one, or None for the default.")
        self._judges = [
            _Judge(entry, make_engine(entry, engine))
            for entry in (registry.resolve(name) for name in names)
        ]
        self.models = tuple(judge.entry.name for judge in self._judges)
        self._limits = Limits() if limits is None else limits
        self._threads = threads or _cores()

    def __call__(self, image: Any) -> ImageScore | list[ImageScore]:
        """The score of one image, on all cores; a list if several models were named."""
        scores = self._scores([self._look((_name(image), image), self._threads)])
        return next(scores) if self._one else list(scores)

    def score(self, images: Any) -> Generator[ImageScore, None, None]:
        """Scores of any number of images; see `iqa_zoo.score`."""
        items = _items(images)
        first = list(itertools.islice(items, 2))
        if len(first) < 2:  # a photo alone gets all cores
            yield from self._scores([self._look(item, self._threads) for item in first])
            return
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="iqa_zoo")
        batch = max(judge.engine.batch for judge in self._judges)
        # Enough that no core waits while a batch, or one large photo, is worked on.
        ahead = max(2 * batch, 4 * self._threads)
        try:
            looks = _map_ahead(pool, self._look, itertools.chain(first, items), ahead)
            while chunk := list(itertools.islice(looks, batch)):
                yield from self._scores(chunk)
        finally:
            pool.shutdown(cancel_futures=True)

    def _look(self, item: "_Item", threads: int = 1) -> "_Look":
        """Read an image and judge it, or only fit it where the engine wants a batch."""
        name, source = item
        try:
            pixels = read_image(source, limits=self._limits)
        except ImageError as error:
            code, message = error.code, str(error)
            return _Look(
                name,
                [
                    ImageScore(name, model, error=code, message=message)
                    for model in self.models
                ],
            )
        height, width, _ = pixels.shape
        fitted: dict[tuple[Any, ...], np.ndarray] = {}
        looks: list[Any] = []
        for entry, engine in self._judges:
            rule = entry.input
            if min(height, width) < rule["least"]:
                message = (
                    f"{name}: {width} x {height} pixels; {entry.name} needs at least "
                    f"{rule['least']} a side."
                )
                looks.append(
                    ImageScore(name, entry.name, error="too_small", message=message)
                )
                continue
            key = (*rule["size"], rule["fit"], rule["shrink"], rule["enlarge"])
            if key not in fitted:
                fitted[key] = fit_image(
                    pixels,
                    rule["size"],
                    fit=rule["fit"],
                    shrink=rule["shrink"],
                    enlarge=rule["enlarge"],
                )
            if engine.batch == 1:
                shares = engine.predict([fitted[key]], threads)[0]
                looks.append(_judged(name, entry, shares))
            else:
                looks.append(fitted[key])
        return _Look(name, looks)

    def _scores(self, chunk: "list[_Look]") -> Iterator[ImageScore]:
        """The scores of a batch of images that workers have looked at."""
        for number, (entry, engine) in enumerate(self._judges):
            waiting = [
                look for look in chunk if isinstance(look.scores[number], np.ndarray)
            ]
            if waiting:
                inputs = [look.scores[number] for look in waiting]
                outputs = engine.predict(inputs, self._threads)
                for look, shares in zip(waiting, outputs, strict=True):
                    look.scores[number] = _judged(look.name, entry, shares)
        for look in chunk:
            yield from look.scores


_Item = tuple[str, Any]  # an image's name, and what is read


class _Judge(NamedTuple):
    entry: registry.Entry
    engine: Engine


class _Look(NamedTuple):
    """What a worker gives: for each model a score, or the pixels that wait for one."""

    name: str
    scores: list[Any]


def _judged(name: str, entry: registry.Entry, shares: np.ndarray) -> ImageScore:
    """The score that a distribution, float32 (bins,), stands for."""
    if not np.isfinite(shares).all():
        message = f"{name}: {entry.name} answers with NaN or infinity."
        return ImageScore(name, entry.name, error="non_finite", message=message)
    low, high = map(float, entry.output["scale"])
    shares = shares.astype(np.float64)
    steps = np.linspace(low, high, len(shares))
    # Shares sum to 1 but for rounding, which must not lead out of the scale.
    mean = float(np.clip((shares * steps).sum(), low, high))
    return ImageScore(
        name,
        entry.name,
        value=mean,
        std=float(np.sqrt((shares * (steps - mean) ** 2).sum())),
        distribution=tuple(shares.tolist()),
        scale=(low, high),
        direction=entry.output["direction"],
    )


def _items(images: Any) -> Iterator[_Item]:
    """Name and source of every image in what a caller gave."""
    if _is_one(images):
        images = [images]
    for image in images:
        if isinstance(image, str | os.PathLike):
            for path in find_images([image]):
                yield path, path
        else:
            yield _name(image), image


def _is_one(images: Any) -> bool:
    # Arrays and PIL images have the attribute; asking a PIL image itself decodes it.
    return isinstance(
        images, (str, os.PathLike, bytes, bytearray, memoryview)
    ) or hasattr(type(images), "__array_interface__")


def _name(image: Any) -> str:
    if isinstance(image, str | os.PathLike):
        return os.fsdecode(image)
    is_bytes = isinstance(image, bytes | bytearray | memoryview)
    return "<bytes>" if is_bytes else "<array>"


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


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # those that this process may use
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
