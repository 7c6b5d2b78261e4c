"""DeepBIQ: crops and their regression. What holds for all models is in conformance."""

import keras
import numpy as np
import pytest

from iqa_zoo import cards
from iqa_zoo.errors import UsageError
from iqa_zoo.models.deepbiq import deepbiq
from iqa_zoo.training.loop import Loop
from iqa_zoo.training.trunk import above
from tests.helpers.small import eagerly

STAGE = cards.all_cards()["deepbiq"]["recipes"]["short"][-1]


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(3)
    return deepbiq(dropout=0.0)


@pytest.fixture(scope="module")
def maps():
    """Features of eight photos, (8, 1, 8, 8, 1280)."""
    return np.random.default_rng(0).uniform(0, 6, (8, 1, 8, 8, 1280)).astype("float32")


def test_dropout_out_of_range():
    with pytest.raises(UsageError, match="dropout is 2"):
        deepbiq(dropout=2)


def test_a_photo_is_the_mean_of_its_crops(network, maps):
    regression = above(network, STAGE["frozen_to"])
    whole = np.asarray(regression(maps[:, 0], training=False))
    crops = [
        np.asarray(regression(maps[:, 0, top : top + 4, left : left + 4]))
        for top in (0, 4)
        for left in (0, 4)
    ]
    np.testing.assert_allclose(np.mean(crops, axis=0), whole, atol=1e-5)


def test_the_regression_learns_on_crops(network, maps):
    """From crops alone, and nothing but the head changes."""
    # Some features tell the photos apart wherever one looks; the others say nothing.
    targets = np.linspace(0.1, 0.9, 8, dtype="float32")[:, None]
    maps = 0.02 * maps
    maps[..., :64] = 6 * targets[:, :, None, None, None]
    stage = STAGE | {"epochs": 40, "batch": 8, "learning_rate": 1e-3}
    with eagerly():
        rows = np.arange(8)
        loop = Loop(network, stage, maps, targets, rows=rows, scale=(0, 1), seed=(0, 0))
        names = {variable.path for variable in loop.trained}
        losses = []
        for _ in loop.run():
            loop.losses = [0.0, 0]
            loop.look()
            losses.append(loop.losses[0])
    assert names == {"head/kernel", "head/bias"}
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) / 2
