"""Whether scores tell apart what people tell apart, and in the right order."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iqa_zoo.errors import UsageError

#: Beyond it the mean opinions of two images differ with 95 % confidence.
SIGNIFICANT = 1.96

MOST_PAIRS = 2_000_000


def separation(
    opinions: ArrayLike,
    std: ArrayLike,
    votes: ArrayLike,
    scores: ArrayLike,
    *,
    seed: int = 0,
) -> dict[str, float]:
    """Krasula's analysis of pairs of images, which asks for no curve between the two.

    A pair is different where |a - b| / sqrt(s_a^2 / n_a + s_b^2 / n_b) is above 1.96,
    with opinions a and b, deviations s and votes n.

    Args:
        opinions: (n,), high for good.
        std: (n,), standard deviations of the single votes.
        votes: how many votes each opinion is the mean of, (n,) or one number.
        scores: (n,), high for good.
        seed: of the pairs that are drawn where there are more than two million.

    Returns:
        - "auc_different": how well the scores' distance tells pairs that people find
          different from pairs that they do not (0.5 to 1 is better than chance);
        - "auc_better": how well the scores' difference tells the better of two
          different images, as an area under the curve;
        - "c0": the share of different pairs that the scores put in people's order; a
          pair of equal scores counts half;
        - "different": the share of pairs that are different.

        Without pairs of one kind a figure is 0.5.

    Raises:
        UsageError: lengths differ, or an opinion without votes.

    Source:
        Krasula, Fliegel, Le Callet, Klima, QoMEX 2016.
    """
    y, s, x = (np.asarray(values, np.float64) for values in (opinions, std, scores))
    n = np.broadcast_to(np.asarray(votes, np.float64), y.shape)
    if not y.shape == s.shape == x.shape or y.ndim != 1:
        raise UsageError("Give as many deviations and scores as opinions.")
    if not np.all(n > 0):
        raise UsageError("An opinion is the mean of no votes; give how many there are.")
    first, second = _pairs(len(y), seed)
    variance = s * s / n
    spread = np.sqrt(variance[first] + variance[second])
    apart = y[first] - y[second]
    different = np.abs(apart) > SIGNIFICANT * spread
    distance = x[first] - x[second]
    # Each pair both ways round, so that nothing depends on the order of the images.
    signed = np.where(apart > 0, distance, -distance)[different]
    size = np.abs(distance)
    return {
        "auc_different": _area(size[different], size[~different]),
        "auc_better": _area(signed, -signed),
        "c0": float(np.mean((np.sign(signed) + 1) / 2)) if len(signed) else 0.5,
        "different": float(different.mean()) if len(different) else 0.0,
    }


def _pairs(n: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All pairs of n images, or two million drawn ones."""
    if n * (n - 1) // 2 <= MOST_PAIRS:
        first, second = np.triu_indices(n, 1)
        return first, second
    random = np.random.default_rng(seed)
    first = random.integers(n, size=MOST_PAIRS)
    return first, (first + random.integers(1, n, size=MOST_PAIRS)) % n


def _area(positive: NDArray[np.float64], negative: NDArray[np.float64]) -> float:
    """P(a positive is above a negative), ties counting half: area under the ROC."""
    if not (len(positive) and len(negative)):
        return 0.5
    below = np.sort(negative)
    above = np.searchsorted(below, positive, "left").mean()
    not_below = np.searchsorted(below, positive, "right").mean()
    return float((above + not_below) / 2 / len(below))
