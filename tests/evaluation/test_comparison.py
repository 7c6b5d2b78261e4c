"""Paired tests on models of known difference."""

import json

import numpy as np
import pytest
from scipy import stats

from iqa_zoo.correlation import fit_logistic, srocc
from iqa_zoo.evaluation.comparison import paired_tests


@pytest.fixture(scope="module")
def judged():
    random = np.random.default_rng(8)
    y = random.uniform(0, 100, 150)
    noise = random.normal(size=(3, 150))
    return y, {
        "good": y + 8 * noise[0],
        "as good": y + 8 * noise[1],
        "poor": -(-y + 40 * noise[2]),
    }


def test_the_better_model_is_found_and_equal_ones_are_not_told_apart(judged):
    y, scores = judged
    tests = paired_tests(y, scores, repeats=200)
    assert [(t["a"], t["b"]) for t in tests] == [
        ("good", "as good"),
        ("good", "poor"),
        ("as good", "poor"),
    ]
    equal, *others = tests
    assert equal["better_srocc"] is None and equal["better_residuals"] is None
    assert equal["srocc_difference_low"] < 0 < equal["srocc_difference_high"]
    for test in others:
        assert test["better_srocc"] == test["better_residuals"] == test["a"]
        assert 0 < test["srocc_difference_low"] < test["srocc_difference"]
        assert test["srocc_p"] == pytest.approx(2 / 201)
        assert test["variance_ratio"] < 0.3
        assert test["residual_p"] < 1e-6
    json.dumps(tests, allow_nan=False)
    assert tests == paired_tests(y, scores, repeats=200)


def test_the_order_of_models_turns_everything_round(judged):
    y, scores = judged
    (one,) = paired_tests(y, {k: scores[k] for k in ("good", "poor")}, repeats=50)
    (two,) = paired_tests(y, {k: scores[k] for k in ("poor", "good")}, repeats=50)
    assert one["srocc_difference"] == -two["srocc_difference"]
    assert one["srocc_difference_low"] == pytest.approx(-two["srocc_difference_high"])
    assert one["variance_ratio"] == pytest.approx(1 / two["variance_ratio"])
    assert one["residual_p"] == pytest.approx(two["residual_p"])
    assert one["better_srocc"] == two["better_srocc"] == "good"
    assert one["better_residuals"] == two["better_residuals"] == "good"


def test_f_is_of_the_residuals_after_the_logistic_of_five(judged):
    y, scores = judged
    (test,) = paired_tests(y, {k: scores[k] for k in ("good", "as good")}, repeats=5)
    a, b = (y - fit_logistic(scores[k], y, 5) for k in ("good", "as good"))
    assert test["residual_test"] == "F"
    assert test["variance_ratio"] == pytest.approx(a.var() / b.var())
    ratio = max(a.var() / b.var(), b.var() / a.var())
    assert test["residual_p"] == pytest.approx(2 * stats.f.sf(ratio, 149, 149))
    expected = srocc(scores["good"], y) - srocc(scores["as good"], y)
    assert test["srocc_difference"] == pytest.approx(expected)


def test_heavy_tails_are_compared_image_by_image():
    random = np.random.default_rng(2)
    y = random.uniform(0, 100, 200)
    heavy = random.standard_t(2, size=200)
    scores = {"close": y + heavy, "far": y + 6 * random.standard_t(2, size=200)}
    (test,) = paired_tests(y, scores, repeats=20)
    assert test["residual_test"] == "Wilcoxon"
    a, b = (np.abs(y - fit_logistic(x, y, 5)) for x in scores.values())
    assert test["residual_p"] == pytest.approx(stats.wilcoxon(a, b).pvalue)
    assert test["better_residuals"] == "close"


def test_a_model_against_itself_and_against_a_perfect_one():
    y = np.random.default_rng(0).normal(size=40)
    (same,) = paired_tests(y, {"a": y**3, "b": y**3}, repeats=20)
    assert same["srocc_difference"] == 0
    assert same["srocc_p"] == same["residual_p"] == 1
    assert same["better_srocc"] is None and same["better_residuals"] is None
    json.dumps(
        paired_tests(y, {"constant": np.ones(40), "perfect": y}, repeats=20),
        allow_nan=False,
    )


def test_groups_count_as_one_witness():
    random = np.random.default_rng(0)
    group = np.repeat(np.arange(10), 15)
    y = random.normal(size=150)
    scores = {
        "a": y + np.repeat(random.normal(size=10), 15),
        "b": y + np.repeat(random.normal(size=10), 15),
    }
    (alone,) = paired_tests(y, scores, repeats=200)
    (grouped,) = paired_tests(y, scores, groups=list(map(str, group)), repeats=200)
    width = [
        test["srocc_difference_high"] - test["srocc_difference_low"]
        for test in (alone, grouped)
    ]
    assert width[1] > 1.5 * width[0]
