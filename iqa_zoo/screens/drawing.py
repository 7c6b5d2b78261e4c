"""What screens are drawn with: a page, its theme, text and smooth shapes."""

import colorsys
import importlib.util
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

Box = tuple[
    int, int, int, int
]  # left, top, right and bottom pixel; the last two not in
Colour = tuple[int, int, int]

FINER = 3  # pixels a side that a pixel is drawn with where edges are smooth

#: DejaVu's files by the name of a family; "plain" is the font that Pillow has.
FAMILIES = {
    "sans": ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf"),
    "serif": ("DejaVuSerif.ttf", "DejaVuSerif-Bold.ttf"),
    "mono": ("DejaVuSansMono.ttf", "DejaVuSansMono-Bold.ttf"),
}


@dataclass(frozen=True, slots=True)
class Theme:
    """How the things of one screen look.

    Attributes:
        dark: whether its text is brighter than what is behind it.
        back, panel, bar: what lies behind text: pages, things on them, windows' edges.
        line: of boxes and tables.
        text, muted: of letters.
        accent, on_accent: of what is chosen or can be pressed, and the text on it.
        series: of curves, icons and code.
        family: of text, a key of FAMILIES or "plain".
        size: of text, pixels.
        radius: of corners, pixels.
    """

    dark: bool
    back: Colour
    panel: Colour
    bar: Colour
    line: Colour
    text: Colour
    muted: Colour
    accent: Colour
    on_accent: Colour
    series: tuple[Colour, ...]
    family: str
    size: int
    radius: int


@dataclass(frozen=True, slots=True)
class Page:
    """A picture that is being drawn."""

    image: Image.Image
    draw: ImageDraw.ImageDraw
    rng: random.Random
    theme: Theme


def colour(hue: float, lightness: float, saturation: float) -> Colour:
    """RGB, 0 to 255, of three numbers of 0 to 1."""
    red, green, blue = colorsys.hls_to_rgb(hue % 1, lightness, saturation)
    return round(red * 255), round(green * 255), round(blue * 255)


def draw_theme(rng: random.Random) -> Theme:
    """A theme by chance."""
    dark = rng.random() < 0.4
    hue = rng.random()
    tint = rng.choice((0, 0, rng.uniform(0.03, 0.25)))
    low = rng.uniform(0.06, 0.2)

    def shade(light: float, darker: float) -> Colour:
        return colour(hue, low + darker if dark else light, tint)

    accent_hue = rng.random()
    step = rng.uniform(0.1, 0.4)
    series = tuple(
        colour(
            accent_hue + number * step,
            rng.uniform(0.55, 0.72) if dark else rng.uniform(0.32, 0.5),
            rng.uniform(0.45, 0.9),
        )
        for number in range(7)
    )
    accent = colour(accent_hue, rng.uniform(0.35, 0.5), rng.uniform(0.5, 0.9))
    text = rng.uniform(0.82, 0.97) if dark else rng.uniform(0.04, 0.2)
    return Theme(
        dark=dark,
        back=shade(rng.choice((1.0, 1.0, 0.98, 0.96)), 0),
        panel=shade(rng.uniform(0.93, 0.98), 0.04),
        bar=shade(rng.uniform(0.82, 0.93), 0.08),
        line=shade(rng.uniform(0.76, 0.88), 0.14),
        text=colour(hue, text, tint / 2),
        muted=colour(hue, 0.62 if dark else 0.45, tint / 2),
        accent=accent,
        on_accent=(255, 255, 255),
        series=series,
        family=rng.choice(("sans", "sans", "plain", "plain", "serif")),
        size=rng.choice((11, 12, 12, 13, 13, 14, 15, 16)),
        radius=rng.choice((0, 0, 3, 5, 8, 10)),
    )


