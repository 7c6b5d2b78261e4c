"""LIVE In the Wild: photos of phones as they came, with all that went wrong."""

from collections.abc import Mapping
from typing import Any

from iqa_zoo.data.datasets.layouts import Folder, Record, Records, mat_arrays
from iqa_zoo.errors import OpinionError

_TRAINING = 7  # the first rows are pictures that raters practised on


def records(folder: Folder, known: Mapping[str, Any]) -> Records:
    """The three arrays of Data/, without the pictures of the raters' training."""
    arrays = [
        mat_arrays(folder.file(f"Data/{name}.mat"), name)[0].ravel()
        for name in ("AllImages_release", "AllMOS_release", "AllStdDev_release")
    ]
    if len({len(array) for array in arrays}) > 1:
        raise OpinionError(
            f"The arrays in {folder.root / 'Data'} have {[len(a) for a in arrays]} "
            "entries; they belong together. Fetch them again."
        )
    for image, mos, std in list(zip(*arrays, strict=True))[_TRAINING:]:
        yield Record(image=f"Images/{image}", mos=float(mos), std=float(std))
