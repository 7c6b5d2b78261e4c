"""Krasula's pairs: cases known by hand, and all pairs one by one."""

import numpy as np
import pytest

from iqa_zoo.errors import UsageError
from iqa_zoo.evaluation import separation as module
from iqa_zoo.evaluation.separation import separation


def test_two_camps():
    # Four images, two bad and two good; within a camp nobody can tell them apart.
    opinions, std = np.array([1.0, 1.1, 5.0, 5.1]), np.ones(4)
    good = separation(opinions, std, 25, [10, 11, 20, 22])
    assert good == {
        "auc_different": 1.0,
        "auc_better": 1.0,
        "c0": 1.0,
        "different": pytest.approx(4 / 6),
    }
    wrong = separation(opinions, std, 25, [-10, -11, -20, -22])
    assert wrong["auc_different"] == 1.0
    assert wrong["auc_better"] == wrong["c0"] == 0.0
    constant = separation(opinions, std, 25, np.zeros(4))
    assert [constant[k] for k in ("auc_different", "auc_better", "c0")] == [0.5] * 3


def test_more_votes_tell_more_apart():
    opinions, std, scores = np.arange(4.0), np.full(4, 2.0), np.arange(4.0)
    found = [separation(opinions, std, n, scores)["different"] for n in (1, 10, 1000)]
    assert found == [0, pytest.approx(3 / 6), 1]
    # 1.96 is the border: 1 / sqrt(4 / n + 4 / n) with n = 31 is 1.969, with 30 1.936.
    assert separation(opinions, std, 30, scores)["different"] < 1
    assert separation(opinions, std, 31, scores)["different"] == 1
    each = np.array([1000, 1, 1, 1000])
    assert separation(opinions, std, each, scores)["different"] == pytest.approx(1 / 6)


def test_every_pair_one_by_one():
    random = np.random.default_rng(4)
    y, s = random.uniform(0, 10, 15), random.uniform(1, 3, 15)
    n, x = random.integers(5, 30, 15), np.round(y + random.normal(size=15) * 3)
    far, near, signed = [], [], []
    for i in range(15):
        for j in range(i):
            z = abs(y[i] - y[j]) / np.sqrt(s[i] ** 2 / n[i] + s[j] ** 2 / n[j])
            (far if z > 1.96 else near).append(abs(x[i] - x[j]))
            if z > 1.96:
                signed.append((x[i] - x[j]) * np.sign(y[i] - y[j]))
    compared = [(a > b) + (a == b) / 2 for a in far for b in near]
    turned = [(a > -b) + (a == -b) / 2 for a in signed for b in signed]
    found = separation(y, s, n, x)
    assert found["auc_different"] == pytest.approx(np.mean(compared))
    assert found["auc_better"] == pytest.approx(np.mean(turned))
    assert found["c0"] == pytest.approx(
        np.mean([(d > 0) + (d == 0) / 2 for d in signed])
    )
    order = random.permutation(15)
    assert separation(y[order], s[order], n[order], x[order]) == pytest.approx(found)


def test_some_of_many_pairs(monkeypatch):
    random = np.random.default_rng(0)
    y = random.uniform(0, 10, 300)
    x = y + random.normal(size=300) * 2
    std = np.full(300, 2.0)
    whole = separation(y, std, 10, x)
    monkeypatch.setattr(module, "MOST_PAIRS", 20_000)
    some = separation(y, std, 10, x)
    assert some != whole
    assert some == separation(y, std, 10, x)
    assert some == pytest.approx(whole, abs=0.02)


@pytest.mark.parametrize(
    ("std", "votes", "scores"),
    [([1, 1], 9, [1, 2, 3]), ([1, 1, 1], 0, [1, 2, 3]), ([1, 1, 1], 9, [1, 2])],
)
def test_unusable(std, votes, scores):
    with pytest.raises(UsageError):
        separation([1, 2, 3], std, votes, scores)
