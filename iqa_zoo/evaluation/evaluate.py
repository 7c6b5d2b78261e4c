"""`iqa_zoo.evaluate`: scores of images held against people's opinions."""

import csv
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iqa_zoo.correlation import FloatArray
from iqa_zoo.data.manifest import Labels
from iqa_zoo.data.sources import as_labels
from iqa_zoo.errors import UnknownNameError, UsageError
from iqa_zoo.evaluation.answers import (
    LEAST,
    Answers,
    Watch,
    ask,
    ask_sharpness,
    unwatched,
)
from iqa_zoo.evaluation.comparison import paired_tests
from iqa_zoo.evaluation.figures import (
    constant_figures,
    figures,
    high_is_good,
    with_intervals,
)
from iqa_zoo.evaluation.intervals import REPEATS, bootstrap
from iqa_zoo.evaluation.parts import BY, column, parts
from iqa_zoo.evaluation.separation import separation

CONSTANT = "constant"

OUTSIDE = ""  # the part of images that a split does not name

SEED = 0  # of the draws: the same images give the same intervals

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """All that was found out about models on one set of n images.

    Attributes:
        labels: the opinions.
        rows: int64 (n,), which images of `labels` were measured.
        truth: float64 (n,), their opinions, high for good.
        answers: of each model and last of sharpness.
        figures: a dict a model, then "sharpness" and "constant"; see `evaluate`.
        parts: figures by one column; see `parts.parts`.
        tests: of every two models; see `comparison.paired_tests`.
        drawn: what intervals are drawn of: "group", "reference" or "image".
        drawn_of: how many of these there are.
        repeats: how often they are drawn.
    """

    labels: Labels
    rows: NDArray[np.int64]
    truth: FloatArray
    answers: list[Answers]
    figures: list[dict[str, Any]]
    parts: list[dict[str, Any]]
    tests: list[dict[str, Any]]
    drawn: str
    drawn_of: int
    repeats: int


def evaluate(
    models: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    labels: str | os.PathLike[str] | Labels | None = None,
    images: str | os.PathLike[str] | None = None,
    *,
    out: str | os.PathLike[str] | None = None,
    **options: Any,
) -> list[dict[str, Any]]:
    """Measure how well models agree with opinions, beside answers that cost nothing.

    Args:
        models: names of models or folders of runs, one or several.
        labels: table of scores (see `data.manifest.read_labels`), or one read already.
        images: folder of the images that the table names.
        out: new or empty folder for `report.html`, `metrics.json`, `scores.csv` and
            pictures; see `evaluation.output.write`.
        **options: split, part, by, raters, repeats, engine and watch, and what says
            where the opinions are and what the columns mean; see `measure`.

    Returns:
        A row a model, then "sharpness", which scores photos by `baselines.sharpness`,
        and "constant", which answers every image with the mean of these very opinions.
        Keys: model, n (images measured), failed (images without a score), seen (images
        that the model was trained on: figures on them say nothing about new ones),
        those of `figures.figures`, the bounds of their 95 % intervals with "_low" and
        "_high" appended (see `intervals.bootstrap`), and, where each opinion's
        deviation and number of votes are known, those of `separation.separation`.
        With `by`, the rows of `parts.parts` follow.

    Raises:
        OpinionError: rows of the table that cannot be used, or too few images scored.
        UsageError: an argument that cannot be meant, `split` names no image of the
            table, the part is empty, or `out` holds files already.
        OutputError: `out` cannot be written.
    """
    from iqa_zoo.evaluation.output import check_folder, write

    if out is not None:
        check_folder(out)
    found = measure(models, labels, images, **options)
    if out is not None:
        write(found, out)
    return found.figures + found.parts


def measure(
    models: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    labels: str | os.PathLike[str] | Labels | None = None,
    images: str | os.PathLike[str] | None = None,
    *,
    split: str | os.PathLike[str] | None = None,
    part: str | None = None,
    by: str | None = None,
    raters: int | None = None,
    repeats: int = REPEATS,
    engine: str = "auto",
    watch: Watch = unwatched,
    **columns: Any,
) -> Evaluation:
    """All that `evaluate` finds out.

    Args:
        models, labels, images: as in `evaluate`.
        split: a run's `split.csv`; only the images of one `part` are measured then.
            Images that it does not name are in no part.
        part: "train", "validation" or "test"; without `split`, by the table's own
            column. None is "test" with `split`, else all images.
        by: a column, one of `parts.BY`, to take the figures apart by.
        raters: how many votes each opinion is the mean of, where the table has no
            counts of votes; needs the opinions' deviations.
        repeats: draws for the intervals and the paired tests; 0 leaves both out.
        engine: as in `scoring.score`.
        watch: is given scores that come one by one and how many there will be, and
            gives them on, as `tqdm.tqdm` does.
        **columns: further arguments of `data.sources.as_labels` (dataset, data_dir,
            mos, std, range, ...).

    Raises:
        As `evaluate`.
    """
    if isinstance(models, (str, os.PathLike)):
        models = [models]
    if repeats < 0 or (raters is not None and raters < 1):
        raise UsageError("repeats starts from 0 and raters from 1.")
    if by is not None and by not in BY:
        raise UnknownNameError("column to take figures apart by", by, BY)
    labels = as_labels(labels, images, **columns)
    if raters is not None and labels.std is None:
        raise UsageError(
            "The number of votes (raters) says nothing without the standard deviations "
            "of the opinions; name their column (std), or leave raters out."
        )
    rows = _rows(labels, split, part)
    values = [column(labels, by)[row] for row in rows] if by is not None else []
    drawn, groups = _groups(labels, rows)
    votes = _votes(labels, rows, raters)
    truth = high_is_good(labels)[rows]
    paths = [labels.paths[row] for row in rows]

    asked = ask(models, paths, engine, watch)
    answers = [*asked, ask_sharpness(paths, watch)]
    _log.info("Computing the figures and %d draws for their intervals.", repeats)
    table = [
        _figures(labels, rows, truth, answer, groups, votes, repeats)
        for answer in answers
    ]
    one = next((answer for answer in asked if answer.distributions is not None), None)
    scale, bins = (1.0, 10.0), 10
    if one is not None and one.distributions is not None and one.scale is not None:
        scale, bins = one.scale, one.distributions.shape[1]
    constant = constant_figures(labels, rows, rows, scale, bins)
    table.append({"model": CONSTANT, "failed": 0, "seen": 0, **constant})
    return Evaluation(
        labels=labels,
        rows=rows,
        truth=truth,
        answers=answers,
        figures=table,
        parts=parts(
            answers,
            truth,
            by,
            values,
            groups=groups,
            repeats=repeats,
            seed=SEED,
        )
        if by is not None
        else [],
        tests=_tests(asked, truth, groups, repeats),
        drawn=drawn,
        drawn_of=len(rows) if groups is None else len(set(groups)),
        repeats=repeats,
    )


