"""How well scores agree with opinions: correlation, errors and the logistic fit.

All functions take one value an image in float64 or anything that becomes it, and
refuse NaN, infinity and arrays of different lengths. A correlation with something
constant is 0: a constant orders nothing and explains nothing.
"""

import logging
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iqa_zoo.errors import UsageError

FloatArray = NDArray[np.float64]

_log = logging.getLogger(__name__)


def srocc(x: ArrayLike, y: ArrayLike) -> float:
    """Spearman's rank correlation, -1 to 1: Pearson's of the ranks, ties averaged."""
    from scipy.stats import rankdata

    x, y = _pair(x, y)
    return plcc(rankdata(x), rankdata(y))


def plcc(x: ArrayLike, y: ArrayLike) -> float:
    """Pearson's linear correlation, -1 to 1."""
    x, y = _pair(x, y)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    x, y = _standardised(x), _standardised(y)
    return float(np.clip(np.mean(x * y), -1, 1))


def krocc(x: ArrayLike, y: ArrayLike) -> float:
    """Kendall's rank correlation, -1 to 1: tau-b, which allows for ties."""
    from scipy.stats import kendalltau

    x, y = _pair(x, y)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    return float(kendalltau(x, y, variant="b").statistic)


def rmse(x: ArrayLike, y: ArrayLike) -> float:
    """Root of the mean squared difference, in the unit of the two."""
    x, y = _pair(x, y)
    return float(np.sqrt(np.mean(np.square(x - y))))


class Fit(NamedTuple):
    """A logistic fitted to scores and opinions.

    Attributes:
        mapped: float64 (n,), the scores on the scale of the opinions.
        straight: whether no logistic fits and a straight line is used.
        z: float64 (n,), the standardised scores; zeros where either is constant.
        goal: float64 (n,), the standardised opinions; zeros where they are constant.
        curve: float64, the logistic's 4 or 5 numbers in units of `z` and `goal`; empty
            for a straight line or where the scores or the opinions are constant.
    """

    mapped: FloatArray
    straight: bool
    z: FloatArray
    goal: FloatArray
    curve: FloatArray


def fit_logistic(x: ArrayLike, y: ArrayLike, parameters: int = 4) -> FloatArray:
    """Scores mapped onto opinions by the logistic that fits them best.

    See `logistic_fit`, of which this is the field `mapped`; a straight line in its
    place gets a warning in the log.
    """
    fit = logistic_fit(x, y, parameters)
    if fit.straight:
        _log.warning(
            "no logistic of %d parameters fits %d images; a straight line is used",
            parameters,
            len(fit.z),
        )
    return fit.mapped


def logistic_fit(x: ArrayLike, y: ArrayLike, parameters: int = 4) -> Fit:
    """The logistic that maps scores onto opinions best.

    The functions, with s(t) = 1 / (1 + exp(-t)):

    - 4 parameters: b1 + (b0 - b1) s(b2 (x - b3)), rising or falling, never both;
    - 5 parameters: b0 (s(b1 (x - b2)) - 1/2) + b3 x + b4.

    Least squares by Levenberg and Marquardt from six starts (three slopes, both
    signs), the best of which is taken; where none leads anywhere, from the same starts
    with a loss that outliers pull less (soft L1). It may turn the order round: look at
    the SROCC for the sign.

    Args:
        x: scores (n,).
        y: opinions (n,).
        parameters: 4 or 5.

    Returns:
        The fit. Its `mapped` is the mean of `y` everywhere where `x` or `y` is
        constant; the straight line of least squares where there are fewer images than
        parameters or no start leads anywhere.

    Raises:
        UsageError: values are not finite, lengths differ, or `parameters` is not 4
            or 5.

    Source:
        VQEG, Final report, 2000 (4); Sheikh, Sabir, Bovik, TIP 2006, eq. 7 (5), whose
        authors' own start b1 = 0 is a saddle point and is not used.
    """
    if parameters not in (4, 5):
        raise UsageError(f"A logistic of {parameters} parameters is not known: 4 or 5.")
    x, y = _pair(x, y)
    mean = np.full_like(y, y.mean())
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        zero = np.zeros_like(y)
        goal = _standardised(y) if np.ptp(y) else zero
        return Fit(mean, False, zero, goal, np.empty(0))
    z, goal = _standardised(x), _standardised(y)

    slopes = [sign * slope for slope in (0.5, 2.0, 8.0) for sign in (1, -1)]
    if parameters == 4:
        starts = [[goal.max(), goal.min(), slope, 0.0] for slope in slopes]
    else:
        starts = [[np.ptp(goal), slope, 0.0, 0.0, 0.0] for slope in slopes]
    curve, least = np.empty(0), np.inf
    for loss in ("linear", "soft_l1"):
        if len(z) < parameters or np.isfinite(least):
            break
        for start in starts:
            found = _descend(z, goal, np.asarray(start), loss)
            error = np.square(logistic(z, found) - goal).sum()
            if error < least:  # never where it is NaN
                curve, least = found, error
    straight = not np.isfinite(least)
    best = plcc(x, y) * z if straight else logistic(z, curve)
    deviation: FloatArray = best * (y - mean).std()
    return Fit(mean + deviation, straight, z, goal, curve)


def logistic(z: FloatArray, curve: FloatArray) -> FloatArray:
    """The logistic with the 4 or 5 numbers `curve` (see `logistic_fit`) at `z`."""
    from scipy.special import expit

    b = curve
    mapped: FloatArray
    if len(b) == 4:
        mapped = b[1] + (b[0] - b[1]) * expit(b[2] * (z - b[3]))
    else:
        mapped = b[0] * (expit(b[1] * (z - b[2])) - 0.5) + b[3] * z + b[4]
    return mapped


