"""Splits are those that the published figures were made on."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iqa_zoo.data.manifest import Labels
from iqa_zoo.data.splits import PARTS, SHARES, fixed_split, split_labels
from iqa_zoo.errors import OpinionError, UnknownNameError, UsageError


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


def test_long_names_of_groups_take_no_room():
    groups = [f"{n // 2:05d}" for n in range(20_000)]
    groups[-1] = groups[-2] = "x" * 4000
    tracemalloc.start()
    split = fixed_split(20_000, 0, groups=groups)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000_000
    assert {*split.train, *split.test} == set(range(20_000))


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


# --- of labels ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Sixty files, all different."""
    folder = tmp_path_factory.mktemp("files")
    paths = [folder / f"{n}.jpg" for n in range(60)]
    for path in paths:
        path.write_text(path.name)
    return paths


def labels_of(files, **more):
    return Labels(
        names=tuple(path.name for path in files),
        paths=tuple(files),
        mos=np.arange(len(files), dtype=float),
        std=None,
        range=(0, 100),
        direction="higher_is_better",
        range_inferred=False,
        **{"group": None, **more},
    )


def check_whole(parts, n=60):
    assert list(parts) == ["train", "validation", "test"]
    assert sorted(row for rows in parts.values() for row in rows) == list(range(n))
    assert all(rows.dtype == np.int64 for rows in parts.values())


@pytest.mark.parametrize("groups", [None, tuple(f"g{n % 15:02d}" for n in range(60))])
@pytest.mark.parametrize("seed", range(3))
def test_80_20_is_the_fixed_split(files, groups, seed):
    parts = split_labels(labels_of(files, group=groups), seed)
    split = fixed_split(60, seed, groups=groups)
    check_whole(parts)
    np.testing.assert_array_equal(parts["train"], split.fitting)
    np.testing.assert_array_equal(parts["validation"], split.validation)
    np.testing.assert_array_equal(parts["test"], split.test)


@pytest.mark.parametrize("seed", range(3))
def test_60_20_20(files, seed):
    parts = split_labels(labels_of(files), seed, shares="60/20/20")
    order = np.random.default_rng(seed).permutation(60)
    check_whole(parts)
    np.testing.assert_array_equal(parts["train"], order[:36])
    np.testing.assert_array_equal(parts["validation"], order[36:48])
    np.testing.assert_array_equal(parts["test"], order[48:])


@given(
    groups=st.lists(st.sampled_from("abcdefgh"), min_size=60, max_size=60).filter(
        lambda groups: len(set(groups)) > 2
    ),
    seed=st.integers(0, 2**32),
    shares=st.sampled_from(SHARES),
)
@settings(max_examples=40, deadline=None)
def test_no_group_is_torn_apart(files, groups, seed, shares):
    parts = split_labels(labels_of(files, group=tuple(groups)), seed, shares=shares)
    check_whole(parts)
    sides = [{groups[row] for row in rows} for rows in parts.values()]
    assert all(sides)
    assert sum(map(len, sides)) == len(set(groups))


def test_references_are_groups(files):
    references = tuple(files[n % 10] for n in range(60))
    parts = split_labels(labels_of(files, reference=references), 1)
    check_whole(parts)
    sides = [{row % 10 for row in rows} for rows in parts.values()]
    assert sum(map(len, sides)) == 10


def test_the_tables_own_split_is_taken(files):
    sides = tuple(("train", "test", "validation", "train")[n % 4] for n in range(60))
    for seed, shares in ((0, "80/20"), (5, "60/20/20")):
        parts = split_labels(labels_of(files, split=sides), seed, shares=shares)
        check_whole(parts)
        for part, rows in parts.items():
            assert all(sides[row] == part for row in rows)
            assert rows.tolist() == sorted(rows)


def test_a_split_without_validation_gets_some(files):
    sides = tuple("test" if n >= 40 else "train" for n in range(60))
    groups = tuple(f"{n // 2}" for n in range(60))
    parts = split_labels(labels_of(files, split=sides, group=groups), 3)
    check_whole(parts)
    assert parts["test"].tolist() == list(range(40, 60))
    assert len(parts["validation"]) == 4
    held = {groups[row] for row in parts["validation"]}
    assert held.isdisjoint(groups[row] for row in parts["train"])


