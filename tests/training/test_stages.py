"""One stage: what it draws, what it changes and what it leaves alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from iqa_zoo import registry
from iqa_zoo.training import stages
from tests.helpers.small import eagerly, packaged

RANDOM = np.random.default_rng(0)
TARGETS = RANDOM.dirichlet(np.ones(10), 12).astype("float32")
INPUTS = RANDOM.normal(size=(12, 2, 6, 8, 4)).astype("float16")
PICTURES = RANDOM.integers(0, 256, (12, 1, 12, 16, 3), "uint8")
STAGE = {
    "name": "a stage",
    "frozen_to": "low_out",
    "epochs": 1,
    "batch": 4,
    "learning_rate": 1e-2,
    "loss": {"emd": 1.0},
}


@pytest.fixture(scope="module", autouse=True)
def _eager():
    with eagerly():
        yield


@pytest.fixture
def network():
    with packaged() as name:
        keras.utils.set_random_seed(1)
        yield registry.load_model(name, None)


def drawn(inputs, seed=3, batch=4, **changes):
    rows = np.arange(1, len(inputs))
    data = stages.examples(inputs, TARGETS, STAGE | changes, rows, batch, seed)
    return [(x.numpy(), y.numpy()) for x, y in data]


# --- what is drawn --------------------------------------------------------------------


def test_examples_are_pictures_with_their_own_targets():
    batches = drawn(PICTURES)
    assert len(batches) == 2  # of 11 rows, 4 at a time; the last 3 wait
    seen = set()
    for x, y in batches:
        assert x.dtype == np.float32
        for image, target in zip(x, y, strict=True):
            row = np.flatnonzero((target == TARGETS).all(1)).item()
            np.testing.assert_array_equal(image, PICTURES[row, 0])
            seen.add(row)
    assert len(seen) == 8
    assert 0 not in seen


def test_same_seed_same_draw_and_each_epoch_another():
    def epochs(seed):
        rows = np.arange(12)
        stage = STAGE | {"mirror": True, "crop": 0.5}
        data = stages.examples(PICTURES, TARGETS, stage, rows, 4, seed)
        return [np.concatenate([x for x, _ in data]) for _ in range(2)]

    tf.random.set_seed(1)
    first = epochs(3)
    tf.random.set_seed(1)
    again = epochs(3)
    np.testing.assert_array_equal(first, again)
    assert (first[0] != first[1]).any()
    tf.random.set_seed(1)
    assert (first[0] != epochs(4)[0]).any()


def test_crops_lie_within_their_pictures():
    for x, y in drawn(PICTURES, crop=0.75):
        assert x.shape[1:] == (9, 12, 3)
        for image, target in zip(x, y, strict=True):
            row = np.flatnonzero((target == TARGETS).all(1)).item()
            windows = np.lib.stride_tricks.sliding_window_view(
                PICTURES[row, 0], (9, 12, 3)
            )
            assert (windows.reshape(-1, 9, 12, 3) == image).all((1, 2, 3)).any()


def test_mirror_images_half_of_the_time():
    random = np.random.default_rng(0)
    stage = STAGE | {"mirror": True}
    picture = PICTURES[0]
    drawn = [stages._augmented(picture, stage, random) for _ in range(200)]
    mirrored = sum((x == picture[0, :, ::-1]).all() for x in drawn)
    assert mirrored + sum((x == picture[0]).all() for x in drawn) == 200
    assert 70 < mirrored < 130
    # Where both views are kept, one of them is drawn and nothing is turned again.
    drawn = [stages._augmented(INPUTS[0], stage, random) for _ in range(200)]
    second = sum((x == INPUTS[0, 1]).all() for x in drawn)
    assert second + sum((x == INPUTS[0, 0]).all() for x in drawn) == 200
    assert 70 < second < 130


def test_predict_is_the_first_view(network):
    from iqa_zoo.training.trunk import above

    head = above(network, "low_out")
    rows = np.array([5, 0, 3])
    expected = np.asarray(head(INPUTS[rows, 0].astype("float32")))
    np.testing.assert_allclose(stages.predict(head, INPUTS, rows), expected, atol=1e-6)


# --- what is trained ------------------------------------------------------------------


def trained(network, inputs=INPUTS, rows=12, **changes):
    """Paths of the variables that a stage changed, and the losses."""
    before = {v.path: v.numpy().copy() for v in network.variables}
    history = stages.train_stage(
        network,
        STAGE | changes,
        inputs,
        TARGETS,
        rows=np.arange(rows),
        scale=(1, 10),
        seed=0,
    )
    after = registry.variables(network).items()
    changed = {path for path, v in after if (v.numpy() != before[path]).any()}
    return changed, history.history["loss"]


UPPER = {
    "high_conv/kernel",
    "high_bn/gamma",
    "high_bn/beta",
    "head/kernel",
    "head/bias",
}
STATISTICS = {"high_bn/moving_mean", "high_bn/moving_variance"}


def test_frozen_normalisation(network):
    changed, losses = trained(network)
    assert changed == {"high_conv/kernel", "head/kernel", "head/bias"}
    assert np.isfinite(losses).all()


def test_live_normalisation(network):
    changed, _ = trained(network, batch_norm="live")
    assert changed == UPPER | STATISTICS


def test_nothing_frozen(network):
    changed, _ = trained(network, PICTURES, frozen_to="none", batch_norm="live")
    assert changed == registry.variables(network).keys()


def test_a_rate_of_nearly_zero_changes_nearly_nothing(network):
    """The average of the weights starts from the weights, not from zero."""
    before = network.get_layer("head").get_weights()
    trained(network, learning_rate=1e-9, average=0.9, epochs=2)
    for old, new in zip(before, network.get_layer("head").get_weights(), strict=True):
        np.testing.assert_allclose(new, old, atol=1e-6)


def test_fewer_pictures_than_a_batch(network):
    changed, losses = trained(network, rows=3, warmup=0.5)
    assert "head/kernel" in changed
    assert len(losses) == 1


def test_ridge_sets_the_head_by_least_squares(network):
    """With nearly no ridge, log targets linear in the features are found again."""
    from iqa_zoo.training.trunk import above

    rows = np.arange(12)
    x = stages.predict(above(network, "low_out", "pool"), INPUTS[:, :1], rows)
    kernel = np.random.default_rng(1).normal(size=(8, 10))
    logits = (x - x.mean(0)) / x.std(0) @ kernel * 0.3
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    # A softmax leaves a shift free, row by row: what counts is the distribution.
    stages._set_head(network, STAGE | {"ridge": 1e-6}, INPUTS[:, :1], shares, rows)
    found = stages.predict(above(network, "low_out"), INPUTS, rows)
    constant = np.abs(shares - shares.mean(0)).mean()
    assert np.abs(found - shares).mean() < 0.5 * constant
    stages._set_head(network, STAGE | {"ridge": 1e9}, INPUTS[:, :1], shares, rows)
    flat = stages.predict(above(network, "low_out"), INPUTS, rows)
    assert np.ptp(flat, axis=0).max() < 1e-3


def test_ridge_gives_the_same_head_in_16_bits():
    def head(precision):
        keras.utils.set_random_seed(1)
        keras.config.set_dtype_policy(precision)
        try:
            with packaged() as name:
                network = registry.load_model(name, None)
        finally:
            keras.config.set_dtype_policy("float32")
        stage = STAGE | {"ridge": 1.0}
        stages._set_head(network, stage, INPUTS, TARGETS, np.arange(12))
        return network.get_layer("head").get_weights()

    for full, half in zip(head("float32"), head("mixed_float16"), strict=True):
        np.testing.assert_allclose(half, full, atol=0.05 * np.abs(full).max())
