"""PARA: photos with the distribution of their aesthetic scores from 1 to 5."""

from collections.abc import Mapping
from typing import Any

from iqa_zoo.data.datasets.layouts import Folder, Record, Records, csv_rows

_TABLES = {"train": "PARA-GiaaTrain.csv", "test": "PARA-GiaaTest.csv"}
_LEVELS = tuple(f"{half / 2:.1f}" for half in range(2, 11))


def records(folder: Folder, known: Mapping[str, Any]) -> Records:
    """The rows of both tables of scores over all observers."""
    columns = {"sessionId": str, "imageName": str}
    columns |= {f"aestheticScore_{level}": float for level in _LEVELS}
    columns |= {"aestheticScore_mean": float, "aestheticScore_std": float}
    for split, table in _TABLES.items():
        rows = csv_rows(folder.file(f"annotation/{table}"), columns)
        for session, image, *votes, mean, std in rows:
            yield Record(
                image=f"imgs/{session}/{image}",
                mos=mean,
                std=std,
                votes=tuple(votes),
                split=split,
            )
