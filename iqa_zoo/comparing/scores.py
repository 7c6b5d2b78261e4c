"""What comes back: the score of one pair by one metric, and its form in files."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True)
class PairScore:
    """What one metric says about two images, or why it could not say anything.

    Attributes:
        reference: the original's name as given or as found in a folder; ``<bytes>`` or
            ``<array>`` where it had none, empty where none was found.
        distorted: likewise the name of the image that is compared with it.
        metric: the metric's name.
        value: the score; infinity where the metric has no bound and the images are
            alike, None where it failed.
        direction: ``"higher_is_better"``, ``"lower_is_better"``, or
            ``"nearest_is_best"`` to the score of identical images.
        error: a key of `iqa_zoo.errors.IMAGE_CODES` where it failed, else None.
        message: what happened and what to do where it failed, else None.
    """

    reference: str
    distorted: str
    metric: str
    value: float | None = None
    direction: str | None = None
    error: str | None = None
    message: str | None = None


#: Names of the columns of result files, which are those of `PairScore`.
FIELDS = tuple(field.name for field in dataclasses.fields(PairScore))


def check_columns(names: Iterable[str]) -> None:
    """Raise ValueError where these are not `FIELDS`, in any order."""
    names = list(names)
    if set(names) != set(FIELDS):
        raise ValueError(f"the columns are {names}, not {list(FIELDS)}")


def from_row(row: Mapping[str, Any]) -> PairScore:
    """The `PairScore` of a row of a JSON lines or CSV file.

    Args:
        row: the cells by `FIELDS`. In CSV, where all cells are text, an empty one
            stands for None.

    Raises:
        ValueError: a column is missing or unknown, the value is no number, or there is
            neither a value nor an error.
    """
    check_columns(row)
    cells = {name: None if cell == "" else cell for name, cell in row.items()}
    if (cells["value"] is None) == (cells["error"] is None):
        raise ValueError("a row has either a value or an error")
    if cells["value"] is not None:
        cells["value"] = float(cells["value"])
    names = {name: row[name] for name in FIELDS[:3]}  # which may be empty, never None
    return PairScore(**{**cells, **names})
