"""What both sets of primitives refuse, and the numbers that both use."""

import math
from collections.abc import Sequence

from iqa_zoo.errors import ImageError, UsageError

#: MATLAB's `rgb2gray`: the first row of the inverse of NTSC's YIQ matrix.
LUMA = (0.298936021293775, 0.587043074451121, 0.114020904255103)

#: The cubic of Keys (1981) with a = -0.5 by powers of |t|, below 1 and from 1 to 2.
CUBIC = ((1, 0, -2.5, 1.5), (2, -4, 2.5, -0.5))

_Shape = Sequence[int | None]


def check_range(data_range: float) -> None:
    """Raise UsageError unless `data_range` is a positive number."""
    if not 0 < data_range < math.inf:
        raise UsageError(
            f"data_range is {data_range!r}; give the value of white, such as 255 or 1."
        )


def check_shapes(name: str, reference: _Shape, distorted: _Shape, least: int) -> None:
    """Refuse shapes that are no pair of images for a metric; None is a free side.

    Raises:
        UsageError: the shapes differ.
        ImageError: code "not_an_image" or "too_small".
    """
    for what, shape in (("reference", reference), ("distorted", distorted)):
        rank = len(shape)
        if rank not in (2, 3, 4) or (rank > 2 and shape[-1] not in (1, 3)):
            raise ImageError(
                "not_an_image",
                f"{name}: the {what} image has the shape {tuple(shape)}. Give (height, "
                "width), (height, width, channels) or (batch, height, width, "
                "channels), with 1 or 3 channels.",
            )
    if len(reference) != len(distorted) or any(
        first != second
        for first, second in zip(reference, distorted, strict=True)
        if first is not None and second is not None
    ):
        raise UsageError(
            f"{name}: the reference has the shape {tuple(reference)} and the distorted "
            f"image {tuple(distorted)}. Bring them to one size first."
        )
    start = len(reference) == 4
    sides = reference[start : start + 2]
    known = [side for side in sides if side is not None]
    if known and min(known) < least:
        raise ImageError(
            "too_small",
            f"{name} needs images of at least {least} x {least} pixels; these have "
            f"{' x '.join(map(str, sides))}.",
        )


def wrong_type(name: str, what: object) -> ImageError:
    """The error for an image of another type than uint8 or floating."""
    return ImageError(
        "not_an_image",
        f"{name}: an image of {what} cannot be compared. Give uint8, or floating "
        "values from 0 to data_range.",
    )
