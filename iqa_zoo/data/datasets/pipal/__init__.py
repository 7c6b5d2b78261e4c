"""PIPAL: 200 patches of photos, damaged in 40 ways, restoration by networks among them."""

from collections.abc import Mapping
from typing import Any

from iqa_zoo.data.datasets.layouts import Folder, Record, Records, text_rows

_PARTS = [f"Distortion_{part}" for part in (1, 2, 3, 4)]


def records(folder: Folder, known: Mapping[str, Any]) -> Records:
    """The lines of the tables in Train_Label, one table a reference."""
    labels = folder.file("Train_Label")
    tables = sorted(set(folder.names(labels).values()))
    for table in tables:
        if not table.casefold().endswith(".txt"):
            continue
        for image, mos in text_rows(labels / table, (str, float), ","):
            reference, kind, _ = image.split("_")
            yield Record(
                image=folder.first([f"{part}/{image}" for part in _PARTS]),
                mos=mos,
                reference=f"Train_Ref/{reference}.bmp",
                distortion=kind,
            )
