"""DIQaM and WaDIQaM: their size, how they start, and what NR takes from FR."""

import numpy as np
import pytest

import iqa_zoo
from iqa_zoo import registry
from iqa_zoo.models import wadiqam


@pytest.fixture(scope="module")
def network():
    import keras

    keras.utils.set_random_seed(1)
    return wadiqam.wadiqam_nr()


@pytest.fixture(scope="module")
def pair():
    import keras

    keras.utils.set_random_seed(2)
    return wadiqam.wadiqam_fr()


@pytest.fixture(scope="module")
def images():
    noise = np.random.default_rng(0).integers(0, 256, (2, 70, 100, 3))
    noise[1] //= 8
    return noise.astype("float32")


def layer(network, name, images):
    import keras

    return np.asarray(
        keras.Model(network.input, network.get_layer(name).output)(images)
    )


@pytest.mark.parametrize(
    "name, parameters",
    [
        ("diqam-nr", 4_975_393),
        ("wadiqam-nr", 5_238_562),
        ("diqam-fr", 5_499_681),
        ("wadiqam-fr", 6_287_138),
    ],
)
def test_parameters(name, parameters):
    assert iqa_zoo.load_model(name, None).count_params() == parameters


def test_convolutions_start_by_hes_rule(network):
    import keras

    convolutions = [x for x in network.layers if isinstance(x, keras.layers.Conv2D)]
    assert len(convolutions) == 10
    for convolution in convolutions:
        kernel, bias = convolution.get_weights()
        expected = np.sqrt(2 / kernel[..., 0].size)
        assert kernel.std() == pytest.approx(expected, rel=0.1)
        assert not bias.any()


def test_no_branch_is_dead_at_the_start(network, images):
    score, weight = np.moveaxis(layer(network, "cells", images), -1, 0)
    assert (weight > 0.2).all()
    assert np.abs(weight - 1).max() < 0.8
    assert np.abs(score - 0.5).max() < 0.8
    assert score.std() > 0


def test_a_dead_branch_is_the_mean(network, images):
    dead = wadiqam.wadiqam_nr()
    dead.set_weights(network.get_weights())
    last = dead.get_layer("patch_weight")
    last.set_weights([np.zeros((512, 1)), np.full(1, -1.0)])
    cells = layer(dead, "cells", images)
    assert (cells[..., 1] == np.float32(1e-6)).all()
    expected = cells[..., 0].mean((1, 2))[:, None]
    np.testing.assert_allclose(dead(images), expected, rtol=1e-4)


def test_a_full_reference_network_sees_both(pair, images):
    other = images[::-1].copy()
    found = pair({"distorted": images, "reference": other}, training=False)
    assert found.shape == (2, 1)
    turned = pair({"distorted": other, "reference": images}, training=False)
    assert np.abs(np.asarray(found) - turned).max() > 1e-4
    both = {"distorted": images, "reference": images}
    fused = layer(pair, "fused", both)
    assert not fused[:, :512].any()
    np.testing.assert_array_equal(fused[:, 512:1024], fused[:, 1024:])


def test_nr_starts_from_the_trunk_of_fr(network, pair, images):
    start = wadiqam.wadiqam_nr()
    arrays = {path: v.numpy() for path, v in registry.variables(pair).items()}
    old = {path: v.numpy() for path, v in registry.variables(start).items()}
    registry.fill_shared(start, arrays, "wadiqam-fr")
    taken = {
        path
        for path, v in registry.variables(start).items()
        if (v.numpy() == arrays.get(path)).all() and not (v.numpy() == old[path]).all()
    }
    kernels = {f"conv{n}_{m}/kernel" for n in range(1, 6) for m in (1, 2)}
    assert taken == kernels  # the biases are zero in both
    both = {"distorted": images, "reference": images}
    features = layer(pair, "fused", both)[:, 512:1024]
    np.testing.assert_allclose(layer(start, "features", images), features, atol=1e-4)
