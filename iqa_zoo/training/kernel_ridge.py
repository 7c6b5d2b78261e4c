"""Kernel ridge regression whose error on photos left out has a closed form."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from iqa_zoo.data.splits import IndexArray

FloatArray = NDArray[np.float64]

#: Photos that others are compared with; the first ones of more.
CENTRES = 1000
#: What is tried: added to the kernel's diagonal, which is 1.
RIDGES = 2.0 ** np.arange(-8, 4)

_LEAST = 1e-9  # smaller eigenvalues, as shares of the largest, are rounding


class Solution(NamedTuple):
    """What was found for one kernel.

    Attributes:
        error: root mean square of what is left of the opinions of photos left out.
        left_out: (n,), what is said of each photo by a regression without its fold.
        coefficients: (m,), of the kernel's columns, for all photos.
    """

    error: float
    left_out: FloatArray
    coefficients: FloatArray


def solve(
    kernel: FloatArray, opinions: FloatArray, folds: Sequence[IndexArray]
) -> Solution:
    """The regression of opinions on a kernel, with the ridge that serves best.

    Args:
        kernel: (n, m), of all photos with the centres, which are the first m of them.
            Where m is less than n this is the Nyström method.
        opinions: (n,), with mean 0.
        folds: rows that are left out together, each row once.
    """
    count = kernel.shape[1]
    values, vectors = np.linalg.eigh(kernel[:count])
    kept = values > _LEAST * values[-1]
    values, vectors = values[kept], vectors[:, kept]
    # From coordinates, in which the ridge is that of plain regression, to coefficients.
    back = vectors / np.sqrt(values)
    rows = kernel @ back
    if count < len(kernel):
        values, vectors = np.linalg.eigh(rows.T @ rows)
        back, rows = back @ vectors, rows @ vectors
    products = rows.T @ opinions
    best = Solution(np.inf, opinions, opinions)
    for ridge in RIDGES:
        inverse = 1 / (np.maximum(values, 0) + ridge)
        rest = opinions - rows @ (inverse * products)
        for fold in folds:
            part = rows[fold]
            # What is left once a fold is left out, without solving it anew.
            seen = np.eye(len(fold)) - (part * inverse) @ part.T
            rest[fold] = np.linalg.solve(seen, rest[fold])
        error = float(np.sqrt(np.square(rest).mean()))
        if error < best.error:
            best = Solution(error, opinions - rest, back @ (inverse * products))
    return best
