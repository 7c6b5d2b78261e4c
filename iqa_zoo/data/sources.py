"""Opinions wherever they come from: a table, a known data set, or read already."""

import inspect
import os
from typing import Any

from iqa_zoo.data.manifest import Labels, read_labels
from iqa_zoo.errors import UnknownNameError, UsageError


def as_labels(
    labels: str | os.PathLike[str] | Labels | None,
    images: str | os.PathLike[str] | None = None,
    *,
    dataset: str | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    **columns: Any,
) -> Labels:
    """`labels` itself, the table of that path, or a known data set.

    Args:
        labels: a table, or labels that were read already; None with `dataset`.
        images: folder of the images that the table names.
        dataset: name of a known data set (see `data.datasets`), instead of a table.
        data_dir: folder that holds the data set, laid out as its authors do.
        **columns: further arguments of `read_labels`.

    Raises:
        UsageError: not exactly one of table and data set, a folder is missing, or
            arguments of `read_labels` come with what has no columns.
        OpinionError: rows that cannot be used.
    """
    if (labels is None) == (dataset is None):
        raise UsageError("Give either a table of labels or the name of a dataset.")
    given = ", ".join(("images", *columns) if images is not None else columns)
    if dataset is not None:
        if given:
            raise UsageError(f"{given} cannot change a known dataset.")
        if data_dir is None:
            raise UsageError(f"Name the folder of {dataset} as data_dir.")
        from iqa_zoo.data.datasets import read_dataset

        return read_dataset(dataset, data_dir)
    if data_dir is not None:
        raise UsageError("data_dir goes with a dataset; a table has images.")
    if isinstance(labels, Labels):
        if given:
            raise UsageError(f"{given} cannot change labels that were read already.")
        return labels
    if images is None or labels is None:
        raise UsageError("Name the folder of the images.")
    known = [*inspect.signature(read_labels).parameters][2:]
    for name in columns:
        if name not in known:
            raise UnknownNameError("argument", name, known)
    return read_labels(labels, images, **columns)
