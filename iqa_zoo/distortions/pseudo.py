"""Pseudo-MOS: what a full-reference metric says, in place of people.

The opinion of nobody. The metric's score, which lies close to 1 for all but the worst
pictures, is raised to a fixed power, so that the five levels of a distortion spread
over the scale of 0 to 1, high for good. The power is one for all pictures, chosen from
the metric's own scores and not fitted to opinions, and changes no order.
"""

import numpy as np
from numpy.typing import NDArray

from iqa_zoo.full_reference import metric

#: The metrics, and the power that each score is raised to.
POWERS = {"vsi": 20, "fsimc": 8}

DIGITS = 6  # of scores in a table


def raw_score(
    name: str, reference: NDArray[np.uint8], distorted: NDArray[np.uint8]
) -> float:
    """The metric's score, 0 to 1, rounded as it is written into tables.

    Args:
        name: a key of `POWERS`.
        reference, distorted: RGB, uint8 (height, width, 3), 16 pixels a side or more.

    Raises:
        ImageError: they are smaller.
    """
    return round(float(metric(name)(reference, distorted)), DIGITS)


def pseudo_mos(name: str, score: float) -> float:
    """The pseudo-MOS of a metric's score, 0 to 1, high for good."""
    return round(min(max(score, 0.0), 1.0) ** POWERS[name], DIGITS)
