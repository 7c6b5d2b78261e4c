"""Figures of one group, one distortion or one level at a time."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from iqa_zoo.correlation import FloatArray, plcc, srocc
from iqa_zoo.data.manifest import Labels
from iqa_zoo.errors import UsageError
from iqa_zoo.evaluation.answers import LEAST, Answers
from iqa_zoo.evaluation.intervals import LEVELS, srocc_draws

#: Columns of `Labels` that figures can be taken apart by.
BY = ("group", "reference", "distortion", "level")


def column(labels: Labels, by: str) -> list[str]:
    """For each image of the table what stands in the column `by`.

    Raises:
        UsageError: the table has no such column.
    """
    values = getattr(labels, by)
    if values is None:
        raise UsageError(f"The table has no column {by}; name it, or leave by out.")
    if by == "level":
        digits = len(str(max(values)))
        return [f"{value:0{digits}}" for value in values]
    return [value.name if by == "reference" else str(value) for value in values]


def parts(
    answers: Sequence[Answers],
    truth: FloatArray,
    by: str,
    values: Sequence[str],
    *,
    groups: Sequence[str] | None,
    repeats: int,
    seed: int,
) -> list[dict[str, Any]]:
    """A row for every model and every value of a column.

    Args:
        answers: to n images each.
        truth: (n,), opinions, high for good.
        by: name of the column.
        values: (n,), what it says of the images.
        groups, repeats, seed: as in `intervals.bootstrap`; draws are made within a
            part, of single images where it has one group.

    Returns:
        Rows with model, by, part, n; srocc with its bounds and plcc of the raw scores;
        rmse and bias (above 0: rated better than people do), the error after the
        logistic of the whole set. None where a part has fewer than three images.
    """
    rows = []
    of_image = np.asarray(values)
    for answer in answers:
        wrong, good = answer.wrong(truth), answer.good
        for value in np.unique(of_image):
            at = np.flatnonzero((of_image == value) & np.isfinite(answer.scores))
            row: dict[str, Any] = {"model": answer.model, "by": by, "part": str(value)}
            row |= dict.fromkeys(("n", "srocc", "srocc_low", "srocc_high", "plcc"))
            row |= {"n": len(at), "rmse": None, "bias": None}
            if len(at):
                row["rmse"] = float(np.sqrt(np.mean(np.square(wrong[at]))))
                row["bias"] = float(wrong[at].mean())
            if len(at) >= LEAST:
                row["srocc"] = srocc(truth[at], good[at])
                row["plcc"] = plcc(truth[at], good[at])
                if repeats:
                    within = [groups[i] for i in at] if groups is not None else None
                    if within and len(set(within)) < 2:
                        within = None
                    draws = srocc_draws(truth[at], [good[at]], within, repeats, seed)
                    low, high = np.percentile(draws, LEVELS)
                    row["srocc_low"], row["srocc_high"] = float(low), float(high)
            rows.append(row)
    return rows
