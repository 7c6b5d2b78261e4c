"""What every distortion is: a function of an image, a number and a random generator."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: RGB, floating (height, width, 3), 0 black to 1 white.
Image = NDArray[np.floating[Any]]

#: Image, the level's parameter and a generator in; an image out, which may reach beyond
#: 0 and 1 and is clipped then.
Effect = Callable[[Image, float, np.random.Generator], Image]
