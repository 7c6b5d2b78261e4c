"""Agreement figures against SciPy's and against functions known beforehand."""

import logging

import numpy as np
import pytest
from scipy import stats

from iqa_zoo.correlation import (
    agreement,
    emd,
    fit_logistic,
    krocc,
    logistic,
    logistic_fit,
    logistic_slopes,
    plcc,
    rmse,
    srocc,
)
from iqa_zoo.errors import UsageError


def pairs(seed):
    """Random data without ties, with some, and with hardly anything else."""
    random = np.random.default_rng(seed)
    x = random.normal(size=80)
    y = x + random.normal(size=80)
    yield x, y
    yield np.round(x, 1), np.round(y, 1)
    yield np.sign(x), np.round(y)


@pytest.mark.parametrize("seed", range(5))
def test_correlations_are_scipys(seed):
    for x, y in pairs(seed):
        assert srocc(x, y) == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)
        assert plcc(x, y) == pytest.approx(stats.pearsonr(x, y).statistic, abs=1e-12)
        assert krocc(x, y) == pytest.approx(stats.kendalltau(x, y).statistic, abs=1e-12)
        assert rmse(x, y) == pytest.approx(np.sqrt(np.mean((x - y) ** 2)))


def test_plcc_of_huge_tiny_and_offset_values():
    x = np.array([1.0, 2.0, 4.0, 3.0])
    y = np.array([1.0, 3.0, 5.0, 2.0])
    for factor, offset in ((1e200, 0), (1e-200, 0), (1, 1e6)):
        assert plcc(x * factor + offset, y) == pytest.approx(plcc(x, y))


@pytest.mark.parametrize("measure", [srocc, plcc, krocc])
def test_a_constant_correlates_with_nothing(measure):
    x = np.arange(7.0)
    for constant in (np.full(7, 0.1), np.zeros(7), np.full(7, 1e300)):
        assert measure(constant, x) == 0.0
        assert measure(x, constant) == 0.0
        assert measure(constant, constant) == 0.0


@pytest.mark.parametrize("measure", [srocc, plcc, krocc])
def test_perfect_order_is_one(measure):
    x = np.arange(5.0)
    assert measure(x, x) == pytest.approx(1)
    assert measure(x, -x) == pytest.approx(-1)
    assert abs(measure(x, x)) <= 1


@pytest.mark.parametrize("measure", [srocc, plcc, krocc, rmse, fit_logistic, agreement])
@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([1, np.nan, 3], [1, 2, 3], r"\[1\] of the first array is nan"),
        ([1, 2, 3], [1, 2, np.inf], r"is inf"),
        ([1, 2, 3], [1, 2], r"shapes"),
        ([1], [1], r"two values or more"),
        ([], [], r"two values or more"),
        ([[1, 2]], [[1, 2]], r"shapes"),
    ],
)
def test_unusable_data(measure, x, y, message):
    if "first" in message and measure is agreement:
        message = "nan"  # it looks at the second array first
    with pytest.raises(UsageError, match=message):
        measure(x, y)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("slope", "centre"), [(1.5, 0.3), (6.0, -0.5), (0.8, 1.0)])
def test_the_logistic_of_four_is_found_again(sign, slope, centre):
    x = np.linspace(-3, 3, 100)
    y = 20 + 60 / (1 + np.exp(-sign * slope * (x - centre)))
    np.testing.assert_allclose(fit_logistic(x * 7 + 100, y), y, atol=1e-3)


def test_the_logistic_of_five_is_found_again():
    x = np.linspace(-3, 3, 100)
    y = 30 * (0.5 - 1 / (1 + np.exp(2 * (x - 0.4)))) + 4 * x + 50
    np.testing.assert_allclose(fit_logistic(x, y, parameters=5), y, atol=1e-3)


def test_the_logistic_agrees_with_a_fit_that_knows_the_answer():
    random = np.random.default_rng(3)
    x = random.normal(size=200)
    y = 50 + 40 * np.tanh(x) + random.normal(size=200) * 4

    def four(x, b1, b2, b3, b4):
        return (b1 - b2) / (1 + np.exp(-(x - b3) / abs(b4))) + b2

    from scipy.optimize import curve_fit

    best, _ = curve_fit(four, x, y, p0=(90, 10, 0, 0.5))
    assert rmse(fit_logistic(x, y), y) == pytest.approx(rmse(four(x, *best), y))
    assert rmse(fit_logistic(x, y, 5), y) < 1.02 * rmse(four(x, *best), y)


