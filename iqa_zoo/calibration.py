"""What a score is worth: its place among the scores of many photos, and how far off.

A weight set's card may carry two tables that this module makes and reads: `quantiles`,
of the scores of a named set of photos, and `interval`, from the errors on photos that
the network was not trained on.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iqa_zoo.errors import UsageError

PERCENT = tuple(range(0, 101, 5))
DIGITS = 4  # of scores on cards


def quantile_table(scores: ArrayLike, set_name: str) -> dict[str, Any]:
    """The table `quantiles` of a weight set's card.

    Args:
        scores: of all photos of the set, (n,), on the card's scale.
        set_name: of the set, as in "better than 73 % of ...".

    Raises:
        UsageError: a score is not finite, or there is none.
    """
    quantiles = np.percentile(_finite("scores", scores), PERCENT)
    return {
        "set": set_name,
        "percent": list(PERCENT),
        "score": [round(float(score), DIGITS) for score in quantiles],
    }


def percentile(value: float, quantiles: Mapping[str, Any], direction: str) -> float:
    """The share of a set's photos that are worse, 0 to 100, from its quantiles.

    Between two quantiles it is interpolated linearly.

    Args:
        value: a score.
        quantiles: the card's table.
        direction: "higher_is_better", "lower_is_better" or "neither"; of the last,
            what is lower counts as worse.
    """
    below = float(np.interp(value, quantiles["score"], quantiles["percent"]))
    return 100 - below if direction == "lower_is_better" else below


def interval_table(
    scores: ArrayLike,
    opinions: ArrayLike,
    coverage: float = 0.9,
    *,
    held_out: str,
) -> dict[str, Any]:
    """The table `interval` of a weight set's card.

    Args:
        scores: of photos that the network was not trained on, (n,).
        opinions: mean opinions on the same photos and the same scale, (n,).
        coverage: share of photos whose opinion is to be within the interval.
        held_out: which photos these are.

    Raises:
        UsageError: as `conformal_half_width`, or the lengths differ.
    """
    scores, opinions = _finite("scores", scores), _finite("opinions", opinions)
    if scores.shape != opinions.shape:
        raise UsageError(
            f"{len(scores)} scores and {len(opinions)} opinions make no pairs; give "
            "one opinion a score."
        )
    half_width = conformal_half_width(scores - opinions, coverage)
    return {
        "coverage": coverage,
        "half_width": math.ceil(half_width * 10**DIGITS) / 10**DIGITS,
        "n": len(scores),
        "held_out": held_out,
    }


def conformal_half_width(errors: ArrayLike, coverage: float = 0.9) -> float:
    """How far from its score a photo's mean opinion is, but for a share of photos.

    Of n absolute errors in ascending order the one at place ceil((n + 1) coverage). Of
    further photos like these, at least that share has a smaller error or the same,
    whatever the errors' distribution.

    Args:
        errors: score minus opinion, of photos that the network was not trained on.
        coverage: the share, more than 0 and less than 1.

    Raises:
        UsageError: an error is not finite, `coverage` is no such share, or there are
            too few errors for it.

    Source:
        Lei, G'Sell, Rinaldo, Tibshirani, Wasserman, JASA 2018, algorithm 2.
    """
    ordered = np.sort(np.abs(_finite("errors", errors)))
    if not 0 < coverage < 1:
        raise UsageError(f"coverage is {coverage}; it must be between 0 and 1.")
    # Products such as 10 * 0.9 may be rounded to just above a whole number.
    place = math.ceil((len(ordered) + 1) * coverage - 1e-9)
    if place > len(ordered):
        least = math.ceil(coverage / (1 - coverage) - 1e-9)
        raise UsageError(
            f"{len(ordered)} photos are too few for a coverage of {coverage:g}; give "
            f"{least} or more."
        )
    return float(ordered[place - 1])


def interval(
    value: float, table: Mapping[str, Any], scale: tuple[float, float] | None
) -> tuple[float, float]:
    """Where a photo's mean opinion probably is, within the scale.

    Args:
        value: its score.
        table: the card's `interval`.
        scale: the lowest and the highest score; None where there are no bounds.
    """
    half = table["half_width"]
    low, high = scale or (-math.inf, math.inf)
    return max(low, value - half), min(high, value + half)


def _finite(name: str, values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not array.size or not np.isfinite(array).all():
        raise UsageError(
            f"{name} of shape {array.shape} must be one finite number a photo, and one "
            "photo or more."
        )
    return array
