"""Bootstrap intervals: what is drawn, how figures follow, how often they cover."""

import numpy as np
import pytest
from scipy import stats

from iqa_zoo.correlation import agreement, fit_logistic, logistic_fit, plcc, rmse
from iqa_zoo.errors import UsageError
from iqa_zoo.evaluation import intervals
from iqa_zoo.evaluation.intervals import (
    Ranks,
    bootstrap,
    correlation,
    refit,
    resamples,
    srocc_draws,
)

NAMES = ("srocc", "plcc", "plcc_logistic", "plcc_logistic5", "krocc", "rmse")


def judged(n, seed, noise=0.7):
    random = np.random.default_rng(seed)
    x = random.normal(size=n)
    return 50 + 30 * np.tanh(x) + 30 * noise * random.normal(size=n), x


def test_draws_are_of_images_or_of_whole_groups():
    draws = list(resamples(7, None, 50, 1))
    assert all(counts.sum() == 7 and counts.min() >= 0 for counts in draws)
    assert len({tuple(counts) for counts in draws}) > 40
    groups = ["a", "b", "a", "c", "b", "a"]
    for counts in resamples(6, groups, 50, 1):
        assert counts[0] == counts[2] == counts[5]
        assert counts[1] == counts[4]
        assert counts[0] + counts[1] + counts[3] == 3


def test_one_group_says_nothing_and_images_are_drawn(caplog):
    draws = list(resamples(5, ["a"] * 5, 9, 0))
    np.testing.assert_array_equal(draws, list(resamples(5, None, 9, 0)))
    assert "one group" in caplog.text


@pytest.mark.parametrize(
    ("n", "groups", "repeats", "seed"),
    [(3, ["a"], 9, 0), (3, None, 0, 0), (3, None, 9, -1)],
)
def test_what_cannot_be_drawn(n, groups, repeats, seed):
    with pytest.raises(UsageError):
        next(resamples(n, groups, repeats, seed))


def test_counted_figures_are_those_of_repeated_images():
    y, x = judged(40, 0)
    y, x = np.round(y, -1), np.round(x, 1)  # with ties
    for counts in resamples(40, None, 5, 0):
        drawn = np.repeat(np.arange(40), counts)
        weights = counts.astype(float)
        ranks = Ranks(x)(weights)
        np.testing.assert_allclose(np.repeat(ranks, counts), stats.rankdata(x[drawn]))
        found = correlation(weights, ranks, Ranks(y)(weights))
        assert found == pytest.approx(stats.spearmanr(x[drawn], y[drawn]).statistic)
        found = correlation(weights, x, y)
        assert found == pytest.approx(stats.pearsonr(x[drawn], y[drawn]).statistic)
    assert (
        correlation(np.array([2.0, 1, 0]), np.array([1.0, 1, 9]), np.arange(3.0)) == 0
    )


@pytest.mark.parametrize("n", [30, 200])
@pytest.mark.parametrize("parameters", [4, 5])
def test_few_steps_lead_where_a_new_fit_would(n, parameters):
    y, x = judged(n, 3)
    fit = logistic_fit(x, y, parameters)
    short = []
    for counts in resamples(n, None, 12, 0):
        drawn = np.repeat(np.arange(n), counts)
        mapped = np.repeat(refit(fit, counts.astype(float)), counts)
        new = fit_logistic(x[drawn], y[drawn], parameters)
        short.append(plcc(new, y[drawn]) - plcc(mapped, y[drawn]))
    assert np.max(short) < (0.02 if n == 200 else 0.2)
    assert np.median(short) < (0.003 if n == 200 else 0.02)


def test_a_straight_line_is_drawn_as_one():
    x, y = np.array([0.0, 1, 2]), np.array([0.0, 2, 1])
    weights = np.array([2.0, 1, 1])
    fit = logistic_fit(x, y)
    line = np.polyval(np.polyfit(x, y, 1, w=np.sqrt(weights)), x)
    np.testing.assert_allclose(y.mean() + y.std() * refit(fit, weights), line)


def test_the_same_every_time_and_around_the_figures():
    y, x = judged(60, 5)
    found = bootstrap(y, x, repeats=40)
    assert tuple(found) == NAMES
    assert found == bootstrap(list(y), list(x), repeats=40)
    assert found != bootstrap(y, x, repeats=40, seed=1)
    measured = agreement(y, x)
    for name, (low, high) in found.items():
        assert low < measured[name] < high
        assert high - low < (0.4 if name != "rmse" else 10)


def test_krocc_of_many_images_is_of_the_first_draws(monkeypatch):
    y, x = judged(30, 6)
    few, all_draws = bootstrap(y, x, repeats=10), bootstrap(y, x, repeats=30)
    monkeypatch.setattr(intervals, "FEW_DRAWS", 10)
    assert bootstrap(y, x, repeats=30) == all_draws
    monkeypatch.setattr(intervals, "MANY", 29)
    found = bootstrap(y, x, repeats=30)
    assert found.pop("krocc") == few["krocc"] != all_draws.pop("krocc")
    assert found == all_draws


def test_groups_widen_what_images_would_narrow():
    random = np.random.default_rng(0)
    group = np.repeat(np.arange(12), 20)
    x = np.repeat(random.normal(size=12), 20) + 0.2 * random.normal(size=240)
    y = x + np.repeat(random.normal(size=12), 20)
    for alone, together in zip(
        bootstrap(y, x, repeats=30).values(),
        bootstrap(y, x, groups=[str(g) for g in group], repeats=30).values(),
        strict=True,
    ):
        assert np.ptp(together) > 1.5 * np.ptp(alone)


def test_two_images():
    """As many as the validation part of twenty has."""
    found = bootstrap([1.0, 2.0], [0.3, 0.1], repeats=100)
    # Both are drawn, or one of them twice, which correlates with nothing.
    assert found["krocc"] == found["srocc"] == (-1.0, 0.0)


def test_constants():
    y = np.arange(6.0)
    found = bootstrap(y, np.ones(6), repeats=20)
    assert all(found[name] == (0, 0) for name in NAMES if name != "rmse")
    low, high = found["rmse"]
    assert 0 < low < rmse(y, np.full(6, y.mean())) < high + 0.5


def test_intervals_cover_as_often_as_they_say():
    # SROCC of a normal pair with correlation r is 6 / pi asin(r / 2).
    r = 0.7
    true = 6 / np.pi * np.arcsin(r / 2)
    random = np.random.default_rng(11)
    covered = 0
    for trial in range(100):
        x = random.normal(size=80)
        y = r * x + np.sqrt(1 - r * r) * random.normal(size=80)
        draws = srocc_draws(y, [x], None, 100, trial)
        low, high = np.percentile(draws, (2.5, 97.5))
        covered += low <= true <= high
    assert 88 <= covered <= 99
