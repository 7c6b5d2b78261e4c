"""The images that a model gets most wrong, small and side by side."""

import os
from collections.abc import Sequence
from io import BytesIO
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from iqa_zoo.data.manifest import Labels
from iqa_zoo.errors import ImageError
from iqa_zoo.evaluation.answers import Answers
from iqa_zoo.files import write_bytes
from iqa_zoo.images import read_image

MOST = 24  # images on a sheet

_SIDE = 180  # pixels of a small picture's longer side
_ACROSS, _GAP, _LINE = 6, 12, 16
_WHITE, _BLACK, _TOO_HIGH, _TOO_LOW = "white", "#1c2127", "#a8380f", "#1d4f87"


class Miss(NamedTuple):
    """One image that a model gets wrong.

    Attributes:
        name: as the table has it.
        opinion: as the table has it.
        predicted: the model's score on the opinions' scale, after the logistic.
        too_good: whether the model rates it better than people do.
        jpeg: the small picture, encoded; None where the file cannot be read any more.
    """

    name: str
    opinion: float
    predicted: float
    too_good: bool
    jpeg: bytes | None


def misses(
    labels: Labels, rows: Sequence[int], truth: Sequence[float], answer: Answers
) -> list[Miss]:
    """The images that a model gets most wrong, the worst first.

    Args:
        labels: the opinions.
        rows: (n,), which images of `labels` were measured.
        truth: (n,), their opinions, high for good.
        answer: what the model says of them.
    """
    wrong = answer.wrong(np.asarray(truth))
    sign = 1 if labels.direction == "higher_is_better" else -1
    found = []
    for at in np.argsort(-np.abs(wrong), kind="stable")[: min(MOST, len(answer.kept))]:
        row = rows[at]
        opinion = float(labels.mos[row])
        predicted = opinion + sign * float(wrong[at])
        small = _small(labels.paths[row])
        found.append(Miss(labels.names[row], opinion, predicted, wrong[at] > 0, small))
    return found


def write_sheet(path: str | os.PathLike[str], worst: Sequence[Miss]) -> None:
    """Write a PNG of them, each with its name, people's opinion and the model's.

    Raises:
        OutputError: the file cannot be written.
    """
    across = min(_ACROSS, max(1, len(worst)))
    down = -(-len(worst) // across)
    width, height = _SIDE + _GAP, _SIDE + 3 * _LINE + _GAP
    size = (_GAP + across * width, _GAP + down * height)
    sheet = Image.new("RGB", size, _WHITE)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(13)
    for number, miss in enumerate(worst):
        left = _GAP + number % across * width
        top = _GAP + number // across * height
        if miss.jpeg is not None:
            with Image.open(BytesIO(miss.jpeg), formats=["JPEG"]) as picture:
                x = left + (_SIDE - picture.width) // 2
                y = top + _SIDE - picture.height
                sheet.paste(picture, (x, y))
        lines = (
            (_fitting(draw, font, miss.name), _BLACK),
            (f"people {miss.opinion:.4g}", _BLACK),
            (f"model {miss.predicted:.4g}", _TOO_HIGH if miss.too_good else _TOO_LOW),
        )
        for line, (text, colour) in enumerate(lines):
            draw.text((left, top + _SIDE + line * _LINE), text, colour, font)
    data = BytesIO()
    sheet.save(data, "PNG")
    write_bytes(path, data.getvalue())


def _small(path: str | os.PathLike[str]) -> bytes | None:
    try:
        picture = Image.fromarray(np.asarray(read_image(path)))
    except ImageError:
        return None
    picture.thumbnail((_SIDE, _SIDE))
    data = BytesIO()
    picture.save(data, "JPEG", quality=85)
    return data.getvalue()


def _fitting(
    draw: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    name: str,
) -> str:
    """As much of the name's end as fits under a picture."""
    text = "".join(c if c.isprintable() else "?" for c in name)
    short = text
    while draw.textlength(short, font) > _SIDE:
        text = text[1:]
        short = f"...{text}"
    return short
