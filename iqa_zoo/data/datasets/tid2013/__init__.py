"""TID2013: 25 pictures, each damaged in 24 ways at five levels."""

from collections.abc import Mapping
from typing import Any

from iqa_zoo.data.datasets.layouts import (
    Folder,
    Record,
    Records,
    coded,
    kind_name,
    text_rows,
)


def records(folder: Folder, known: Mapping[str, Any]) -> Records:
    """The lines of mos_with_names.txt; mos_std.txt has no deviations of ratings."""
    scores = folder.file("mos_with_names.txt")
    for mos, image in text_rows(scores, (float, coded)):
        yield Record(
            image=f"distorted_images/{image.name}",
            mos=mos,
            reference=f"reference_images/{image.reference}.BMP",
            distortion=kind_name(known["distortions"], image.kind),
            level=image.level,
        )
