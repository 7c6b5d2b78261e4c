"""Whole screens: one program over all of it, or windows on a desktop."""

import random

from PIL import Image, ImageDraw, ImageFilter

from iqa_zoo.screens import apps, documents, sites, tools, words
from iqa_zoo.screens.drawing import (
    Box,
    Page,
    colour,
    draw_theme,
    font,
    mixed,
    panel,
    rule,
    smooth,
    write,
)
from iqa_zoo.screens.parts import field, glyph, icon, picture

SITES = (
    *(sites.article, sites.article, sites.article),
    *(sites.dashboard, sites.dashboard, sites.shop, tools.mail),
)
PROGRAMS = (
    apps.editor,
    apps.editor,
    apps.sheet,
    documents.document,
    documents.slides,
    apps.files,
    apps.terminal,
    tools.form,
    sites.dashboard,
    tools.mail,
)


def draw_screen(rng: random.Random, width: int, height: int) -> Image.Image:
    """A screen by chance, RGB."""
    image = Image.new("RGB", (width, height))
    page = Page(image, ImageDraw.Draw(image), rng, draw_theme(rng))
    box = (0, 0, width, height)
    if rng.random() < 0.85:
        box = _taskbar(page, box)
    if rng.random() < 0.45:
        _wallpaper(page, box)
        _icons(page, box)
        for number in range(rng.randint(1, 3)):
            _window(page, _frame(rng, box, number))
    else:
        _program(page, box, rng.random() < 0.75)
    return image


def _taskbar(page: Page, box: Box) -> Box:
    """The bar of running programs at an edge; gives what it leaves."""
    rng, theme = page.rng, page.theme
    left, top, right, bottom = box
    high = rng.randint(26, 44)
    below = rng.random() < 0.7
    bar = (
        (left, bottom - high, right, bottom)
        if below
        else (left, top, right, top + high)
    )
    fill = rng.choice((theme.bar, theme.panel, colour(rng.random(), 0.12, 0.3)))
    page.draw.rectangle(bar, fill=fill)
    ink = (240, 240, 240) if sum(fill) < 380 else (30, 30, 30)
    side, middle = high - 12, (bar[1] + bar[3]) / 2
    x = left + 10 if rng.random() < 0.5 else (left + right) // 2 - 4 * high
    for _ in range(rng.randint(4, 9)):
        icon(page, x, bar[1] + 6, side)
        x += side + rng.choice((8, 14))
    text = f"{words.clock(rng)}   {words.date(rng)}"
    size = min(theme.size, high - 14)
    write(page, (right - 12, middle), text, ink, size=size, anchor="rm")
    used = font(theme.family, size).getlength(text)
    for number in range(rng.randint(1, 4)):
        place = round(right - 12 - used - (number + 1) * (size + 10))
        glyph(page, place, round(middle - size / 2), size, ink)
    return (left, top, right, bar[1]) if below else (left, bar[3], right, bottom)


def _wallpaper(page: Page, box: Box) -> None:
    rng = page.rng
    kind = rng.randrange(4)
    if kind < 2:
        picture(page, box)
        return
    one = colour(rng.random(), rng.uniform(0.15, 0.6), rng.uniform(0.2, 0.8))
    other = colour(rng.random(), rng.uniform(0.15, 0.6), rng.uniform(0.2, 0.8))
    high = box[3] - box[1]
    for y in range(high):
        rule(
            page, (box[0], box[1] + y, box[2], box[1] + y), mixed(one, other, y / high)
        )
    if kind == 3:
        wide = box[2] - box[0]
        discs = [
            (rng.uniform(0, wide), rng.uniform(0, high), rng.uniform(40, 260),
             mixed(one, other, rng.uniform(-0.2, 1.2)))
            for _ in range(rng.randint(4, 14))
        ]  # fmt: skip

        def paint(draw: ImageDraw.ImageDraw, finer: int) -> None:
            for x, y, radius, ink in discs:
                draw.circle((x * finer, y * finer), radius * finer, ink)

        smooth(page, box, paint)


def _icons(page: Page, box: Box) -> None:
    """Icons of files on the desktop, in columns."""
    rng = page.rng
    side = rng.choice((32, 40, 48))
    step = side + 46
    for x in range(box[0] + 20, box[0] + 20 + step * rng.randint(1, 3), step):
        for y in range(box[1] + 16, box[3] - step, step):
            if rng.random() < 0.25:
                continue
            icon(page, x + 12, y, side)
            place = x + 12 + side / 2, y + side + 4
            text = words.file_name(rng)
            for dx, dy, ink in ((1, 1, (0, 0, 0)), (0, 0, (255, 255, 255))):
                at = place[0] + dx, place[1] + dy
                write(page, at, text, ink, size=11, anchor="ma", width=side + 38)


def _frame(rng: random.Random, box: Box, number: int) -> Box:
    """Where a window lies; later ones leave some of the earlier ones to be seen."""
    wide, high = box[2] - box[0], box[3] - box[1]
    width = round(wide * rng.uniform(0.45, 0.8 - 0.08 * number))
    height = round(high * rng.uniform(0.5, 0.9 - 0.1 * number))
    left = box[0] + rng.randint(round(0.02 * wide), wide - width)
    top = box[1] + rng.randint(0, high - height)
    return left, top, left + width, top + height


