"""SCID: 40 pictures of screens, damaged in nine ways at five levels."""

from collections.abc import Mapping
from typing import Any

from iqa_zoo.data.datasets.layouts import Folder, Record, Records, coded, text_rows


def records(folder: Folder, known: Mapping[str, Any]) -> Records:
    """The lines of MOS_SCID.txt; SCI01_2_3 has reference, distortion and level."""
    for reference, image, mos in text_rows(
        folder.file("MOS_SCID.txt"), (str, coded, float)
    ):
        yield Record(
            image=f"DistortedSCIs/{image.name}.bmp",
            mos=mos,
            reference=f"ReferenceSCIs/{reference}.bmp",
            distortion=str(image.kind),
            level=image.level,
        )
