"""SIQAD: 20 pictures of screens, damaged in seven ways at seven levels."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from iqa_zoo.data.datasets.layouts import Folder, Record, Records, mat_arrays
from iqa_zoo.errors import OpinionError

_KINDS = _LEVELS = 7


def records(folder: Folder, known: Mapping[str, Any]) -> Records:
    """The matrix DMOS: a column a reference, seven rows a distortion, weakest first."""
    table = folder.file("DMOS_SIQAD.mat")
    (dmos,) = mat_arrays(table, "DMOS")
    if dmos.ndim != 2 or len(dmos) != _KINDS * _LEVELS:
        raise OpinionError(
            f"DMOS in {table} has the shape {dmos.shape}, not 49 rows with a column a "
            "reference. Fetch the file again."
        )
    for (row, column), score in np.ndenumerate(dmos):
        kind, level = divmod(row, _LEVELS)
        yield Record(
            image=f"DistortedImages/cim{column + 1}_{kind + 1}_{level + 1}.bmp",
            mos=float(score),
            reference=f"references/cim{column + 1}.bmp",
            distortion=known["distortions"][kind],
            level=level + 1,
        )
