"""Pages of a browser and programs that are like them, each drawn into a box."""

from collections.abc import Sequence

from iqa_zoo.screens import words
from iqa_zoo.screens.drawing import (
    Box,
    Page,
    font,
    inner,
    panel,
    rule,
    split,
    write,
)
from iqa_zoo.screens.parts import (
    block,
    cards,
    field,
    icon,
    menu,
    picture,
    table,
)
from iqa_zoo.screens.plots import fits, plot, sparkline


def header(page: Page, box: Box) -> Box:
    """A page's name and links; gives what is below."""
    rng, theme = page.rng, page.theme
    high = rng.randint(3, 5) * theme.size
    bottom = box[1] + high
    filled = rng.random() < 0.4
    fill = theme.accent if filled else rng.choice((theme.back, theme.panel))
    ink = theme.on_accent if filled else theme.text
    page.draw.rectangle((box[0], box[1], box[2], bottom), fill=fill)
    rule(page, (box[0], bottom, box[2] - 1, bottom))
    side = round(1.7 * theme.size)
    icon(page, box[0] + 20, box[1] + (high - side) // 2, side)
    middle = (box[1] + bottom) / 2
    x = box[0] + 28.0 + side
    name = words.title(rng, 1, 2)
    size = theme.size + 4
    x += write(page, (x, middle), name, ink, bold=True, size=size, anchor="lm") + 30
    for _ in range(rng.randint(2, 6)):
        text = words.title(rng, 1, 2)
        if x + font(theme.family, theme.size).getlength(text) > box[2] - 150:
            break
        x += write(page, (x, middle), text, ink, anchor="lm") + 2 * theme.size
    if box[2] - x > 240:
        top = round(middle) - theme.size
        bar = (box[2] - 200, top, box[2] - 20, top + 2 * theme.size)
        field(page, bar, f"{rng.choice(words.VERBS)} …")
    return box[0], bottom + 1, box[2], box[3]


def article(page: Page, box: Box) -> None:
    """Something to read, with pictures and links beside it."""
    rng, theme = page.rng, page.theme
    page.draw.rectangle(box, fill=theme.back)
    body = inner(header(page, box), rng.randint(16, 60), 18)
    parts = [body]
    if body[2] - body[0] > 560:
        shares = rng.choice(((3, 1), (1, 3), (1,), (1, 4, 1)))
        parts = split(body, shares, 3 * theme.size, True)
    widest = max(parts, key=lambda part: part[2] - part[0])
    for part in parts:
        if part == widest:
            _story(page, part)
        else:
            _links(page, part)


def _story(page: Page, box: Box) -> None:
    rng, theme = page.rng, page.theme
    family = rng.choice((theme.family, "serif", "sans"))
    size = round(theme.size * rng.uniform(1.7, 2.6))
    y = block(page, box, words.title(rng, 4, 10), size=size, family=family, bold=True)
    text = f"{words.person(rng)}  ·  {words.date(rng)}"
    write(page, (box[0], y), text, theme.muted)
    y += 2 * theme.size
    size = theme.size + rng.choice((0, 1, 2, 3))
    while y + 3 * size < box[3]:
        kind = rng.random()
        if kind < 0.2 and box[3] - y > 150:
            high = min(rng.randint(120, 300), box[3] - y - size)
            wide = rng.choice((1, 1, 0.6)) * (box[2] - box[0])
            part = (box[0], y, box[0] + round(wide), y + high)
            rng.choice((picture, picture, plot))(page, part)
            y += high + 6
            y = block(
                page, (box[0], y, box[2], box[3]), words.sentence(rng), theme.muted,
                size=max(9, theme.size - 2),
            )  # fmt: skip
        elif kind < 0.35:
            rest = (box[0], y, box[2], box[3])
            y = block(page, rest, words.title(rng), size=size + 4, bold=True)
        else:
            rest = (box[0], y, box[2], box[3])
            y = block(page, rest, words.paragraph(rng), size=size, family=family)
        y += size


def _links(page: Page, box: Box) -> None:
    rng, theme = page.rng, page.theme
    y = box[1]
    if rng.random() < 0.5:
        wide = box[2] - box[0]
        picture(page, (box[0], y, box[2], y + min(wide, 200)))
        y += min(wide, 200) + theme.size
    while y + 3 * theme.size < box[3]:
        write(page, (box[0], y), words.title(rng, 1, 2), bold=True)
        y += 2 * theme.size
        for _ in range(rng.randint(3, 7)):
            if y + 2 * theme.size > box[3]:
                break
            text, width = words.title(rng, 2, 6), box[2] - box[0]
            write(page, (box[0], y), text, theme.series[0], width=width)
            y += round(1.8 * theme.size)
        y += theme.size


def shop(page: Page, box: Box) -> None:
    """Rows of pictures with names and prices."""
    rng, theme = page.rng, page.theme
    page.draw.rectangle(box, fill=theme.back)
    body = inner(header(page, box), 24, 16)
    wide = rng.choice((150, 200, 260))
    columns = max(1, (body[2] - body[0]) // wide)
    high = round(wide * rng.uniform(0.6, 0.85))
    for y in range(body[1], box[3], high + 6 * theme.size):
        row = (body[0], y, body[2], y + high + 5 * theme.size)
        for each in split(row, [1] * columns, 14, True):
            panel(page, each, theme.panel, theme.line)
            part = inner((each[0], y, each[2], y + high), 6)
            draw = plot if fits(part) and rng.random() < 0.25 else picture
            draw(page, part)
            x, width = each[0] + 8, each[2] - each[0] - 16
            text = words.title(rng, 1, 4)
            write(page, (x, y + high + 4), text, bold=True, width=width)
            place = x, y + high + 4 + 1.7 * theme.size
            write(page, place, words.number(rng), theme.series[0], width=width)


def dashboard(page: Page, box: Box) -> None:
    """Figures, plots and a table on cards."""
    rng, theme = page.rng, page.theme
    page.draw.rectangle(box, fill=theme.back)
    left = box[0]
    if box[2] - box[0] > 640 and rng.random() < 0.7:
        left += rng.randint(120, 190)
        menu(page, (box[0], box[1], left, box[3]))
    body = inner((left, box[1], box[2], box[3]), 16)
    write(page, body[:2], words.title(rng, 1, 3), bold=True, size=theme.size + 6)
    top = body[1] + 2 * theme.size + 14
    high = rng.randint(5, 7) * theme.size
    row = (body[0], top, body[2], top + high)
    count = max(2, min(rng.randint(3, 5), (body[2] - body[0]) // 150))
    for area in cards(page, split(row, [1] * count, 14, True)):
        _figure(page, area)
    rest = (body[0], top + high + 14, body[2], body[3])
    shares = rng.choice(((1, 1), (2, 1), (1,), (3, 2)))
    if rest[3] - rest[1] < 440:
        shares = (1,)
    for line in split(rest, shares, 14, False):
        parts: Sequence[int] = rng.choice(((1, 1), (2, 1), (1, 2), (1, 1, 1)))
        if body[2] - body[0] < 500:
            parts = (1,)
        for area in cards(page, split(line, parts, 14, True)):
            name = words.title(rng, 1, 4)
            write(page, area[:2], name, bold=True, width=area[2] - area[0])
            draw = table if rng.random() < 0.25 else plot
            draw(page, (area[0], area[1] + 2 * theme.size, area[2], area[3]))


def _figure(page: Page, box: Box) -> None:
    rng, theme = page.rng, page.theme
    width = box[2] - box[0]
    text = words.title(rng, 1, 3)
    write(page, box[:2], text, theme.muted, size=max(9, theme.size - 1), width=width)
    size = round(1.8 * theme.size)
    place = box[0], box[1] + round(1.4 * theme.size)
    used = write(page, place, words.number(rng), size=size, bold=True, width=width)
    area = (box[0] + round(used) + 10, place[1], box[2], box[3])
    if area[2] - area[0] > 40 and area[3] - area[1] > 12:
        sparkline(page, area)
