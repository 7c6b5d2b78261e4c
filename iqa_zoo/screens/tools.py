"""Programs for letters, talks and settings, each drawn into a box."""

from iqa_zoo.screens import words
from iqa_zoo.screens.drawing import Box, Page, inner, mixed, panel, rule, write
from iqa_zoo.screens.parts import block, button, field, icon, menu, picture


def mail(page: Page, box: Box) -> None:
    """Letters or talks in a list, and one of them to read."""
    rng, theme = page.rng, page.theme
    page.draw.rectangle(box, fill=theme.back)
    left = box[0]
    if box[2] - box[0] > 760:
        left += 150
        menu(page, (box[0], box[1], left, box[3]))
    middle = left + min(rng.randint(230, 340), (box[2] - left) // 2)
    size, high = theme.size, round(5 * theme.size)
    chosen = rng.randrange(6)
    for number, y in enumerate(range(box[1], box[3] - high, high)):
        if number == chosen:
            fill = mixed(theme.back, theme.accent, 0.2)
            page.draw.rectangle((left, y, middle, y + high), fill=fill)
        rule(page, (left, y + high, middle, y + high))
        icon(page, left + 8, y + 10, 2 * size)
        x, room = left + 16 + 2 * size, middle - left - 24 - 2 * size
        unread = rng.random() < 0.4
        place = x, y + 0.5 * size
        write(page, place, words.person(rng), bold=unread, width=room - 4 * size)
        place = middle - 8, y + 0.5 * size
        write(page, place, words.clock(rng), theme.muted, anchor="ra")
        for line in (1.9, 3.2):
            text, ink = words.sentence(rng), theme.text if line < 2 else theme.muted
            write(page, (x, y + line * size), text, ink, width=room)
    rule(page, (middle, box[1], middle, box[3] - 1))
    area = inner((middle, box[1], box[2], box[3]), 24, 18)
    if rng.random() < 0.4:
        _talk(page, area)
        return
    y = block(page, area, words.title(rng, 3, 8), size=size + 6, bold=True) + 8
    icon(page, area[0], y, 3 * size)
    text = f"{words.person(rng)}, {words.date(rng)} {words.clock(rng)}"
    place = area[0] + 4 * size, y + 1.5 * size
    write(page, place, text, theme.muted, anchor="lm", width=area[2] - place[0])
    y += 5 * size
    for _ in range(rng.randint(2, 5)):
        rest = (area[0], y, area[2], area[3] - 3 * size)
        y = block(page, rest, words.paragraph(rng)) + size
    if y + 4 * size < area[3]:
        x = button(page, area[0], y, rng.choice(words.VERBS).capitalize())
        button(page, x + 10, y, rng.choice(words.VERBS).capitalize(), filled=False)


def _talk(page: Page, box: Box) -> None:
    rng, theme = page.rng, page.theme
    y, size = box[1], theme.size
    while y + 5 * size < box[3]:
        mine = rng.random() < 0.5
        width = (box[2] - box[0]) * 2 // 3
        left = box[2] - width if mine else box[0]
        text = " ".join(words.sentence(rng) for _ in range(rng.randint(1, 3)))
        if rng.random() < 0.15 and box[3] - y > 200:
            picture(page, (left, y, left + width, y + 150))
            y += 150 + size
            continue
        # Twice: first on nothing, to see how high it is.
        area = (left + 10, y + 8, left + width - 10, box[3])
        end = block(page, area, text, theme.back)
        fill = theme.accent if mine else theme.bar
        panel(page, (left, y, left + width, end + 4), fill)
        block(page, area, text, theme.on_accent if mine else None)
        y = end + 4 + size


def form(page: Page, box: Box) -> None:
    """Settings: names, fields, switches, sliders and buttons."""
    rng, theme = page.rng, page.theme
    page.draw.rectangle(box, fill=theme.back)
    left = box[0]
    if box[2] - box[0] > 480:
        left += rng.randint(140, 210)
        menu(page, (box[0], box[1], left, box[3]))
    body = inner((left, box[1], box[2], box[3]), 28, 22)
    size, right = theme.size, min(body[2], body[0] + 620)
    write(page, body[:2], words.title(rng, 1, 3), size=size + 8, bold=True)
    y, step = body[1] + 3 * size + 10, round(3.2 * size)
    while y + 2 * step < body[3]:
        kind, middle = rng.randrange(5), y + size
        text, width = words.title(rng, 1, 4), (right - body[0]) * 2 // 5
        write(page, (body[0], middle), text, anchor="lm", width=width - 10)
        x = body[0] + width
        area = (x, y, right, y + 2 * size)
        if kind < 2:
            field(page, area, words.title(rng, 1, 4) if kind else words.number(rng))
        elif kind == 2:
            chosen = rng.random() < 0.5
            fill = theme.accent if chosen else theme.bar
            switch = (x, y + size // 2, x + 2 * size, y + size // 2 + size)
            panel(page, switch, fill, theme.line, size // 2)
            start = x + size if chosen else x
            knob = (start + 2, switch[1] + 2, start + size - 2, switch[3] - 2)
            panel(page, knob, (255, 255, 255), None, size // 2)
        elif kind == 3:
            end = x + round((right - x) * rng.random())
            page.draw.line((x, middle, right, middle), fill=theme.line, width=3)
            page.draw.line((x, middle, end, middle), fill=theme.accent, width=3)
            knob = (end - 7, middle - 7, end + 7, middle + 7)
            panel(page, knob, theme.accent, theme.back, 7)
        else:
            for number in range(rng.randint(2, 3)):
                place = x + number * 8 * size
                dot = (place, y + 4, place + size, y + 4 + size)
                panel(page, dot, theme.back, theme.muted, size // 2)
                if not number:
                    panel(page, inner(dot, 3), theme.accent, None, size // 2)
                text = words.title(rng, 1, 1)
                write(page, (dot[2] + 6, middle), text, anchor="lm", width=6 * size)
        y += step
    x = button(page, body[0], y, "OK")
    button(page, x + 10, y, words.title(rng, 1, 1), filled=False)
