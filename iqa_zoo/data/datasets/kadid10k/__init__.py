"""KADID-10k: 81 photos, each damaged in 25 ways at five levels."""

from collections.abc import Mapping
from typing import Any

from iqa_zoo.data.datasets.layouts import (
    Folder,
    Record,
    Records,
    coded,
    csv_rows,
    kind_name,
)


def records(folder: Folder, known: Mapping[str, Any]) -> Records:
    """The rows of dmos.csv; a name like I01_02_03.png has reference, kind and level."""
    # "var" is the standard deviation: only so are the sums of the squares of its 30
    # whole-numbered ratings whole (4.57, 0.496; 4.33, 0.869).
    columns = {"dist_img": coded, "ref_img": str, "dmos": float, "var": float}
    for image, reference, mos, std in csv_rows(folder.file("dmos.csv"), columns):
        yield Record(
            image=f"images/{image.name}",
            mos=mos,
            std=std,
            reference=f"images/{reference}",
            distortion=kind_name(known["distortions"], image.kind),
            level=image.level,
        )
