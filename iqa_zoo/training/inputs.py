"""What stages are given to draw from."""

from typing import Any, Protocol

import numpy as np


class Inputs(Protocol):
    """Views of pictures, (pictures, views, h, w, channels): an array, or on demand."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype: ...

    def __getitem__(self, row: Any) -> np.ndarray: ...
