"""What a stage asks of a network beside its steps: answers, and the head's start."""

import keras
import numpy as np
import pytest

from iqa_zoo import registry
from iqa_zoo.training.stages import pooled_features, predict, set_head
from iqa_zoo.training.trunk import above
from tests.helpers.small import eagerly, packaged

RANDOM = np.random.default_rng(0)
TARGETS = RANDOM.dirichlet(np.ones(10), 12).astype("float32")
INPUTS = RANDOM.normal(size=(12, 2, 6, 8, 4)).astype("float16")
ROWS = np.arange(12)
STAGE = {"frozen_to": "low_out"}


@pytest.fixture(scope="module", autouse=True)
def _eager():
    with eagerly():
        yield


@pytest.fixture
def network():
    with packaged() as name:
        keras.utils.set_random_seed(1)
        yield registry.load_model(name, None)


def test_predict_is_the_first_view(network):
    head = above(network, "low_out")
    rows = np.array([5, 0, 3])
    expected = np.asarray(head(INPUTS[rows, 0].astype("float32")))
    np.testing.assert_allclose(predict(head, INPUTS, rows), expected, atol=1e-6)


def test_answers_do_not_depend_on_the_others(network):
    """17 pictures are two batches of the same size, the second one filled up."""
    head = above(network, "low_out")
    rows = np.resize(ROWS, 17)
    found = predict(head, INPUTS, rows)
    assert found.shape == (17, 10)
    np.testing.assert_array_equal(found, predict(head, INPUTS, ROWS)[rows])


def test_what_the_head_takes(network):
    kept = pooled_features(network, STAGE, below_too=False)
    assert (kept.input_shape[1:], kept.output_shape) == ((None, None, 4), (None, 8))
    whole = pooled_features(network, STAGE, below_too=True)
    assert (whole.input_shape[1:], whole.output_shape) == ((None, None, 3), (None, 8))


def start_head(network, ridge, inputs=INPUTS, targets=TARGETS):
    pooled = pooled_features(network, STAGE, below_too=False)
    set_head(network, pooled, ridge, inputs, targets, ROWS)


def test_ridge_sets_the_head_by_least_squares(network):
    """With nearly no ridge, log targets linear in the features are found again."""
    x = predict(above(network, "low_out", "pool"), INPUTS[:, :1], ROWS)
    kernel = np.random.default_rng(1).normal(size=(8, 10))
    logits = (x - x.mean(0)) / x.std(0) @ kernel * 0.3
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    # A softmax leaves a shift free, row by row: what counts is the distribution.
    start_head(network, 1e-6, INPUTS[:, :1], shares)
    found = predict(above(network, "low_out"), INPUTS, ROWS)
    constant = np.abs(shares - shares.mean(0)).mean()
    assert np.abs(found - shares).mean() < 0.5 * constant
    start_head(network, 1e9, INPUTS[:, :1], shares)
    flat = predict(above(network, "low_out"), INPUTS, ROWS)
    assert np.ptp(flat, axis=0).max() < 1e-3


def test_ridge_learns_from_every_view(network):
    """Two views of a picture are two rows with the same target."""
    start_head(network, 1.0)
    both = network.get_layer("head").get_weights()
    apart = np.concatenate([INPUTS[:, :1], INPUTS[:, 1:]])
    pooled = pooled_features(network, STAGE, below_too=False)
    set_head(network, pooled, 1.0, apart, np.tile(TARGETS, (2, 1)), np.arange(24))
    for one, other in zip(both, network.get_layer("head").get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_ridge_of_fewer_pictures_than_features(network):
    """The same pictures twice say nothing else, and outnumber the features."""
    pooled = pooled_features(network, STAGE, below_too=False)
    found = []
    for rows in (ROWS[:3], np.tile(ROWS[:3], 2)):
        set_head(network, pooled, 0.1, INPUTS, TARGETS, rows)
        found.append(network.get_layer("head").get_weights())
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_ridge_gives_the_same_head_in_16_bits():
    def head(precision):
        keras.utils.set_random_seed(1)
        keras.config.set_dtype_policy(precision)
        try:
            with packaged() as name:
                network = registry.load_model(name, None)
        finally:
            keras.config.set_dtype_policy("float32")
        start_head(network, 1.0)
        return network.get_layer("head").get_weights()

    for full, half in zip(head("float32"), head("mixed_float16"), strict=True):
        np.testing.assert_allclose(half, full, atol=0.05 * np.abs(full).max())
