"""Moments of normalised luminance, and the laws that are fitted to them."""

import functools
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from iqa_zoo.errors import WeightsError
from iqa_zoo.images import opencv

FloatArray = NDArray[np.float64]

# Where the neighbours of (1, 1) begin: left, above, above left, above right. A product
# with the one below left is that with another pixel's above right.
_NEIGHBOURS = ((1, 0), (0, 1), (0, 0), (0, 2))


def wrapped(values: NDArray[Any]) -> NDArray[Any]:
    """`values` between their last row and last and first column, as `moments` wants."""
    cv2 = opencv()
    ring: NDArray[Any] = cv2.copyMakeBorder(values, 1, 0, 1, 1, cv2.BORDER_WRAP)
    return ring


def moments(ring: NDArray[Any]) -> FloatArray:
    """Sums over values and over their products with four neighbours.

    Sums of parts add up to those of the whole.

    Args:
        ring: (1 + height, 1 + width + 1), a row above and a column at each side of the
            values.

    Returns:
        float64 (5, 6): of the values and of the products with those to the left, above,
        above left and above right, how many there are, how many are negative, how many
        positive, and the sums of their sizes, of the squares of the negative ones and
        of the squares of the positive ones.
    """
    cv2 = opencv()
    values = ring[1:, 1:-1]
    height, width = values.shape
    sums = [_sums(values)]
    for top, left in _NEIGHBOURS:
        neighbours = ring[top : top + height, left : left + width]
        sums.append(_sums(cv2.multiply(values, neighbours)))
    return np.array(sums)


def _sums(values: NDArray[Any]) -> tuple[float, ...]:
    cv2 = opencv()
    _, positive = cv2.threshold(values, 0, 0, cv2.THRESH_TOZERO)
    above, right = cv2.countNonZero(positive), cv2.norm(positive, cv2.NORM_L2SQR)
    below = cv2.countNonZero(values) - above
    # By rounding, a difference of two sums may be less than nothing.
    left = max(cv2.norm(values, cv2.NORM_L2SQR) - right, 0)
    return values.size, below, above, cv2.norm(values, cv2.NORM_L1), left, right


class Tables(NamedTuple):
    """Ratios of gamma functions at the shapes 0.2, 0.201, ... 10, float64 (9801,).

    Attributes:
        shape: the shapes.
        kurtosis: G(1/a) G(3/a) / G(2/a)², which falls as the shape rises.
        width: sqrt(G(1/a) / G(3/a)), a law's scale over its deviation.
        mean: G(2/a) / G(1/a), a one-sided law's mean over its scale.
    """

    shape: FloatArray
    kurtosis: FloatArray
    width: FloatArray
    mean: FloatArray


@functools.cache
def tables() -> Tables:
    """The grid that the authors search."""
    shape = np.arange(200, 10001) / 1000
    one, two, three = (
        np.array([math.lgamma(k / each) for each in shape.tolist()]) for k in (1, 2, 3)
    )
    return Tables(
        shape,
        np.exp(one + three - 2 * two),
        np.exp((one - three) / 2),
        np.exp(two - one),
    )


class Law(NamedTuple):
    """An asymmetric generalised Gaussian of mode 0, or many of them.

    Attributes:
        shape: 0.2 to 10; 1 is Laplace's, 2 is Gauss's, and 10 is nearly uniform.
        left: scale of the negative side, 0 or more.
        right: scale of the positive side.
        mean: how far to the right it leans.
        variance_left: mean square of the negative values; 0 where there are none.
        variance_right: mean square of the positive values.
    """

    shape: FloatArray
    left: FloatArray
    right: FloatArray
    mean: FloatArray
    variance_left: FloatArray
    variance_right: FloatArray


def fit_symmetric(sums: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Shape and variance of the generalised Gaussian with the moments `sums`.

    Args:
        sums: (..., 6), as in `moments`. Nothing but zeros gets the shape 10.

    Returns:
        Two float64 (...).

    Source:
        Sharifi, Leon-Garcia, TCSVT 1995.
    """
    count, _, _, sizes, left, right = np.moveaxis(sums, -1, 0)
    squares = left + right
    kurtosis = _over(squares * count, sizes**2, 0)
    index = _nearest(-tables().kurtosis, -kurtosis)
    return tables().shape[index], squares / count


def fit_asymmetric(sums: FloatArray) -> Law:
    """The law with the moments `sums` (..., 6), as in `moments`.

    A side without values counts as one of no width; nothing but zeros gets the shape
    10.

    Source:
        Lasmar, Stitou, Berthoumieu, ICIP 2009.
    """
    count, negative, positive, sizes, left, right = np.moveaxis(sums, -1, 0)
    variance_left = _over(left, negative, 0)
    variance_right = _over(right, positive, 0)
    sides = np.sqrt([variance_left, variance_right])
    # Left over right and right over left give the same.
    skew = _over(sides.min(0), sides.max(0), 0)
    ratio = _over(sizes**2, (left + right) * count, np.inf)
    ratio = ratio * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    index = _nearest(1 / tables().kurtosis, ratio)
    scale_left, scale_right = sides * tables().width[index]
    return Law(
        tables().shape[index],
        scale_left,
        scale_right,
        (scale_right - scale_left) * tables().mean[index],
        variance_left,
        variance_right,
    )


def _over(numerator: FloatArray, denominator: FloatArray, otherwise: float) -> Any:
    """Their ratio; `otherwise` where the denominator is 0."""
    full = np.full(np.shape(numerator), otherwise, np.float64)
    return np.divide(numerator, denominator, out=full, where=denominator > 0)


def _nearest(rising: FloatArray, values: FloatArray) -> NDArray[np.intp]:
    """The place in `rising` of what is nearest to each value; of two, the first."""
    after = np.searchsorted(rising, values).clip(1, len(rising) - 1)
    before_is_nearer = values - rising[after - 1] <= rising[after] - values
    nearest: NDArray[np.intp] = after - before_is_nearer
    return nearest


def check_arrays(
    arrays: Mapping[str, NDArray[Any]], shapes: Mapping[str, tuple[int, ...]]
) -> None:
    """Raise WeightsError unless `arrays` are just those of `shapes`.

    -1 stands for any length, the same wherever it stands.
    """
    length = -1
    for name, shape in shapes.items():
        found = np.shape(arrays[name]) if name in arrays else None
        if found and shape[0] == -1:
            length = length if length > 0 else found[0]
            shape = (length, *shape[1:])
        if found != shape:
            raise WeightsError(
                f"The array {name!r} must have the shape {shape} and "
                f"{'is missing' if found is None else f'has {found}'}; the file holds "
                "other weights."
            )
    if extra := arrays.keys() - shapes.keys():
        raise WeightsError(
            f"The array {min(extra)!r} is none of {', '.join(shapes)}; the file holds "
            "other weights."
        )