@cache
def font(family: str, size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """A font; Pillow's own where DejaVu, which comes with Matplotlib, is not there."""
    found = importlib.util.find_spec("matplotlib")
    if family in FAMILIES and found and found.origin:
        folder = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"
        path = folder / FAMILIES[family][bold]
        if path.exists():
            plain = ImageFont.Layout.BASIC
            return ImageFont.truetype(str(path), size, layout_engine=plain)
    built_in = ImageFont.load_default(size)
    if not isinstance(built_in, ImageFont.FreeTypeFont):
        raise RuntimeError("Pillow was built without FreeType.")
    return built_in


def write(
    page: Page,
    place: tuple[float, float],
    text: str,
    paint: Colour | None = None,
    *,
    size: int = 0,
    family: str = "",
    bold: bool = False,
    anchor: str = "la",
    width: float | None = None,
) -> float:
    """Write one line, and give how wide it is, in pixels.

    Args:
        place: of its anchor, as Pillow names anchors.
        paint: the theme's text where it is None.
        size, family: the theme's where they are 0 and "".
        width: what does not fit into so many pixels becomes an ellipsis.
    """
    theme = page.theme
    face = font(family or theme.family, size or theme.size, bold)
    if width is not None and face.getlength(text) > width:
        while text and face.getlength(f"{text}…") > width:
            text = text[:-1]
        text = f"{text.rstrip()}…" if text else ""
    x, y = round(place[0]), round(place[1])
    page.draw.text((x, y), text, paint or theme.text, font=face, anchor=anchor)
    return face.getlength(text)


def wrap(
    text: str, width: float, size: int, family: str, bold: bool = False
) -> list[str]:
    """The text in lines of at most so many pixels."""
    face = font(family, size, bold)
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and face.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def smooth(
    page: Page, box: Box, paint: Callable[[ImageDraw.ImageDraw, int], None]
) -> None:
    """Draw with smooth edges within a box.

    Args:
        box: what of the page is drawn on; not empty.
        paint: draws on the box enlarged as often as its second argument says, whose
            left upper pixel is 0, 0.
    """
    left, top, right, bottom = box
    size = (right - left) * FINER, (bottom - top) * FINER
    part = page.image.crop(box).resize(size, Image.Resampling.NEAREST)
    paint(ImageDraw.Draw(part), FINER)
    page.image.paste(part.reduce(FINER), (left, top))


def panel(
    page: Page,
    box: Box,
    fill: Colour | None,
    outline: Colour | None = None,
    radius: int | None = None,
) -> None:
    """A rectangle, with the theme's round corners where no radius is given."""
    left, top, right, bottom = box
    if right - left < 2 or bottom - top < 2:
        return
    radius = page.theme.radius if radius is None else radius
    radius = min(radius, (right - left) // 2, (bottom - top) // 2)
    if radius < 2:
        edge = right - 1, bottom - 1
        page.draw.rectangle((left, top, *edge), fill=fill, outline=outline)
        return

    def paint(draw: ImageDraw.ImageDraw, finer: int) -> None:
        edge = (right - left) * finer - 1, (bottom - top) * finer - 1
        draw.rounded_rectangle((0, 0, *edge), radius * finer, fill, outline, finer)

    smooth(page, box, paint)


def rule(page: Page, box: Box, paint: Colour | None = None) -> None:
    """A line of a pixel from the left upper to the right lower corner, both in."""
    page.draw.line(box, fill=paint or page.theme.line)


def inner(box: Box, x: int, y: int | None = None) -> Box:
    """The box without a margin of `x` pixels at the sides, `y` above and below."""
    y = x if y is None else y
    return box[0] + x, box[1] + y, box[2] - x, box[3] - y


def split(box: Box, shares: Sequence[float], gap: int, across: bool) -> list[Box]:
    """The box in parts of these shares, beside each other or else below."""
    first, last = (box[0], box[2]) if across else (box[1], box[3])
    room = last - first - gap * (len(shares) - 1)
    parts = []
    start = float(first)
    for share in shares:
        end = start + room * share / sum(shares)
        a, b = round(start), round(end)
        parts.append((a, box[1], b, box[3]) if across else (box[0], a, box[2], b))
        start = end + gap
    return parts


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    """Between two colours, `share` of the way to the other."""
    red, green, blue = (
        round(a + (b - a) * share) for a, b in zip(one, other, strict=True)
    )
    return red, green, blue
