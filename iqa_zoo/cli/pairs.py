"""Where the rows of compared pairs go: to a file, or as a table to people."""

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from iqa_zoo.cli import visible
from iqa_zoo.cli.rows import ROWS, Kind, RowWriter, head, open_rows
from iqa_zoo.errors import OutputError

CELL = 10  # "0.00044828"

Write = Callable[[Sequence[Any]], None]


@contextlib.contextmanager
def rows_to(
    out: str | None,
    form: str,
    overwrite: bool,
    earlier: Callable[[Any], None] | None,
    kind: Kind,
    metrics: Sequence[str],
    cards: Sequence[Any],
) -> Iterator[Write]:
    """What the rows of a pair are written with.

    Args:
        out: a file, or None for standard output.
        form: "table", "csv" or "jsonl"; a file takes no table.
        overwrite: whether to replace the file.
        earlier: called with each result that it holds already; see `open_rows`.
        kind: what the rows stand for.
        metrics: the names of the metrics.
        cards: their cards.
    """
    if out:
        with open_rows(
            out, form, overwrite=overwrite, earlier=earlier, kind=kind
        ) as writer:
            yield _each(writer, form, kind)
        return
    if sys.stdout is None:
        raise OutputError("Cannot write to standard output: it is closed.")
    stream = sys.stdout.buffer
    # Rows go around the buffer, which would be written in parts.
    writer = RowWriter(getattr(stream, "raw", stream), "standard output")
    if form in ROWS:
        writer.write(head(form, kind))
        yield _each(writer, form, kind)
        return
    titles = _titles(metrics, cards, sys.stdout.encoding)
    widths = [max(CELL, len(title)) for title in titles]
    waiting = [_joined(titles, widths, "image")]

    def write(rows: Sequence[Any]) -> None:
        text = "\n".join([*waiting, _line(rows, widths), ""])
        waiting.clear()
        writer.write(text.encode(sys.stdout.encoding, "backslashreplace"))

    yield write


def _each(writer: RowWriter, form: str, kind: Kind) -> Write:
    """What writes one row after the other."""

    def write(rows: Sequence[Any]) -> None:
        for row in rows:
            writer.write(ROWS[form](row, kind))

    return write


def _titles(metrics: Sequence[str], cards: Sequence[Any], encoding: str) -> list[str]:
    """The names of metrics, with an arrow to where better scores are."""
    arrows = {"higher_is_better": "↑", "lower_is_better": "↓", "nearest_is_best": "→"}
    try:
        "".join(arrows.values()).encode(encoding)
    except UnicodeEncodeError:
        arrows = dict(zip(arrows, "^v>", strict=True))
    return [
        f"{name} {arrows[card['direction']]}"
        for name, card in zip(metrics, cards, strict=True)
    ]


def _joined(cells: Sequence[str], widths: Sequence[int], image: str) -> str:
    padded = [f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True)]
    return "  ".join([*padded, image])


def _line(rows: Sequence[Any], widths: Sequence[int]) -> str:
    """The scores of a pair, and for each reason why one is lacking the reason."""
    cells = ["-" if row.value is None else f"{row.value:#.5g}" for row in rows]
    name = rows[0].distorted
    reasons = dict.fromkeys(
        (row.error, row.message.removeprefix(f"{name}: ")) for row in rows if row.error
    )
    told = [f"  ({code}: {reason})" for code, reason in reasons]
    return visible(_joined(cells, widths, name) + "".join(told))
