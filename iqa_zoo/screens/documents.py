"""Pages of text and slides of talks, in the programs that show them."""

from dataclasses import replace

from iqa_zoo.screens import words
from iqa_zoo.screens.drawing import (
    Box,
    Page,
    Theme,
    draw_theme,
    inner,
    mixed,
    split,
    write,
)
from iqa_zoo.screens.parts import block, glyphs, picture, table
from iqa_zoo.screens.plots import plot


def document(page: Page, box: Box) -> None:
    """A page of a word processor or a reader, with text, tables and figures."""
    rng = page.rng
    theme = page.theme
    if rng.random() < 0.7:  # paper is white in most dark programs too
        theme = _paper(page)
    page.draw.rectangle(box, fill=page.theme.bar)
    size = theme.size
    top = box[1] + 2 * size + 10
    glyphs(page, box[0] + 12, box[1] + 7, box[2] - 12, size + 3)
    wide = min(box[2] - box[0] - 24, rng.randint(560, 900))
    left = (box[0] + box[2] - wide) // 2
    sheet_of = replace(page, theme=theme)
    paper = (left, top, left + wide, box[3])
    page.draw.rectangle(paper, fill=theme.back, outline=theme.line)
    area = inner(paper, wide // 10, rng.randint(20, 60))
    family = rng.choice(("serif", "serif", "sans", "plain"))
    heading = round(size * rng.uniform(1.5, 2.2))
    text = words.title(rng, 3, 8)
    y = block(sheet_of, area, text, size=heading, family=family, bold=True) + size
    parts = [(area[0], y, area[2], area[3])]
    if wide > 620 and rng.random() < 0.35:
        parts = split((area[0], y, area[2], area[3]), (1, 1), 2 * size, True)
    for part in parts:
        _column(sheet_of, part, family)


def _column(page: Page, box: Box, family: str) -> None:
    rng, size = page.rng, page.theme.size
    y = box[1]
    while y + 3 * size < box[3]:
        kind = rng.random()
        rest = (box[0], y, box[2], box[3])
        if kind < 0.15:
            y = block(page, rest, words.title(rng), size=size + 3, bold=True)
        elif kind < 0.25 and box[3] - y > 200:
            high = min(rng.randint(140, 240), box[3] - y)
            draw = rng.choice((plot, picture))
            draw(page, (box[0], y, box[2], y + high))
            y += high
        elif kind < 0.32 and box[3] - y > 160:
            y = table(page, (box[0], y, box[2], y + 150))
        elif kind < 0.45:
            for _ in range(rng.randint(2, 5)):
                if y + size * 1.5 > box[3]:
                    break
                write(page, (box[0] + size / 2, y), "•")
                line = (box[0] + 2 * size, y, box[2], min(box[3], y + 3 * size))
                y = block(page, line, words.sentence(rng), family=family)
        else:
            y = block(page, rest, words.paragraph(rng), family=family)
        y += round(0.8 * size)


def slides(page: Page, box: Box) -> None:
    """A talk: the slide that is worked on, and small ones beside it."""
    rng, theme = page.rng, page.theme
    page.draw.rectangle(box, fill=theme.bar)
    left = box[0]
    own = draw_theme(rng)
    if box[2] - box[0] > 520:
        left += 140
        for y in range(box[1] + 14, box[3] - 70, 82):
            _slide(replace(page, theme=own), (box[0] + 12, y, left - 12, y + 66))
    room = inner((left, box[1], box[2], box[3]), 20)
    high = min(room[3] - room[1], (room[2] - room[0]) * 9 // 16)
    top = (room[1] + room[3] - high) // 2
    big = replace(own, size=max(own.size, high // 26))
    _slide(replace(page, theme=big), (room[0], top, room[2], top + high))


def _slide(page: Page, box: Box) -> None:
    rng, theme = page.rng, page.theme
    page.draw.rectangle(box, fill=theme.back, outline=theme.line)
    high = box[3] - box[1]
    area = inner(box, high // 12)
    size = max(5, high // 12)
    width = area[2] - area[0]
    write(page, area[:2], words.title(rng), theme.accent, size=size, width=width)
    body = (area[0], area[1] + round(1.8 * size), area[2], area[3])
    parts = split(body, (1, 1), size, True) if rng.random() < 0.7 else [body]
    for part in parts:
        if high > 200 and rng.random() < 0.45:
            rng.choice((plot, picture, table))(page, part)
            continue
        small = max(4, high // 20)
        y = part[1]
        for _ in range(rng.randint(3, 6)):
            line = (part[0] + small, y, part[2], part[3])
            text = f"• {words.title(rng, 3, 9)}"
            y = block(page, line, text, size=small) + small // 2


def _paper(page: Page) -> Theme:
    ink = page.rng.randint(0, 60)
    white = (255, 255, 255)
    return replace(
        page.theme,
        dark=False,
        back=white,
        panel=(244, 244, 244),
        bar=(228, 228, 228),
        line=(205, 205, 205),
        text=(ink, ink, ink),
        muted=(110, 110, 110),
        series=tuple(mixed(each, (0, 0, 0), 0.25) for each in page.theme.series),
    )
