"""One number about a photo, or why there is none."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


class Reading(NamedTuple):
    """What was measured for one flag.

    Attributes:
        value: the number that the flag's threshold is on; None where it cannot be told.
        evidence: what was seen, or why it cannot be told, in words.
        kind: which sort of fault it is, if it is one.
        places: gives which tiles of a grid over the photo show it, bool
            (rows, columns); None where it is everywhere.
    """

    value: float | None
    evidence: str
    kind: str | None = None
    places: Callable[[], Mask] | None = None
