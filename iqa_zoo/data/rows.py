"""Rows of an opinion table: parsed, brought together by image, and compared."""

import logging
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from iqa_zoo.data import columns
from iqa_zoo.data.leaks import COPIES_IN, crossings, same_content, same_pixels
from iqa_zoo.data.tables import Problem, Table, shown
from iqa_zoo.opinions import mean_and_std

FloatArray = NDArray[np.float64]

_LEVELS = 20  # at most, of a scale whose votes are counted level by level

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The columns of a table, row by row; what cannot be used is NaN, None or "".

    Attributes:
        unit: what `place` counts: "line" or "entry".
        place: of each row in the file.
        names: of the columns, by what they hold.
        image, path: names of the images, and the files.
        mos: scores, or single votes where there is an observer.
        std, votes: or None; the levels of `votes` are in the table's order.
        observer, reference, group, split, distortion, pseudo, level: or None.
        range: lowest and highest possible score.
    """

    unit: str
    place: list[int]
    names: dict[str, list[str]]
    image: list[str]
    path: list[Path | None]
    mos: FloatArray
    std: FloatArray | None
    votes: FloatArray | None
    observer: list[str] | None
    reference: list[Path | None] | None
    group: list[str] | None
    split: list[str] | None
    distortion: list[str] | None
    pseudo: list[str] | None
    level: list[int] | None
    range: tuple[float, float]


class Opinions(NamedTuple):
    """Opinions about each image: `mos`, and `std` and `votes` or None."""

    mos: FloatArray
    std: FloatArray | None
    votes: FloatArray | None


def parse_rows(
    table: Table,
    names: dict[str, list[str]],
    folder: Path,
    range: tuple[float, float] | None,
    problems: list[Problem],
) -> Rows:
    """Check every cell of the columns `names`, and add what is wrong to `problems`."""
    place = [each for each, _ in table.rows]
    comma = table.decimal_comma

    def cells(role: str) -> list[list[str]]:
        indices = [table.header.index(name) for name in names[role]]
        return [[row[index] for index in indices] for _, row in table.rows]

    def column(role: str) -> list[str]:
        return [cell for (cell,) in cells(role)]

    image = column("image")
    path = columns.files("image", image, folder, place, problems)
    read_text = dict.fromkeys(
        ("observer", "group", "distortion", "pseudo"), columns.texts
    )
    found = {
        role: read(names[role][0], column(role), place, problems)
        for role, read in {**read_text, "split": columns.sides}.items()
        if role in names
    }
    reference = level = None
    if "reference" in names:
        reference = columns.files(
            "reference", column("reference"), folder, place, problems
        )
    if "level" in names:
        (name,) = names["level"]
        level = columns.whole_numbers(name, column("level"), place, problems)
    votes = scores = std = None
    if "votes" in names:
        votes = columns.histograms(
            names["votes"], cells("votes"), place, problems, decimal_comma=comma
        )
    if "mos" in names:
        (name,) = names["mos"]
        scores = columns.numbers(
            name, column("mos"), place, problems, decimal_comma=comma
        )
    taken = range or (1.0, 2.0 if votes is None else float(votes.shape[1]))
    if scores is not None:
        scale = range or (_scale_of_votes(votes, scores) if votes is not None else None)
        taken = columns.range_of(name, scores, scale, place, problems)
    if "std" in names:
        (name,) = names["std"]
        std = columns.numbers(name, column("std"), place, problems, decimal_comma=comma)
        columns.check_deviations(name, std, taken, place, problems)
    if votes is not None:
        mean, deviation = of_votes(votes, taken)
        if scores is not None and _opposite(mean, scores):
            text = "votes and scores go in opposite directions; list the votes of each "
            problems.append((0, text + "image from the lowest score to the highest"))
        scores = mean if scores is None else scores
        std = deviation if std is None else std
    return Rows(
        unit=table.unit,
        place=place,
        names=names,
        image=image,
        path=path,
        mos=scores if scores is not None else np.full(len(place), math.nan),
        std=std,
        votes=votes,
        observer=found.get("observer"),
        reference=reference,
        group=found.get("group"),
        split=found.get("split"),
        distortion=found.get("distortion"),
        pseudo=found.get("pseudo"),
        level=level,
        range=(float(taken[0]), float(taken[1])),
    )


def _scale_of_votes(
    votes: FloatArray, scores: FloatArray
) -> tuple[float, float] | None:
    """The scale on which the votes' means are the scores: from 1 or from 0 on."""
    levels = votes.shape[1]
    for low in (1.0, 0.0):
        scale = (low, low + levels - 1)
        difference = np.abs(of_votes(votes, scale)[0] - scores)
        known = difference[np.isfinite(difference)]
        if len(known) and np.median(known) < 0.01 * levels:
            return scale
    return None


def _opposite(mean: FloatArray, scores: FloatArray) -> bool:
    known = np.isfinite(mean) & np.isfinite(scores)
    mean, scores = mean[known], scores[known]
    if len(mean) < 3 or not np.ptp(mean) or not np.ptp(scores):
        return False
    return bool(np.corrcoef(mean, scores)[0, 1] < 0)


