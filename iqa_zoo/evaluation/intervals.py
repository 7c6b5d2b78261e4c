"""How far the figures of one set of images would move with another: bootstrap."""

import logging
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iqa_zoo.correlation import Fit, FloatArray, logistic, logistic_fit, logistic_slopes
from iqa_zoo.errors import UsageError

REPEATS = 1000
LEVELS = (2.5, 97.5)  # percentiles that bound 95 %

MANY = 20_000  # images; Kendall's tau of more costs more than all else
FEW_DRAWS = 200  # it is taken of then

_STEPS = 10
_GAIN = 1e-3  # share of the squared error; smaller gains move no interval

_log = logging.getLogger(__name__)


def bootstrap(
    opinions: ArrayLike,
    scores: ArrayLike,
    *,
    groups: Sequence[str] | None = None,
    repeats: int = REPEATS,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """95 % intervals of the figures of `correlation.agreement`.

    Groups are drawn with replacement, each with all its images, and the figures are
    taken of what was drawn; the interval goes from the 2.5th to the 97.5th percentile.
    Images of one reference or one prompt are no independent witnesses, and drawing them
    one by one would give intervals that are too narrow.

    The logistics are fitted to every draw anew, by a few steps from the fit to all
    images (see `refit`). Above 20,000 images the interval of KROCC, which costs most,
    is that of the first 200 draws.

    Args:
        opinions: (n,), high for good.
        scores: (n,), of any scale.
        groups: for each image the name of its reference, prompt or scene. None, or
            fewer than two different ones, draws single images.
        repeats: how many times.
        seed: of the draws, 0 or more. The same n, groups and seed draw the same images,
            whatever the scores.

    Returns:
        The lower and the upper bound of "srocc", "plcc", "plcc_logistic",
        "plcc_logistic5", "krocc" and "rmse" (in units of `opinions`, after the
        logistic of four). What is constant in a draw correlates with 0.

    Raises:
        UsageError: as in `correlation.logistic_fit`, or `repeats` or `seed` cannot be
            meant.

    Source:
        Efron, Tibshirani, An introduction to the bootstrap, 1993, chapter 13.
    """
    y, x = np.asarray(opinions, np.float64), np.asarray(scores, np.float64)
    four, five = logistic_fit(x, y, 4), logistic_fit(x, y, 5)
    unit = y.std()
    ranks = Ranks(y), Ranks(x)
    most = repeats if len(y) <= MANY else FEW_DRAWS
    draws: list[tuple[float, ...]] = []
    for counts in resamples(len(y), groups, repeats, seed):
        weights = counts.astype(np.float64)
        mapped = refit(four, weights)
        draws.append(
            (
                correlation(weights, ranks[0](weights), ranks[1](weights)),
                correlation(weights, y, x),
                correlation(weights, y, mapped),
                correlation(weights, y, refit(five, weights)),
                np.nan if len(draws) >= most else _tau(counts, y, x),
                unit * np.sqrt(_mean_square(weights, four.goal - mapped)),
            )
        )
    names = ("srocc", "plcc", "plcc_logistic", "plcc_logistic5", "krocc", "rmse")
    low, high = np.nanpercentile(draws, LEVELS, axis=0)
    return {
        name: (float(a), float(b)) for name, a, b in zip(names, low, high, strict=True)
    }


def srocc_draws(
    opinions: FloatArray,
    scores: Sequence[FloatArray],
    groups: Sequence[str] | None,
    repeats: int,
    seed: int,
) -> FloatArray:
    """SROCC of every draw of images and each of several models, (repeats, models)."""
    ranks_of_opinions, ranks = Ranks(opinions), [Ranks(each) for each in scores]
    draws = []
    for counts in resamples(len(opinions), groups, repeats, seed):
        weights = counts.astype(np.float64)
        truth = ranks_of_opinions(weights)
        draws.append([correlation(weights, truth, rank(weights)) for rank in ranks])
    return np.array(draws)


def resamples(
    n: int, groups: Sequence[str] | None, repeats: int = REPEATS, seed: int = 0
) -> Iterator[NDArray[np.int64]]:
    """How often each of n images is drawn, int64 (n,), `repeats` times.

    Raises:
        UsageError: not n groups, fewer than one repeat, or a negative seed.
    """
    if repeats < 1 or seed < 0:
        raise UsageError(f"{repeats} repeats with seed {seed}: use 1 or more, and 0.")
    if groups is not None and len(groups) != n:
        raise UsageError(f"{len(groups)} groups for {n} images; give one an image.")
    group_of_image = np.arange(n)
    if groups is not None:
        known, found = np.unique(np.asarray(groups), return_inverse=True)
        if len(known) > 1:
            group_of_image = found
        else:
            _log.warning("one group of images only: intervals are drawn of images")
    count = int(group_of_image.max()) + 1
    random = np.random.default_rng(seed)
    for _ in range(repeats):
        drawn = np.bincount(random.integers(count, size=count), minlength=count)
        yield drawn[group_of_image]


class Ranks:
    """Ranks of the same values in any number of draws, sorted only once."""

    def __init__(self, values: FloatArray) -> None:
        self._known, self._place = np.unique(values, return_inverse=True)

    def __call__(self, weights: FloatArray) -> FloatArray:
        """Average ranks (n,) where image i was drawn `weights[i]` times."""
        times = np.bincount(self._place, weights, minlength=len(self._known))
        ranks: FloatArray = (np.cumsum(times) - (times - 1) / 2)[self._place]
        return ranks


def refit(fit: Fit, weights: FloatArray) -> FloatArray:
    """Scores mapped by the same function as in `fit`, fitted to weighted images.

    Steps of Gauss and Newton from the fit to all images, as long as they help: in
    resamples of many images the first is all it takes.

    Returns:
        float64 (n,) in the units of `fit.goal`.
    """
    z, goal, curve = fit.z, fit.goal, fit.curve
    if not len(curve):  # a straight line
        slopes = np.stack([z, np.ones_like(z)], axis=1)
        line: FloatArray = slopes @ _step(slopes, weights, goal)
        return line
    mapped = logistic(z, curve)
    error = _mean_square(weights, goal - mapped)
    for _ in range(_STEPS):
        step = _step(logistic_slopes(z, curve), weights, goal - mapped)
        for share in (1, 1 / 4, 1 / 16):
            moved = logistic(z, curve + share * step)
            left = _mean_square(weights, goal - moved)
            if left < error:
                break
        else:
            return mapped
        curve, mapped, gain, error = curve + share * step, moved, error - left, left
        if gain < _GAIN * error:
            break
    return mapped


def _step(slopes: FloatArray, weights: FloatArray, error: FloatArray) -> FloatArray:
    """The solution of weighted linear least squares; the shortest where many are."""
    weighted = slopes.T * weights
    inverse = np.linalg.pinv(weighted @ slopes, hermitian=True)
    step: FloatArray = inverse @ (weighted @ error)
    return step


def correlation(weights: FloatArray, x: FloatArray, y: FloatArray) -> float:
    """Pearson's correlation with images counted `weights` times; 0 of a constant."""
    drawn = weights > 0
    if np.ptp(x[drawn]) == 0 or np.ptp(y[drawn]) == 0:
        return 0.0
    share = weights / weights.sum()
    x, y = x - share @ x, y - share @ y
    return float((share * x) @ y / np.sqrt((share @ (x * x)) * (share @ (y * y))))


def _tau(counts: NDArray[np.int64], x: FloatArray, y: FloatArray) -> float:
    from scipy.stats import kendalltau

    x, y = np.repeat(x, counts), np.repeat(y, counts)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    if len(x) == 2:  # scipy divides by the number of images beyond two
        return float(np.sign((x[1] - x[0]) * (y[1] - y[0])))
    return float(kendalltau(x, y, method="asymptotic").statistic)


def _mean_square(weights: FloatArray, values: FloatArray) -> float:
    return float(weights @ (values * values) / weights.sum())