def _window(page: Page, box: Box) -> None:
    """A program in a window with its shadow."""
    size = page.image.size
    shadow = Image.new("L", size)
    ImageDraw.Draw(shadow).rectangle((box[0], box[1] + 6, box[2], box[3] + 6), 110)
    shadow = shadow.filter(ImageFilter.BoxBlur(page.rng.randint(5, 12)))
    page.image.paste((0, 0, 0), (0, 0), shadow)
    _program(page, box, page.rng.random() < 0.4)
    page.draw.rectangle(
        (box[0], box[1], box[2] - 1, box[3] - 1), outline=page.theme.line
    )


def _program(page: Page, box: Box, is_browser: bool) -> None:
    """A program with the bar of its title, drawn apart, so that nothing stands out."""
    rng = page.rng
    if rng.random() < 0.3:
        page = Page(page.image, page.draw, rng, draw_theme(rng))
    size = box[2] - box[0], box[3] - box[1]
    image = Image.new("RGB", size, page.theme.back)
    part = Page(image, ImageDraw.Draw(image), rng, page.theme)
    whole = (0, 0, *size)
    body = _browser(part, whole) if is_browser else _title(part, whole)
    draw = rng.choice(SITES if is_browser else PROGRAMS)
    inside = Image.new("RGB", (body[2] - body[0], body[3] - body[1]), page.theme.back)
    draw(Page(inside, ImageDraw.Draw(inside), rng, page.theme), (0, 0, *inside.size))
    image.paste(inside, body[:2])
    page.image.paste(image, box[:2])


def _title(page: Page, box: Box) -> Box:
    """The bar with a window's name and menus; gives what is below."""
    rng, theme = page.rng, page.theme
    high = theme.size + rng.randint(12, 20)
    fill = rng.choice((theme.bar, theme.bar, theme.accent))
    ink = theme.on_accent if fill == theme.accent else theme.text
    page.draw.rectangle((0, 0, box[2], high), fill=fill)
    place = box[2] / 2, high / 2
    write(page, place, words.file_name(rng), ink, bold=True, anchor="mm")
    _buttons(page, box[2], high, ink)
    if rng.random() < 0.4:
        return box[0], high + 1, box[2], box[3]
    menu = high + theme.size + 12
    page.draw.rectangle((0, high, box[2], menu), fill=theme.panel)
    x = 10.0
    for text in ("File", "Edit", "View", "Insert", "Format", "Tools", "Window", "Help"):
        place = x, (high + menu) / 2
        x += write(page, place, text, anchor="lm") + 1.3 * theme.size
        if x > box[2] - 80:
            break
    rule(page, (0, menu, box[2], menu))
    return box[0], menu + 1, box[2], box[3]


def _buttons(page: Page, right: int, high: int, ink: tuple[int, int, int]) -> None:
    """What closes a window: three dots on the left, or signs on the right."""
    middle = high // 2
    if page.rng.random() < 0.4:
        dots = ((237, 106, 94), (245, 191, 79), (98, 197, 84))
        for number, fill in enumerate(dots):
            x = 10 + 20 * number
            panel(page, (x, middle - 6, x + 12, middle + 6), fill, None, 6)
        return
    draw = page.draw
    for number in range(3):
        x = right - 24 - 34 * number
        if number == 0:
            draw.line((x - 5, middle - 5, x + 5, middle + 5), fill=ink)
            draw.line((x - 5, middle + 5, x + 5, middle - 5), fill=ink)
        elif number == 1:
            draw.rectangle((x - 5, middle - 5, x + 5, middle + 5), outline=ink)
        else:
            draw.line((x - 5, middle, x + 5, middle), fill=ink)


def _browser(page: Page, box: Box) -> Box:
    """Tabs and the bar of addresses; gives what is below."""
    rng, theme = page.rng, page.theme
    size = theme.size
    high = size + 20
    page.draw.rectangle((0, 0, box[2], high), fill=theme.bar)
    x = 80
    wide = rng.randint(130, 220)
    for number in range(rng.randint(1, 7)):
        if x + wide > box[2] - 110:
            break
        if number == 0:
            panel(page, (x, 5, x + wide, high + 8), theme.panel, None)
        icon(page, x + 8, (high - size) // 2 + 2, size)
        place, width = (x + 16 + size, high / 2 + 2), wide - size - 30
        write(page, place, words.title(rng, 1, 4), anchor="lm", width=width)
        x += wide + 2
    _buttons(page, box[2], high, theme.text)
    bottom = high + 2 * size + 12
    page.draw.rectangle((0, high, box[2], bottom), fill=theme.panel)
    for number in range(3):
        glyph(page, 12 + 30 * number, high + size // 2 + 6, size, theme.muted)
    path = "/".join(rng.choice(words.NOUNS) for _ in range(rng.randint(1, 3)))
    text = f"https://www.{rng.choice(words.NOUNS)}{rng.choice(words.NOUNS)}.com/{path}"
    field(page, (110, high + 5, box[2] - 80, bottom - 5), text)
    for number in range(2):
        glyph(page, box[2] - 30 - 30 * number, high + size // 2 + 6, size, theme.muted)
    rule(page, (0, bottom, box[2], bottom))
    return box[0], bottom + 1, box[2], box[3]
