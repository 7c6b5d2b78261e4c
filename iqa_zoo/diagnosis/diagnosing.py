"""From a photo to its diagnosis: readings, thresholds, and what hides what."""

import os
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iqa_zoo.diagnosis import blur, light, surface
from iqa_zoo.diagnosis.card import thresholds
from iqa_zoo.diagnosis.findings import (
    CANNOT_TELL,
    NO,
    SLIGHT,
    STRONG,
    YES,
    Box,
    Diagnosis,
    Flag,
)
from iqa_zoo.diagnosis.look import LEAST, Look
from iqa_zoo.diagnosis.reading import Mask, Reading
from iqa_zoo.images import DEFAULT_LIMITS, Limits, name_of, opencv, read_image

#: What is looked for, and what reads it from a photo.
READERS: dict[str, Callable[[Look], Reading]] = {
    "blurred": blur.blurred,
    "noisy": surface.noisy,
    "underexposed": light.underexposed,
    "overexposed": light.overexposed,
    "clipped": light.clipped,
    "low_contrast": light.low_contrast,
    "colour_cast": light.colour_cast,
    "blocky": surface.blocky,
    "pixelated": surface.pixelated,
    "banded": surface.banded,
}
FLAGS = tuple(READERS)

# What cannot be told where another fault was found, as both look alike to the reading.
_HIDDEN = (
    ("blocky", "pixelated", "blocks repeat their pixels"),
    ("pixelated", "blurred", "pixels are merged"),
    ("pixelated", "noisy", "pixels are merged"),
    ("banded", "noisy", "there are too few levels"),
    ("underexposed", "colour_cast", "it is too dark"),
    ("overexposed", "colour_cast", "it is too light"),
)

_MOST_BOXES = 5
_EVERYWHERE = 0.6  # share of the tiles from which on one box is the whole photo


def diagnose(
    image: Any,
    *,
    path: str | None = None,
    limits: Limits | None = None,
    value_range: tuple[float, float] | None = None,
    also_read: str | Iterable[str] = (),
) -> Diagnosis:
    """What is wrong with a photo, where, and how badly.

    Looks for blur (out of focus or motion), noise, under- and overexposure, clipping,
    low contrast, a colour cast, blocks of JPEG, pixelation and banding. Each gets a
    verdict: yes, no, or "cannot tell" where the photo does not show it. The thresholds
    and how often they are right are on a card; see `iqa_zoo.diagnosis.thresholds`.

    Args:
        image: a path, encoded bytes, a file open in binary mode, an array
            (height, width, 3) of RGB, or a PIL image; see `iqa_zoo.images.read_image`.
        path: what the diagnosis calls the photo; None for the name that it has.
        limits: what an image may claim; None for `iqa_zoo.Limits()`.
        value_range: the values of black and white in an array, such as (0, 1); one that
            is not uint8 needs it.
        also_read: formats to read that are only read when asked for: "jpeg2000".

    Raises:
        ImageError: the image cannot be read; `code` says why.
        UsageError: it is no image.
        MissingLibraryError: OpenCV does not load.
    """
    pixels = read_image(
        image,
        limits=limits or DEFAULT_LIMITS,
        value_range=value_range,
        also_read=also_read,
    )
    height, width, _ = pixels.shape
    name = path if path is not None else name_of(image)
    found = {
        flag: _flag(flag, r, width, height) for flag, r in readings(pixels).items()
    }
    for fault, hidden, why in _HIDDEN:
        if found[fault].verdict == YES:
            found[hidden] = _unknown(hidden, why)
    return Diagnosis(os.fsdecode(name), width, height, found)


def readings(pixels: NDArray[np.uint8]) -> dict[str, Reading]:
    """What is measured for each flag, before any threshold.

    Args:
        pixels: uint8 (height, width, 3).
    """
    if min(pixels.shape[:2]) < LEAST:
        why = f"the photo has fewer than {LEAST} pixels a side"
        return dict.fromkeys(FLAGS, Reading(None, why))
    look = Look(pixels)
    return {name: read(look) for name, read in READERS.items()}


def _flag(name: str, reading: Reading, width: int, height: int) -> Flag:
    if reading.value is None:
        return _unknown(name, reading.evidence)
    value, evidence = float(reading.value), reading.evidence
    score = thresholds()[name].score(value)
    if score < 0.5:
        return Flag(name, NO, None, score, value, None, evidence)
    severity = STRONG if score == 1 else SLIGHT
    where = _boxes(reading.places, width, height)
    return Flag(name, YES, severity, score, value, reading.kind, evidence, where)


def _unknown(name: str, why: str) -> Flag:
    return Flag(name, CANNOT_TELL, None, None, None, None, why)


def _boxes(
    places: Callable[[], Mask] | None, width: int, height: int
) -> tuple[Box, ...]:
    """Boxes around the connected places of a mask of tiles, the largest first."""
    everything = (Box(0, 0, width, height),)
    mask = np.ones((1, 1), bool) if places is None else places()
    if mask.mean() >= _EVERYWHERE or not mask.any():
        return everything
    cv2 = opencv()
    rows, columns = mask.shape
    _, _, statistics, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    largest = sorted(statistics[1:].tolist(), key=lambda place: -place[4])
    return tuple(
        Box(
            left * width // columns,
            top * height // rows,
            (left + across) * width // columns,
            (top + down) * height // rows,
        )
        for left, top, across, down, _ in largest[:_MOST_BOXES]
    )
