"""`iqa-zoo evaluate`: a thin skin over `iqa_zoo.evaluate`."""

import csv
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import click

from iqa_zoo import registry
from iqa_zoo.cli import SOME_FAILED, say, visible
from iqa_zoo.cli.completion import model_names
from iqa_zoo.cli.opinions import opinion_options, read
from iqa_zoo.training.pace import paced

Columns = Sequence[tuple[str, str, str]]

# Heading, key of the row, format.
COLUMNS = (
    ("images", "n", "d"),
    ("SROCC", "srocc", ".3f"),
    ("PLCC", "plcc_logistic", ".3f"),
    ("KROCC", "krocc", ".3f"),
    ("RMSE", "rmse", ".3f"),
    ("EMD", "emd", ".4f"),
    ("failed", "failed", "d"),
)
MORE = (
    ("PLCC raw", "plcc", ".3f"),
    ("PLCC 5", "plcc_logistic5", ".3f"),
    ("EMD r=2", "emd_r2", ".4f"),
    ("LCC std", "plcc_std", ".3f"),
    ("SRCC std", "srocc_std", ".3f"),
    ("AUC d/s", "auc_different", ".3f"),
    ("AUC b/w", "auc_better", ".3f"),
    ("C0", "c0", ".3f"),
)
PART = (
    ("images", "n", "d"),
    ("SROCC", "srocc", ".3f"),
    ("PLCC", "plcc", ".3f"),
    ("RMSE", "rmse", ".3f"),
    ("bias", "bias", "+.3f"),
)
_CELL = 12


