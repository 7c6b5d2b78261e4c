"""PIPAL: patches of 200 photos, damaged in 40 ways, some by restoring networks."""

from collections.abc import Mapping
from typing import Any

from iqa_zoo.data.datasets.layouts import Folder, Record, Records, coded, text_rows

# The last is what an error calls the folder of a picture that is in none of the four.
_PARTS = [*(f"Distortion_{part}" for part in (1, 2, 3, 4)), "Distortion_1 to 4"]


def records(folder: Folder, known: Mapping[str, Any]) -> Records:
    """The lines of the tables in Train_Label, one table a reference."""
    labels = folder.file("Train_Label")
    tables = sorted(set(folder.names(labels).values()))
    for table in tables:
        if not table.casefold().endswith(".txt"):
            continue
        for image, mos in text_rows(labels / table, (coded, float), ","):
            yield Record(
                image=folder.first([f"{part}/{image.name}" for part in _PARTS]),
                mos=mos,
                reference=f"Train_Ref/{image.reference}.bmp",
                distortion=f"{image.kind:02d}",
            )
