"""Splits that anyone can make again from the number of rows and a seed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iqa_zoo.errors import UsageError

IndexArray = NDArray[np.int64]


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
    if seed < 0:
        raise UsageError(f"Seed {seed} is negative; use 0 or more.")
    if groups is None:
        count, unit = n, "rows"
    else:
        if len(groups) != n:
            raise UsageError(f"{len(groups)} groups for {n} rows; give one a row.")
        known, group_of_row = np.unique(np.asarray(groups), return_inverse=True)
        count, unit = len(known), "groups"
    if count < 3:
        raise UsageError(f"{count} {unit} cannot be split; 3 or more are needed.")
    order = np.random.default_rng(seed).permutation(count)
    train, test = np.split(order, [count * 4 // 5])
    validation = train[-max(1, len(train) // 10) :]
    if groups is None:
        return Split(train=train, validation=validation, test=test)

    # A stable sort keeps the table's order within each group.
    rows = np.argsort(group_of_row, kind="stable")
    rows_of = np.split(rows, np.cumsum(np.bincount(group_of_row))[:-1])
    return Split(
        *(
            np.concatenate([rows_of[group] for group in part])
            for part in (train, validation, test)
        )
    )
