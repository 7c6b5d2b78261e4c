"""Opinion scores of any scale as distributions over equally spaced bins.

A network that predicts a distribution needs one to learn from, and most data sets
publish only a mean opinion score (MOS), often with the standard deviation of the
ratings. Of all distributions with that mean and deviation the one of maximum entropy
assumes the least.

Bins are everywhere `numpy.linspace(low, high, bins)`, worst first: 1, 2, ... 10 unless
told otherwise.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iqa_zoo.errors import OpinionError, UnknownNameError, UsageError

FloatArray = NDArray[np.float64]

DIRECTIONS = ("higher_is_better", "lower_is_better")

#: Variance of the ratings as a share of (mean - low) * (high - mean), where no
#: deviation is known: the SOS hypothesis (Hossfeld, Schatz, Egger, QoMEX 2011). Fits
#: give 0.09 (KonIQ-10k), 0.106 (AVA) and 0.18 (LIVE In the Wild).
SOS_ALPHA = 0.10

_LEAST_EXCESS = 0.01  # bins; a smaller deviation beyond the least one is raised to it
_LARGEST_SHARE = 0.98  # of the largest deviation; keeps the exponents finite


def max_entropy(
    mean: ArrayLike,
    std: ArrayLike | None = None,
    *,
    scale: tuple[float, float] = (1, 10),
    bins: int = 10,
) -> FloatArray:
    """The distributions of largest entropy that have the given means and deviations.

    They are p_i ~ exp(a x_i + b x_i^2); b may be positive (two camps of raters). Some
    means and deviations fit no such distribution:

    - a mean at an end of the scale puts everything into the end's bin;
    - a deviation at or below the least possible one splits the mass between the two
      bins beside the mean;
    - a deviation at or above the largest possible one, sqrt((mean - low)(high - mean)),
      splits it between the two ends;
    - close to these bounds the deviation is moved inwards (to 0.01 bins above the least
      and 0.98 of the largest).

    The mean is kept in every case.

    Args:
        mean: means on `scale`, any shape.
        std: standard deviations of the ratings (not of the mean), in units of `scale`,
            of a shape that fits `mean`. None takes SOS_ALPHA's.
        scale: value of the first and the last bin.
        bins: number of bins, 2 or more.

    Returns:
        float64 of the shape of `mean` and one more axis of `bins` shares with sum 1.

    Raises:
        OpinionError: a value is not finite, a mean is outside the scale or a deviation
            is negative.
        UsageError: `scale` or `bins` cannot be meant.
    """
    low, high = _checked_scale(scale)
    step = (high - low) / (len(bin_values(scale, bins)) - 1)
    mean = _finite("mean", mean)
    _refuse(
        "mean", mean, (mean < low) | (mean > high), f"outside {low:.12g} to {high:.12g}"
    )
    if std is None:
        std = np.sqrt(SOS_ALPHA * (mean - low) * (high - mean))
    else:
        std = _finite("std", std)
        _refuse("std", std, std < 0, "negative")
    try:
        mean, std = np.broadcast_arrays(mean, std)
    except ValueError:
        raise UsageError(
            f"mean has shape {np.shape(mean)} and std {np.shape(std)}; "
            "give as many deviations as means."
        ) from None
    flat = _over_bins((mean.ravel() - low) / step, std.ravel() / step, bins)
    return flat.reshape(*mean.shape, bins)


def to_distribution(
    mos: ArrayLike,
    std: ArrayLike | None = None,
    *,
    range: tuple[float, float],
    direction: str = "higher_is_better",
    scale: tuple[float, float] = (1, 10),
    bins: int = 10,
) -> FloatArray:
    """Opinion scores of any scale as distributions over `bins`, best last.

    Args:
        mos: scores on `range`, any shape; MOS, or DMOS with "lower_is_better".
        std: standard deviations of the ratings in units of `range`, or None.
        range: the lowest and the highest score that raters could give.
        direction: "higher_is_better" or "lower_is_better"; the latter is turned round.
        scale: value of the first and the last bin.
        bins: number of bins, 2 or more.

    Returns:
        float64 of the shape of `mos` and one more axis of `bins` shares with sum 1, as
        `max_entropy` makes them of the linearly mapped scores and deviations.

    Raises:
        OpinionError: a value is not finite, a score is outside `range` or a deviation
            is negative.
        UsageError: `range`, `direction`, `scale` or `bins` cannot be meant.
    """
    first, last = _checked_scale(range, "range")
    low, high = _checked_scale(scale)
    if direction not in DIRECTIONS:
        raise UnknownNameError("direction", direction, DIRECTIONS)
    mos = _finite("mos", mos)
    _refuse(
        "mos", mos, (mos < first) | (mos > last), f"outside {first:.12g} to {last:.12g}"
    )
    share = (mos - first) / (last - first)
    if direction == "lower_is_better":
        share = 1 - share
    # Rounding may carry the ends of one scale just beyond the ends of the other.
    mean = np.clip(low + share * (high - low), low, high)
    if std is not None:
        std = _finite("std", std)
        _refuse("std", std, std < 0, "negative")
        std = std * (high - low) / (last - first)
    return max_entropy(mean, std, scale=scale, bins=bins)


def votes_to_distribution(votes: ArrayLike, *, bins: int = 10) -> FloatArray:
    """Histograms of votes as distributions over `bins`.

    Where the histogram has another number of levels than `bins`, both are laid evenly
    over the same scale, and each level's share is divided between the two bins beside
    it, in proportion to their nearness. That keeps the mean exactly; the deviation
    grows where a level lies between bins.

    Args:
        votes: counts or shares, shape (..., levels), 2 levels or more, worst first.
        bins: number of bins, 2 or more.

    Returns:
        float64 of shape (..., bins), each with sum 1.

    Raises:
        OpinionError: a vote is not finite or negative, or an image has no votes.
        UsageError: there is no axis of levels, or `bins` cannot be meant.
    """
    votes = _finite("votes", votes)
    if votes.ndim == 0 or votes.shape[-1] < 2:
        raise UsageError(
            f"votes has shape {votes.shape}; its last axis must have 2 levels or more."
        )
    _refuse("votes", votes, votes < 0, "negative")
    totals = votes.sum(axis=-1, keepdims=True)
    _refuse("sum of votes", totals[..., 0], totals[..., 0] <= 0, "not positive")
    levels = bin_values((0, 1), votes.shape[-1])
    # hat[i, j]: share of level i that goes to bin j
    last = len(bin_values((0, 1), bins)) - 1
    hat = np.maximum(0, 1 - np.abs(levels[:, None] * last - np.arange(bins)))
    distribution: FloatArray = votes / totals @ hat
    return distribution


def mean_and_std(
    distribution: ArrayLike, scale: tuple[float, float] = (1, 10)
) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of distributions over equally spaced bins.

    Args:
        distribution: shares, shape (..., bins), the last axis with sum 1.
        scale: value of the first and the last bin.

    Returns:
        Two float64 arrays of shape (...), on `scale` and in its units.

    Raises:
        UsageError: there is no axis of bins, or `scale` cannot be meant.
    """
    shares = np.asarray(distribution, dtype=np.float64)
    values = bin_values(scale, shares.shape[-1] if shares.ndim else 0)
    mean = np.asarray(shares @ values)
    variance = (shares * np.square(values - mean[..., None])).sum(axis=-1)
    return mean, np.sqrt(variance)


