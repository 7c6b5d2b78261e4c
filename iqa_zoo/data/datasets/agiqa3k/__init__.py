"""AGIQA-3K: pictures of six text-to-image models."""

from collections.abc import Mapping
from typing import Any

from iqa_zoo.data.datasets.layouts import Folder, Record, Records, csv_rows


def records(folder: Folder, known: Mapping[str, Any]) -> Records:
    """The rows of data.csv: the scores of quality, not those of fit to the prompt."""
    columns = {"name": str, "prompt": str, "mos_quality": float, "std_quality": float}
    for image, prompt, mos, std in csv_rows(folder.file("data.csv"), columns):
        yield Record(image=image, mos=mos, std=std, group=prompt)
