"""The figures that say how well answers agree with opinions."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from iqa_zoo.correlation import agreement, emd, plcc, rmse, srocc
from iqa_zoo.data.manifest import Labels
from iqa_zoo.opinions import mean_and_std


def figures(
    labels: Labels,
    rows: NDArray[np.int64],
    scores: Sequence[float] | NDArray[np.float64],
    distributions: NDArray[np.float64] | None = None,
    scale: tuple[float, float] = (1, 10),
) -> dict[str, float]:
    """Agreement of answers with the opinions of the same rows.

    Args:
        labels: the opinions.
        rows: (n,), which of them are measured.
        scores: (n,), the answers, high for good.
        distributions: (n, bins) over `scale`, where the answers are distributions.
        scale: lowest and highest score.

    Returns:
        Those of `correlation.agreement` with opinions turned so that high is good.
        Where there are distributions: emd (r = 1) and emd_r2, means over the images;
        and, where the opinions have deviations, plcc_std and srocc_std of the
        distributions' deviations with those.
    """
    result = agreement(high_is_good(labels)[rows], scores)
    if distributions is not None:
        truth = labels.distribution(scale, distributions.shape[1], rows)
        result["emd"] = float(emd(truth, distributions, 1).mean())
        result["emd_r2"] = float(emd(truth, distributions, 2).mean())
        if labels.std is not None:
            spread = mean_and_std(distributions, scale)[1]
            result["plcc_std"] = plcc(labels.std[rows], spread)
            result["srocc_std"] = srocc(labels.std[rows], spread)
    return result


def constant_figures(
    labels: Labels,
    rows: NDArray[np.int64],
    known: NDArray[np.int64],
    scale: tuple[float, float] = (1, 10),
    bins: int | None = 10,
) -> dict[str, float]:
    """What answering every one of `rows` with the mean of the `known` rows gives.

    Args:
        bins: of distributions; None where the answers are scores.
    """
    opinions = high_is_good(labels)
    correlations = ("srocc", "plcc", "plcc_logistic", "plcc_logistic5", "krocc")
    found = {
        **dict.fromkeys(correlations, 0.0),
        "n": len(rows),
        "rmse": rmse(opinions[rows], np.full(len(rows), opinions[known].mean())),
    }
    if bins is None:
        return found
    truth = labels.distribution(scale, bins, rows)
    of_known = truth if known is rows else labels.distribution(scale, bins, known)
    answer = np.broadcast_to(of_known.mean(0), truth.shape)
    return {
        **found,
        "emd": float(emd(truth, answer, 1).mean()),
        "emd_r2": float(emd(truth, answer, 2).mean()),
    }


def with_intervals(
    found: Mapping[str, float], intervals: Mapping[str, tuple[float, float]]
) -> dict[str, float]:
    """Figures, each followed by its bounds as "NAME_low" and "NAME_high"."""
    result = {}
    for name, value in found.items():
        result[name] = value
        if name in intervals:
            result[f"{name}_low"], result[f"{name}_high"] = intervals[name]
    return result


def high_is_good(labels: Labels) -> NDArray[np.float64]:
    """The opinions, DMOS with its sign turned."""
    return labels.mos if labels.direction == "higher_is_better" else -labels.mos