@click.command()
@click.argument(
    "models", nargs=-1, required=True, metavar="MODEL...", shell_complete=model_names
)
@opinion_options
@click.option(
    "--split",
    type=click.Path(exists=True, dir_okay=False),
    help="A run's split.csv: measure the images of one part only.",
)
@click.option(
    "--part",
    type=click.Choice(["train", "validation", "test"]),
    help="Part of the split, or, without --split, of the table's own; test if --split "
    "is given.",
)
@click.option(
    "--by",
    type=click.Choice(["group", "reference", "distortion", "level"]),
    help="Also print the figures by each value of this column.",
)
@click.option(
    "--votes",
    "raters",
    type=click.IntRange(1),
    metavar="N",
    help="Votes behind each opinion, where the table has no counts: with the standard "
    "deviations they say which images people tell apart.",
)
@click.option(
    "--repeats",
    type=click.IntRange(0),
    default=1000,
    show_default=True,
    help="Draws for intervals and paired tests; 0 leaves them out.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(),
    help="New folder for an HTML report, all figures, scores and pictures.",
)
@click.option(
    "--engine",
    type=click.Choice(["auto", "litert", "tensorflow"]),
    default="auto",
    show_default=True,
    help="What runs the network.",
)
@click.option(
    "--format",
    "style",
    type=click.Choice(["table", "csv", "jsonl"]),
    default="table",
    show_default=True,
    help="How the figures are printed; the paired tests in a table only, or with --out "
    "in its metrics.json.",
)
def command(
    models: Sequence[str],
    split: str | None,
    part: str | None,
    by: str | None,
    raters: int | None,
    repeats: int,
    out: str | None,
    engine: str,
    style: str,
    **columns: Any,
) -> int:
    """Measure how well models agree with people's opinions.

    SROCC, PLCC after a four-parameter logistic, KROCC, RMSE in the opinions' units and
    EMD (r = 1), with 95 % intervals below, beside sharpness and a constant answer.
    Several models are also tested against each other (--format table, or --out).

    \b
    Example:
      iqa-zoo evaluate nima-mobilenetv2 --labels mos.csv --images photos
      iqa-zoo evaluate runs/first nima-mobilenetv2 --labels mos.csv \\
          --images photos --split runs/first/split.csv --out runs/report
    """
    from iqa_zoo.engines.quiet import stay_quiet

    stay_quiet()  # TensorFlow says what it was compiled for
    from iqa_zoo.evaluation.output import check_folder, write

    if out is not None:
        check_folder(out)
    for name in models:
        registry.resolve(name)
    labels = read(**columns)

    from iqa_zoo.evaluation.evaluate import measure
    from iqa_zoo.evaluation.report import warnings

    found = measure(
        list(models),
        labels,
        split=split,
        part=part,
        by=by,
        raters=raters,
        repeats=repeats,
        engine=engine,
        watch=counted("score"),
    )
    for warning in warnings(found):
        say(warning)
    rows = found.figures + found.parts
    if style == "jsonl":
        for row in rows:
            click.echo(json.dumps(row))
    elif style == "csv":
        keys = dict.fromkeys(key for row in rows for key in row)
        writer = csv.DictWriter(sys.stdout, keys, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    else:
        print_figures(found.figures)
        click.echo(
            "\nPLCC above is after a logistic of 4 parameters; raw: of the scores as "
            "they are; 5: after one of 5 parameters"
        )
        print_figures(found.figures, columns=MORE)
        for model in dict.fromkeys(row["model"] for row in found.parts):
            click.echo(f"\n{visible(model)}")
            mine = [row for row in found.parts if row["model"] == model]
            parts = [{**row, "model": row["part"]} for row in mine]
            print_figures(parts, first=str(by), columns=PART)
        _print_tests(found.tests, models=[answer.model for answer in found.answers])
    if out is not None:
        write(found, out)
        click.echo(f"Report: {visible(out)}/report.html", err=True)
    return SOME_FAILED if any(row["failed"] for row in found.figures) else 0


def counted(unit: str) -> Callable[[Iterable[Any], int], Iterable[Any]]:
    """What counts things that pass: by a bar on a terminal, by a few lines elsewhere.

    Args:
        unit: what one of them is called.
    """

    def watch(things: Iterable[Any], total: int) -> Iterable[Any]:
        if sys.stderr is None or not sys.stderr.isatty():
            return paced(things, total, f"{unit}s")
        from tqdm import tqdm

        bar: Iterable[Any] = tqdm(
            things, total=total, unit=unit, leave=False, file=sys.stderr
        )
        return bar

    return watch


def print_figures(
    rows: Sequence[Mapping[str, Any]],
    first: str = "model",
    columns: Columns = COLUMNS,
) -> None:
    """A table of figures on stdout, names on the left, intervals below the figures."""
    columns = [column for column in columns if any(column[1] in row for row in rows)]
    width = max(len(first), *(len(visible(row["model"])) for row in rows))
    _print_row(first, [head for head, _, _ in columns], width)
    for row in rows:
        if not any(key in row for _, key, _ in columns):
            continue
        cells = [
            format(row[key], form) if row.get(key) is not None else ""
            for _, key, form in columns
        ]
        _print_row(row["model"], cells, width)
        bounds = [_bounds(row, key) for _, key, _ in columns]
        if any(bounds):
            _print_row("", bounds, width)


def _print_row(name: str, cells: Sequence[str], width: int) -> None:
    line = f"{visible(name):<{width}}" + "".join(f"{cell:>{_CELL}}" for cell in cells)
    click.echo(line.rstrip())


def _bounds(row: Mapping[str, Any], key: str) -> str:
    """Such as "[.78,.84]": short, since it must fit below a figure."""
    if row.get(f"{key}_low") is None:
        return ""
    ends = (_short(row[f"{key}_{end}"]) for end in ("low", "high"))
    return f"[{','.join(ends)}]"


def _short(value: float) -> str:
    if abs(value) >= 1:
        return f"{value:#.3g}"
    return f"{value:.2f}".replace("0.", ".").replace("1.00", "1")


def _print_tests(tests: Sequence[Mapping[str, Any]], models: Sequence[str]) -> None:
    """Two small matrices: differences of SROCC, and ratios of squared errors."""
    if not tests:
        return
    names = [name for name in models if any(name in (t["a"], t["b"]) for t in tests)]
    wide = 1 + len(str(len(names)))
    for title, key, turned, form, better in (
        (
            "SROCC, row - column (better order, p < 0.05: *N)",
            "srocc_difference",
            _negative,
            "+.3f",
            "better_srocc",
        ),
        (
            "variance of residuals, row / column "
            "(smaller errors, p < 0.05: *N by F, wN by Wilcoxon)",
            "variance_ratio",
            _inverse,
            ".2f",
            "better_residuals",
        ),
    ):
        cell = {}
        for test in tests:
            mark = ""
            if test[better] is not None:
                by_ranks = key == "variance_ratio" and test["residual_test"] != "F"
                mark = f"{'w' if by_ranks else '*'}{names.index(test[better]) + 1}"
            for row, column, value in (
                (test["a"], test["b"], test[key]),
                (test["b"], test["a"], turned(test[key])),
            ):
                text = "" if value is None else format(value, form)
                cell[row, column] = f"{text} {mark:<{wide}}"
        blank = " " * (wide + 1)
        click.echo(f"\n{title}")
        width = max(len(f"{i} {visible(name)}") for i, name in enumerate(names, 1))
        _print_row("", [f"{i}{blank}" for i in range(1, len(names) + 1)], width)
        for i, row in enumerate(names, 1):
            cells = [cell.get((row, column), f"-{blank}") for column in names]
            _print_row(f"{i} {row}", cells, width)


def _negative(value: float) -> float:
    return 0.0 - value  # which is never -0


def _inverse(value: float | None) -> float | None:
    return 1 / value if value else None
