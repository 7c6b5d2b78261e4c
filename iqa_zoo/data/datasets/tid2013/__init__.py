"""TID2013: 25 pictures, each damaged in 24 ways at five levels."""

from collections.abc import Mapping
from typing import Any

from iqa_zoo.data.datasets.layouts import Folder, Record, Records, coded, text_rows
from iqa_zoo.errors import OpinionError


def records(folder: Folder, known: Mapping[str, Any]) -> Records:
    """The lines of mos_with_names.txt, each with the line of mos_std.txt beside it."""
    scores, deviations = folder.file("mos_with_names.txt"), folder.file("mos_std.txt")
    rows = list(text_rows(scores, (float, coded)))
    stds = [std for (std,) in text_rows(deviations, (float,))]
    if len(rows) != len(stds):
        raise OpinionError(
            f"{scores} has {len(rows)} lines and {deviations} {len(stds)}; they belong "
            "together line by line. Fetch both again."
        )
    for (mos, image), std in zip(rows, stds, strict=True):
        yield Record(
            image=f"distorted_images/{image.name}",
            mos=mos,
            std=std,
            reference=f"reference_images/{image.reference}.BMP",
            distortion=known["distortions"][image.kind - 1],
            level=image.level,
        )
