"""Pairs of images in, full-reference scores out: on all cores, in the pairs' order."""

import math
import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

from iqa_zoo import full_reference
from iqa_zoo.comparing.features import feature_maps
from iqa_zoo.comparing.maps import MapFolder
from iqa_zoo.comparing.metrics import metric_card, metric_names, of_maps, pair_score
from iqa_zoo.comparing.pairs import Pair, find_pairs
from iqa_zoo.comparing.scores import PairScore
from iqa_zoo.errors import ImageError, UnknownNameError, UsageError
from iqa_zoo.full_reference.feature_maps import Maps
from iqa_zoo.images import (
    Limits,
    Photo,
    Pixels,
    check_range,
    checked_formats,
    fit_image,
    out_of_memory,
)
from iqa_zoo.threads import cores

_Name = str | os.PathLike[str]

#: What is measured where nothing is named: the two that everybody asks for, and two
#: that agree with people better and take little time.
DEFAULT = ("psnr", "ssim", "gmsd", "mdsi")
#: Of images of different sizes, which size both are brought to.
RESIZE_RULES: dict[str, Callable[..., tuple[int, ...]]] = {
    "reference": lambda reference, distorted: reference,
    "distorted": lambda reference, distorted: distorted,
    "smaller": lambda reference, distorted: tuple(map(min, reference, distorted)),
}


def compare(
    reference: Any,
    distorted: Any = None,
    metrics: _Name | Iterable[_Name] | None = None,
    *,
    resize: str | None = None,
    maps: str | os.PathLike[str] | None = None,
    limits: Limits | None = None,
    value_range: tuple[float, float] | None = None,
    also_read: str | Iterable[str] = (),
    threads: int | None = None,
) -> Generator[PairScore, None, None]:
    """Scores of images against their originals, of each metric for each pair.

    A pair that cannot be compared gives each `PairScore` an error code and no value;
    it never ends the run. Pairs are read and compared while the caller works on earlier
    ones; memory does not grow with their number.

    Args:
        reference: the original: a path, encoded bytes, a file open in binary mode, an
            array (height, width, 3) of RGB or a PIL image; or a folder; or, without
            `distorted`, a table of pairs (CSV, columns "reference" and "distorted" with
            names relative to its folder) or an iterable of pairs of images.
        distorted: what is compared with it; where that is a folder, each of its images
            is compared with the image of the same name in the other, or of the same
            name but for the suffix.
        metrics: a metric's name, an iterable of names, or "all"; None for `DEFAULT`.
            See `iqa_zoo.comparing.metrics.metric_names`. Networks that compare have a
            name with a tag too, or are the folder of a run.
        resize: what happens to images of different sizes: None is an error, "reference"
            and "distorted" bring the other one to that size, "smaller" brings both to
            the lesser height and the lesser width.
        maps: a folder that gets a grey PNG file for each pair and metric that has a
            map; white is where the images are alike.
        limits: what an image may claim; None for `iqa_zoo.images.Limits()`.
        value_range: the values of black and white in arrays, such as (0, 1); arrays
            that are not uint8 need it.
        also_read: formats to read that are only read when asked for: "jpeg2000".
        threads: how many pairs are worked on at once; None for one a core.

    Raises:
        UnknownNameError: no such metric, rule or format.
        UsageError: the arguments stand for no pairs.
        OpinionError: the table cannot be read.
        OutputError: a map cannot be written.
        MissingLibraryError: a library that a metric needs does not load.
        WeightsError: the weights of a metric of feature maps, or of a network that
            compares, are missing or damaged.
    """
    if threads is not None and threads < 1:
        raise UsageError(f"threads is {threads}; it must be 1 or more.")
    if resize is not None and resize not in RESIZE_RULES:
        raise UnknownNameError("resize rule", resize, RESIZE_RULES)
    if value_range is not None:
        check_range(value_range)
    work = _Work(
        checked_metrics(metrics),
        resize,
        MapFolder(maps) if maps is not None else None,
        {
            "limits": Limits() if limits is None else limits,
            "value_range": value_range,
            "also_read": checked_formats(also_read),
        },
    )
    return _in_order(work, find_pairs(reference, distorted), threads or cores())


def checked_metrics(metrics: _Name | Iterable[_Name] | None) -> tuple[str, ...]:
    """The names of metrics, each once; see `compare`."""
    if metrics is None:
        metrics = DEFAULT
    given = [metrics] if isinstance(metrics, str | os.PathLike) else metrics
    names = [os.fspath(name) for name in given]
    if "all" in names:
        names = list(metric_names())
    for name in names:
        metric_card(name)
    if not names:
        raise UsageError("No metric is named. Give one, or None for the default.")
    return tuple(dict.fromkeys(names))


