"""AVA: photos of an amateurs' contest, with how many gave each score from 1 to 10."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from iqa_zoo.data.datasets.layouts import (
    Folder,
    Record,
    Records,
    mean_and_std,
    text_rows,
)

_LEVELS = range(1, 11)
_END = 4096  # bytes in which the mark of a JPEG file's end is looked for


def records(folder: Folder, known: Mapping[str, Any]) -> Records:
    """The lines of AVA.txt; None for photos that are missing, empty or cut off."""
    tests = folder.file("aesthetics_image_lists/generic_test.jpgl")
    test = {photo for (photo,) in text_rows(tests, (int,))}
    for _, photo, *votes in text_rows(folder.file("AVA.txt"), (int,) * 12):
        image = f"images/{photo}.jpg"
        path = folder.find(image)
        if path is None or not _is_whole(path):
            yield None
            continue
        mean, std = mean_and_std(votes, _LEVELS)
        yield Record(
            image=image,
            mos=mean,
            std=std,
            votes=tuple(votes),
            split="test" if photo in test else "train",
        )


def _is_whole(path: Path) -> bool:
    """Whether a file begins and ends as JPEG does. Decoding all would take hours."""
    with path.open("rb") as file:
        begins = file.read(2) == b"\xff\xd8"
        size = os.fstat(file.fileno()).st_size
        file.seek(max(0, size - _END))
        return begins and b"\xff\xd9" in file.read()
