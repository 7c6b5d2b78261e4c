"""SPAQ: photos of 66 smartphones."""

from collections.abc import Mapping
from typing import Any

from iqa_zoo.data.datasets.layouts import Folder, Record, Records, sheet_rows


def records(folder: Folder, known: Mapping[str, Any]) -> Records:
    """The rows of the sheet of scores, of which only the overall one is read."""
    table = folder.file(known["files"][0]["path"])
    for image, mos in sheet_rows(table, {"Image name": str, "MOS": float}):
        yield Record(image=f"TestImage/{image}", mos=mos)
