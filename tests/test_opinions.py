"""Opinions as distributions: exact moments, known values, every edge."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iqa_zoo.errors import OpinionError, UnknownNameError, UsageError
from iqa_zoo.opinions import (
    bin_values,
    max_entropy,
    mean_and_std,
    to_distribution,
    votes_to_distribution,
)


def bounds(mean, low, high, bins):
    """Least and largest deviation that a distribution over the bins can have."""
    step = (high - low) / (bins - 1)
    above = (mean - low) / step % 1
    return step * np.sqrt(above * (1 - above)), np.sqrt((mean - low) * (high - mean))


def one_hot(index, bins=10):
    return np.eye(bins)[index]


@pytest.mark.parametrize(
    ("mean", "std", "expected"),
    [
        (5.5, 1.4, [0.0017, 0.0127, 0.0581, 0.1606, 0.2670]),
        (2.0, 1.0, [0.378, 0.345, 0.194, 0.067, 0.014, 0.002, 0, 0, 0, 0]),
    ],
)
def test_golden_values(mean, std, expected):
    shares = max_entropy(mean, std)
    digits = 4 if len(expected) == 5 else 3
    np.testing.assert_allclose(
        shares[: len(expected)], expected, atol=0.5001 * 10**-digits
    )


def test_symmetric_about_the_middle():
    np.testing.assert_allclose(
        max_entropy(5.5, 1.4), max_entropy(5.5, 1.4)[::-1], atol=1e-12
    )
    np.testing.assert_allclose(
        max_entropy(3.2, 1.1), max_entropy(7.8, 1.1)[::-1], atol=1e-9
    )


@settings(max_examples=150, deadline=None)
@given(
    bins=st.integers(3, 20),
    low=st.sampled_from([0.0, 1.0, -3.0]),
    step=st.sampled_from([0.25, 1.0, 11.0]),
    where=st.floats(1e-6, 1 - 1e-6),
    share=st.floats(0, 1),
)
def test_moments_are_kept_wherever_they_can_be(bins, low, step, where, share):
    high = low + step * (bins - 1)
    mean = low + where * (high - low)
    least, largest = bounds(mean, low, high, bins)
    largest = 0.98 * largest
    least = min(least + 0.01 * step, largest)
    std = least + share * (largest - least)
    shares = max_entropy(mean, std, scale=(low, high), bins=bins)
    got_mean, got_std = mean_and_std(shares, (low, high))
    assert abs(got_mean - mean) < 1e-7 * step
    assert abs(got_std - std) < 1e-7 * step
    assert shares.min() >= 0
    assert abs(shares.sum() - 1) < 1e-12


def test_moments_of_many_at_once():
    random = np.random.default_rng(0)
    mean = random.uniform(1, 10, 2000)
    least, largest = bounds(mean, 1, 10, 10)
    least = np.minimum(least + 0.01, 0.98 * largest)
    std = least + random.uniform(size=2000) * (0.98 * largest - least)
    got_mean, got_std = mean_and_std(max_entropy(mean, std))
    np.testing.assert_allclose(got_mean, mean, atol=1e-9)
    np.testing.assert_allclose(got_std, std, atol=1e-9)


def test_has_the_form_of_the_maximiser():
    """log p is a quadratic in the bin, and no feasible change raises the entropy."""
    shares = max_entropy([4.3, 5.5, 5.0], [1.2, 3.9, 2.9])
    third = np.diff(np.log(shares), n=3, axis=1)
    np.testing.assert_allclose(third, 0, atol=1e-8)
    assert shares[1, 0] > shares[1, 4] < shares[1, 9]  # two camps are legal


def test_one_row_is_as_it_is_among_others():
    means, stds = np.linspace(1, 10, 31), np.linspace(0, 5, 31)
    together = max_entropy(means, stds)
    for mean, std, row in zip(means, stds, together, strict=True):
        np.testing.assert_allclose(max_entropy(mean, std), row, atol=1e-9)


def test_shapes():
    assert max_entropy(5.0).shape == (10,)
    assert max_entropy([5.0]).shape == (1, 10)
    assert max_entropy(np.full((2, 3), 5.0), 1.0, bins=5).shape == (2, 3, 5)
    assert max_entropy([], []).shape == (0, 10)
    assert max_entropy(5, 1).dtype == np.float64


@pytest.mark.parametrize("std", [None, 0, 1e-9, 3, 1e6])
def test_a_mean_at_an_end_is_one_hot(std):
    np.testing.assert_array_equal(max_entropy(1, std), one_hot(0))
    np.testing.assert_array_equal(max_entropy(10, std), one_hot(9))


@pytest.mark.parametrize("std", [0, 0.2, np.sqrt(0.3 * 0.7)])
def test_a_deviation_below_the_least_splits_two_bins(std):
    np.testing.assert_allclose(
        max_entropy(4.3, std), 0.7 * one_hot(3) + 0.3 * one_hot(4), atol=1e-12
    )


def test_computed_deviations_meet_their_bounds():
    upper = np.linspace(0, 1, 101)[:, None]
    for camps in (
        (1 - upper) * one_hot(3) + upper * one_hot(4),
        (1 - upper) * one_hot(0) + upper * one_hot(9),
    ):
        np.testing.assert_allclose(max_entropy(*mean_and_std(camps)), camps, atol=1e-9)


def test_no_deviation_on_a_bin_is_one_hot():
    np.testing.assert_array_equal(max_entropy(4, 0), one_hot(3))


@pytest.mark.parametrize("std", [3, 3.5, 100])  # the largest is sqrt(1 * 8) = 2.83
def test_a_deviation_above_the_largest_splits_the_ends(std):
    shares = max_entropy(2, std)
    np.testing.assert_allclose(shares, 8 / 9 * one_hot(0) + 1 / 9 * one_hot(9))


def test_a_deviation_near_a_bound_moves_inwards():
    _, std = mean_and_std(max_entropy(4, 0.001))
    assert std == pytest.approx(0.01, abs=1e-9)
    _, std = mean_and_std(max_entropy(5.5, 4.49))
    assert std == pytest.approx(0.98 * 4.5, abs=1e-9)


def test_the_mean_survives_every_deviation():
    mean = np.linspace(1, 10, 181)
    for std in (0, 0.005, 0.3, 0.5, 1.4, 4.4, 4.5, 9):
        got, _ = mean_and_std(max_entropy(mean, std))
        np.testing.assert_allclose(got, mean, atol=1e-9)


def test_two_bins_have_one_distribution_a_mean():
    for std in (None, 0, 0.3, 0.5):
        np.testing.assert_allclose(
            max_entropy(0.25, std, scale=(0, 1), bins=2), [0.75, 0.25]
        )


def test_without_deviation_the_spread_is_that_of_the_sos_model():
    mean, std = mean_and_std(max_entropy([5.5, 3.0]))
    np.testing.assert_allclose(mean, [5.5, 3.0], atol=1e-9)
    np.testing.assert_allclose(std**2, [0.1 * 4.5 * 4.5, 0.1 * 2 * 7], atol=1e-9)


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [
        (np.nan, 1, r"mean = nan is not a finite number"),
        ([5, np.inf], 1, r"mean\[1\] = inf is not a finite number"),
        ([5, 5, 0.5], 1, r"mean\[2\] = 0.5 is outside 1 to 10"),
        ([11, 5, 0.5], 1, r"mean\[0\] = 11 is outside 1 to 10 \(and 1 more\)"),
        ([[5, 5], [5, 12]], 1, r"mean\[1, 1\] = 12"),
        (5, -0.1, r"std = -0.1 is negative"),
        ([5, 6], [1, np.nan], r"std\[1\] = nan"),
        ("five", 1, "mean is no array of numbers"),
        ([[1, 2], [3]], 1, "mean is no array of numbers"),
    ],
)
def test_unusable_values_are_named(mean, std, message):
    with pytest.raises(OpinionError, match=message):
        max_entropy(mean, std)


def test_unusable_arguments_are_named():
    with pytest.raises(UsageError, match="1 bins"):
        max_entropy(5, 1, bins=1)
    with pytest.raises(UsageError, match="scale 10 to 1"):
        max_entropy(5, 1, scale=(10, 1))
    with pytest.raises(UsageError, match="scale 1 to inf"):
        max_entropy(5, 1, scale=(1, np.inf))
    with pytest.raises(UsageError, match=r"shape \(2,\) and std \(3,\)"):
        max_entropy([5, 5], [1, 1, 1])
    with pytest.raises(UsageError, match="range 100 to 0"):
        to_distribution(5, range=(100, 0))
    with pytest.raises(UnknownNameError, match="Did you mean"):
        to_distribution(5, range=(0, 10), direction="higher_better")


def test_any_scale_is_mapped_linearly():
    got = to_distribution([32.5611, 66.3595], [19.1247, 20.2198], range=(0, 100))
    np.testing.assert_allclose(
        got,
        max_entropy(
            [1 + 0.09 * 32.5611, 1 + 0.09 * 66.3595], [0.09 * 19.1247, 0.09 * 20.2198]
        ),
        atol=1e-9,
    )


def test_dmos_is_turned_round():
    mos = to_distribution([20, 70], [10, 20], range=(0, 100))
    dmos = to_distribution(
        [80, 30], [10, 20], range=(0, 100), direction="lower_is_better"
    )
    np.testing.assert_allclose(mos, dmos, atol=1e-9)


def test_the_ends_of_an_awkward_range_are_the_ends_of_the_scale():
    low, high = -2.64, 111.77
    got = to_distribution([low, high], range=(low, high), scale=(0.1, 0.7), bins=7)
    np.testing.assert_array_equal(got, [one_hot(0, 7), one_hot(6, 7)])


def test_a_score_outside_its_range_is_named_as_it_was_given():
    with pytest.raises(OpinionError, match=r"mos\[1\] = 101 is outside 0 to 100"):
        to_distribution([5, 101], range=(0, 100))
    with pytest.raises(OpinionError, match=r"std\[0\] = -1 is negative"):
        to_distribution([5, 11], [-1, 1], range=(1, 19))


def test_votes_are_normalised():
    votes = np.array([[0, 1, 5, 17, 38, 36, 15, 6, 5, 1]])
    np.testing.assert_allclose(votes_to_distribution(votes), votes / 124)
    np.testing.assert_allclose(votes_to_distribution(votes[0]), votes[0] / 124)


@settings(max_examples=100, deadline=None)
@given(
    votes=st.lists(st.integers(0, 50), min_size=2, max_size=15).filter(any),
    bins=st.integers(2, 15),
)
def test_votes_over_other_levels_keep_their_mean(votes, bins):
    shares = votes_to_distribution(votes, bins=bins)
    want = np.dot(votes, bin_values((1, 5), len(votes))) / sum(votes)
    mean, _ = mean_and_std(shares, (1, 5))
    assert mean == pytest.approx(want, abs=1e-12)
    assert shares.min() >= 0
    assert shares.sum() == pytest.approx(1, abs=1e-12)


def test_votes_on_a_bin_stay_there():
    np.testing.assert_allclose(
        votes_to_distribution([1, 0, 3], bins=5), [0.25, 0, 0, 0, 0.75]
    )
    np.testing.assert_allclose(
        votes_to_distribution([0, 1, 0, 0], bins=3), [1 / 3, 2 / 3, 0], atol=1e-12
    )


@pytest.mark.parametrize(
    ("votes", "error", "message"),
    [
        ([[1, 2], [1, -1]], OpinionError, r"votes\[1, 1\] = -1 is negative"),
        ([[1, 2], [0, 0]], OpinionError, r"sum of votes\[1\] = 0 is not positive"),
        ([0, 0], OpinionError, r"sum of votes = 0 is not positive"),
        ([1, np.nan], OpinionError, r"votes\[1\] = nan"),
        ([1], UsageError, r"shape \(1,\)"),
        (1, UsageError, r"shape \(\)"),
    ],
)
def test_unusable_votes(votes, error, message):
    with pytest.raises(error, match=message):
        votes_to_distribution(votes)


def test_mean_and_std_of_known_distributions():
    mean, std = mean_and_std(np.full(10, 0.1))
    assert mean == pytest.approx(5.5)
    assert std == pytest.approx(np.sqrt(99 / 12))
    mean, std = mean_and_std(np.stack([one_hot(0, 5), one_hot(4, 5)]), (0, 1))
    np.testing.assert_array_equal(mean, [0, 1])
    np.testing.assert_array_equal(std, [0, 0])
    with pytest.raises(UsageError):
        mean_and_std(1.0)
    with pytest.raises(UsageError):
        mean_and_std([1.0])


def test_arguments_are_left_as_they_were():
    mean, std = np.array([3.0, 5.0]), np.array([0.0, 99.0])
    mean.flags.writeable = std.flags.writeable = False
    max_entropy(mean, std)
    to_distribution(mean, std, range=(0, 10), direction="lower_is_better")
