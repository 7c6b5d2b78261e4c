"""Bringing pixels to the size that a network takes, by rules that a card names."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from iqa_zoo.errors import MissingLibraryError, UnknownNameError, UsageError
from iqa_zoo.images.pixels import Pixels

_T = TypeVar("_T", np.uint8, np.float32)


def opencv() -> Any:
    """The module `cv2`, imported when first needed.

    Raises:
        MissingLibraryError: it does not load; the message has the remedy.
    """
    try:
        import cv2
    except ImportError as error:
        raise MissingLibraryError(
            f"OpenCV does not load ({error}). On a system without a display, first "
            "`pip uninstall opencv-python`, then `pip install --force-reinstall "
            "--no-deps opencv-python-headless`."
        ) from error
    return cv2


def fit_image(
    image: Pixels,
    size: tuple[int, int],
    *,
    fit: str = "stretch",
    shrink: str = "area",
    enlarge: str = "corner",
) -> Pixels:
    """`image` brought to `size` by rules that a card names.

    Each axis follows its own rule: one that gets shorter is shrunk, one that gets
    longer is enlarged, and an axis that keeps its length is left as it is.

    Args:
        image: uint8 `(height, width, 3)`.
        size: the height and width wanted, in pixels.
        fit: "stretch" fills `size` without keeping the aspect ratio.
        shrink: "area" averages what falls under each new pixel; equals
            `tf.image.resize(method="area")` to one grey level. "nearest" takes the
            pixel that lies under the middle of each new one; equals Pillow's
            `resize(NEAREST)` to the bit.
        enlarge: "corner" interpolates linearly at `i * old / new`, without a
            half-pixel shift, the last row and column repeated; equals
            `tf.raw_ops.ResizeBilinear(half_pixel_centers=False)` to one grey level,
            and is the mapping that MediaPipe uses. "nearest": as for shrinking.

    Returns:
        uint8 `(*size, 3)`; `image` itself where it has that size already.

    Raises:
        UnknownNameError: a rule that is not in the tables below.
        UsageError: `image` or `size` is not as described.
        MemoryError: there is too little for the result.
        MissingLibraryError: OpenCV does not load.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise UsageError(
            f"An array of {image.dtype} {image.shape} cannot be resized. Pass what "
            "read_image returns: uint8 (height, width, 3)."
        )
    if len(size) != 2 or min(size) < 1:
        raise UsageError(f"size={size} is not a height and a width of 1 or more.")
    fitter: Callable[..., Pixels] = _rule("fit rule", fit, FIT_RULES)
    shrinker = _rule("shrink rule", shrink, SHRINK_RULES)
    enlarger = _rule("enlarge rule", enlarge, ENLARGE_RULES)
    return fitter(image, size, shrinker, enlarger)


def fit_by(rule: Mapping[str, Any], image: Pixels) -> Pixels:
    """`image` brought to the size that a card's table `input` asks for, by its rules.

    See `fit_image`, whose arguments are the keys `size`, `fit`, `shrink` and `enlarge`.
    """
    height, width = rule["size"]
    names = {name: rule[name] for name in ("fit", "shrink", "enlarge")}
    return fit_image(image, (height, width), **names)


Resizer = Callable[[Pixels, int, int], Pixels]


def _rule(what: str, name: str, rules: dict[str, Any]) -> Any:
    if name not in rules:
        raise UnknownNameError(what, name, rules)
    return rules[name]


def _stretch(
    image: Pixels, size: tuple[int, int], shrink: Resizer, enlarge: Resizer
) -> Pixels:
    smaller = min(image.shape[0], size[0]), min(image.shape[1], size[1])
    if image.shape[:2] != smaller:
        image = shrink(image, *smaller)
    if image.shape[:2] != tuple(size):
        image = enlarge(image, *size)
    return image


def _area(image: NDArray[_T], height: int, width: int) -> NDArray[_T]:
    cv2 = opencv()
    with _opencv_memory(cv2):
        resized: NDArray[_T] = cv2.resize(
            image, (width, height), interpolation=cv2.INTER_AREA
        )
    return resized


def shrink_reduced(image: Pixels, height: int, width: int) -> Pixels:
    """`image`, a picture decoded at a reduced scale, shrunk as the whole one would be.

    Where a new pixel ends within one of `image`, the rule "area" takes all of that
    pixel to be alike, which blurs. Here it is taken to slope as its neighbours do.

    Args:
        image: uint8 `(height, width, 3)`, at least as large as what is wanted.
        height: the height wanted, in pixels.
        width: likewise.

    Returns:
        uint8 `(height, width, 3)`.
    """
    shrunk = _area(image, height, width).astype(np.float32)
    moved = _area(_moved(image, height, 0), height - 1, width)
    shrunk[:-1] -= moved
    shrunk[1:] += moved
    moved = _area(_moved(image, width, 1), height, width - 1)
    shrunk[:, :-1] -= moved
    shrunk[:, 1:] += moved
    levels: Pixels = np.rint(shrunk).clip(0, 255).astype(np.uint8)
    return levels


def _moved(image: Pixels, count: int, axis: int) -> NDArray[np.float32]:
    """What a pixel that a border of new ones cuts takes from the next and gives it."""
    share = image.shape[axis] / count  # old pixels in a new one
    ends = np.arange(1, count) * share
    cut = np.minimum(ends.astype(int), image.shape[axis] - 2)
    part = ends - cut
    # With the slope s its first part is darker than its mean by s * (1 - part) / 2.
    weights = (part * (1 - part) / (4 * share)).astype(np.float32)
    slopes: NDArray[np.float32] = image.take(cut + 1, axis).astype(np.float32)
    slopes -= image.take(cut - 1, axis)
    slopes *= weights.reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
    return slopes


def _nearest(image: Pixels, height: int, width: int) -> Pixels:
    cv2 = opencv()
    with _opencv_memory(cv2):
        resized: Pixels = cv2.resize(
            image, (width, height), interpolation=cv2.INTER_NEAREST_EXACT
        )
    return resized


def _corner(image: Pixels, height: int, width: int) -> Pixels:
    cv2 = opencv()
    old_height, old_width = image.shape[:2]
    back = np.array([[old_width / width, 0, 0], [0, old_height / height, 0]])
    # Before OpenCV 5 positions are rounded to 1/32 pixel: up to 4 grey levels.
    with _opencv_memory(cv2):
        resized: Pixels = cv2.warpAffine(
            image,
            back,
            (width, height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
            hint=cv2.ALGO_HINT_ACCURATE,
        )
    return resized


@contextlib.contextmanager
def _opencv_memory(cv2: Any) -> Iterator[None]:
    # OpenCV has an exception of its own where memory is short.
    try:
        yield
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError(str(error)) from error
        raise


#: The rules that a card may name.
FIT_RULES: dict[str, Callable[..., Pixels]] = {
    "stretch": _stretch,
    # Who judges photos in their own size asks for a size in exported files only.
    "native": _stretch,
}
SHRINK_RULES: dict[str, Resizer] = {"area": _area, "nearest": _nearest}
ENLARGE_RULES: dict[str, Resizer] = {"corner": _corner, "nearest": _nearest}