def _figures(
    labels: Labels,
    rows: NDArray[np.int64],
    truth: FloatArray,
    answer: Answers,
    groups: list[str] | None,
    votes: FloatArray | None,
    repeats: int,
) -> dict[str, Any]:
    """The row of one model."""
    kept = answer.kept
    good = answer.good[kept]
    head = {
        "model": answer.model,
        "failed": len(rows) - len(kept),
        "seen": answer.seen,
    }
    if len(kept) < LEAST:
        return head | {"n": len(kept)}
    shares = answer.distributions
    found = figures(
        labels,
        rows[kept],
        good,
        None if shares is None else shares[kept],
        answer.scale or (1, 10),
    )
    if repeats:
        within = None if groups is None else [groups[row] for row in kept]
        intervals = bootstrap(
            truth[kept], good, groups=within, repeats=repeats, seed=SEED
        )
        found = with_intervals(found, intervals)
    if votes is not None and labels.std is not None:
        std = labels.std[rows[kept]]
        found |= separation(truth[kept], std, votes[kept], good, seed=SEED)
    return head | found


def _tests(
    asked: Sequence[Answers],
    truth: FloatArray,
    groups: list[str] | None,
    repeats: int,
) -> list[dict[str, Any]]:
    """Paired tests on the images that all models scored."""
    both = np.flatnonzero(np.isfinite([answer.scores for answer in asked]).all(0))
    if len(asked) < 2 or not repeats or len(both) < LEAST:
        return []
    return paired_tests(
        truth[both],
        {answer.model: answer.good[both] for answer in asked},
        groups=None if groups is None else [groups[row] for row in both],
        repeats=repeats,
        seed=SEED,
    )


def _groups(labels: Labels, rows: NDArray[np.int64]) -> tuple[str, list[str] | None]:
    """What intervals are drawn of, and its name for each image."""
    for name in ("group", "reference"):
        values = getattr(labels, name)
        if values is not None:
            groups = [os.fspath(values[row]) for row in rows]
            if len(set(groups)) > 1:
                return name, groups
    return "image", None


def _votes(
    labels: Labels, rows: NDArray[np.int64], raters: int | None
) -> FloatArray | None:
    """How many votes each opinion is the mean of, where that is known."""
    if raters is not None:
        return np.full(len(rows), float(raters))
    if labels.votes is None:
        return None
    counts = labels.votes[rows].sum(1)
    return counts if np.all(counts > 1.5) else None  # shares sum to 1


def _rows(
    labels: Labels, split: str | os.PathLike[str] | None, part: str | None
) -> NDArray[np.int64]:
    if split is None and part is None:
        return np.arange(len(labels.names))
    part = part or "test"
    if split is None:
        if labels.split is None:
            raise UsageError(
                f"The table does not say which images are the part {part}; give the "
                "split.csv of a run as split."
            )
        parts_of = list(labels.split)
    else:
        parts_of = _parts_of(labels, split)
    if part not in parts_of:
        raise UnknownNameError("part of the split", part, set(parts_of) - {OUTSIDE})
    return np.flatnonzero([here == part for here in parts_of])


def _parts_of(labels: Labels, split: str | os.PathLike[str]) -> list[str]:
    """Which part each image of the table belongs to by a run's `split.csv`.

    A split leaves out copies of images that test.
    """
    try:
        text = Path(split).read_text(encoding="utf-8", errors="surrogateescape")
        part_of = {row["image"]: row["part"] for row in csv.DictReader(StringIO(text))}
    except (OSError, KeyError, csv.Error) as error:
        raise UsageError(
            f"{split} is no split ({error!r}). Give the split.csv of a run, a table "
            "with the columns image and part."
        ) from error
    parts_of = [part_of.get(name, OUTSIDE) for name in labels.names]
    left_out = parts_of.count(OUTSIDE)
    if left_out == len(parts_of):
        raise UsageError(
            f"{split} names no image of the table, such as {labels.names[0]}; give the "
            "split of a run on this table."
        )
    if left_out:
        _log.info("%d images of the table are in no part of %s", left_out, split)
    return parts_of
