"""The losses against their NumPy twins, at the edges, and through their configs."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from iqa_zoo import correlation, opinions
from iqa_zoo.errors import UnknownNameError
from iqa_zoo.models import losses

RANDOM = np.random.default_rng(3)
P, Q = (RANDOM.dirichlet(np.ones(10), 6).astype("float32") for _ in range(2))
FLAT = np.full((4, 10), 0.1, "float32")
ONE = np.eye(10, dtype="float32")[[0, 3, 9, 9]]


def of(loss, p, q):
    return np.asarray(loss(tf.constant(p), tf.constant(q)))


@pytest.mark.parametrize("r", [1, 1.5, 2, 3])
def test_emd_is_that_of_correlation(r):
    np.testing.assert_allclose(
        losses.emd(P, Q, r), correlation.emd(P, Q, r), rtol=1e-4, atol=1e-6
    )
    loss = losses.EarthMoversDistance(r)
    np.testing.assert_allclose(of(loss, P, Q), correlation.emd(P, Q, r).mean(), 1e-4)


def test_emd_by_hand():
    ends = np.eye(10, dtype="float32")[[0, 9]]
    # All mass nine bins apart: nine of ten cumulative shares differ by 1.
    for r, far in ((1, 0.9), (2, 0.9**0.5)):
        np.testing.assert_allclose(losses.emd(ends, ends[::-1], r), far, 1e-5)
        np.testing.assert_allclose(losses.emd(ends, ends, r), 0, atol=1e-5)


def test_mean_and_std_are_those_of_opinions():
    for scale in ((1, 10), (0, 100)):
        mean, std = opinions.mean_and_std(P, scale)
        np.testing.assert_allclose(losses.score_mean(P, scale), mean, rtol=1e-5)
        np.testing.assert_allclose(losses.score_std(P, scale), std, rtol=1e-4)
    np.testing.assert_allclose(losses.score_std(ONE), 0, atol=1e-5)


def gradient(loss, p, q):
    q = tf.Variable(q)
    with tf.GradientTape() as tape:
        value = loss(tf.constant(p), q)
    return np.asarray(tape.gradient(value, q))


@pytest.mark.parametrize("p", [FLAT, ONE, P[:4]], ids=["flat", "one bin", "any"])
@pytest.mark.parametrize(
    "loss",
    [
        *(losses.EarthMoversDistance(r) for r in (1, 1.5, 2)),
        *(losses.OpinionLoss({term: 1.0}) for term in losses.TERMS),
    ],
    ids=["emd 1", "emd 1.5", "emd 2", *losses.TERMS],
)
def test_gradient_is_finite_at_zero_and_elsewhere(loss, p):
    for q in (p, FLAT, ONE, P[:4]):
        assert np.isfinite(of(loss, p, q))
        assert np.isfinite(gradient(loss, p, q)).all()
        # A batch of one has no correlation, but must not break a step.
        assert np.isfinite(gradient(loss, p[:1], q[:1])).all()


def test_plcc_term():
    x, y = (opinions.mean_and_std(d)[0] for d in (P, Q))
    loss = losses.OpinionLoss({"plcc": 1.0})
    assert of(loss, P, Q) == pytest.approx(1 - correlation.plcc(x, y), abs=1e-4)
    assert of(loss, P, P) == pytest.approx(0, abs=1e-5)
    assert of(loss, P, P[:, ::-1]) == pytest.approx(2, abs=1e-5)
    assert of(loss, FLAT, FLAT) == pytest.approx(1)


def test_score_terms():
    x, y = (opinions.mean_and_std(d)[0] for d in (P, Q))
    mse = losses.OpinionLoss({"mse": 1.0})
    assert of(mse, P, Q) == pytest.approx(np.mean((x - y) ** 2), rel=1e-4)
    error = np.abs(x - y) / 1.8  # a fifth of 1..10
    small = error < 1
    huber = np.where(small, error**2 / 2, error - 0.5)
    assert of(losses.OpinionLoss({"huber": 1.0}), P, Q) == pytest.approx(
        huber.mean(), rel=1e-4
    )
    # Far apart it is linear, in units of the scale whatever the scale is.
    far = losses.OpinionLoss({"huber": 1.0}, scale=(0, 100))
    assert of(far, ONE[:1], ONE[2:3]) == pytest.approx(4.5)


def test_ranking_term():
    x, y = (opinions.mean_and_std(d)[0] / 1.8 for d in (P, Q))  # a fifth of 1..10
    wanted = 1 / (1 + np.exp(x[None] - x[:, None]))
    given = 1 / (1 + np.exp(y[None] - y[:, None]))
    entropy = -(wanted * np.log(given) + (1 - wanted) * np.log(1 - given)).mean()
    ranking = losses.OpinionLoss({"ranking": 1.0})
    assert of(ranking, P, Q) == pytest.approx(entropy, rel=1e-4)
    # The order counts, and of equal opinions equal scores.
    ends = np.eye(10, dtype="float32")[[0, 9]]
    right, wrong = of(ranking, ends, ends), of(ranking, ends, ends[::-1])
    assert right < of(ranking, ends, FLAT[:2]) < wrong
    assert of(ranking, FLAT, FLAT) == pytest.approx(np.log(2))
    assert of(ranking, FLAT[:2], ends) > np.log(2)


def test_unknown_terms():
    with pytest.raises(UnknownNameError, match="Did you mean plcc"):
        losses.OpinionLoss({"pllc": 1.0})


def test_terms_add_up():
    parts = {"emd": 1.0, "plcc": 0.5, "huber": 0.25}
    each = [of(losses.OpinionLoss({term: 1.0}), P, Q) for term in parts]
    both = of(losses.OpinionLoss(parts), P, Q)
    assert both == pytest.approx(np.dot(each, list(parts.values())), rel=1e-5)


@pytest.mark.parametrize(
    "loss",
    [
        losses.EarthMoversDistance(1),
        losses.EarthMoversDistance(),
        losses.OpinionLoss({"emd": 1.0, "mse": 0.5}, (0, 100)),
    ],
    ids=["emd 1", "emd 2", "opinion"],
)
def test_config_round_trip(loss):
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(loss), safe_mode=True
    )
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config()
    assert of(again, P, Q) == of(loss, P, Q)


def test_16_bit_answers_are_compared_in_32_bits():
    loss = losses.EarthMoversDistance()
    found = loss(tf.constant(P), tf.cast(Q, tf.bfloat16))
    assert found.dtype == tf.float32
    assert float(found) == pytest.approx(of(loss, P, Q), abs=2e-3)
