"""What several readings of a photo need, computed once and when it is first asked for.

However large the photo is, at most about a megapixel is looked at, twice: a copy that
is shrunk to 1024 pixels a side shows the photo as a whole, and a part of that size from
its middle shows its pixels, which shrinking would hide.
"""

import functools
import math

import numpy as np
from numpy.typing import NDArray

from iqa_zoo.images import Pixels, opencv
from iqa_zoo.technical import noise
from iqa_zoo.technical.planes import Plane

Channels = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]
Profile = NDArray[np.float64]  # one number a row or a column

LONGEST = 1024  # pixels a side of the copy and of the part
LEAST = 64  # pixels a side, below which nothing can be told


class Look:
    """One photo.

    Attributes:
        copy: the photo, shrunk where it is large, uint8 (height, width, 3).
        part: its middle, in its own pixels, likewise.
    """

    def __init__(self, image: Pixels) -> None:
        self.copy = self.part = image
        height, width, _ = image.shape
        if max(height, width) > LONGEST:
            cv2 = opencv()
            # A long strip keeps its short side.
            share = min(
                1, max(LONGEST / max(height, width), LEAST / min(height, width))
            )
            size = max(round(width * share), 1), max(round(height * share), 1)
            self.copy = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
            top, left = max(height - LONGEST, 0) // 2, max(width - LONGEST, 0) // 2
            self.part = np.ascontiguousarray(
                image[top : top + LONGEST, left : left + LONGEST]
            )

    @functools.cached_property
    def copy_channels(self) -> Channels:
        """Red, green and blue of the copy."""
        return _split(self.copy)

    @functools.cached_property
    def part_channels(self) -> Channels:
        """Those of the part."""
        return self.copy_channels if self.part is self.copy else _split(self.part)

    @functools.cached_property
    def copy_plane(self) -> Plane:
        """Grey levels of the copy, float32."""
        return _grey(self.copy)

    @functools.cached_property
    def part_plane(self) -> Plane:
        """Grey levels of the part, float32."""
        return self.copy_plane if self.part is self.copy else _grey(self.part)

    @functools.cached_property
    def part_noise(self) -> float:
        """Standard deviation of the part's noise; NaN where all is clipped."""
        return noise.from_grey(self.part_plane)

    @functools.cached_property
    def copy_noise(self) -> float:
        """Root of the mean variance of the copy's noise; 0 where it cannot be measured.

        Noise is cut off where pixels are black, or white in a channel: it is measured
        elsewhere, and counted half there, since the other channels keep theirs.
        """
        cv2 = opencv()
        red, green, blue = self.copy_channels
        most = cv2.max(cv2.max(red, green), blue)
        lost = (most == 0) | (most == 255)
        found = noise.quietest(noise.second_differences(self.copy_plane), lost)
        if math.isnan(found):
            return 0.0
        return found * math.sqrt(1 - 0.5 * float(lost.mean()))

    @functools.cached_property
    def step_profiles(self) -> tuple[Profile, Profile]:
        """The mean step from each row of the part to the next, and of the columns."""
        cv2 = opencv()
        plane = self.part_plane
        down = cv2.reduce(cv2.absdiff(plane[1:], plane[:-1]), 1, cv2.REDUCE_AVG)
        across = cv2.reduce(cv2.absdiff(plane[:, 1:], plane[:, :-1]), 0, cv2.REDUCE_AVG)
        return down.ravel().astype(np.float64), across.ravel().astype(np.float64)

    @functools.cached_property
    def step_sizes(self) -> NDArray[np.uint8]:
        """Steps from each pixel of the part to the one beside it, in each channel."""
        cv2 = opencv()
        sizes: NDArray[np.uint8] = cv2.absdiff(self.part[:, 1:], self.part[:, :-1])
        return sizes


def _split(image: Pixels) -> Channels:
    cv2 = opencv()
    red, green, blue = cv2.split(image)
    return red, green, blue


def _grey(image: Pixels) -> Plane:
    cv2 = opencv()
    plane: Plane = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return plane
