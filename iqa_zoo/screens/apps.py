"""Programs that work with text, figures and files, each drawn into a box."""

from iqa_zoo.screens import words
from iqa_zoo.screens.drawing import (
    Box,
    Page,
    colour,
    font,
    inner,
    panel,
    rule,
    write,
)
from iqa_zoo.screens.parts import (
    field,
    glyph,
    glyphs,
    icon,
    picture,
    table,
)
from iqa_zoo.screens.plots import plot


def editor(page: Page, box: Box) -> None:
    """A program's text with colours, files beside it, perhaps a terminal below."""
    rng, theme = page.rng, page.theme
    size, left = theme.size, box[0]
    page.draw.rectangle(box, fill=theme.back)
    if box[2] - box[0] > 500 and rng.random() < 0.8:
        left = box[0] + rng.randint(150, 230)
        _tree(page, (box[0], box[1], left, box[3]))
    high = 2 * size + 6
    page.draw.rectangle((left, box[1], box[2], box[1] + high), fill=theme.bar)
    x = left
    for number in range(rng.randint(1, 4)):
        name = f"{rng.choice(words.NOUNS)}.py"
        wide = round(font(theme.family, size).getlength(name)) + 4 * size
        if x + wide > box[2]:
            break
        if not number:
            page.draw.rectangle((x, box[1], x + wide, box[1] + high), fill=theme.back)
        place = x + size, box[1] + high // 2
        write(page, place, name, theme.muted if number else None, anchor="lm")
        x += wide
    foot = box[3] - round(1.7 * size)
    page.draw.rectangle((left, foot, box[2], box[3]), fill=theme.accent)
    text = f"Ln {rng.randint(1, 900)}, Col {rng.randint(1, 80)}    UTF-8    main"
    place = left + size, (foot + box[3]) // 2
    write(page, place, text, theme.on_accent, size=max(9, size - 2), anchor="lm")
    bottom = foot
    if foot - box[1] > 350 and rng.random() < 0.4:
        bottom = foot - rng.randint(110, 200)
        terminal(page, (left, bottom, box[2], foot))
    _code(page, (left, box[1] + high + 6, box[2], bottom))


def _tree(page: Page, box: Box) -> None:
    rng, theme = page.rng, page.theme
    page.draw.rectangle(box, fill=theme.panel)
    step = round(1.7 * theme.size)
    for y in range(box[1] + 10, box[3] - step, step):
        depth = rng.randint(0, 2)
        x = box[0] + 8 + 14 * depth
        icon(page, x, y, 13)
        name = words.file_name(rng) if depth else rng.choice(words.NOUNS)
        paint = theme.muted if depth else theme.text
        write(page, (x + 20, y), name, paint, width=box[2] - x - 24)


