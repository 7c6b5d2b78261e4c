"""LIVE, release 2: 29 photos, damaged in five ways."""

import re
from collections.abc import Mapping
from typing import Any

from iqa_zoo.data.datasets.layouts import Folder, Record, Records, mat_arrays
from iqa_zoo.errors import OpinionError


def records(folder: Folder, known: Mapping[str, Any]) -> Records:
    """The realigned DMOS; the arrays have the pictures of the five folders in turn.

    Where `orgs` is 1 the picture is a copy of its reference; those are left out.
    """
    scores = folder.file("dmos_realigned.mat")
    dmos, std, copies = (
        array.ravel() for array in mat_arrays(scores, "dmos_new", "dmos_std", "orgs")
    )
    (references,) = mat_arrays(folder.file("refnames_all.mat"), "refnames_all")
    counts = {kind: _pictures(folder, kind) for kind in known["distortions"]}
    images = [
        (kind, number)
        for kind, count in counts.items()
        for number in range(1, count + 1)
    ]
    if {len(dmos), len(std), len(copies), len(references)} != {len(images)}:
        raise OpinionError(
            f"{scores} has {len(dmos)} scores, refnames_all.mat {len(references)} names"
            f" and the folders {len(images)} pictures ({counts}); they belong together "
            "one by one. Unpack the data set again."
        )
    kept, copied = dmos[copies != 1], dmos[copies == 1]
    if copied.size and kept.size and copied.mean() > kept.mean():
        raise OpinionError(
            f"In {scores} copies of the references have a higher DMOS than damaged "
            "pictures; low should be good. Fetch the file again."
        )
    for row, (kind, number) in enumerate(images):
        if copies[row] != 1:
            yield Record(
                image=f"{kind}/img{number}.bmp",
                mos=float(dmos[row]),
                std=float(std[row]),
                reference=f"refimgs/{references[row]}",
                distortion=kind,
            )


def _pictures(folder: Folder, kind: str) -> int:
    names = set(folder.names(folder.file(kind)).values())
    return sum(bool(re.fullmatch(r"img\d+\.bmp", name.casefold())) for name in names)
