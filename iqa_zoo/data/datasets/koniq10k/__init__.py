"""KonIQ-10k: photos of the web, each rated on five levels by about 100 of a crowd."""

from collections.abc import Mapping
from typing import Any

from iqa_zoo.data.datasets.layouts import Folder, Record, Records, csv_rows

_SPLITS = {"training": "train", "validation": "validation", "test": "test"}


def records(folder: Folder, known: Mapping[str, Any]) -> Records:
    """The rows of the table with the split if that is there, else of the other one.

    One table has the score of 0 to 100 as MOS, the other as MOS_zscore beside the mean
    of the ratings of 1 to 5; where a copy has only that mean, it is stretched.
    """
    table = folder.file(folder.first(known["files"][0]["path"]))
    size = folder.first(known["files"][1]["path"])
    columns = {"image_name": str, **{f"c{level}": float for level in range(1, 6)}}
    columns |= {"MOS": float, "SD": float}
    rows = list(
        csv_rows(
            table, columns, optional={"MOS_zscore": float, "set": _SPLITS.__getitem__}
        )
    )
    of_five = all(mos <= 5 for *_, mos, _, _, _ in rows)
    for image, *votes, mos, std, zscore, side in rows:
        if zscore is not None:
            mos = zscore
        elif of_five:
            mos = 25 * (mos - 1)
        yield Record(
            image=f"{size}/{image}",
            mos=mos,
            std=25 * std,  # of ratings of 1 to 5
            votes=tuple(votes),
            split=side,
        )
