"""Splits that anyone can make again from the number of rows and a seed."""

import logging
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iqa_zoo.data.leaks import COPIES_IN, crossings, same_content
from iqa_zoo.data.manifest import Labels
from iqa_zoo.data.tables import shown
from iqa_zoo.errors import OpinionError, UnknownNameError, UsageError

IndexArray = NDArray[np.int64]

#: The parts of a split, from what is learned from to what nothing may be chosen on.
PARTS = ("train", "validation", "test")

#: What trains and what tests, or what trains, validates and tests, in hundredths.
SHARES = ("80/20", "60/20/20")

_LISTED = 20  # rows that an error names

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Row numbers (int64) of a table's parts.

    Attributes:
        train: what a model may see at all; its last rows are `validation`.
        validation: the part of `train` that epochs, rates and losses are chosen on.
        test: the rest, which nothing may be chosen on.
    """

    train: IndexArray
    validation: IndexArray
    test: IndexArray

    @property
    def fitting(self) -> IndexArray:
        """`train` without `validation`: what is trained on while choosing."""
        return self.train[: len(self.train) - len(self.validation)]


def fixed_split(n: int, seed: int, *, groups: Sequence[str] | None = None) -> Split:
    """Four fifths of the rows to train on and one to test, by a seeded permutation.

    With p = numpy.random.default_rng(seed).permutation(n), the first n * 4 // 5 of p
    train and the others test; validation is the last tenth (rounded down, one at
    least) of those that train. Of 930 rows 744 train, 186 test, and 74 of the 744
    validate. With groups the same is done to the sorted list of groups, and each
    group's rows follow it, in the table's order.

    Args:
        n: number of rows.
        seed: of the permutation, 0 or more.
        groups: for each row the name of its group (reference picture, prompt). None
            makes every row its own.

    Raises:
        UsageError: fewer than 3 rows or groups, a negative seed, or not n groups.
    """
    rows_of = _shuffled(n, seed, groups)
    tested_from = len(rows_of) * 4 // 5
    train, test = rows_of[:tested_from], rows_of[tested_from:]
    validation = train[-max(1, len(train) // 10) :]
    return Split(*map(_joined, (train, validation, test)))


def split_labels(
    labels: Labels, seed: int, *, shares: str = "80/20"
) -> dict[str, IndexArray]:
    """The rows that train, validate and test, with nothing on two sides.

    The table's own split is taken where it has one. Where that has no validation side,
    a tenth of what trains validates, as in `fixed_split`. Otherwise the rows, or the
    groups where there are any (else the references), are permuted as in `fixed_split`:
    "80/20" is that split, "60/20/20" takes the first n * 3 // 5, those from there to
    n * 4 // 5, and the rest, which is the same test part.

    Of two files that are equal byte for byte and stand on two sides, the one nearer to
    training is left out, and logged, so that the test part is always the whole one.
    That holds for a few; more than one in COPIES_IN rows is an error.

    Args:
        labels: the opinions.
        seed: of the permutation, 0 or more; repeats take 0, 1, 2, ...
        shares: "80/20" or "60/20/20".

    Returns:
        "train" (without what validates), "validation" and "test": row numbers, int64.
        The latter two can be empty where the table's own split has none.

    Raises:
        OpinionError: a group or a reference on two sides, or too many images; or a
            split that trains on nothing. The message names rows.
        UsageError: too few rows or groups, or a negative seed.
        UnknownNameError: no such shares.
    """
    if shares not in SHARES:
        raise UnknownNameError("shares of a split", shares, SHARES)
    groups = labels.group
    if groups is None and labels.reference is not None:
        groups = tuple(map(str, labels.reference))
    if labels.split is not None:
        parts = _own_split(labels.split, groups, seed)
    elif shares == "80/20":
        split = fixed_split(len(labels.names), seed, groups=groups)
        parts = dict(
            zip(PARTS, (split.fitting, split.validation, split.test), strict=True)
        )
    else:
        rows_of = _shuffled(len(labels.names), seed, groups)
        ends = [len(rows_of) * 3 // 5, len(rows_of) * 4 // 5]
        cut = (rows_of[: ends[0]], rows_of[ends[0] : ends[1]], rows_of[ends[1] :])
        parts = dict(zip(PARTS, map(_joined, cut), strict=True))
    _check_apart(labels, parts)
    return _without_copies(labels, parts)


def _own_split(
    sides: Sequence[str], groups: Sequence[str] | None, seed: int
) -> dict[str, IndexArray]:
    parts = {part: np.flatnonzero([s == part for s in sides]) for part in PARTS}
    if not len(parts["validation"]) and len(train := parts["train"]) > 1:
        inside = None if groups is None else [groups[row] for row in train.tolist()]
        rows_of = _shuffled(len(train), seed, inside, least=2)
        held = max(1, len(rows_of) // 10)
        parts["train"] = train[_joined(rows_of[:-held])]
        parts["validation"] = train[_joined(rows_of[-held:])]
    if not len(parts["train"]):
        raise OpinionError("The table's split has no rows that train.")
    return parts


def _check_apart(labels: Labels, parts: dict[str, IndexArray]) -> None:
    """Raise OpinionError where a group or a reference stands on two sides."""
    facts: list[tuple[str, Sequence[Hashable] | None]] = [
        ("group", labels.group),
        ("reference", labels.reference),
    ]
    rows, sides = _rows_and_sides(parts)
    found = []
    for what, values in facts:
        if values is not None:
            crossing = crossings(sides, [values[row] for row in rows])
            text = f"the same {what}"
            found += [_both(labels, rows, sides, pair, text) for pair in crossing]
    _refuse(found)


def _without_copies(
    labels: Labels, parts: dict[str, IndexArray]
) -> dict[str, IndexArray]:
    """The parts, without images that equal one on a side further from training."""
    rows, sides = _rows_and_sides(parts)
    copies = same_content([labels.paths[row] for row in rows])
    crossing = [(a, b) for a, b in copies if sides[a] != sides[b]]
    found = [_both(labels, rows, sides, pair, "the same image") for pair in crossing]
    if len(found) * COPIES_IN > len(rows):
        _refuse(found)
    for text in found:
        _log.warning("%s: the first is left out of the split.", text)
    left_out = [rows[copy] for copy, _ in crossing]
    return {part: each[~np.isin(each, left_out)] for part, each in parts.items()}


def _rows_and_sides(parts: dict[str, IndexArray]) -> tuple[list[int], list[str]]:
    """All rows, those that test first, and the part of each."""
    inwards = [(row, part) for part in PARTS[::-1] for row in parts[part].tolist()]
    return [row for row, _ in inwards], [part for _, part in inwards]


def _both(
    labels: Labels,
    rows: Sequence[int],
    sides: Sequence[str],
    pair: tuple[int, int],
    what: str,
) -> str:
    one, other = (
        f"row {rows[i]} ({shown(labels.names[rows[i]])}, {sides[i]})" for i in pair
    )
    return f"{one} and {other} have {what}"


def _refuse(found: Sequence[str]) -> None:
    if not found:
        return
    listed = [f"  {text}" for text in found[:_LISTED]]
    if len(found) > _LISTED:
        listed.append(f"  and {len(found) - _LISTED} more")
    raise OpinionError(
        "\n".join(
            [
                "The split leaks: what is trained on is tested on. Put these rows on "
                "one side, or let their group decide:",
                *listed,
            ]
        )
    )


def _shuffled(
    n: int, seed: int, groups: Sequence[str] | None, least: int = 3
) -> list[IndexArray]:
    """The rows of each unit (a row, or a group), the units permuted by the seed."""
    if seed < 0:
        raise UsageError(f"Seed {seed} is negative; use 0 or more.")
    if groups is None:
        rows_of, unit = np.split(np.arange(n), n) if n else [], "rows"
    else:
        if len(groups) != n:
            raise UsageError(f"{len(groups)} groups for {n} rows; give one a row.")
        # Not an array of texts, each of which would be as wide as the longest.
        numbers = {name: number for number, name in enumerate(sorted(set(groups)))}
        group_of_row = np.array([numbers[name] for name in groups], np.int64)
        # A stable sort keeps the table's order within each group.
        rows = np.argsort(group_of_row, kind="stable")
        rows_of = np.split(rows, np.cumsum(np.bincount(group_of_row))[:-1])
        unit = "groups"
    if len(rows_of) < least:
        raise UsageError(
            f"{len(rows_of)} {unit} cannot be split; {least} or more are needed."
        )
    order = np.random.default_rng(seed).permutation(len(rows_of))
    return [rows_of[index] for index in order]


def _joined(rows_of: Sequence[IndexArray]) -> IndexArray:
    return np.concatenate([*rows_of, np.empty(0, np.int64)])
