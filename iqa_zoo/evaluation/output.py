"""The folder that an evaluation leaves: figures, scores, pictures and a report."""

import csv
import io
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iqa_zoo.errors import OutputError, UsageError
from iqa_zoo.evaluation import plots
from iqa_zoo.evaluation.answers import Answers
from iqa_zoo.evaluation.report import report
from iqa_zoo.evaluation.sheet import misses, write_sheet
from iqa_zoo.files import write_bytes

if TYPE_CHECKING:
    from iqa_zoo.evaluation.evaluate import Evaluation


def check_folder(out: str | os.PathLike[str]) -> None:
    """Make the folder; it may be there already but must be empty.

    Raises:
        UsageError: it holds files.
        OutputError: it cannot be made.
    """
    try:
        Path(out).mkdir(parents=True, exist_ok=True)
        if any(Path(out).iterdir()):
            raise UsageError(
                f"{os.fspath(out)} holds files already; give a new or an empty folder."
            )
    except OSError as error:
        raise OutputError(
            f"Cannot make the folder {os.fspath(out)}: {error.strerror}."
        ) from error


def write(found: "Evaluation", out: str | os.PathLike[str]) -> None:
    """Write what was found out into a folder that is there.

    `metrics.json` has all figures, `scores.csv` a row an image: its opinion, and for
    each model its score and its residual (how much better the model rates it than
    people do, in the opinions' units, after the logistic). For each model
    `scatter-MODEL.png` and `residuals-MODEL.png`, the images that it gets most wrong.
    `report.html` shows it all in one file that needs no other.

    Raises:
        OutputError: a file cannot be written.
    """
    folder = Path(out)
    text = json.dumps(as_data(found), indent=1, allow_nan=False)
    write_bytes(folder / "metrics.json", f"{text}\n".encode())
    write_bytes(folder / "scores.csv", _scores(found))
    pictures = {}
    asked = found.answers[:-1]  # the last is sharpness
    for answer, name, row in zip(
        asked, _file_names(asked), found.figures, strict=False
    ):
        kept = answer.kept
        scatter = folder / f"scatter-{name}.png"
        plots.scatter(
            scatter,
            found.labels.mos[found.rows[kept]],
            answer.scores[kept],
            title=answer.model,
            figures=row,
        )
        worst = misses(found.labels, found.rows, found.truth, answer)
        write_sheet(folder / f"residuals-{name}.png", worst)
        pictures[answer.model] = (scatter.read_bytes(), worst)
    page = report(found, pictures)
    write_bytes(folder / "report.html", page.encode("utf-8", "backslashreplace"))


def as_data(found: "Evaluation") -> dict[str, Any]:
    """All figures and where they come from, as JSON can say it."""
    labels = found.labels
    return {
        "images": len(found.rows),
        "range": list(labels.range),
        "direction": labels.direction,
        "skipped": labels.skipped,
        "intervals": {
            "level": 0.95,
            "repeats": found.repeats,
            "drawn": found.drawn,
            "drawn_of": found.drawn_of,
        },
        "figures": found.figures,
        "parts": found.parts,
        "tests": found.tests,
    }


def _scores(found: "Evaluation") -> bytes:
    heads = ["image", "opinion"]
    columns: list[Sequence[Any]] = [
        [found.labels.names[row] for row in found.rows],
        found.labels.mos[found.rows].tolist(),
    ]
    for answer in found.answers:
        heads += [answer.model, f"{answer.model} residual"]
        columns += [answer.scores.tolist(), answer.wrong(found.truth).tolist()]
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(heads)
    for row in zip(*columns, strict=True):
        writer.writerow("" if cell != cell else cell for cell in row)  # NaN: no score
    return text.getvalue().encode("utf-8", "surrogateescape")


def _file_names(answers: Sequence[Answers]) -> list[str]:
    """For each model the part of a file name: short, safe and its own."""
    names: list[str] = []
    for answer in answers:
        last = Path(answer.model).name
        name = re.sub(r"[^A-Za-z0-9._-]+", "_", last).strip("._")[:60] or "model"
        taken = names.count(name) or sum(n.startswith(f"{name}-") for n in names)
        names.append(f"{name}-{len(names) + 1}" if taken else name)
    return names
