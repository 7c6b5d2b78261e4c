"""EVA: photos of AVA, with the votes of single observers from 0 to 10."""

from collections.abc import Mapping
from typing import Any

from iqa_zoo.data.datasets.layouts import (
    Folder,
    Record,
    Records,
    csv_rows,
    mean_and_std,
)

_LEVELS = range(11)


def records(folder: Folder, known: Mapping[str, Any]) -> Records:
    """The votes of votes_filtered.csv, whose cells are parted by "=", by image."""
    table = folder.file("data/votes_filtered.csv")
    images = folder.first(known["files"][1]["path"])
    votes: dict[str, list[int]] = {}
    for image, score in csv_rows(
        table, {"image_id": str, "score": _vote}, delimiter="="
    ):
        votes.setdefault(image, [0] * len(_LEVELS))[score] += 1
    for image, counts in votes.items():
        mean, std = mean_and_std(counts, _LEVELS)
        yield Record(
            image=f"{images}/{image}.jpg", mos=mean, std=std, votes=tuple(counts)
        )


def _vote(text: str) -> int:
    """A vote; ValueError where it is not one of the levels."""
    return _LEVELS.index(int(text))