def _in_order(
    work: "_Work", pairs: Iterable[Pair], threads: int
) -> Generator[PairScore, None, None]:
    """The scores of pairs in order; few pairs are begun and not given."""
    pool = ThreadPoolExecutor(threads, thread_name_prefix="iqa_zoo")
    begun: deque[Future[list[PairScore]]] = deque()
    wait = True
    try:
        for pair in pairs:
            begun.append(pool.submit(work, pair))
            while begun and (len(begun) >= 2 * threads or begun[0].done()):
                yield from begun.popleft().result()
        while begun:
            yield from begun.popleft().result()
    except (KeyboardInterrupt, SystemExit):
        wait = False  # large images take seconds
        raise
    finally:
        pool.shutdown(wait, cancel_futures=True)


class _Work:
    """What is done to every pair."""

    def __init__(
        self,
        metrics: Sequence[str],
        resize: str | None,
        maps: MapFolder | None,
        reading: Mapping[str, Any],
    ) -> None:
        self._metrics = metrics
        self._resize = resize
        self._maps = maps
        self._reading = reading
        self._room = _Room()
        self._cards = {name: metric_card(name) for name in metrics}
        self._models = {
            name: pair_score(name)
            for name, card in self._cards.items()
            if "model" in card
        }

    def __call__(self, pair: Pair) -> list[PairScore]:
        try:
            if pair.problem is not None:
                raise pair.problem
            photos = [self._photo(source) for source in pair.sources or ()]
            size = self._size(pair, *photos)
            pixels = max(photo.height * photo.width for photo in photos)
            with self._room.taken(pixels):
                images = [fit_image(photo.pixels(), size) for photo in photos]
                del photos

                @cache
                def maps(model: str, layers: tuple[str, ...]) -> list[Maps]:
                    """The feature maps of both, for all metrics of the same network."""
                    return [feature_maps(image, model, layers) for image in images]

                return [
                    self._measured(pair, name, images, maps) for name in self._metrics
                ]
        except MemoryError:
            error = out_of_memory(pair.distorted)
        except ImageError as problem:
            error = problem
        return [self._failed(pair, name, error) for name in self._metrics]

    def _photo(self, source: Any) -> Photo:
        try:
            return Photo(source, **self._reading)
        except UnknownNameError:
            raise
        except UsageError as error:
            raise ImageError("not_an_image", str(error)) from error

    def _size(self, pair: Pair, reference: Photo, distorted: Photo) -> tuple[int, int]:
        """The height and width at which two images are compared."""
        sizes = [(photo.height, photo.width) for photo in (reference, distorted)]
        if sizes[0] == sizes[1]:
            return sizes[0]
        if self._resize is None:
            shown = [f"{width} x {height}" for height, width in sizes]
            raise ImageError(
                "different_sizes",
                f"{pair.distorted}: {shown[1]} pixels, but {pair.reference} has "
                f"{shown[0]}. Say which is resized (resize, --resize), or crop it.",
                pair.distorted,
            )
        height, width = RESIZE_RULES[self._resize](*sizes)
        return height, width

    def _measured(
        self,
        pair: Pair,
        name: str,
        images: Sequence[Pixels],
        maps: Callable[..., list[Maps]],
    ) -> PairScore:
        card = self._cards[name]
        height, width = images[0].shape[:2]
        if min(height, width) < card["least"]:
            text = (
                f"{pair.distorted}: {width} x {height} pixels; {name} needs at least "
                f"{card['least']} a side."
            )
            return self._failed(pair, name, ImageError("too_small", text))
        try:
            if network := card.get("network"):
                found = maps(network["model"], tuple(network["layers"]))
                score = of_maps(name, *found)
            elif name in self._models:
                score = self._models[name](*images)
            elif self._maps is not None and card["has_map"]:
                score, map_ = full_reference.metric(name)(*images, return_map=True)
                self._maps.write(pair, name, np.asarray(map_))
            else:
                score = full_reference.metric(name)(*images)
        except ImageError as error:
            return self._failed(pair, name, error)
        except MemoryError:
            return self._failed(pair, name, out_of_memory(pair.distorted))
        if math.isnan(score):
            text = f"{pair.distorted}: {name} answers with NaN."
            return self._failed(pair, name, ImageError("non_finite", text))
        return PairScore(
            pair.reference, pair.distorted, name, float(score), card["direction"]
        )

    def _failed(self, pair: Pair, name: str, error: ImageError) -> PairScore:
        return PairScore(
            pair.reference,
            pair.distorted,
            name,
            error=error.code,
            message=str(error),
        )


class _Room:
    """Lets as many pairs be measured at once as memory takes.

    At twelve megapixels a metric takes up to 1.5 GB, which grows with the pixels.
    """

    LIMIT = 24_000_000  # pixels of the pairs that are measured at once

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._pixels = 0

    @contextmanager
    def taken(self, pixels: int) -> Iterator[None]:
        """Wait for room; a pair that is larger than all of it is measured alone."""
        with self._changed:
            self._changed.wait_for(
                lambda: not self._pixels or self._pixels + pixels <= self.LIMIT
            )
            self._pixels += pixels
        try:
            yield
        finally:
            with self._changed:
                self._pixels -= pixels
                self._changed.notify_all()
