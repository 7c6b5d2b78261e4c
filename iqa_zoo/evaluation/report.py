"""An evaluation as one HTML file that needs no other: no network, no script."""

import base64
import html
from collections.abc import Mapping, Sequence
from importlib import resources
from string import Template
from typing import TYPE_CHECKING, Any

from iqa_zoo.evaluation.sheet import Miss

if TYPE_CHECKING:
    from iqa_zoo.evaluation.evaluate import Evaluation

# Heading, key, format; with bounds where the row has them.
AGREEMENT = (
    ("Images", "n", "d"),
    ("SROCC", "srocc", ".3f"),
    ("PLCC", "plcc", ".3f"),
    ("PLCC, logistic 4", "plcc_logistic", ".3f"),
    ("PLCC, logistic 5", "plcc_logistic5", ".3f"),
    ("KROCC", "krocc", ".3f"),
    ("RMSE", "rmse", "#.3g"),
)
DISTRIBUTIONS = (
    ("EMD, r = 1", "emd", ".4f"),
    ("EMD, r = 2", "emd_r2", ".4f"),
    ("LCC of std", "plcc_std", ".3f"),
    ("SRCC of std", "srocc_std", ".3f"),
)
SEPARATION = (
    ("AUC different / similar", "auc_different", ".3f"),
    ("AUC better / worse", "auc_better", ".3f"),
    ("C0", "c0", ".3f"),
    ("Different pairs", "different", ".0%"),
)
PART = (
    ("Images", "n", "d"),
    ("SROCC", "srocc", ".3f"),
    ("PLCC", "plcc", ".3f"),
    ("RMSE", "rmse", "#.3g"),
    ("Bias", "bias", "+#.3g"),
)
TEST = (
    ("Images", "n", "d"),
    ("SROCC, first - second", "srocc_difference", "+.3f"),
    ("p", "srocc_p", ".3f"),
    ("Better order", "better_srocc", ""),
    ("Residuals", "residual_test", ""),
    ("Variance ratio", "variance_ratio", ".3f"),
    ("p", "residual_p", ".3f"),
    ("Smaller errors", "better_residuals", ""),
)

Columns = Sequence[tuple[str, str, str]]


def report(
    found: "Evaluation", pictures: Mapping[str, tuple[bytes, Sequence[Miss]]]
) -> str:
    """The page.

    Args:
        found: what was found out.
        pictures: model to its scatter plot, a PNG, and the images it gets most wrong.
    """
    template = resources.files("iqa_zoo.evaluation").joinpath("report.html")
    return Template(template.read_text(encoding="utf-8")).substitute(
        facts=_facts(found),
        warnings="".join(f'<p class="warning">{_safe(w)}</p>' for w in warnings(found)),
        agreement=_table("Model", found.figures, AGREEMENT),
        more="".join(
            f"<h3>{title}</h3>{_table('Model', found.figures, columns)}"
            for title, columns in (
                ("Distributions", DISTRIBUTIONS),
                ("Pairs of images", SEPARATION),
            )
            if any(key in row for row in found.figures for _, key, _ in columns)
        ),
        tests=_tests(found.tests),
        parts=_parts(found.parts),
        models="".join(_model(name, *shown) for name, shown in pictures.items()),
    )


def warnings(found: "Evaluation") -> list[str]:
    """What a reader must know before the figures of an evaluation."""
    said = []
    for row in found.figures:
        model = row["model"]
        if row["seen"]:
            said.append(
                f"{row['seen']} of these images trained {model}: its figures say "
                "little about photos that it has not seen."
            )
        if row["failed"]:
            said.append(f"{row['failed']} images have no score by {model}.")
        if row.get("straight"):
            said.append(
                f"No logistic fits {model}: its PLCC after the logistic and RMSE are "
                "those of a straight line."
            )
    return said


def _facts(found: "Evaluation") -> str:
    labels = found.labels
    low, high = labels.range
    good = "high" if labels.direction == "higher_is_better" else "low"
    facts = [
        f"{len(found.rows)} images",
        f"opinions {low:g} to {high:g}, {good} is good",
    ]
    if found.repeats:
        things = {"image": "images", "group": "groups", "reference": "references"}
        facts.append(
            f"95 % intervals of {found.repeats} draws of {found.drawn_of} "
            f"{things[found.drawn]}"
        )
    if labels.skipped:
        facts.append(f"{labels.skipped} rows of the table left out")
    return _safe("; ".join(facts) + ".")


def _tests(tests: Sequence[Mapping[str, Any]]) -> str:
    if not tests:
        return ""
    rows = [{**test, "model": f"{test['a']} - {test['b']}"} for test in tests]
    return (
        "<h2>One model against another</h2><p>On the images that all of them scored. "
        "A name stands where a test is significant at 5 %; nothing is corrected for "
        f"the number of pairs.</p>{_table('Pair', rows, TEST)}"
    )


def _parts(parts: Sequence[Mapping[str, Any]]) -> str:
    if not parts:
        return ""
    by = str(parts[0]["by"])
    tables = []
    for model in dict.fromkeys(row["model"] for row in parts):
        rows = [{**row, "model": row["part"]} for row in parts if row["model"] == model]
        tables.append(f"<h3>{_safe(model)}</h3>{_table(by.capitalize(), rows, PART)}")
    return f"<h2>By {by}</h2>{''.join(tables)}"


def _table(first: str, rows: Sequence[Mapping[str, Any]], columns: Columns) -> str:
    heads = "".join(f'<th scope="col">{_safe(head)}</th>' for head, _, _ in columns)
    lines = []
    for row in rows:
        if not any(key in row for _, key, _ in columns):
            continue
        cells = "".join(_cell(row, key, form) for _, key, form in columns)
        lines.append(f'<tr><th scope="row">{_safe(row["model"])}</th>{cells}</tr>')
    return (
        f'<div class="wide"><table><thead><tr><th scope="col">{_safe(first)}</th>'
        f"{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _cell(row: Mapping[str, Any], key: str, form: str) -> str:
    if row.get(key) is None:
        return "<td></td>"
    text = _safe(format(row[key], form))
    if row.get(f"{key}_low") is not None:
        low, high = format(row[f"{key}_low"], form), format(row[f"{key}_high"], form)
        text += f"<small>{low} to {high}</small>"
    return f"<td>{text}</td>"


def _model(name: str, scatter: bytes, worst: Sequence[Miss]) -> str:
    return (
        f"<h2>{_safe(name)}</h2>"
        f'<img class="plot" alt="Scores and opinions" src="{_uri("png", scatter)}">'
        f"<h3>The images it gets most wrong</h3>"
        f'<div class="sheet">{"".join(_figure(miss) for miss in worst)}</div>'
    )


def _figure(miss: Miss) -> str:
    kind, word = ("high", "too good") if miss.too_good else ("low", "too bad")
    picture = ""
    if miss.jpeg is not None:
        picture = f'<img alt="" src="{_uri("jpeg", miss.jpeg)}">'
    return (
        f"<figure>{picture}<figcaption><b>{_safe(miss.name)}</b> people "
        f'{miss.opinion:.4g}, model <span class="{kind}">{miss.predicted:.4g} '
        f"({word})</span></figcaption></figure>"
    )


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _safe(text: object) -> str:
    """Text that is shown as it is, control characters as escapes."""
    return html.escape(
        "".join(
            c if c.isprintable() else c.encode("unicode_escape").decode()
            for c in str(text)
        )
    )
