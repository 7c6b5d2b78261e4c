"""Draw docs/screens.jpg: some of the screens of `iqa-zoo screens`.

python docs/draw_screens.py
"""

from pathlib import Path

from PIL import Image

from iqa_zoo.screens import screen

PATH = Path(__file__).parent / "screens.jpg"
COLUMNS, ROWS = 3, 4
WIDTH, HEIGHT, GAP = 400, 225, 6


def main() -> None:
    size = COLUMNS * (WIDTH + GAP) - GAP, ROWS * (HEIGHT + GAP) - GAP
    page = Image.new("RGB", size, "white")
    for number in range(COLUMNS * ROWS):
        row, column = divmod(number, COLUMNS)
        small = Image.fromarray(screen(number)).resize((WIDTH, HEIGHT), Image.LANCZOS)
        page.paste(small, (column * (WIDTH + GAP), row * (HEIGHT + GAP)))
    page.save(PATH, quality=80, optimize=True)
    print(f"written: {PATH.name}, {PATH.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
