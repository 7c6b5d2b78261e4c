"""ASNA: pairs of pictures. What holds for all models is in conformance."""

import keras
import numpy as np
import pytest

from iqa_zoo.engines.convert import converted
from iqa_zoo.engines.litert import LiteRT
from iqa_zoo.errors import UsageError
from iqa_zoo.models.asna import asna

SIDE = 288


@pytest.fixture(scope="module")
def network():
    """With statistics of other values than those of a new network."""
    keras.utils.set_random_seed(3)
    network = asna()
    random = np.random.default_rng(1)
    for variable in network.variables:
        if variable.name == "moving_mean":
            variable.assign(random.normal(0, 0.1, variable.shape))
        elif variable.name == "moving_variance":
            variable.assign(random.uniform(0.5, 1.5, variable.shape))
    return network


@pytest.fixture(scope="module")
def pair():
    random = np.random.default_rng(0)
    reference = random.integers(0, 256, (1, SIDE, SIDE, 3))
    noise = random.integers(-40, 41, reference.shape)
    distorted = np.clip(reference + noise, 0, 255)
    return {
        "distorted": distorted.astype("float32"),
        "reference": reference.astype("float32"),
    }


def test_counts_of_its_parts(network):
    """The trunk once for both pictures, and the first dense layer on 36 x 36 x 8."""

    def count(*names):
        layers = [x for x in network.layers if x.name.startswith(names)]
        return sum(layer.count_params() for layer in layers)

    trunk = [(5, 3, 3), (5, 3, 8), (5, 8, 16), (3, 16, 32), (3, 32, 64)]
    norms = 4 * (8 + 16 + 32 + 64)
    assert count("trunk") == sum((k * k * i + 1) * o for k, i, o in trunk) + norms
    assert count("fc1") == (36 * 36 * 8 + 1) * 32
    assert network.count_params() == 529_103


def test_a_size_below_the_least():
    with pytest.raises(UsageError, match="takes 288 pixels"):
        asna(size=(SIDE, SIDE - 1))


def test_only_what_differs_is_seen_of_the_reference(network, pair):
    """Of equal pictures the differences are nothing; of others they matter."""
    steps = range(1, 5)
    layers = [network.get_layer(f"decoder{step}_difference") for step in steps]
    outputs = [*(layer.output for layer in layers), network.output]
    look = keras.Model(network.inputs, outputs)
    *differences, alike = look([pair["distorted"], pair["distorted"]])
    for difference, size in zip(differences, (36, 72, 144, 288), strict=True):
        assert difference.shape[1:3] == (size, size)
        assert not np.asarray(difference).any()
    *differences, apart = look([pair["distorted"], pair["reference"]])
    assert all(np.asarray(difference).any() for difference in differences)
    *_, turned = look([pair["reference"], pair["distorted"]])
    assert len({np.asarray(x).item() for x in (alike, apart, turned)}) == 3


def test_what_is_left_of_a_multiple_is_dropped(network, pair):
    wider = {
        name: np.pad(x, ((0, 0), (0, 15), (0, 9), (0, 0))) for name, x in pair.items()
    }
    np.testing.assert_allclose(network(wider), network(pair), atol=1e-5)


def test_static_saved_and_converted(network, pair, tmp_path):
    """A fixed size, a file of Keras and one of LiteRT answer alike."""
    expected = np.asarray(network(pair))
    static = asna(size=(SIDE, SIDE))
    static.set_weights(network.get_weights())
    np.testing.assert_allclose(static(pair), expected, atol=1e-6)
    network.save(tmp_path / "asna.keras")
    again = keras.saving.load_model(tmp_path / "asna.keras", safe_mode=True)
    np.testing.assert_array_equal(again(pair), expected)
    content = converted(network, (SIDE, SIDE), "score")
    both = np.concatenate([pair["distorted"], pair["reference"]], -1).astype("uint8")
    found = LiteRT(content, "score", "asna").predict(both)
    np.testing.assert_allclose(found, expected, atol=1e-4)
