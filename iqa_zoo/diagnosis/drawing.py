"""The photo with its faults drawn in."""

import textwrap
from collections.abc import Iterable
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from iqa_zoo.diagnosis.findings import Box, Diagnosis
from iqa_zoo.images import Pixels

# One colour a flag, apart also for eyes that confuse red and green (Okabe and Ito).
_COLOURS = (
    *((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (120, 170, 255)),
    *((213, 94, 0), (204, 121, 167), (255, 255, 255), (170, 170, 170), (255, 80, 80)),
)
_LETTER = 0.46  # of the type's size, the width of a letter
_LEAST_WIDTH = 320  # of the drawn picture, so that its words can be read


def annotated(image: Pixels, diagnosis: Diagnosis) -> Image.Image:
    """A copy of a photo with boxes around its faults, and the faults in words above.

    A fault of the whole photo has no box, only its line.

    Args:
        image: uint8 (height, width, 3), the photo that was diagnosed.
        diagnosis: what `diagnose` said of it.
    """
    height, width, _ = image.shape
    size = max(12, min(height, width) // 36)
    font: Any = ImageFont.load_default(size)
    line = round(1.5 * size)
    across = max(width, _LEAST_WIDTH)
    lines = [
        (part, colour)
        for text, colour in _lines(diagnosis)
        for part in textwrap.wrap(text, int(across / (_LETTER * size)))
    ]
    head = line * len(lines) + size // 2
    picture = Image.new("RGB", (across, height + head), "black")
    picture.paste(Image.fromarray(image), (0, head))
    pen = ImageDraw.Draw(picture)
    for number, (text, colour) in enumerate(lines):
        pen.text((size // 2, number * line + size // 4), text, colour, font)
    stroke = max(2, size // 6)
    everything = Box(0, 0, diagnosis.width, diagnosis.height)
    for flag in diagnosis.faults:
        for box in flag.where:
            if box != everything:
                corners = box.left, box.top + head, box.right - 1, box.bottom + head - 1
                pen.rectangle(
                    corners, outline=_colour(diagnosis, flag.name), width=stroke
                )
    return picture


def _lines(diagnosis: Diagnosis) -> list[tuple[str, tuple[int, int, int]]]:
    white = (255, 255, 255)
    if not diagnosis.faults:
        return [(diagnosis.verdict, white)]
    return [
        (
            f"{flag.name.replace('_', ' ')} ({flag.severity}): {flag.evidence}",
            _colour(diagnosis, flag.name),
        )
        for flag in diagnosis.faults
    ]


def _colour(diagnosis: Diagnosis, name: str) -> tuple[int, int, int]:
    names: Iterable[str] = diagnosis.flags
    return _COLOURS[list(names).index(name) % len(_COLOURS)]
