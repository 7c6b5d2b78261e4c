"""Splits are those that the published figures were made on."""

import numpy as np
import pytest

from iqa_zoo.data.splits import fixed_split
from iqa_zoo.errors import UsageError


@pytest.mark.parametrize("seed", range(5))
def test_the_splits_of_live_in_the_wild(seed):
    p = np.random.default_rng(seed).permutation(930)
    split = fixed_split(930, seed)
    np.testing.assert_array_equal(split.train, p[:744])
    np.testing.assert_array_equal(split.test, p[744:])
    np.testing.assert_array_equal(split.validation, p[:744][-74:])
    np.testing.assert_array_equal(split.fitting, p[:670])


@pytest.mark.parametrize("n", [3, 4, 9, 10, 13, 57, 930, 1001])
def test_every_row_has_one_place(n):
    split = fixed_split(n, 1)
    assert sorted([*split.train, *split.test]) == list(range(n))
    assert sorted([*split.fitting, *split.validation]) == sorted(split.train)
    assert len(split.fitting) > 0
    assert len(split.validation) > 0
    assert len(split.test) == n - n * 4 // 5
    assert split.train.dtype == split.validation.dtype == split.test.dtype == np.int64


def test_groups_follow_the_same_rule_over_their_sorted_list():
    groups = [f"prompt {i % 20:02d}" for i in range(90)]
    split = fixed_split(90, 7, groups=groups)
    order = [sorted(set(groups))[i] for i in np.random.default_rng(7).permutation(20)]
    rows = {name: [i for i, g in enumerate(groups) if g == name] for name in order}
    for part, names in (
        (split.train, order[:16]),
        (split.validation, order[15:16]),
        (split.test, order[16:]),
    ):
        assert part.tolist() == [row for name in names for row in rows[name]]
    assert sorted([*split.fitting, *split.validation, *split.test]) == list(range(90))


def test_groups_of_one_row_are_rows():
    groups = [f"{i:03d}" for i in range(50)]
    alone, grouped = fixed_split(50, 3), fixed_split(50, 3, groups=groups)
    np.testing.assert_array_equal(alone.train, grouped.train)
    np.testing.assert_array_equal(alone.validation, grouped.validation)
    np.testing.assert_array_equal(alone.test, grouped.test)


def test_seeds_differ_and_repeat():
    assert (fixed_split(100, 0).test == fixed_split(100, 0).test).all()
    assert (fixed_split(100, 0).test != fixed_split(100, 1).test).any()


def test_what_cannot_be_split():
    with pytest.raises(UsageError, match="2 rows"):
        fixed_split(2, 0)
    with pytest.raises(UsageError, match="2 groups"):
        fixed_split(6, 0, groups=list("aabbab"))
    with pytest.raises(UsageError, match="5 groups for 6 rows"):
        fixed_split(6, 0, groups=list("abcde"))
    with pytest.raises(UsageError, match="-1 is negative"):
        fixed_split(6, -1)
