"""One line of text for each score, for people."""

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import click

from iqa_zoo.cli import visible
from iqa_zoo.results import ImageScore

BLOCKS = "▁▂▃▄▅▆▇█"
ASCII = "_.:-=+*#"
# "10.00", "±10.00", and "1 ▁▂▃▄▅▆▇█▇▆ 10" or the longest error code.
SCORE, STD, SHARES = 5, 6, 16
# Columns that only some weight sets fill: the key of the card's table, title, width.
CALIBRATED = {
    "quantiles": ("better than", 11),
    "interval": ("interval", 13),
}


class Table:
    """Lines for scores, the image's name last, so that no line waits for another.

    Args:
        models: the models' names; with more than one there is a column for them.
        weights: what the models' cards say of their weight sets.
        encoding: of what the lines are written to.
        colour: whether that takes escape sequences for colours.
    """

    def __init__(
        self,
        models: Sequence[str],
        weights: Sequence[Mapping[str, Any]] = (),
        *,
        encoding: str,
        colour: bool,
    ) -> None:
        self._blocks, self._sign = BLOCKS, "±"
        try:
            f"{self._blocks}{self._sign}".encode(encoding)
        except UnicodeEncodeError:
            self._blocks, self._sign = ASCII, "+-"
        self._models = max(len(visible(m)) for m in models) if len(models) > 1 else 0
        self._colour = colour
        self._calibrated = [
            key for key in CALIBRATED if any(key in table for table in weights)
        ]

    def head(self) -> str:
        """The line of column titles."""
        titles = {key: title for key, (title, _) in CALIBRATED.items()}
        return self._join("score", "std", titles, "distribution", "model", "image")

    def line(self, score: ImageScore) -> str:
        """One score, or the code and the reason why there is none."""
        if score.value is None:
            reason = (score.message or "").removeprefix(f"{score.path}: ")
            right = f"{score.path}  ({reason})"
            return self._join("-", "", {}, score.error, score.model, right, fg="red")
        drawn, style = "", {}
        if score.scale is not None and score.direction != "neither":
            low, high = score.scale
            good = (score.value - low) / (high - low)
            if score.direction == "lower_is_better":
                good = 1 - good
            colours = ((1 / 3, "red"), (2 / 3, "yellow"), (math.inf, "green"))
            style["fg"] = next(colour for end, colour in colours if good < end)
            if score.distribution is not None:
                drawn = f"{low:g} {self._draw(score.distribution)} {high:g}"
        return self._join(
            f"{score.value:.2f}",
            "" if score.std is None else f"{self._sign}{score.std:.2f}",
            _calibrated(score),
            drawn,
            score.model,
            score.path,
            **style,
        )

    def _join(
        self,
        score: str,
        std: str,
        calibrated: Mapping[str, str],
        shares: str | None,
        model: str,
        image: str,
        **style: Any,
    ) -> str:
        left = f"{score:>{SCORE}}  {std:>{STD}}"
        if style and self._colour:
            left = click.style(left, **style)
        for key in self._calibrated:
            left += f"  {calibrated.get(key, ''):>{CALIBRATED[key][1]}}"
        middle = f"{visible(model):<{self._models}}  " if self._models else ""
        return f"{left}  {shares or '':<{SHARES}}  {middle}{visible(image)}"

    def _draw(self, shares: Sequence[float]) -> str:
        top = max(shares, default=0) or 1
        last = len(self._blocks) - 1
        return "".join(self._blocks[round(share / top * last)] for share in shares)


def _calibrated(score: ImageScore) -> dict[str, str]:
    """The cells that only some weight sets fill."""
    cells = {}
    if score.percentile is not None:
        # Rounded down: "better than 100 %" is only what nothing surpasses.
        cells["quantiles"] = f"{math.floor(score.percentile)} %"
    if score.interval is not None:
        low, high = score.interval
        cells["interval"] = f"{low:.2f} to {high:.2f}"
    return cells


def notes(models: Sequence[str], weights: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the columns that only some weight sets fill mean, a line each and model."""
    lines = []
    for model, card in dict(zip(models, weights, strict=True)).items():
        of = f"{model}: " if len(set(models)) > 1 else ""
        if "quantiles" in card:
            lines.append(f"{of}better than: of {card['quantiles']['set']}")
        if "interval" in card:
            table = card["interval"]
            lines.append(
                f"{of}interval: holds people's mean opinion for "
                f"{100 * table['coverage']:g} % of new photos like {table['held_out']}"
            )
    return lines


def wants_colour(is_terminal: bool) -> bool:
    """Whether to colour; see https://no-color.org."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return is_terminal and not plain