@pytest.mark.parametrize("seed", range(2))
def test_the_fit_is_never_worse_than_a_straight_line(seed):
    random = np.random.default_rng(seed)
    x = random.standard_cauchy(40) * 10.0 ** random.integers(-9, 9)
    y = random.uniform(0, 100, 40)
    line = np.polyval(np.polyfit(x / np.abs(x).max(), y, 1), x / np.abs(x).max())
    for parameters in (4, 5):
        mapped = fit_logistic(x, y, parameters)
        assert np.isfinite(mapped).all()
        assert rmse(mapped, y) <= rmse(line, y) * (1 + 1e-3)


def test_four_parameters_keep_or_turn_the_order_as_a_whole():
    random = np.random.default_rng(0)
    x = np.sort(random.normal(size=60))
    steps = np.diff(fit_logistic(x, random.normal(size=60)))
    assert (steps >= -1e-12).all() or (steps <= 1e-12).all()


def test_constants_map_onto_the_mean():
    x, y = np.arange(6.0), np.array([1.0, 5, 2, 2, 9, 5])
    for parameters in (4, 5):
        np.testing.assert_allclose(fit_logistic(np.full(6, 3.3), y, parameters), 4)
        np.testing.assert_allclose(fit_logistic(x, np.full(6, 0.1), parameters), 0.1)


def test_too_few_images_get_a_straight_line_and_a_word(caplog):
    with caplog.at_level(logging.WARNING, "iqa_zoo"):
        mapped = fit_logistic([0, 1, 2], [0, 2, 1])
    np.testing.assert_allclose(mapped, [0.5, 1, 1.5])
    assert "straight line" in caplog.text


def test_two_values_only():
    mapped = fit_logistic([0, 0, 0, 1, 1], [1, 2, 3, 7, 9])
    np.testing.assert_allclose(mapped, [2, 2, 2, 8, 8], atol=1e-4)


@pytest.mark.parametrize("parameters", [4, 5])
@pytest.mark.parametrize(
    ("x", "y", "least"),
    [
        # A step, at the middle and near the end.
        (np.arange(40.0), np.where(np.arange(40) < 20, 10.0, 90), 0.999),
        (np.arange(40.0), np.where(np.arange(40) < 38, 10.0, 90), 0.999),
        # Low scores for high opinions, far from 0 and on a tiny scale.
        (
            1e6 - np.linspace(-3, 3, 60),
            1 / (1 + np.exp(-np.linspace(-9, 9, 60))),
            0.999,
        ),
        (-1e-9 * np.linspace(-3, 3, 60), np.tanh(np.linspace(-1, 2, 60)), 0.999),
        # All but one score the same; one opinion far from all others.
        (np.r_[np.zeros(30), 1], np.r_[np.arange(30.0), 60], 0.68),
        (np.r_[np.linspace(0, 1, 30), 0.5], np.r_[np.linspace(0, 1, 30), 50], 0.0),
        # Hardly a curve at all.
        (np.linspace(0, 1, 30), 50 + 1e-6 * np.linspace(0, 1, 30), 0.999),
    ],
    ids=["step", "late step", "reversed", "tiny", "flat", "outlier", "nearly flat"],
)
def test_hard_starts(x, y, least, parameters):
    fit = logistic_fit(x, y, parameters)
    assert np.isfinite(fit.mapped).all()
    assert not fit.straight
    assert plcc(fit.mapped, y) >= least
    line = np.polyval(np.polyfit(x - x.mean(), y, 1), x - x.mean())
    assert rmse(fit.mapped, y) <= rmse(line, y) * (1 + 1e-3) + 1e-3 * y.std()


@pytest.mark.parametrize("n", [2, 3, 4])
def test_a_straight_line_is_flagged(n):
    x, y = np.arange(float(n)), np.array([3.0, 1, 7, 6])[:n]
    assert logistic_fit(x, y, 4).straight == (n < 4)
    assert logistic_fit(x, y, 5).straight
    np.testing.assert_allclose(
        logistic_fit(x, y, 5).mapped, np.polyval(np.polyfit(x, y, 1), x)
    )


