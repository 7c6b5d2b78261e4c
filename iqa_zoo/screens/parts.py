"""Parts that screens share: text in blocks, tables, buttons, icons, pictures."""

import random

import numpy as np
from PIL import Image, ImageDraw

from iqa_zoo.screens import words
from iqa_zoo.screens.drawing import (
    Box,
    Colour,
    Page,
    font,
    inner,
    mixed,
    panel,
    rule,
    smooth,
    wrap,
    write,
)

# The sky above and at the horizon, and what hills are covered with.
SKIES = (
    ((60, 110, 190), (170, 205, 235)),
    ((95, 140, 200), (225, 225, 215)),
    ((120, 130, 145), (200, 205, 210)),
    ((70, 70, 120), (240, 170, 110)),
    ((25, 35, 70), (110, 110, 140)),
)
GROUNDS = ((70, 95, 45), (95, 80, 55), (110, 115, 110), (140, 125, 85), (45, 75, 60))


def block(
    page: Page,
    box: Box,
    text: str,
    paint: Colour | None = None,
    *,
    size: int = 0,
    family: str = "",
    bold: bool = False,
    spacing: float = 1.45,
) -> int:
    """Write text in lines within a box, as far as they fit; gives where they end."""
    size, family = size or page.theme.size, family or page.theme.family
    y = float(box[1])
    for line in wrap(text, box[2] - box[0], size, family, bold):
        if y + size * 1.2 > box[3]:
            break
        write(page, (box[0], y), line, paint, size=size, family=family, bold=bold)
        y += size * spacing
    return round(y)


def button(page: Page, left: int, top: int, text: str, filled: bool = True) -> int:
    """A button; gives its right edge."""
    theme = page.theme
    width = round(font(theme.family, theme.size).getlength(text)) + 2 * theme.size
    box = (left, top, left + width, top + round(2 * theme.size))
    panel(page, box, theme.accent if filled else theme.panel, theme.line)
    place = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    paint = theme.on_accent if filled else theme.text
    write(page, place, text, paint, anchor="mm")
    return box[2]


def field(page: Page, box: Box, text: str) -> None:
    """A field for text."""
    theme = page.theme
    panel(page, box, mixed(theme.back, theme.panel, 0.3), theme.line)
    place = box[0] + 8, (box[1] + box[3]) / 2
    width = box[2] - box[0] - 16
    write(page, place, text, theme.muted, anchor="lm", width=width)