def logistic_slopes(z: FloatArray, curve: FloatArray) -> FloatArray:
    """The derivatives (n, 4 or 5) of `logistic` by the numbers of the curve."""
    from scipy.special import expit

    b, one = curve, np.ones_like(z)
    if len(b) == 4:
        s = expit(b[2] * (z - b[3]))
        bell = (b[0] - b[1]) * s * (1 - s)
        return np.stack([s, 1 - s, bell * (z - b[3]), -bell * b[2]], axis=1)
    s = expit(b[1] * (z - b[2]))
    bell = b[0] * s * (1 - s)
    return np.stack([s - 0.5, bell * (z - b[2]), -bell * b[1], z, one], axis=1)


def _descend(
    z: FloatArray, goal: FloatArray, start: FloatArray, loss: str
) -> FloatArray:
    """The numbers of the curve of least squares that are reached from `start`."""
    from scipy.optimize import least_squares

    found = least_squares(
        lambda curve: logistic(z, curve) - goal,
        start,
        lambda curve: logistic_slopes(z, curve),
        method="lm" if loss == "linear" else "trf",
        loss=loss,
        max_nfev=100,
    )
    best: FloatArray = found.x
    return best


def emd(p: ArrayLike, q: ArrayLike, r: float = 1) -> FloatArray:
    """Earth mover's distance of two distributions over the same bins, image by image.

    ((1 / bins) sum_k |P_k - Q_k|^r)^(1 / r) with the cumulative sums P and Q; 0 where
    they are equal, below 1. NIMA trains on r = 2 and reports r = 1.

    Args:
        p: shares or counts, shape (..., bins), each at least 0; normalised here.
        q: the same, of a shape that fits `p`.
        r: exponent, 1 or more.

    Returns:
        float64 of shape (...).

    Raises:
        UsageError: different numbers of bins, a share that is negative or not finite,
            a distribution without any mass, or r below 1.

    Source:
        Talebi, Milanfar, NIMA, TIP 2018, eq. 1.
    """
    if not 1 <= r < np.inf:
        raise UsageError(f"EMD with r = {r} is not a distance; use 1 or more.")
    p, q = _normalised("p", p), _normalised("q", q)
    if p.shape[-1] != q.shape[-1]:
        raise UsageError(
            f"Distributions over {p.shape[-1]} and {q.shape[-1]} bins cannot be "
            "compared; bring them to the same bins."
        )
    difference = np.abs(np.cumsum(p, axis=-1) - np.cumsum(q, axis=-1))
    distance: FloatArray = np.mean(difference**r, axis=-1) ** (1 / r)
    return distance


def agreement(mos: ArrayLike, predicted: ArrayLike) -> dict[str, float]:
    """The usual figures of how well predictions agree with opinions.

    Args:
        mos: opinions (n,).
        predicted: scores (n,), of any scale and direction.

    Returns:
        "srocc", "plcc", "krocc" of the scores as they are (negative where low scores
        mean high opinions); "plcc_logistic" and "rmse" (in units of `mos`) after the
        logistic of four parameters and "plcc_logistic5" after that of five, which are
        fitted to these very data and forgive a wrong direction; "straight" and
        "straight5", whether a straight line stands for the logistic (see
        `logistic_fit`); "n", the number of images. Constant predictions give
        correlations of 0.

    Raises:
        UsageError: as in `logistic_fit`.
    """
    four, five = logistic_fit(predicted, mos, 4), logistic_fit(predicted, mos, 5)
    return {
        "srocc": srocc(mos, predicted),
        "plcc": plcc(mos, predicted),
        "plcc_logistic": plcc(mos, four.mapped),
        "plcc_logistic5": plcc(mos, five.mapped),
        "krocc": krocc(mos, predicted),
        "rmse": rmse(mos, four.mapped),
        "straight": four.straight,
        "straight5": five.straight,
        "n": len(four.mapped),
    }


def _standardised(values: FloatArray) -> FloatArray:
    """Mean 0, deviation 1; the first division keeps squares of huge values finite."""
    centred = values / np.abs(values).max()
    centred = centred - centred.mean()
    scaled: FloatArray = centred / np.abs(centred).max()
    scaled = scaled / scaled.std()
    return scaled


def _pair(x: ArrayLike, y: ArrayLike) -> tuple[FloatArray, FloatArray]:
    first, second = _finite("the first", x), _finite("the second", y)
    if first.ndim != 1 or first.shape != second.shape or len(first) < 2:
        raise UsageError(
            f"Arrays of shapes {first.shape} and {second.shape} cannot be compared; "
            "give two values or more and as many of one as of the other."
        )
    return first, second


def _normalised(name: str, shares: ArrayLike) -> FloatArray:
    shares = np.atleast_1d(_finite(name, shares))
    total = shares.sum(axis=-1, keepdims=True)
    if np.any(shares < 0) or np.any(total <= 0):
        raise UsageError(f"{name} has a negative share or an image without any votes.")
    normalised: FloatArray = shares / total
    return normalised


def _finite(name: str, values: ArrayLike) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        place = ", ".join(map(str, wrong[0]))
        raise UsageError(
            f"Value [{place}] of {name} array is {array[tuple(wrong[0])]:g}; leave out "
            "images without a score."
        )
    return array