def bin_values(scale: tuple[float, float] = (1, 10), bins: int = 10) -> FloatArray:
    """The values of the bins, float64 (bins,): `scale` divided evenly, ends included.

    Raises:
        UsageError: `scale` or `bins` cannot be meant.
    """
    if bins < 2:
        raise UsageError(f"{bins} bins do not make a scale; use 2 or more.")
    return np.linspace(*_checked_scale(scale), bins)


def _over_bins(position: FloatArray, spread: FloatArray, bins: int) -> FloatArray:
    """`max_entropy` for flat arrays in units of bins, the first bin at 0."""
    last = bins - 1
    below = np.minimum(np.floor(position).astype(int), last - 1)
    above = position - below  # share of the upper of the two bins beside the mean
    least = np.sqrt(above * (1 - above))
    largest = np.sqrt(position * (last - position))

    # Deviations that were computed reach a bound only up to rounding.
    split = (spread <= least + 1e-9) | (largest == 0)
    ends = ~split & (spread >= largest - 1e-9)
    smooth = np.flatnonzero(~split & ~ends)

    shares = np.zeros((len(position), bins))
    rows = np.flatnonzero(split)
    shares[rows, below[rows]] = 1 - above[rows]
    shares[rows, below[rows] + 1] = above[rows]
    rows = np.flatnonzero(ends)
    shares[rows, 0] = 1 - position[rows] / last
    shares[rows, last] = position[rows] / last
    if len(smooth):
        upper = _LARGEST_SHARE * largest[smooth]
        lower = np.minimum(least[smooth] + _LEAST_EXCESS, upper)
        shares[smooth] = _solve_dual(
            np.arange(bins) - position[smooth, None],
            np.clip(spread[smooth], lower, upper),
        )
    return shares


