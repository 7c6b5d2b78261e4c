"""SCID: 40 pictures of screens, damaged in nine ways at five levels."""

from collections.abc import Mapping
from typing import Any

from iqa_zoo.data.datasets.layouts import Folder, Record, Records, text_rows


def records(folder: Folder, known: Mapping[str, Any]) -> Records:
    """The lines of MOS_SCID.txt; SCI01_2_3 has reference, distortion and level."""
    for reference, image, mos in text_rows(
        folder.file("MOS_SCID.txt"), (_stem, _stem, float)
    ):
        _, kind, level = image.split("_")
        yield Record(
            image=f"DistortedSCIs/{image}.bmp",
            mos=mos,
            reference=f"ReferenceSCIs/{reference}.bmp",
            distortion=kind,
            level=int(level),
        )


def _stem(name: str) -> str:
    return name.partition(".")[0]
