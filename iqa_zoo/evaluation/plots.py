"""Diagrams as PNG files: scores against opinions, a training's course, more labels."""

import os
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from iqa_zoo.correlation import logistic_fit
from iqa_zoo.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#2563a8", "#c8501e", "#5b6470"
_SIZE, _DOTS = (6.4, 4.8), 150  # inches, dots an inch


def scatter(
    path: str | os.PathLike[str],
    opinions: ArrayLike,
    scores: ArrayLike,
    *,
    title: str,
    figures: Mapping[str, Any] | None = None,
) -> None:
    """Write a PNG of one dot an image, with the logistic that maps scores to opinions.

    Args:
        path: the file.
        opinions: (n,), as the table has them.
        scores: (n,), as the model gives them.
        title: the line above, such as the model's name.
        figures: of `evaluation.figures.figures`; SROCC, PLCC and RMSE are shown.

    Raises:
        UsageError: fewer than two images, lengths that differ, or NaN.
        OutputError: the file cannot be written.
    """
    fit = logistic_fit(scores, opinions)
    x, y = np.asarray(scores, np.float64), np.asarray(opinions, np.float64)
    figure, axes = _axes(title, "score", "opinion")
    axes.plot(
        *(x, y, "o"),
        color=BLUE,
        markersize=float(np.clip(90 / np.sqrt(len(x)), 2, 6)),
        markeredgewidth=0,
        alpha=float(np.clip(15 / np.sqrt(len(x)), 0.2, 0.7)),
        rasterized=True,
    )
    order = np.argsort(x)
    axes.plot(x[order], fit.mapped[order], color=ORANGE, linewidth=2)
    if figures:
        axes.text(
            *(0.02, 0.98, _said(figures)),
            transform=axes.transAxes,
            verticalalignment="top",
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 3},
        )
    _write(path, figure)


def history(path: str | os.PathLike[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a PNG of the loss and the validation SROCC of every epoch.

    Args:
        path: the file.
        rows: of a run's `history.csv`, in order: stage, epoch, loss and, where images
            were kept for it, validation_srocc. Cells may be text.

    Raises:
        OutputError: the file cannot be written.
    """
    epochs = np.arange(1, len(rows) + 1)
    figure, axes = _axes("", "epoch", "loss")
    axes.plot(epochs, [float(row["loss"]) for row in rows], "o-", color=BLUE, ms=3)
    axes.yaxis.label.set_color(BLUE)
    measured = [
        (epoch, float(row["validation_srocc"]))
        for epoch, row in zip(epochs, rows, strict=True)
        if row.get("validation_srocc") not in (None, "")
    ]
    if measured:
        other = axes.twinx()
        other.plot(*zip(*measured, strict=True), "s-", color=ORANGE, ms=3)
        other.set_ylabel("validation SROCC", color=ORANGE)
        other.spines["top"].set_visible(False)
    for number, row in enumerate(rows):
        if number == 0 or row["stage"] != rows[number - 1]["stage"]:
            axes.axvline(number + 0.5, color=GREY, linewidth=0.8, linestyle=":")
            axes.annotate(
                str(row["stage"]),
                (number + 0.5, 1),
                xycoords=("data", "axes fraction"),
                xytext=(4, 6),
                textcoords="offset points",
                color=GREY,
            )
    axes.set_xlim(0.5, max(1, len(rows)) + 0.5)
    axes.xaxis.get_major_locator().set_params(integer=True)
    _write(path, figure)


def learning_curve(
    path: str | os.PathLike[str], points: Sequence[Mapping[str, Any]]
) -> None:
    """Write a PNG of the SROCC that so many labels give, with its intervals.

    Args:
        path: the file.
        points: dicts of "labels" (how many), "srocc", and "low" and "high", the bounds
            of its interval.

    Raises:
        OutputError: the file cannot be written.
    """
    points = sorted(points, key=lambda point: point["labels"])
    labels, srocc, low, high = (
        [float(point[key]) for point in points]
        for key in ("labels", "srocc", "low", "high")
    )
    figure, axes = _axes("", "labelled images", "SROCC on images not trained on")
    axes.fill_between(labels, low, high, color=BLUE, alpha=0.15, linewidth=0)
    axes.vlines(labels, low, high, color=BLUE, linewidth=1.2)
    axes.plot(labels, srocc, "o-", color=BLUE)
    for x, y in zip(labels, srocc, strict=True):
        axes.annotate(
            f"{y:.3f}", (x, y), xytext=(6, -12), textcoords="offset points", color=GREY
        )
    axes.set_xscale("log")
    axes.set_xticks(labels, [f"{number:g}" for number in labels])
    axes.xaxis.set_minor_locator(_no_ticks())
    _write(path, figure)


def differences(scores: ArrayLike) -> bytes:
    """A PNG of how far one score of a photo is from another, a dot a photo.

    Args:
        scores: (n, 2), the score and the other.
    """
    first, second = np.asarray(scores, np.float64).T
    figure, axes = _axes("", "the network's score", "the file's, less the network's")
    axes.axhline(0, color=GREY, linewidth=1)
    axes.plot(first, second - first, "o", color=BLUE, ms=4, mew=0, alpha=0.6)
    return _png(figure)


def _axes(title: str, x: str, y: str) -> "tuple[Figure, Axes]":
    """An empty diagram that belongs to no window and changes no global setting."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE, dpi=_DOTS, layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    axes.set_title(_shown(title), loc="left", color="black")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(color="#e3e6ea", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _no_ticks() -> Any:
    from matplotlib.ticker import NullLocator

    return NullLocator()


def _said(figures: Mapping[str, Any]) -> str:
    lines = []
    for head, key, form in (
        ("SROCC", "srocc", ".3f"),
        ("PLCC", "plcc_logistic", ".3f"),
        ("RMSE", "rmse", "#.3g"),
    ):
        if key in figures:
            line = f"{head} {figures[key]:{form}}"
            if f"{key}_low" in figures:
                low, high = figures[f"{key}_low"], figures[f"{key}_high"]
                line += f"  [{low:{form}}, {high:{form}}]"
            lines.append(line)
    return "\n".join(lines)


def _shown(text: str) -> str:
    """Text that Matplotlib takes literally: a dollar would begin a formula."""
    printable = "".join(c if c.isprintable() else "?" for c in text)
    return printable.replace("$", r"\$")


def _write(path: str | os.PathLike[str], figure: "Figure") -> None:
    write_bytes(path, _png(figure))


def _png(figure: "Figure") -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    data = BytesIO()
    FigureCanvasAgg(figure).print_png(data, metadata={"Software": None})
    return data.getvalue()
