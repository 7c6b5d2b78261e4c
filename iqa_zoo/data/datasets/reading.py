"""From a data set's folder to `Labels`: what must be there, and what must be true."""

import importlib
import logging
import os
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from iqa_zoo.correlation import srocc
from iqa_zoo.data.datasets.layouts import Folder, Record
from iqa_zoo.data.manifest import Labels, read_labels
from iqa_zoo.errors import OpinionError, UnknownNameError

HERE = Path(__file__).parent

_LISTED = 20  # files or rows that an error spells out; the others are counted

_log = logging.getLogger(__name__)


@cache
def names() -> tuple[str, ...]:
    """The data sets that can be read, sorted: the folders here with a dataset.toml."""
    return tuple(sorted(path.parent.name for path in HERE.glob("*/dataset.toml")))


@cache
def metadata(name: str) -> Mapping[str, Any]:
    """What is known of a data set without having it: its dataset.toml and citation.

    Keys: title, summary, images, references (synthetic sets), direction, range, columns
    (those of Record that it has), levels (of votes), distortions (by the number in file
    names), splits, terms, url, folder (the publisher's name for it), files (each with
    path, or a list of alternatives, and what it is), mos_csv (where its folder may
    have a mos.csv instead: columns of it), notes, citation (BibTeX).

    Raises:
        UnknownNameError: no data set of that name.
    """
    if name not in names():
        raise UnknownNameError("data set", name, names())
    folder = HERE / name
    known = tomllib.loads((folder / "dataset.toml").read_text(encoding="utf-8"))
    known["citation"] = (folder / "CITATIONS.bib").read_text(encoding="utf-8")
    return MappingProxyType(known)


def instructions(name: str) -> str:
    """Which files of a data set are needed, and where to get them."""
    known = metadata(name)
    lines = [
        f"{known['title']} is published at {known['url']} ({known['terms']}). Fetch "
        f"and unpack it; the data folder, or {known['folder']}/ in it, must then hold:",
        *(f"- {_named(file)}: {file['what']}" for file in known["files"]),
    ]
    if "mos_csv" in known:
        lines.append(
            "Or just images/ and a table mos.csv with the columns image and mos."
        )
    return "\n".join(lines)


def read_dataset(name: str, data_dir: str | os.PathLike[str]) -> Labels:
    """The opinions of a published data set, from the files that its publisher packs.

    Args:
        name: one of `names()`.
        data_dir: the folder that holds the files, or the folder above that.

    Raises:
        UnknownNameError: no data set of that name.
        OpinionError: files are missing (all are named, with where to get them), tables
            are not as published, a score is outside the range, or scores go up with
            distortion where they should go down.
    """
    known = metadata(name)
    root = Path(data_dir)
    if not root.is_dir():
        raise OpinionError(f"The folder {root} of {known['title']} does not exist.")
    folder = Folder(Folder(root).find(known["folder"]) or root)
    missing = [file for file in known["files"] if not _present(folder, file)]
    if missing and "mos_csv" in known and (table := folder.find("mos.csv")):
        images = folder.find("images") or folder.root / "images"
        low, high = known["range"]
        return read_labels(
            table,
            images,
            range=(low, high),
            direction=known["direction"],
            **known["mos_csv"],
        )
    if missing:
        listed = ", ".join(_named(file) for file in missing)
        raise OpinionError(f"{folder.root} lacks {listed}.\n{instructions(name)}")
    reader = importlib.import_module(f"iqa_zoo.data.datasets.{name}")
    try:
        rows = list(reader.records(folder, known))
    except OpinionError:
        raise
    except (LookupError, TypeError, ValueError) as error:
        raise OpinionError(
            f"The tables in {folder.root} are not those of {known['title']} ({error}). "
            f"Fetch them again from {known['url']}."
        ) from error
    records = [row for row in rows if row is not None]
    labels = _labels(known, folder, records, skipped=len(rows) - len(records))
    _check_direction(known, labels)
    if labels.skipped:
        _log.info(
            "%s: %d rows without a whole image left out", folder.root, labels.skipped
        )
    return labels


def _named(file: Mapping[str, Any]) -> str:
    path = file["path"]
    return path if isinstance(path, str) else " or ".join(path)


def _present(folder: Folder, file: Mapping[str, Any]) -> bool:
    path = file["path"]
    return any(map(folder.find, [path] if isinstance(path, str) else path))


def _labels(
    known: Mapping[str, Any], folder: Folder, records: Sequence[Record], skipped: int
) -> Labels:
    """The records by column, after every file was found and every number looked at."""
    if not records:
        raise OpinionError(f"The tables in {folder.root} name no image.")
    by_name = dict(zip(Record._fields, zip(*records, strict=True), strict=True))
    columns = {
        field: None if None in values else values for field, values in by_name.items()
    }
    low, high = known["range"]
    mos = np.array(columns["mos"], np.float64)
    std = None if columns["std"] is None else np.array(columns["std"], np.float64)
    problems = [
        f"{record.image}: score {record.mos:g} is not in {low:g} to {high:g}"
        for record in records
        if not low <= record.mos <= high
    ]
    if std is not None:
        problems += [
            f"{records[row].image}: standard deviation {std[row]:g} cannot be meant"
            for row in np.flatnonzero(~((std >= 0) & (std <= high - low))).tolist()
        ]
    paths = [folder.find(image) for image in columns["image"]]
    references = [folder.find(path) for path in columns["reference"] or ()]
    problems += [
        f"{path} is missing"
        for found, path in zip(
            [*paths, *references],
            [*columns["image"], *(columns["reference"] or ())],
            strict=True,
        )
        if found is None
    ]
    if problems:
        unique = list(dict.fromkeys(problems))
        listed = "\n".join(f"  {problem}" for problem in unique[:_LISTED])
        more = len(unique) - _LISTED
        raise OpinionError(
            f"{folder.root} is not {known['title']} as published:\n{listed}"
            + (f"\n  and {more} more" if more > 0 else "")
            + f"\nFetch it again from {known['url']}."
        )
    votes = columns["votes"]
    return Labels(
        names=columns["image"],
        paths=tuple(paths),
        mos=mos,
        std=std,
        group=columns["group"] or columns["reference"],
        range=(float(low), float(high)),
        direction=known["direction"],
        range_inferred=False,
        votes=None if votes is None else np.array(votes, np.float64),
        reference=tuple(references) or None,
        split=columns["split"],
        distortion=columns["distortion"],
        level=columns["level"],
        skipped=skipped,
    )


def _check_direction(known: Mapping[str, Any], labels: Labels) -> None:
    """Raise OpinionError where stronger distortion goes with better scores.

    The mean over the kinds of distortion of Spearman's correlation of score and level:
    of the signed ones (contrast, mean shift) single kinds may go either way.
    """
    if labels.level is None or labels.distortion is None:
        return
    levels, kinds = np.array(labels.level), np.array(labels.distortion)
    groups = [kinds == kind for kind in np.unique(kinds)]
    found = [srocc(labels.mos[g], levels[g]) for g in groups if np.sum(g) > 1]
    sign = -1 if labels.direction == "higher_is_better" else 1
    if found and sign * np.mean(found) < 0:
        raise OpinionError(
            f"{known['title']}: scores should go {'up' if sign > 0 else 'down'} as the "
            f"distortion grows ({labels.direction}), but go the other way (Spearman's "
            f"correlation with the level is {np.mean(found):+.2f}). Scores and images "
            "do not belong together, or the scores were turned round: fetch the tables "
            f"again from {known['url']}."
        )