def test_where_nothing_is_found_another_loss_is_tried(monkeypatch):
    from iqa_zoo import correlation

    descend = correlation._descend
    asked = []

    def lost(z, goal, start, loss):
        asked.append(loss)
        found = descend(z, goal, start, loss)
        return found if loss == "soft_l1" else np.full_like(start, np.nan)

    monkeypatch.setattr(correlation, "_descend", lost)
    x = np.linspace(-3, 3, 50)
    fit = logistic_fit(x, np.tanh(x))
    assert asked == ["linear"] * 6 + ["soft_l1"] * 6
    assert not fit.straight
    assert plcc(fit.mapped, np.tanh(x)) > 0.999

    monkeypatch.setattr(
        correlation, "_descend", lambda z, goal, start, loss: start * np.nan
    )
    fit = logistic_fit(x, np.tanh(x))
    assert fit.straight
    assert plcc(fit.mapped, x) == pytest.approx(1)


@pytest.mark.parametrize(
    "curve", [[2.0, -1.0, 1.5, 0.3], [3.0, -0.8, 0.2, 0.4, 0.1]], ids=["4", "5"]
)
def test_slopes_of_the_logistic_are_those_of_small_steps(curve):
    z, curve = np.linspace(-2, 2, 9), np.array(curve)
    slopes = logistic_slopes(z, curve)
    for number, step in enumerate(1e-6 * np.eye(len(curve))):
        rise = (logistic(z, curve + step) - logistic(z, curve - step)) / 2e-6
        np.testing.assert_allclose(slopes[:, number], rise, atol=1e-8)


def test_other_numbers_of_parameters_are_refused():
    with pytest.raises(UsageError, match="3 parameters"):
        fit_logistic([1, 2, 3], [1, 2, 3], 3)


def test_emd_by_hand():
    p, q = np.eye(4)[[0, 0, 1]], np.eye(4)[[0, 3, 2]]
    np.testing.assert_allclose(emd(p, q), [0, 3 / 4, 1 / 4])
    np.testing.assert_allclose(emd(p, q, r=2), [0, np.sqrt(3 / 4), np.sqrt(1 / 4)])
    assert emd(p[1], q[1]) == pytest.approx(0.75)
    np.testing.assert_allclose(emd(q, p, r=2), emd(p, q, r=2))


def test_emd_of_one_step_is_scipys_distance():
    random = np.random.default_rng(0)
    p, q = random.dirichlet(np.ones(10), size=2)
    distance = stats.wasserstein_distance(np.arange(10), np.arange(10), p, q)
    assert emd(p, q, r=1) == pytest.approx(distance / 10)


def test_emd_normalises_and_broadcasts():
    p = np.array([[1.0, 3.0, 4.0], [2.0, 2.0, 0.0]])
    np.testing.assert_allclose(emd(5 * p, p), 0, atol=1e-12)
    assert emd(p, [1, 1, 1]).shape == (2,)


@pytest.mark.parametrize(
    ("p", "q", "r"),
    [
        ([0.5, 0.5], [1, 0, 0], 1),
        ([0, 0], [1, 0], 1),
        ([1, -1], [1, 0], 1),
        ([1, np.nan], [1, 0], 1),
        ([1, 0], [1, 0], 0.5),
        ([1, 0], [1, 0], np.inf),
    ],
)
def test_emd_refuses(p, q, r):
    with pytest.raises(UsageError):
        emd(p, q, r)


def test_agreement_of_good_predictions():
    random = np.random.default_rng(1)
    mos = random.uniform(10, 90, 100)
    predicted = np.log(mos) + random.normal(size=100) * 0.1
    got = agreement(mos, predicted)
    assert not got["straight"] and not got["straight5"]
    assert got["plcc_logistic5"] == plcc(mos, fit_logistic(predicted, mos, 5))
    assert got["n"] == 100
    assert got["srocc"] == srocc(mos, predicted) > 0.9
    assert got["plcc_logistic"] > got["plcc"]
    assert got["rmse"] == pytest.approx(
        np.std(mos) * np.sqrt(1 - got["plcc_logistic"] ** 2), rel=1e-3
    )


def test_agreement_of_a_wrong_direction_keeps_its_sign():
    mos = np.linspace(0, 100, 30)
    got = agreement(mos, np.exp(-mos / 50))
    assert got["srocc"] == pytest.approx(-1)
    assert got["plcc"] < 0
    assert got["krocc"] == pytest.approx(-1)
    assert got["plcc_logistic"] > 0.99


def test_agreement_of_a_constant():
    mos = np.array([1.0, 2.0, 3.0, 6.0])
    assert agreement(mos, np.full(4, 5.5)) == {
        "srocc": 0.0,
        "plcc": 0.0,
        "plcc_logistic": 0.0,
        "plcc_logistic5": 0.0,
        "krocc": 0.0,
        "rmse": pytest.approx(np.std(mos)),
        "straight": False,
        "straight5": False,
        "n": 4,
    }
