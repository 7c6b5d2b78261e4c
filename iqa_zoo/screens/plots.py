"""Plots as programs draw them: axes, curves, bars, points, maps of colours."""

import math
from collections.abc import Callable

from PIL import ImageDraw

from iqa_zoo.screens import words
from iqa_zoo.screens.drawing import Box, Colour, Page, font, mixed, rule, smooth, write

LEAST = 100  # pixels a side


def fits(box: Box) -> bool:
    """Whether a plot in this box would be more than its axes."""
    return min(box[2] - box[0], box[3] - box[1]) >= LEAST


def plot(page: Page, box: Box) -> None:
    """One of the kinds of plots; nothing where it would not fit."""
    if not fits(box):
        return
    if page.rng.random() < 0.15:
        _pie(page, box)
        return
    area = _axes(page, box)
    kind = page.rng.choice((_curves, _curves, _bars, _points, _histogram, _map))
    kind(page, area)


def sparkline(page: Page, box: Box) -> None:
    """A small curve without axes."""
    values = _walk(page, 24)
    smooth(page, box, _polyline(box, values, page.theme.accent, 1.5))


def _axes(page: Page, box: Box) -> Box:
    """Title, ticks with their numbers, labels and a grid; gives the area inside."""
    rng, theme = page.rng, page.theme
    size = max(9, theme.size - 2)
    left, top, right, bottom = box
    tall = bottom - top >= 150
    has_title, has_labels = tall and rng.random() < 0.6, tall and rng.random() < 0.5
    area = (
        left + round(3.6 * size),
        top + (round(1.8 * theme.size) if has_title else size // 2),
        right - size,
        bottom - round((3.2 if has_labels else 1.8) * size),
    )
    middle = (area[0] + area[2]) / 2
    if has_title:
        text = words.title(rng, 2, 5)
        width = area[2] - area[0]
        write(page, (middle, top), text, bold=True, anchor="ma", width=width)
    if has_labels:
        text = words.title(rng, 1, 3)
        write(page, (middle, bottom), text, size=size, anchor="md")
    grid = rng.choice((0, 1, 2))
    low, step = rng.choice((0, 0, 0, -20, 50)), rng.choice((0.2, 1, 5, 20, 25, 100))
    rows = max(2, min(8, (area[3] - area[1]) // (3 * size)))
    for number in range(rows + 1):
        y = area[3] - round(number * (area[3] - area[1]) / rows)
        if grid and number:
            rule(page, (area[0], y, area[2], y))
        rule(page, (area[0] - 4, y, area[0], y), theme.muted)
        text = f"{low + number * step:g}"
        place = area[0] - 6, y
        write(page, place, text, theme.muted, size=size, anchor="rm")
    columns = max(2, min(10, (area[2] - area[0]) // (5 * size)))
    first, gap = rng.choice((0, 0, 2000, 10)), rng.choice((1, 2, 5, 10))
    for number in range(columns + 1):
        x = area[0] + round(number * (area[2] - area[0]) / columns)
        if grid == 2 and number:
            rule(page, (x, area[1], x, area[3]))
        rule(page, (x, area[3], x, area[3] + 4), theme.muted)
        text = str(first + number * gap)
        place = x, area[3] + 6
        write(page, place, text, theme.muted, size=size, anchor="ma")
    if rng.random() < 0.6:
        page.draw.rectangle(area, outline=theme.muted)
    else:
        rule(page, (area[0], area[3], area[2], area[3]), theme.muted)
        rule(page, (area[0], area[1], area[0], area[3]), theme.muted)
    return area[0] + 1, area[1] + 1, area[2], area[3]


def _walk(page: Page, count: int) -> list[float]:
    """Values of 0 to 1 that drift, or that swing."""
    rng = page.rng
    swing, turns = rng.choice((0.0, 0.3, 0.6)), rng.uniform(0.5, 4)
    values, value = [], 0.0
    for number in range(count):
        value += rng.gauss(0, 1) / math.sqrt(count)
        values.append(value + swing * math.sin(turns * math.tau * number / count))
    low, high = min(values), max(values)
    bottom, reach = rng.uniform(0.05, 0.4), rng.uniform(0.3, 0.55)
    return [bottom + reach * (v - low) / (high - low or 1) for v in values]


def _polyline(
    box: Box, values: list[float], paint: Colour, width: float
) -> Callable[[ImageDraw.ImageDraw, int], None]:
    wide, high = box[2] - box[0], box[3] - box[1]

    def draw_it(draw: ImageDraw.ImageDraw, finer: int) -> None:
        places = [
            (
                (2 + number * (wide - 4) / (len(values) - 1)) * finer,
                (1 - value) * high * finer,
            )
            for number, value in enumerate(values)
        ]
        draw.line(places, fill=paint, width=round(width * finer), joint="curve")

    return draw_it


def _curves(page: Page, area: Box) -> None:
    rng, theme = page.rng, page.theme
    count = rng.randint(1, 4)
    points = rng.choice((8, 15, 40, 120))
    width = rng.choice((1, 1.5, 2, 3))
    names = [words.title(rng, 1, 2) for _ in range(count)]
    for paint in theme.series[:count]:
        smooth(page, area, _polyline(area, _walk(page, points), paint, width))
    if count > 1:
        _legend(page, area, names)


def _legend(page: Page, area: Box, names: list[str]) -> None:
    theme = page.theme
    size = max(9, theme.size - 2)
    wide = round(max(font(theme.family, size).getlength(name) for name in names)) + 40
    high = round(1.5 * size * len(names)) + 8
    if wide > (area[2] - area[0]) // 2 or high > (area[3] - area[1]) // 2:
        return
    left = area[2] - wide - 8 if page.rng.random() < 0.7 else area[0] + 8
    top = area[1] + 8
    box = (left, top, left + wide, top + high)
    page.draw.rectangle(box, fill=theme.back, outline=theme.line)
    for number, name in enumerate(names):
        y = top + 4 + round(1.5 * size * (number + 0.5))
        line = (left + 6, y, left + 26, y)
        page.draw.line(line, fill=theme.series[number], width=2)
        write(page, (left + 32, y), name, size=size, anchor="lm")


def _bars(page: Page, area: Box) -> None:
    rng, theme = page.rng, page.theme
    count, groups = rng.randint(3, 12), rng.choice((1, 1, 2, 3))
    left, top, right, bottom = area
    room = (right - left) / count
    for number in range(count):
        for group in range(groups):
            x = left + room * (number + 0.15 + 0.7 * group / groups)
            y = bottom - rng.uniform(0.08, 0.92) * (bottom - top)
            end = x + 0.7 * room / groups - (groups > 1)
            paint = theme.series[group]
            page.draw.rectangle((round(x), round(y), round(end), bottom - 1), paint)


def _histogram(page: Page, area: Box) -> None:
    rng, theme = page.rng, page.theme
    left, top, right, bottom = area
    count = rng.randint(15, 60)
    middle, wide = rng.uniform(0.3, 0.7), rng.uniform(0.08, 0.25)
    edges = [left + round(n * (right - left) / count) for n in range(count + 1)]
    for number in range(count):
        away = (number / count - middle) / wide
        share = 0.88 * math.exp(-away * away / 2) * rng.uniform(0.8, 1)
        y = bottom - 1 - round(share * (bottom - top))
        box = (edges[number], y, edges[number + 1] - 1, bottom - 1)
        page.draw.rectangle(box, theme.series[0], outline=theme.back)


def _points(page: Page, area: Box) -> None:
    rng, theme = page.rng, page.theme
    wide, high = area[2] - area[0], area[3] - area[1]
    count, groups, radius = rng.randint(20, 200), rng.randint(1, 3), rng.uniform(2, 4)
    slope, spread = rng.uniform(-0.7, 0.7), rng.uniform(0.04, 0.15)
    dots = []
    for number in range(count):
        x = rng.uniform(0.04, 0.96)
        y = 0.5 + slope * (x - 0.5) + rng.gauss(0, spread) + 0.1 * (number % groups)
        dots.append((x, min(max(y, 0.04), 0.96), theme.series[number % groups]))

    def draw_it(draw: ImageDraw.ImageDraw, finer: int) -> None:
        for x, y, paint in dots:
            draw.circle((x * wide * finer, y * high * finer), radius * finer, paint)

    smooth(page, area, draw_it)


def _map(page: Page, area: Box) -> None:
    rng, theme = page.rng, page.theme
    columns, rows = rng.randint(5, 24), rng.randint(4, 14)
    left, top, right, bottom = area
    phase = [rng.uniform(0, math.tau) for _ in range(4)]
    for row in range(rows):
        for column in range(columns):
            value = math.sin(0.5 * column + phase[0]) * math.sin(0.7 * row + phase[1])
            value = min(max(0.5 + 0.4 * value + rng.gauss(0, 0.08), 0), 1)
            box = (
                left + (right - left) * column // columns,
                top + (bottom - top) * row // rows,
                left + (right - left) * (column + 1) // columns - 1,
                top + (bottom - top) * (row + 1) // rows - 1,
            )
            page.draw.rectangle(box, mixed(theme.panel, theme.accent, value))


def _pie(page: Page, box: Box) -> None:
    rng, theme = page.rng, page.theme
    side = min(box[2] - box[0], box[3] - box[1]) - 8
    shares = [rng.uniform(0.3, 2) for _ in range(rng.randint(3, 6))]
    hole = rng.choice((0.0, 0.0, 0.55))
    area = (box[0] + 4, box[1] + 4, box[0] + 4 + side, box[1] + 4 + side)

    def draw_it(draw: ImageDraw.ImageDraw, finer: int) -> None:
        edge, start = side * finer - 1, -90.0
        for share, paint in zip(shares, theme.series, strict=False):
            end = start + 360 * share / sum(shares)
            draw.pieslice((0, 0, edge, edge), start, end, paint, theme.back, finer)
            start = end
        if hole:
            draw.circle((edge / 2, edge / 2), edge / 2 * hole, theme.back)

    smooth(page, area, draw_it)
    x = area[2] + 16
    for number, share in enumerate(shares):
        y = area[1] + round((number + 0.5) * 1.8 * theme.size)
        page.draw.rectangle((x, y - 5, x + 10, y + 5), theme.series[number])
        text = f"{words.title(rng, 1, 2)} {100 * share / sum(shares):.0f} %"
        write(page, (x + 18, y), text, anchor="lm", width=box[2] - x - 18)
