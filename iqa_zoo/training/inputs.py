"""What stages are given to draw from."""

from typing import Any, Protocol

import numpy as np


class Inputs(Protocol):
    """Views of pictures, (pictures, views, h, w, channels): an array, or on demand.

    Height and width of the shape are None where pictures have sizes of their own.
    """

    @property
    def shape(self) -> tuple[int | None, ...]: ...

    @property
    def dtype(self) -> np.dtype: ...

    def __getitem__(self, row: Any) -> np.ndarray: ...