def _code(page: Page, box: Box) -> None:
    rng, theme = page.rng, page.theme
    size = theme.size + rng.choice((-1, 0, 0, 1))
    step = round(size * rng.uniform(1.3, 1.6))
    numbers = [n % len(theme.series) for n in rng.sample(range(7), 5)]
    kinds = ("keyword", "name", "text", "number")
    paints = {k: theme.series[n] for k, n in zip(kinds, numbers, strict=False)}
    paints |= {"comment": theme.muted, "plain": theme.text}
    first = rng.randint(1, 900)
    lines = words.program(rng, max(0, (box[3] - box[1]) // step))
    chosen = rng.randrange(len(lines) + 1)
    for number, tokens in enumerate(lines):
        y = box[1] + number * step
        if number == chosen:
            page.draw.rectangle((box[0], y, box[2] - 1, y + step), fill=theme.panel)
        place = box[0] + 3.5 * size, y
        text = str(first + number)
        write(page, place, text, theme.muted, size=size, family="mono", anchor="ra")
        x = box[0] + 4.5 * size
        for text, kind in tokens:
            room = box[2] - x - 4
            paint = paints[kind]
            x += write(page, (x, y), text, paint, size=size, family="mono", width=room)


def terminal(page: Page, box: Box) -> None:
    """Commands and what they print."""
    rng, size = page.rng, page.theme.size
    back = colour(rng.random(), rng.uniform(0.02, 0.14), rng.uniform(0, 0.4))
    ink = colour(rng.random(), rng.uniform(0.75, 0.95), rng.uniform(0, 0.3))
    page.draw.rectangle(box, fill=back)
    step = round(1.4 * size)
    prompt = f"{rng.choice(words.FIRST).lower()}@{rng.choice(words.NOUNS)}:~$ "
    paint = colour(rng.random(), 0.65, 0.8)
    for y in range(box[1] + 4, box[3] - step, step):
        x, room, kind = box[0] + 8, box[2] - box[0] - 16, rng.random()
        text = words.words(rng, 3, 12)
        if kind < 0.2:
            x += round(write(page, (x, y), prompt, paint, family="mono", width=room))
            names = words.identifier(rng), words.file_name(rng)
            text = f"{rng.choice(words.VERBS)} --{names[0]} {names[1]}"
        elif kind < 0.6:
            text = f"{words.date(rng)} {words.clock(rng)}  {words.file_name(rng)}"
            text = f"-rw-r--r-- {rng.randint(10, 999_999):>8} {text}"
        elif kind < 0.75:
            text = f"[{rng.randint(0, 100):>3} %] {words.identifier(rng)}: {text}"
        write(page, (x, y), text, ink, family="mono", width=box[2] - x - 8)


def sheet(page: Page, box: Box) -> None:
    """A spreadsheet, with or without a plot on it."""
    rng, theme = page.rng, page.theme
    size = theme.size
    page.draw.rectangle(box, fill=theme.back)
    top = box[1] + 2 * size + 12
    page.draw.rectangle((box[0], box[1], box[2], top), fill=theme.bar)
    glyphs(page, box[0] + 10, box[1] + 8, box[2] - 10, size + 4)
    row, name = round(1.8 * size), round(3.2 * size)
    column = rng.randint(6, 9) * size
    text = f"=SUM({rng.choice('ABCDEF')}2:{rng.choice('GHJK')}{rng.randint(9, 60)})"
    field(page, (box[0] + name, top + 2, box[2] - 8, top + row), text)
    top += row + 4
    page.draw.rectangle((box[0], top, box[2], top + row), fill=theme.panel)
    page.draw.rectangle((box[0], top, box[0] + name, box[3]), fill=theme.panel)
    makers = [rng.choice((words.number, words.number, words.date, words.person))
              for _ in range(26)]  # fmt: skip
    used = rng.randint(3, 14), rng.randint(8, 45)
    for number, x in enumerate(range(box[0] + name, box[2] - 4, column)):
        end = min(x + column, box[2])
        letter = chr(ord("A") + number % 26)
        place = (x + end) / 2, top + row / 2
        write(page, place, letter, theme.muted, anchor="mm")
        rule(page, (x, top, x, box[3] - 1))
        for line, y in enumerate(range(top + row, box[3] - row, row)):
            if line >= used[1] or number >= used[0] or rng.random() < 0.06:
                continue
            text = words.title(rng, 1, 2) if not line else makers[number % 26](rng)
            place = end - 5, y + row / 2
            width = end - x - 8
            write(page, place, text, bold=not line, anchor="rm", width=width)
    for line, y in enumerate(range(top + row, box[3] - 1, row)):
        rule(page, (box[0], y, box[2] - 1, y))
        if y + row < box[3]:
            place = box[0] + name / 2, y + row / 2
            write(page, place, str(line + 1), theme.muted, anchor="mm")
    x, y = box[0] + name + column * rng.randint(0, 3), top + row * rng.randint(1, 9)
    if x + column < box[2] and y + row < box[3]:
        frame = (x, y, x + column, y + row)
        page.draw.rectangle(frame, outline=theme.accent, width=2)
    if rng.random() < 0.6 and min(box[2] - box[0], box[3] - box[1]) > 360:
        wide, high = rng.randint(260, 460), rng.randint(180, 280)
        x = rng.randint(box[0] + name, box[2] - wide - 10)
        y = rng.randint(top + row, max(top + row, box[3] - high - 10))
        frame = (x, y, x + wide, min(y + high, box[3]))
        panel(page, frame, theme.back, theme.line, 0)
        plot(page, inner(frame, 8))


def files(page: Page, box: Box) -> None:
    """A manager of files: places, and files as icons or as a table."""
    rng, theme = page.rng, page.theme
    size, left = theme.size, box[0]
    page.draw.rectangle(box, fill=theme.back)
    top = box[1] + 2 * size + 14
    page.draw.rectangle((box[0], box[1], box[2], top), fill=theme.bar)
    for number in range(3):
        glyph(page, box[0] + 10 + 2 * number * size, box[1] + 10, size, theme.muted)
    text = " / ".join(rng.choice(words.NOUNS) for _ in range(rng.randint(2, 4)))
    field(page, (box[0] + 7 * size, box[1] + 5, box[2] - 10, top - 5), text)
    if box[2] - box[0] > 420:
        left = box[0] + rng.randint(130, 190)
        page.draw.rectangle((box[0], top, left, box[3]), fill=theme.panel)
        for y in range(top + 10, min(box[3], top + 330) - 2 * size, 2 * size):
            icon(page, box[0] + 10, y, size + 2)
            text = rng.choice(words.NOUNS).capitalize()
            width = left - box[0] - 3 * size - 6
            write(page, (box[0] + 12 + 2 * size, y), text, width=width)
    area = inner((left, top, box[2], box[3]), 14)
    if rng.random() < 0.3:
        table(page, area)
        return
    side = rng.choice((32, 48, 64))
    wide, high = side + 5 * size, side + 3 * size
    shows = rng.random() < 0.4  # what is in the files
    for y in range(area[1], area[3] - high, high):
        for x in range(area[0], area[2] - wide, wide):
            start = x + (wide - side) // 2
            if shows and rng.random() < 0.7:
                picture(page, (start, y + side // 8, start + side, y + side))
            else:
                icon(page, start, y, side)
            place = x + wide / 2, y + side + 4
            text, width = words.file_name(rng), wide - 8
            write(page, place, text, anchor="ma", width=width, size=max(9, size - 1))