def table(page: Page, box: Box) -> int:
    """A table of words, dates and numbers; gives where it ends."""
    rng, theme = page.rng, page.theme
    high = round(theme.size * rng.choice((1.6, 1.9, 2.3)))
    columns = max(2, min(9, (box[2] - box[0]) // round(7.5 * theme.size)))
    makers = [lambda r: words.title(r, 1, 3), words.person]
    makers += [words.number, words.number, words.date, words.file_name]
    kinds = [rng.choice(makers[:2]), *(rng.choice(makers) for _ in range(columns - 1))]
    edges = [box[0] + n * (box[2] - box[0]) // columns for n in range(columns + 1)]
    striped, lined, ruled = (rng.random() < share for share in (0.5, 0.6, 0.3))
    header = rng.choice((theme.panel, theme.bar, theme.accent))
    bottom = box[1]
    for row in range(min((box[3] - box[1]) // high, rng.randint(4, 40))):
        top, bottom = box[1] + row * high, box[1] + (row + 1) * high
        fill = header if not row else theme.panel if striped and row % 2 else None
        if fill:
            page.draw.rectangle((box[0], top, box[2] - 1, bottom - 1), fill=fill)
        if lined:
            rule(page, (box[0], bottom - 1, box[2] - 1, bottom - 1))
        for column, kind in enumerate(kinds):
            is_number = kind is words.number
            text = words.title(rng, 1, 2) if not row else kind(rng)
            x = edges[column + 1] - 8 if is_number else edges[column] + 8
            on_accent = not row and header == theme.accent
            write(
                page,
                (x, (top + bottom) / 2),
                text,
                theme.on_accent if on_accent else None,
                bold=not row,
                anchor="rm" if is_number else "lm",
                width=edges[column + 1] - edges[column] - 16,
            )
    if ruled:
        for x in edges:
            rule(page, (min(x, box[2] - 1), box[1], min(x, box[2] - 1), bottom - 1))
    return bottom


def icon(page: Page, left: int, top: int, side: int) -> None:
    """A small picture that stands for a program or a file."""
    rng, theme = page.rng, page.theme
    one, other = rng.sample(theme.series, 2)
    shape, mark = rng.randrange(4), rng.randrange(6)
    ink = rng.choice(((255, 255, 255), theme.back, other))
    text = rng.choice("ABCDEFGHKMNPRSTWX")

    def paint(draw: ImageDraw.ImageDraw, finer: int) -> None:
        s = side * finer - 1
        if shape == 0:
            draw.rounded_rectangle((0, 0, s, s), s // 5, one)
        elif shape == 1:
            draw.ellipse((0, 0, s, s), one)
        elif shape == 2:  # a sheet with a folded corner
            corner = [(0.65 * s, 0), (0.9 * s, 0.25 * s)]
            sheet = [(0.1 * s, 0), *corner, (0.9 * s, s), (0.1 * s, s)]
            draw.polygon(sheet, one)
            draw.polygon([*corner, (0.65 * s, 0.25 * s)], other)
        else:  # a folder
            draw.rounded_rectangle((0, 0.1 * s, 0.5 * s, 0.5 * s), s // 12, other)
            draw.rounded_rectangle((0, 0.22 * s, s, 0.9 * s), s // 12, one)
        a, b = 0.3 * s, 0.7 * s
        if mark == 0:
            draw.polygon([(a, a), (b, s / 2), (a, b)], ink)
        elif mark == 1:
            draw.ellipse((a, a, b, b), None, ink, max(1, round(0.08 * s)))
        elif mark == 2:
            for y in (0.38, 0.52, 0.66):
                draw.line((a, y * s, b, y * s), ink, max(1, round(0.06 * s)))
        elif mark == 3:
            draw.rectangle((a, 0.5 * s, 0.42 * s, b), ink)
            draw.rectangle((0.45 * s, 0.35 * s, 0.56 * s, b), ink)
            draw.rectangle((0.6 * s, 0.42 * s, b, b), ink)
        elif mark == 4:
            face = font("sans", max(4, round(0.5 * s)), True)
            draw.text((s / 2, s / 2), text, ink, font=face, anchor="mm")

    smooth(page, (left, top, left + side, top + side), paint)


def glyph(page: Page, left: int, top: int, side: int, paint: Colour) -> None:
    """One of the thin signs of a bar of tools."""
    kind = page.rng.randrange(8)

    def draw_it(draw: ImageDraw.ImageDraw, finer: int) -> None:
        s = side * finer - 1
        wide = max(1, round(0.1 * s))
        low, high, half = 0.15 * s, 0.85 * s, s / 2
        if kind == 0:
            for y in (0.25, 0.5, 0.75):
                draw.line((low, y * s, high, y * s), paint, wide)
        elif kind == 1:
            draw.ellipse((low, low, 0.65 * s, 0.65 * s), None, paint, wide)
            draw.line((0.6 * s, 0.6 * s, high, high), paint, wide)
        elif kind == 2:
            draw.line((half, low, half, high), paint, wide)
            draw.line((low, half, high, half), paint, wide)
        elif kind == 3:
            draw.rectangle((low, low, high, high), None, paint, wide)
            draw.line((low, half, high, half), paint, wide)
        elif kind == 4:
            draw.line([(0.6 * s, low), (0.3 * s, half), (0.6 * s, high)], paint, wide)
        elif kind == 5:
            draw.polygon([(low, high), (half, low), (high, high)], None, paint, wide)
        elif kind == 6:
            draw.arc((low, low, high, high), 30, 300, paint, wide)
        else:
            draw.ellipse((low, low, high, high), None, paint, wide)
            draw.line([(half, 0.3 * s), (half, half), (0.68 * s, half)], paint, wide)

    smooth(page, (left, top, left + side, top + side), draw_it)


def glyphs(page: Page, left: int, top: int, right: int, side: int) -> None:
    """A row of them, with gaps between groups."""
    x = left
    while x + side < right and page.rng.random() < 0.93:
        glyph(page, x, top, side, page.theme.muted)
        x += round(side * page.rng.choice((1.5, 1.5, 1.5, 2.4)))


def picture(page: Page, box: Box) -> None:
    """A photo's stand-in: hills under a sky, with the grain of a camera."""
    width, height = box[2] - box[0], box[3] - box[1]
    if width > 8 and height > 8:
        found = scenery(page.rng, width, height)
        page.image.paste(Image.fromarray(found), box[:2])


def scenery(rng: random.Random, width: int, height: int) -> np.ndarray:
    """Hills under a sky, uint8 (height, width, 3)."""
    numbers = np.random.default_rng(rng.getrandbits(64))
    above, below = (np.array(each) for each in rng.choice(SKIES))
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    clouds = _noise(numbers, width, height, 5)[..., None]
    values = above + (below - above) * y + 90 * (clouds - 0.45).clip(0) * (1 - y)
    grain = 0.65 + 0.7 * _noise(numbers, width, height, 7)[..., None]
    rows = np.arange(height)[:, None]
    hills = rng.randint(2, 5)
    for depth in range(hills):
        ridge = _noise(numbers, width, 2, 6)[0]
        top = height * (0.35 + 0.5 * depth / hills + 0.35 * (ridge - 0.5))
        ground = np.array(rng.choice(GROUNDS)) * numbers.uniform(0.6, 1.2, 3)
        # What is far is bluish.
        haze = 0.6 * (1 - (depth + 1) / hills)
        hill = (ground + (below - ground) * haze) * grain
        values = np.where((rows > top)[..., None], hill, values)
    values += numbers.normal(0, 2, values.shape)
    found: np.ndarray = values.clip(0, 255).astype(np.uint8)
    return found


def _noise(
    numbers: np.random.Generator, width: int, height: int, octaves: int
) -> np.ndarray:
    """Noise of all sizes, about 0 to 1, (height, width)."""
    total = Image.new("F", (1, 1))
    for octave in range(octaves):
        side = 3 * 2**octave
        size = min(side * 2, width), min(side, height)
        grid = numbers.random(size[::-1], np.float32) / 2 ** (octave + 1)
        coarse = total.resize(size, Image.Resampling.BICUBIC)
        total = Image.fromarray(np.asarray(coarse) + grid)
    return np.asarray(total.resize((width, height), Image.Resampling.BICUBIC))


def cards(page: Page, boxes: list[Box]) -> list[Box]:
    """Framed boxes; gives what is inside each."""
    for box in boxes:
        panel(page, box, page.theme.panel, page.theme.line)
    return [inner(box, page.theme.size) for box in boxes]


def menu(page: Page, box: Box) -> None:
    """A column of signs with names, one of them chosen."""
    rng, theme = page.rng, page.theme
    page.draw.rectangle(box, fill=theme.bar)
    step = rng.randint(22, 30) * theme.size // 10
    chosen = rng.randrange(6)
    for number, y in enumerate(range(box[1] + 50, box[3] - step, step)):
        if number > 10:
            break
        if number == chosen:
            panel(page, (box[0] + 6, y - 5, box[2] - 6, y + step - 8), theme.accent)
        ink = theme.on_accent if number == chosen else theme.text
        glyph(page, box[0] + 16, y, theme.size + 2, ink)
        text, width = words.title(rng, 1, 2), box[2] - box[0] - 48
        write(page, (box[0] + 40, y), text, ink, width=width)