def test_a_split_that_trains_on_nothing(files):
    with pytest.raises(OpinionError, match="no rows that train"):
        split_labels(labels_of(files, split=("test",) * 60), 0)


def test_unknown_shares(files):
    with pytest.raises(UnknownNameError, match="80/20"):
        split_labels(labels_of(files), 0, shares="80/10/10")


# --- leaks ----------------------------------------------------------------------------

HALVES = ("train",) * 30 + ("test",) * 30


@pytest.mark.parametrize("what", ["group", "reference"])
def test_a_group_on_two_sides(files, what):
    values = [files[n // 3] for n in range(60)]
    values[41] = values[7]
    if what == "group":
        values = [path.name for path in values]
    labels = labels_of(files, split=HALVES, **{what: tuple(values)})
    with pytest.raises(OpinionError) as caught:
        split_labels(labels, 0)
    text = str(caught.value)
    assert "The split leaks" in text
    assert "row 41 ('41.jpg', test)" in text
    assert f"have the same {what}" in text


def test_a_reference_that_groups_tear_apart(files):
    groups = tuple(f"{n}" for n in range(60))
    references = tuple(files[n % 3] for n in range(60))
    with pytest.raises(OpinionError, match="have the same reference"):
        split_labels(labels_of(files, group=groups, reference=references), 0)


@pytest.mark.parametrize("split", [HALVES, None])
def test_an_image_on_two_sides(files, split, tmp_path):
    copy = tmp_path / "copy.jpg"
    copy.write_text("0.jpg")
    rows = split_labels(labels_of(files, split=split), 0)
    at = int(rows["test"][0])
    one = next(int(row) for row in rows["train"] if row != at)
    copy.write_text(files[one].name)
    paths = [copy if n == at else path for n, path in enumerate(files)]
    with pytest.raises(OpinionError, match="have the same image") as caught:
        split_labels(labels_of(paths, split=split), 0)
    assert f"row {one} (" in str(caught.value)
    assert f"row {at} (" in str(caught.value)


def test_few_images_twice_are_left_out_of_training(tmp_path, caplog):
    paths = [tmp_path / f"{n}.jpg" for n in range(400)]
    for n, path in enumerate(paths):
        path.write_text(f"{n}".rjust(4))
    whole = split_labels(labels_of(paths), 0)
    train, held, test = (int(whole[part][0]) for part in whole)
    paths[train].write_bytes(paths[test].read_bytes())
    paths[held].write_bytes(paths[int(whole["test"][1])].read_bytes())
    parts = split_labels(labels_of(paths), 0)
    assert parts["test"].tolist() == whole["test"].tolist()
    assert parts["train"].tolist() == whole["train"].tolist()[1:]
    assert parts["validation"].tolist() == whole["validation"].tolist()[1:]
    assert f"row {train} ('{train}.jpg', train)" in caplog.text


def test_files_that_are_gone_are_left_to_those_who_read_them(files, tmp_path):
    paths = [tmp_path / "gone.jpg", tmp_path / "gone too.jpg", *files]
    check_whole(split_labels(labels_of(paths), 0), 62)


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_no_leak_comes_through(files, data):
    """Whatever rows share: nothing is on two sides, or there is no split at all."""
    draw = data.draw
    picked = draw(st.lists(st.integers(0, 59), min_size=12, max_size=12, unique=True))
    if draw(st.booleans()):
        picked[3] = picked[draw(st.integers(0, 11))]
    few = st.lists(st.integers(0, 5), min_size=12, max_size=12)
    one_each = st.just(list(range(12)))
    groups = draw(st.none() | few | one_each)
    references = draw(st.none() | few | one_each)
    sides = draw(st.none() | st.lists(st.sampled_from(PARTS), min_size=12, max_size=12))
    labels = labels_of(
        [files[n] for n in picked],
        group=groups and tuple(map(str, groups)),
        reference=references and tuple(files[n] for n in references),
        split=sides and tuple(sides),
    )
    try:
        parts = split_labels(
            labels, draw(st.integers(0, 9)), shares=draw(st.sampled_from(SHARES))
        )
    except (OpinionError, UsageError):
        return
    for facts in (picked, groups, references):
        if facts:
            on_sides = [{facts[row] for row in rows} for rows in parts.values()]
            assert sum(map(len, on_sides)) == len(set(facts))
