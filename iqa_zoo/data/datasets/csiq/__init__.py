"""CSIQ: 30 photos, damaged in six ways at four or five levels."""

from collections.abc import Mapping
from typing import Any

from iqa_zoo.data.datasets.layouts import (
    Folder,
    Record,
    Records,
    sheet_rows,
    text_rows,
)
from iqa_zoo.errors import OpinionError

# What the tables call the kinds whose files have another name.
_FILES = {"noise": "AWGN", "blur": "BLUR", "jpeg": "JPEG"}


def records(folder: Folder, known: Mapping[str, Any]) -> Records:
    """The rows of the sheet all_by_image, or of the text file with the same columns."""
    if sheet := folder.find("csiq.DMOS.xlsx"):
        columns = {"image": str, "dst_type": str, "dst_lev": int}
        columns |= {"dmos_std": float, "dmos": float}
        rows = sheet_rows(sheet, columns, "all_by_image")
    else:
        cells = text_rows(
            folder.file("csiq.beta.txt"), (str, str, str, int, float, float), "\t"
        )
        rows = ((image, *rest) for image, _, *rest in cells)
    for image, kind, level, std, dmos in rows:
        name = kind.casefold().replace(" ", "")
        name = _FILES.get(name, name)
        if name.casefold() not in known["distortions"]:
            raise OpinionError(
                f"{folder.root}: the table has a distortion {kind!r}, which CSIQ does "
                f"not. It has {', '.join(known['distortions'])}. Fetch it again."
            )
        yield Record(
            image=f"dst_imgs/{name}/{image}.{name}.{level}.png",
            mos=dmos,
            std=std,
            reference=f"src_imgs/{image}.png",
            distortion=name.casefold(),
            level=level,
        )