def of_votes(
    votes: FloatArray, scale: tuple[float, float]
) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of histograms whose lowest score comes first."""
    return mean_and_std(votes / votes.sum(axis=1, keepdims=True), scale)


def rows_by_image(
    rows: Rows, problems: list[Problem], *, skip_bad: bool
) -> list[list[int]]:
    """The rows of each image, images in the table's order; without an observer one.

    Rows without a file are left out, and so are those that say again, or otherwise,
    what an earlier row says, which is a problem of theirs. With `skip_bad` all rows
    that have a problem are.
    """
    bad = {place for place, _ in problems} if skip_bad else set()
    together: dict[str, list[int]] = {}
    voted: dict[tuple[str, str], int] = {}
    for row, path in enumerate(rows.path):
        if path is None or rows.place[row] in bad:
            continue
        key = os.path.normpath(path)
        known = together.get(key, [])
        text = ""
        if rows.observer is None and known:
            text = (
                f"image {shown(rows.image[row])} is already in {_place(rows, known[0])}"
            )
        elif rows.observer is not None:
            who = rows.observer[row]
            earlier = voted.setdefault((key, who), row)
            if earlier != row:
                text = f"{shown(who)} has judged this image in {_place(rows, earlier)}"
            elif known:
                text = _other_facts(rows, row, known[0])
        if text:
            problems.append((rows.place[row], text))
        else:
            together.setdefault(key, []).append(row)
    return list(together.values())


def _other_facts(rows: Rows, row: int, first: int) -> str:
    """What a vote says of an image that another vote on it does not, if anything."""
    facts = ("group", "reference", "split", "distortion", "level")
    for role, values in ((role, getattr(rows, role)) for role in facts):
        if values is not None and values[row] != values[first]:
            return (
                f"{rows.names[role][0]} {_shown(values[row])} is "
                f"{_shown(values[first])} for this image in {_place(rows, first)}"
            )
    return ""


def check_images(
    rows: Rows,
    together: Sequence[Sequence[int]],
    problems: list[Problem],
    *,
    forgive_copies: bool,
) -> None:
    """Add what is wrong between images: one under two names, or leaks in the split.

    With `forgive_copies`, files that are equal byte for byte are only warned of where
    they are few (COPIES_IN) and on one side of the table's split: `split_labels` keeps
    them from standing on two.
    """
    first = [members[0] for members in together]
    paths = [path for row in first if (path := rows.path[row])]
    sides = [rows.split[row] for row in first] if rows.split else [""] * len(first)

    def found(pairs: Sequence[tuple[int, int]], what: str) -> list[Problem]:
        return [
            (
                rows.place[first[one]],
                f"image {shown(rows.image[first[one]])} has the {what} of "
                f"{shown(rows.image[first[other]])} in {_place(rows, first[other])}",
            )
            for one, other in pairs
        ]

    copies = same_content(paths)
    few = len(copies) * COPIES_IN <= len(first)
    if forgive_copies and few and all(sides[a] == sides[b] for a, b in copies):
        for place, text in found(copies, "content"):
            _log.warning(
                "%s %d: %s; they will not stand on two sides of a split",
                rows.unit,
                place,
                text,
            )
    else:
        problems += found(copies, "content")
    known = {copy for copy, _ in copies}
    distinct = [number for number in range(len(paths)) if number not in known]
    alike = same_pixels([paths[number] for number in distinct])
    problems += found([(distinct[a], distinct[b]) for a, b in alike], "pixels")

    for role, values in (("group", rows.group), ("reference", rows.reference)):
        if values is None or rows.split is None:
            continue
        usable = [row for row in first if values[row] and rows.split[row]]
        crossing = crossings(
            [rows.split[row] for row in usable], [values[row] for row in usable]
        )
        for row, other in ((usable[a], usable[b]) for a, b in crossing):
            text = (
                f"{rows.names[role][0]} {_shown(values[row])} is in {rows.split[row]} "
                f"here and in {rows.split[other]} in {_place(rows, other)}"
            )
            problems.append((rows.place[row], text))


def merged(rows: Rows, together: Sequence[Sequence[int]]) -> Opinions:
    """The opinions about each image, single votes taken together."""
    if rows.observer is None:
        first = [members[0] for members in together]
        return Opinions(
            rows.mos[first],
            rows.std[first] if rows.std is not None else None,
            rows.votes[first] if rows.votes is not None else None,
        )
    ratings = [rows.mos[members] for members in together]
    mos = np.array([each.mean() for each in ratings])
    if min(map(len, ratings)) < 2:
        _log.info("Deviations are not taken: an image has only one vote.")
        return Opinions(mos, None, None)
    std = np.array([each.std() for each in ratings])
    low, high = rows.range
    levels = round(high - low) + 1
    if (
        levels > _LEVELS
        or (high - low) % 1
        or np.any((np.concatenate(ratings) - low) % 1)
    ):
        return Opinions(mos, std, None)
    votes = [
        np.bincount((each - low).astype(int), minlength=levels) for each in ratings
    ]
    return Opinions(mos, std, np.array(votes, dtype=np.float64))


def _place(rows: Rows, row: int) -> str:
    return f"{rows.unit} {rows.place[row]}"


def _shown(value: Path | str | int | None) -> str:
    if isinstance(value, Path):
        value = value.name
    return shown(value) if isinstance(value, str) else repr(value)
