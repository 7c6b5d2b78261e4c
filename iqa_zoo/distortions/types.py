"""What every distortion is: a function of an image, a number and a random generator."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

#: RGB, float32 (height, width, 3), 0 black to 1 white.
Image = NDArray[np.float32]

#: Image, the level's parameter and a generator in; an image out, which may reach beyond
#: 0 and 1 and is clipped then.
Effect = Callable[[Image, float, np.random.Generator], Image]
