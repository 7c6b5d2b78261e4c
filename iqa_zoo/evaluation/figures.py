"""The figures that say how well answers agree with opinions."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from iqa_zoo.correlation import agreement, emd, rmse
from iqa_zoo.data.manifest import Labels


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
        n, srocc, plcc, plcc_logistic, krocc against opinions turned so that high is
        good; rmse in the opinions' units after the logistic; emd (r = 1) and emd_r2,
        means over the images, where there are distributions.
    """
    result = agreement(_high_is_good(labels)[rows], scores)
    if distributions is not None:
        truth = labels.distribution(scale, distributions.shape[1])[rows]
        result["emd"] = float(emd(truth, distributions, 1).mean())
        result["emd_r2"] = float(emd(truth, distributions, 2).mean())
    return result


def constant_figures(
    labels: Labels,
    rows: NDArray[np.int64],
    known: NDArray[np.int64],
    scale: tuple[float, float] = (1, 10),
    bins: int = 10,
) -> dict[str, float]:
    """What answering every one of `rows` with the mean of the `known` rows gives."""
    opinions = _high_is_good(labels)
    truth = labels.distribution(scale, bins)
    answer = np.broadcast_to(truth[known].mean(0), truth[rows].shape)
    return {
        **dict.fromkeys(("srocc", "plcc", "plcc_logistic", "krocc"), 0.0),
        "n": len(rows),
        "rmse": rmse(opinions[rows], np.full(len(rows), opinions[known].mean())),
        "emd": float(emd(truth[rows], answer, 1).mean()),
        "emd_r2": float(emd(truth[rows], answer, 2).mean()),
    }


def _high_is_good(labels: Labels) -> NDArray[np.float64]:
    return labels.mos if labels.direction == "higher_is_better" else -labels.mos
