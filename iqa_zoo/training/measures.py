"""Fitting a hand-made measure to one's own photos, by the function that its card names.

The run's folder is like that of a trained network: a card, arrays, the split, scores
and figures; its path is taken wherever a model's name is.
"""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from iqa_zoo import registry
from iqa_zoo.data.manifest import Labels
from iqa_zoo.errors import UsageError
from iqa_zoo.evaluation.figures import figures, high_is_good
from iqa_zoo.evaluation.intervals import bootstrap
from iqa_zoo.files import fingerprint
from iqa_zoo.images import Pixels, find_images, read_image
from iqa_zoo.training.folder import write_model, write_run
from iqa_zoo.training.pace import paced
from iqa_zoo.training.unfinished import claimed

logger = logging.getLogger("iqa_zoo")


def fit_opinions(
    entry: registry.Entry,
    labels: Labels,
    parts: Mapping[str, np.ndarray],
    *,
    out: str | os.PathLike[str],
    split: int | None = 0,
    command: str = "",
) -> Path:
    """Fit a measure that learns from opinions; its scores are on the opinions' scale.

    Args:
        entry: the measure.
        labels: opinions and photos.
        parts: rows of the parts "train" and, where there are any, "validation" and
            "test"; what is not trained on is only measured.
        out: folder to make; it may exist but must be empty.
        split: what seeded the parts.
        command: what the card says made the arrays.

    Returns:
        The folder `out`.

    Raises:
        UsageError: `out` holds something, or opinions that cannot be fitted.
        ImageError: a photo that cannot be read.
        OutputError: `out` cannot be written.
    """
    function = _function(entry)
    train = parts["train"]
    with claimed(Path(out)) as place:
        place.follow({"model": entry.name, "recipe": "fit"})
        logger.info("Fitting %s to %d photos.", entry.name, len(train))
        photos = _photos([labels.paths[row] for row in train], entry)
        arrays = function(photos, labels.mos[train])
        scores = np.full(len(labels.names), np.nan)
        measure = registry.load_measure(entry, arrays)
        for row in np.concatenate(list(parts.values())):
            scores[row] = measure.score(labels.paths[row])
        metrics: dict[str, Any] = {
            "model": entry.name,
            "start": "nothing",
            "split": split,
            "seed": 0,
            "range": list(labels.range),
            "direction": labels.direction,
            **run_figures(labels, parts, scores),
        }
        seen = frozenset(fingerprint(labels.paths[row]) for row in train)
        write_run(
            place.out,
            entry.card,
            arrays,
            metrics,
            [],
            labels,
            parts,
            scores,
            seen,
            command,
            output={
                "kind": "score",
                "scale": list(labels.range),
                "direction": labels.direction,
            },
        )
    return place.out


def run_figures(
    labels: Labels, parts: Mapping[str, np.ndarray], scores: np.ndarray
) -> dict[str, Any]:
    """The figures of each part, with intervals where it was held out.

    Args:
        labels: the opinions.
        parts: rows by part.
        scores: (n,), on the opinions' scale.
    """
    found: dict[str, Any] = {}
    good = high_is_good(labels)
    sign = 1 if labels.direction == "higher_is_better" else -1
    for part, rows in parts.items():
        if len(rows) < 2:  # one picture agrees with anything
            continue
        found[part] = figures(labels, rows, sign * scores[rows])
        if part != "train":
            groups = groups_of(labels, rows)
            found[f"{part}_intervals"] = bootstrap(
                good[rows], sign * scores[rows], groups=groups
            )
    return found


def groups_of(labels: Labels, rows: np.ndarray) -> list[str] | None:
    """The groups, or else the references, of photos; None where there are none."""
    groups = labels.group or labels.reference
    return [str(groups[row]) for row in rows] if groups else None


def fit_photos(
    entry: registry.Entry,
    images: str | os.PathLike[str] | None,
    *,
    out: str | os.PathLike[str],
    command: str = "",
) -> Path:
    """Fit a measure that learns from pristine photos and no opinions.

    Args: as of `fit_opinions`; `images` is the folder of the photos.

    Raises:
        UsageError: there is no folder, or `out` holds something.
        ImageError: a photo that cannot be read, or cannot be learned from.
        OutputError: `out` cannot be written.
    """
    if images is None:
        raise UsageError(
            f"{entry.name} learns from photos; name their folder (images)."
        )
    paths = [Path(path) for path in find_images([images])]
    with claimed(Path(out)) as place:
        place.follow({"model": entry.name, "recipe": "fit"})
        logger.info("Fitting %s to %d photos.", entry.name, len(paths))
        said = {
            "data": f"{len(paths)} photos without opinions",
            "terms": "those of the photos",
            "start": "nothing",
            "seed": 0,
            "trained_on": len(paths),
        }
        arrays = _function(entry)(_photos(paths, entry))
        seen = frozenset(fingerprint(path) for path in paths)
        write_model(place.out, entry.card, arrays, seen, command, said)
    return place.out


def learns(entry: registry.Entry) -> str:
    """What a measure learns from: "opinions" or "photos".

    Raises:
        UsageError: it learns nothing.
    """
    if "fit" not in entry.card:
        raise UsageError(f"{entry.name} is computed as it is: nothing can be trained.")
    found: str = entry.card["fit"]["from"]
    return found


def _function(entry: registry.Entry) -> Any:
    return registry.named_function(entry.card["fit"]["function"], entry.package)


def _photos(paths: Sequence[Path], entry: registry.Entry) -> Iterator[Pixels]:
    for path in paced(paths, len(paths), "photos"):
        pixels = read_image(path)
        registry.check_large_enough(entry, *pixels.shape[:2], os.fspath(path))
        yield pixels
