"""Filters for NumPy arrays, by OpenCV, and the strips that they work through."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from iqa_zoo.images import opencv

#: An array (height, width) or (height, width, channels).
Plane = Any
Taps = Any

#: Bytes of one plane of a strip: a handful of them fit the second cache of a core.
STRIP = 1 << 17


def is_grey(image: Plane) -> bool:
    return bool(image.ndim == 2 or image.shape[2] == 1)


def channels(image: Plane) -> Plane:
    """An image as a plane of all its channels."""
    image = image[..., 0] if image.ndim == 3 and is_grey(image) else image
    return image.astype(np.float32, copy=False)


def padded(plane: Plane, sides: tuple[int, int, int, int], padding: str) -> Plane:
    """The plane with `sides` (top, bottom, left, right) more rows and columns."""
    return opencv().copyMakeBorder(plane, *sides, _border(padding))


def separable(
    plane: Plane, column: Taps, row: Taps, padding: str = "valid", step: int = 1
) -> Plane:
    """Correlation with `column` (downwards), then `row`; every `step`-th sample."""
    found = opencv().sepFilter2D(
        plane, -1, np.asarray(row), np.asarray(column), borderType=_border(padding)
    )
    return every(_inner(found, len(column), len(row), padding), step)


def filtered(plane: Plane, kernel: Any, padding: str = "valid", step: int = 1) -> Plane:
    """Correlation with a 2-D kernel; every `step`-th sample of it."""
    kernel = np.asarray(kernel, np.float64)
    found = opencv().filter2D(plane, -1, kernel, borderType=_border(padding))
    height, width = kernel.shape
    return every(_inner(found, height, width, padding), step)


def box(plane: Plane, size: int, padding: str = "valid") -> Plane:
    """Means of all windows of `size` x `size`."""
    found = opencv().boxFilter(plane, -1, (size, size), borderType=_border(padding))
    return _inner(found, size, size, padding)


def slope(plane: Plane, smooth: Taps, difference: Taps) -> Plane:
    """The length of the gradient, "valid": `smooth` along a side, `difference` across.

    Both have as many taps.
    """
    cv2 = opencv()
    along, across = np.asarray(smooth, np.float64), np.asarray(difference, np.float64)
    border = _border("valid")
    found = cv2.sepFilter2D(plane, -1, across, along, borderType=border)
    found *= found
    other = cv2.sepFilter2D(plane, -1, along, across, borderType=border)
    other *= other
    found += other
    np.sqrt(found, out=found)
    return _inner(found, len(along), len(along), "valid")


def _border(padding: str) -> int:
    cv2 = opencv()
    kinds = {
        "valid": cv2.BORDER_REPLICATE,  # what it fills is cut off
        "zero": cv2.BORDER_CONSTANT,
        "replicate": cv2.BORDER_REPLICATE,
        "symmetric": cv2.BORDER_REFLECT,
        "reflect": cv2.BORDER_REFLECT_101,
    }
    return int(kinds[padding])


def _inner(plane: Plane, height: int, width: int, padding: str) -> Plane:
    """For "valid", what a window of that size has reached without padding."""
    if padding != "valid":
        return plane
    bottom = len(plane) - (height - 1) // 2
    right = plane.shape[1] - (width - 1) // 2
    return plane[height // 2 : bottom, width // 2 : right]


def cropped(plane: Plane, margin: int) -> Plane:
    """The plane without `margin` rows and columns at each side."""
    return plane[margin : len(plane) - margin, margin : plane.shape[1] - margin]


def together(
    function: Callable[[Plane], Plane], planes: Sequence[Plane]
) -> list[Plane]:
    """`function` of each plane, which treats all channels alike."""
    return [function(plane) for plane in planes]


def every(plane: Plane, step: int) -> Plane:
    """Every `step`-th row and column, from the first."""
    return plane if step == 1 else plane[::step, ::step]


def tiled(
    function: Callable[..., Any], planes: Sequence[Plane], margin: int = 0
) -> Any:
    """`function(*planes)`, strip by strip of rows.

    Args:
        function: takes planes and gives a plane, or a tuple of them, with `margin` rows
            fewer, each row of which depends on the `margin` + 1 rows from the same
            number on: "valid" filters and elementwise operations do.
        planes: of one height.
        margin: as above.
    """
    height = len(planes[0]) - margin
    outs: Any = None
    for rows in strips(height, planes[0][:1].size * 4, 4 * margin):
        strip = slice(rows.start, rows.stop + margin)
        found = function(*(plane[strip] for plane in planes))
        if rows == slice(0, height):
            return found
        parts = found if isinstance(found, tuple) else (found,)
        if outs is None:
            outs = [np.empty((height, *p.shape[1:]), p.dtype) for p in parts]
        for out, part in zip(outs, parts, strict=True):
            out[rows] = part
    return tuple(outs) if isinstance(found, tuple) else outs[0]


def strips(height: int, row_bytes: int, least: int = 1) -> list[slice]:
    """Pieces of `height` rows, of about `STRIP` bytes and at least `least` rows."""
    step = max(STRIP // row_bytes, least, 1)
    return [slice(top, min(top + step, height)) for top in range(0, height, step)]
