"""What comes back: the score of one image by one model, and its form in files."""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True)
class ImageScore:
    """What one model says about one image, or why it could not say anything.

    Attributes:
        path: the image's name as given or as found in a folder; ``<bytes>`` or
            ``<array>`` where it had none.
        model: the model's name with its tag, or its folder.
        value: the score on the model's scale; None where it failed.
        std: how far opinions on this image spread, on the same scale; None where the
            model says nothing of it.
        distribution: share of the opinions in each bin of the scale, low to high,
            summing to 1; likewise.
        scale: lowest and highest score; None where there are no bounds.
        direction: ``"higher_is_better"``, ``"lower_is_better"`` or ``"neither"``.
        percentile: share of photos, 0 to 100, that the model finds worse than this one;
            of the set that its card names, None where that names none.
        interval: where the mean opinion of people probably is, on the same scale; how
            probably and according to which photos is on the card. None where that has
            no interval.
        error: a key of `iqa_zoo.errors.IMAGE_CODES` where it failed, else None.
        message: what happened and what to do where it failed, else None.
    """

    path: str
    model: str
    value: float | None = None
    std: float | None = None
    distribution: tuple[float, ...] | None = None
    scale: tuple[float, float] | None = None
    direction: str | None = None
    percentile: float | None = None
    interval: tuple[float, float] | None = None
    error: str | None = None
    message: str | None = None


#: Names of the columns of result files, which are those of `ImageScore`.
FIELDS = tuple(field.name for field in dataclasses.fields(ImageScore))
#: Those of numbers, and those of lists of numbers.
NUMBERS = ("value", "std", "percentile")
LISTS = ("distribution", "scale", "interval")


def to_row(score: ImageScore) -> dict[str, Any]:
    """A flat dict with the fields' names and only what JSON can say.

    The shares are written with the fewest digits that lead back to the same float32.
    """
    from numpy import float32  # `import iqa_zoo` stays quick without it

    row = {name: getattr(score, name) for name in FIELDS}
    if score.distribution is not None:
        row["distribution"] = [float(str(float32(p))) for p in score.distribution]
    for name in ("scale", "interval"):
        if row[name] is not None:
            row[name] = list(row[name])
    return row


def check_columns(names: Iterable[str]) -> None:
    """Raise ValueError where these are not `FIELDS`, in any order."""
    names = list(names)
    lacking = [name for name in FIELDS if name not in names]
    if lacking and {"path", "model", "value"} < set(names) < set(FIELDS):
        raise ValueError(
            f"an earlier version wrote it, without the columns {', '.join(lacking)}"
        )
    if set(names) != set(FIELDS):
        raise ValueError(f"the columns are {names}, not {list(FIELDS)}")


def from_row(row: Mapping[str, Any]) -> ImageScore:
    """The `ImageScore` of a row of a JSON lines or CSV file.

    Args:
        row: the cells by `FIELDS`. In CSV, where all cells are text, an empty one
            stands for None and lists are JSON.

    Raises:
        ValueError: a column is missing or unknown, a cell is no number or list, or
            there is neither a score nor an error.
    """
    check_columns(row)
    cells: dict[str, Any] = {
        name: None if cell == "" else cell for name, cell in row.items()
    }
    if (cells["value"] is None) == (cells["error"] is None):
        raise ValueError("a row has either a value or an error")
    # An image's name can be empty; it is never None.
    cells["path"] = row["path"]
    for name in NUMBERS:
        if cells[name] is not None:
            cells[name] = float(cells[name])
    for name in LISTS:
        if isinstance(cells[name], str):
            cells[name] = json.loads(cells[name])
        if cells[name] is not None:
            cells[name] = tuple(float(number) for number in cells[name])
    return ImageScore(**cells)
