"""Draw docs/distortions-*.jpg: every kind of distortion at its five levels.

    python docs/draw_distortions.py

Each picture has a part of one example photo in a row for each kind, the undamaged part
on top. The kinds work on the whole photo, and nothing is enlarged or shrunk.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from iqa_zoo.distortions import KINDS, LEVELS, distort
from iqa_zoo.images import read_image

DOCS = Path(__file__).parent
PHOTO = DOCS.parent / "examples" / "photos" / "chelsea.jpg"
SIDE = 104  # pixels of a part
PLACE = slice(60, 60 + SIDE), slice(105, 105 + SIDE)  # an eye and fur
TEXT, GAP = 175, 4


def sheet(family: str) -> Image.Image:
    """All kinds of one family."""
    photo = read_image(PHOTO)
    kinds = {name: kind for name, kind in KINDS.items() if kind.family == family}
    step = SIDE + GAP
    size = TEXT + len(LEVELS) * step, (len(kinds) + 1) * step
    page = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(13)
    draw.text((4, 4), "undamaged", "black", font)
    page.paste(part(photo), (TEXT, 0))
    for row, (name, kind) in enumerate(kinds.items(), 1):
        text = f"{name}\n{kind.parameter}"
        draw.multiline_text((4, row * step + 4), text, "black", font)
        for level in LEVELS:
            damaged = part(distort(photo, name, level))
            left = TEXT + (level - 1) * step
            page.paste(damaged, (left, row * step))
            value = f"{kind.levels[level - 1]:.3g}"
            box = draw.textbbox((left, row * step), value, font)
            draw.rectangle((box[0], box[1] - 1, box[2] + 3, box[3] + 1), "white")
            draw.text((left + 1, row * step), value, "black", font)
    return page


def part(photo: np.ndarray) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(photo[PLACE]))


def main() -> None:
    for family in dict.fromkeys(kind.family for kind in KINDS.values()):
        path = DOCS / f"distortions-{family}.jpg"
        sheet(family).save(path, quality=75, optimize=True)
        print(f"written: {path.name}, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
