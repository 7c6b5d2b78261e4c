"""RankIQA: what ranking and opinions teach it. What holds for all is in conformance."""

import keras
import numpy as np
import pytest

from iqa_zoo import cards
from iqa_zoo.errors import UsageError
from iqa_zoo.models import rankiqa
from iqa_zoo.training.loop import Loop
from iqa_zoo.training.stages import pooled_features, predict, set_head
from iqa_zoo.training.trunk import above, below
from tests.helpers.small import eagerly

CARD = cards.all_cards()["rankiqa-mobilenetv2"]
RANKING, OPINIONS = (CARD["recipes"][name][0] for name in ("ranking", "opinions"))


@pytest.fixture(scope="module")
def network():
    """RankIQA on MobileNetV2, with statistics that let a signal through."""
    keras.utils.set_random_seed(3)
    network = rankiqa.mobilenetv2(dropout=0.0)
    norms = [
        x for x in network.layers if isinstance(x, keras.layers.BatchNormalization)
    ]
    for norm in norms:
        norm.momentum = 0.0
    network(noisy()[0].astype("float32"), training=True)
    return network


def noisy():
    """Pictures (10, 96, 96, 3): two plain ones with ever more noise; their levels."""
    random = np.random.default_rng(0)
    levels = np.tile(np.arange(1, 6), 2)
    noise = random.normal(size=(10, 96, 96, 3)) * levels[:, None, None, None] * 12
    plain = np.repeat([90, 160], 5)[:, None, None, None]
    return np.clip(plain + noise, 0, 255).astype("uint8"), levels


@pytest.fixture(scope="module")
def maps(network):
    """What lies below the layers that the short recipes train, (10, 1, 6, 6, 96)."""
    trunk = below(network, RANKING["frozen_to"])
    return np.asarray(trunk(noisy()[0].astype("float32")))[:, None]


@pytest.mark.parametrize("dropout", [1.0, -0.1])
def test_dropout_out_of_range(dropout):
    with pytest.raises(UsageError, match=f"dropout is {dropout}"):
        rankiqa.mobilenetv2(dropout=dropout)


def test_vgg16_below_its_least_size():
    with pytest.raises(UsageError, match="takes 224 pixels a side"):
        rankiqa.vgg16(size=(224, 223))


def test_ridge_sets_the_head_in_its_own_unit(network, maps):
    _, levels = noisy()
    targets = (1 - levels[:, None] / 6).astype("float32")
    pooled = pooled_features(network, OPINIONS, below_too=False)
    set_head(network, pooled, 1e-6, maps, targets, np.arange(10))
    upper = above(network, OPINIONS["frozen_to"])
    found = predict(upper, maps, np.arange(10))
    np.testing.assert_allclose(found, targets, atol=0.02)
    head = keras.Model(network.inputs[0], network.get_layer("head").output)
    given = np.asarray(head(noisy()[0].astype("float32")))
    np.testing.assert_allclose(given * rankiqa.MOBILE_UNIT, targets, atol=0.02)


def test_ranking_orders_the_levels(network, maps):
    _, levels = noisy()
    network.get_layer("head").set_weights([np.zeros((1280, 1)), np.zeros(1)])
    groups = np.repeat([0, 1], 5)
    targets = np.stack([groups, levels], 1).astype("float32")
    stage = RANKING | {"epochs": 8, "batch": 10, "mirror": False, "crop": 1}
    losses = []
    with eagerly():
        rows = np.arange(10)
        loop = Loop(network, stage, maps, targets, rows=rows, scale=(0, 1), seed=(0, 0))
        for _ in loop.run():
            loop.losses = [0.0, 0]
            loop.look()
            losses.append(loop.losses[0])
    # All alike, each of the 20 pairs lacks the whole margin of 0.1.
    assert losses[0] == pytest.approx(20 * 0.1 / 10, abs=1e-5)
    assert losses[-1] < losses[0] / 2


@pytest.mark.slow
def test_vgg16_takes_colours_as_they_are():
    network = rankiqa.vgg16()
    assert "normalise" not in [layer.name for layer in network.layers]
    assert network.count_params() == 134_264_641
    # One place of the last map for 224 pixels a side, and one more for 32 more.
    last = keras.Model(network.inputs[0], network.get_layer("fc7").output)
    assert last.compute_output_shape((1, 224, 256, 3)) == (1, 1, 2, 4096)
