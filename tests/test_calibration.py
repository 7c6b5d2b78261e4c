"""Percentiles and conformal intervals."""

import numpy as np
import pytest

from iqa_zoo import cards
from iqa_zoo.calibration import (
    conformal_half_width,
    interval,
    interval_table,
    percentile,
    quantile_table,
)
from iqa_zoo.cards.schema import check
from iqa_zoo.errors import UsageError


def test_half_width_is_the_corrected_quantile():
    errors = [0.1, -0.9, 0.5, 0.3, -0.2, 0.8, 0.4, -0.6, 0.7]
    assert conformal_half_width(errors, 0.9) == 0.9  # the 9th of 9
    assert conformal_half_width(errors, 0.8) == 0.8
    assert conformal_half_width(errors, 0.5) == 0.5
    assert conformal_half_width([*errors, 5], 0.9) == 5  # the 10th of 10: 9.9 upwards
    assert conformal_half_width(np.arange(99), 0.95) == 94


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9])
def test_it_covers_new_photos(coverage):
    """Whatever the distribution; here one with heavy tails."""
    random = np.random.default_rng(0)
    errors = random.standard_t(2, (4000, 30))
    widths = np.array([conformal_half_width(row[:-1], coverage) for row in errors])
    # 4,000 trials: two standard deviations are less than 0.016.
    covered = (np.abs(errors[:, -1]) <= widths).mean()
    assert coverage - 0.016 < covered < coverage + 1 / 30 + 0.016


def test_tables_are_what_cards_have():
    random = np.random.default_rng(1)
    scores = random.uniform(1, 10, 200)
    opinions = (scores + random.normal(0, 0.5, 200)).clip(1, 10)
    quantiles = quantile_table(scores, "200 photos")
    table = interval_table(scores, opinions, 0.9, held_out="the same photos")
    check(quantiles, cards.QUANTILES, "a card", "quantiles.")
    check(table, cards.INTERVAL, "a card", "interval.")
    cards._check_calibration({"quantiles": quantiles, "interval": table}, "a card")
    assert table["n"] == 200 and table["held_out"] == "the same photos"
    assert (np.abs(scores - opinions) <= table["half_width"]).mean() >= 0.9
    exact = conformal_half_width(scores - opinions, 0.9)
    assert exact <= table["half_width"] < exact + 1e-4  # rounded upwards


def test_percentiles():
    quantiles = {"percent": [0, 50, 100], "score": [2.0, 4.0, 5.0]}
    for value, percent in ((1, 0), (2, 0), (3, 25), (4, 50), (4.5, 75), (9, 100)):
        assert percentile(value, quantiles, "higher_is_better") == percent
        assert percentile(value, quantiles, "lower_is_better") == 100 - percent
    scores = np.random.default_rng(2).normal(5, 1, 1001)
    quantiles = quantile_table(scores, "some")
    found = percentile(float(np.sort(scores)[650]), quantiles, "higher_is_better")
    assert found == pytest.approx(65, abs=0.01)


def test_intervals_stay_on_the_scale():
    assert interval(5, {"half_width": 1.5}, (1, 10)) == (3.5, 6.5)
    assert interval(9.5, {"half_width": 1.5}, (1, 10)) == (8, 10)
    assert interval(1.2, {"half_width": 1.5}, (1, 10)) == pytest.approx((1, 2.7))


def test_wrong_arguments():
    with pytest.raises(UsageError, match=r"8 photos are too few .* give 9 or more"):
        conformal_half_width(range(8), 0.9)
    for coverage in (0, 1, -0.5, 90):
        with pytest.raises(UsageError, match="between 0 and 1"):
            conformal_half_width(range(99), coverage)
    with pytest.raises(UsageError, match="make no pairs"):
        interval_table(range(20), range(19), held_out="x")
    for wrong in ([], [np.nan] * 20, [[1.0] * 20]):
        with pytest.raises(UsageError, match="one finite number a photo"):
            conformal_half_width(wrong)
        with pytest.raises(UsageError, match="one finite number a photo"):
            quantile_table(wrong, "x")
