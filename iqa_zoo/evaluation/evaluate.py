"""`iqa_zoo.evaluate`: scores of images held against people's opinions."""

import csv
import os
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from iqa_zoo import registry
from iqa_zoo.data.manifest import Labels
from iqa_zoo.data.sources import as_labels
from iqa_zoo.errors import OpinionError, UnknownNameError, UsageError
from iqa_zoo.evaluation.figures import constant_figures, figures
from iqa_zoo.files import fingerprint
from iqa_zoo.results import ImageScore
from iqa_zoo.scoring import Scorer

CONSTANT = "constant"


def evaluate(
    models: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    labels: str | os.PathLike[str] | Labels,
    images: str | os.PathLike[str] | None = None,
    *,
    split: str | os.PathLike[str] | None = None,
    part: str = "test",
    engine: str = "auto",
    **columns: Any,
) -> list[dict[str, Any]]:
    """Measure how well models agree with opinions, beside a constant answer.

    Args:
        models: names of models or folders of runs, one or several.
        labels: table of scores (see `data.manifest.read_labels`), or one read already.
        images: folder of the images that the table names.
        split: a run's `split.csv`; only the images of one `part` are measured then.
        part: "train", "validation" or "test".
        engine: as in `scoring.score`.
        **columns: further arguments of `read_labels` (mos, std, group, range, ...).

    Returns:
        A row a model, and last the row "constant", which answers every image with the
        mean of these very opinions. Keys: model, n (images measured), failed (images
        without a score), seen (images that the model was trained on: figures on them
        say nothing about new ones), and those of `figures`.

    Raises:
        OpinionError: rows of the table that cannot be used, or too few images scored.
        UsageError: `split` lacks images of the table, or the part is empty.
    """
    if isinstance(models, (str, os.PathLike)):
        models = [models]
    labels = as_labels(labels, images, **columns)
    rows = _rows(labels, split, part)
    scorer = Scorer(list(models), engine=engine)
    results = list(scorer.score([labels.paths[row] for row in rows]))

    table = []
    for index, model in enumerate(models):
        mine = results[index :: len(models)]
        kept = [i for i, result in enumerate(mine) if result.value is not None]
        if len(kept) < 3:
            failures = [result.message for result in mine if result.error]
            first = f" The first failure: {failures[0]}" if failures else ""
            raise OpinionError(
                f"{os.fspath(model)} scored {len(kept)} of {len(rows)} images; 3 are "
                f"needed.{first}"
            )
        known = registry.resolve(model).seen()
        seen = [fingerprint(labels.paths[row]) in known for row in rows[kept]]
        table.append(
            {
                "model": scorer.models[index],
                "failed": len(mine) - len(kept),
                "seen": sum(seen),
                **_figures(labels, rows[kept], [mine[i] for i in kept]),
            }
        )
    scale, bins = next(
        ((r.scale, len(r.distribution)) for r in results if r.scale and r.distribution),
        ((1, 10), 10),
    )
    constant = constant_figures(labels, rows, rows, scale, bins)
    return [*table, {"model": CONSTANT, "failed": 0, "seen": 0, **constant}]


def _figures(
    labels: Labels, rows: np.ndarray, results: Sequence[ImageScore]
) -> dict[str, Any]:
    sign = 1 if results[0].direction == "higher_is_better" else -1
    scores = [sign * float(result.value or 0) for result in results]
    distributions = None
    if results[0].distribution is not None:
        distributions = np.array([result.distribution for result in results])
    scale = results[0].scale or (1, 10)
    return figures(labels, rows, scores, distributions, scale)


def _rows(
    labels: Labels, split: str | os.PathLike[str] | None, part: str
) -> np.ndarray:
    if split is None:
        return np.arange(len(labels.names))
    try:
        text = Path(split).read_text(encoding="utf-8", errors="surrogateescape")
        part_of = {row["image"]: row["part"] for row in csv.DictReader(StringIO(text))}
    except (OSError, KeyError, csv.Error) as error:
        raise UsageError(
            f"{split} is no split ({error!r}). Give the split.csv of a run, a table "
            "with the columns image and part."
        ) from error
    if part not in part_of.values():
        raise UnknownNameError("part of the split", part, set(part_of.values()))
    for name in labels.names:
        if name not in part_of:
            raise UsageError(f"{split} does not say which part {name} belongs to.")
    return np.flatnonzero([part_of[name] == part for name in labels.names])
