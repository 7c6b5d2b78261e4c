"""Whether one model is better than another on the same images, or was only lucky."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from iqa_zoo.correlation import FloatArray, logistic_fit, srocc
from iqa_zoo.evaluation.intervals import LEVELS, REPEATS, srocc_draws

#: Between these kurtoses residuals are taken for normal (3), as VQEG does.
NORMAL_KURTOSIS = (2.0, 4.0)

_SURE = 0.05  # a smaller p-value is called significant


def paired_tests(
    opinions: ArrayLike,
    scores: Mapping[str, ArrayLike],
    *,
    groups: Sequence[str] | None = None,
    repeats: int = REPEATS,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Compare every two of several models on the same images.

    No p-value is corrected for the number of pairs.

    Args:
        opinions: (n,), high for good.
        scores: model to scores (n,), high for good.
        groups, repeats, seed: as in `intervals.bootstrap`.

    Returns:
        For each pair a dict:

        - "a" and "b", the models; "n", the images;
        - "srocc_difference" (a minus b) with "srocc_difference_low",
          "srocc_difference_high" and "srocc_p", of a bootstrap that draws the same
          images for both;
        - "residual_test" ("F" or "Wilcoxon"), "variance_ratio" (of a's residuals to
          b's after the logistic of five; None where b's are 0) and "residual_p";
        - "better_srocc" and "better_residuals", the better model of each test, or None
          where p is 0.05 or more.

        F compares the variances of residuals; where a kurtosis is outside 2 to 4,
        Wilcoxon's signed ranks compare their sizes image by image instead.

    Raises:
        UsageError: as in `intervals.bootstrap`.
    """
    y = np.asarray(opinions, np.float64)
    x = {name: np.asarray(values, np.float64) for name, values in scores.items()}
    draws = srocc_draws(y, list(x.values()), groups, repeats, seed)
    draws_of = dict(zip(x, draws.T, strict=True))
    residuals = {name: y - logistic_fit(each, y, 5).mapped for name, each in x.items()}
    tests = []
    for a, b in itertools.combinations(x, 2):
        moved = draws_of[a] - draws_of[b]
        low, high = np.percentile(moved, LEVELS)
        difference = srocc(x[a], y) - srocc(x[b], y)
        beyond = min(np.sum(moved <= 0), np.sum(moved >= 0))
        p = min(1.0, 2 * (beyond + 1) / (repeats + 1))
        kind, ratio, residual_p, less = _residual_test(residuals[a], residuals[b])
        tests.append(
            {
                "a": a,
                "b": b,
                "n": len(y),
                "srocc_difference": difference,
                "srocc_difference_low": float(low),
                "srocc_difference_high": float(high),
                "srocc_p": float(p),
                "better_srocc": _better(a, b, p, difference > 0),
                "residual_test": kind,
                "variance_ratio": ratio,
                "residual_p": residual_p,
                "better_residuals": _better(a, b, residual_p, less),
            }
        )
    return tests


def _residual_test(
    a: FloatArray, b: FloatArray
) -> tuple[str, float | None, float, bool]:
    """Kind of test, ratio of variances, p-value, and whether a's are the smaller."""
    from scipy.stats import f, kurtosis, wilcoxon

    ratio = float(a.var() / b.var()) if b.var() > 0 else None
    low, high = NORMAL_KURTOSIS
    if ratio and all(low <= kurtosis(each, fisher=False) <= high for each in (a, b)):
        freedom = len(a) - 1
        p = 2 * min(f.cdf(ratio, freedom, freedom), f.sf(ratio, freedom, freedom))
        return "F", ratio, min(1.0, float(p)), ratio < 1
    closer = np.abs(a) - np.abs(b)
    if not closer.any():
        return "Wilcoxon", ratio, 1.0, False
    p = float(wilcoxon(closer).pvalue)
    return "Wilcoxon", ratio, p, bool(_signed_ranks(closer) < 0)


def _signed_ranks(values: FloatArray) -> float:
    from scipy.stats import rankdata

    values = values[values != 0]
    return float(np.sum(np.sign(values) * rankdata(np.abs(values))))


def _better(a: str, b: str, p: float, first: bool) -> str | None:
    if p >= _SURE:
        return None
    return a if first else b