def _solve_dual(offsets: FloatArray, spread: FloatArray) -> FloatArray:
    """Distributions (n, bins) with mean 0 and deviation `spread` over `offsets`.

    Damped Newton on the convex dual log sum exp(a z + b (z^2 - 1)) with z = offset /
    spread. Its gradient is the error of the two moments, its Hessian their covariance.
    """
    z = offsets / spread[:, None]
    features = np.stack([z, z * z - 1], axis=1)  # (n, 2, bins)
    # The normal density, widened where it would leave nothing in the neighbour bins.
    weights = np.zeros((len(z), 2))
    weights[:, 1] = -0.5 * np.square(spread / np.maximum(spread, 0.5))
    value, shares = _dual(features, weights)
    for _ in range(100):
        error = np.einsum("nkb,nb->nk", features, shares)
        unsolved = np.abs(error).max(axis=1) > 1e-11
        if not unsolved.any():
            break
        centred = features - error[:, :, None]
        covariance = np.einsum("nib,njb,nb->nij", centred, centred, shares)
        newton = np.linalg.solve(covariance + 1e-12 * np.eye(2), error[:, :, None])
        newton = newton[:, :, 0]
        wanted = 1e-4 * (newton * error).sum(axis=1)
        size = unsolved.astype(float)
        for _ in range(60):
            trial = weights - size[:, None] * newton
            trial_value, trial_shares = _dual(features, trial)
            # Near the solution rounding hides the decrease: hence the 1e-14.
            poor = trial_value > value - size * wanted + 1e-14
            if not poor.any():
                break
            size = np.where(poor, size / 2, size)
        weights, value, shares = trial, trial_value, trial_shares
    return shares


def _dual(features: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Value (n,) of the dual and the distributions (n, bins) that belong to it."""
    exponents = np.einsum("nk,nkb->nb", weights, features)
    top = exponents.max(axis=1, keepdims=True)
    shares = np.exp(exponents - top)
    total = shares.sum(axis=1, keepdims=True)
    return (top + np.log(total))[:, 0], shares / total


def _checked_scale(
    scale: tuple[float, float], name: str = "scale"
) -> tuple[float, float]:
    low, high = scale
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise UsageError(
            f"{name} {low} to {high} cannot be meant; give two numbers, the lower one "
            "first (direction says whether high is good)."
        )
    return float(low), float(high)


def _finite(name: str, values: ArrayLike) -> FloatArray:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise OpinionError(f"{name} is no array of numbers: {error}.") from error
    _refuse(name, array, ~np.isfinite(array), "not a finite number")
    return array


def _refuse(
    name: str, values: FloatArray, wrong: NDArray[np.bool_] | np.bool_, why: str
) -> None:
    """Raise OpinionError that names the first value where `wrong` is true."""
    if np.any(wrong):
        first = tuple(int(i) for i in np.argwhere(wrong)[0])
        place = f"[{', '.join(map(str, first))}]" if first else ""
        count = int(np.sum(wrong))
        more = f" (and {count - 1} more)" if count > 1 else ""
        raise OpinionError(f"{name}{place} = {values[first]:.12g} is {why}{more}.")
