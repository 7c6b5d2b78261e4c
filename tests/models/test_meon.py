"""MEON and its divisive normalisation. What holds for all models is in conformance."""

import keras
import numpy as np
import pytest

from iqa_zoo.engines.convert import converted
from iqa_zoo.engines.litert import LiteRT
from iqa_zoo.errors import UsageError
from iqa_zoo.models.meon import GDN, LEAST, meon

RANDOM = np.random.default_rng(0)


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(3)
    return meon()


@pytest.fixture(scope="module")
def pictures():
    """float32 (2, 256, 400, 3)."""
    return RANDOM.integers(0, 256, (2, 256, 400, 3)).astype("float32")


def test_gdn_is_its_formula():
    layer = GDN()
    x = RANDOM.normal(size=(2, 3, 5, 4)).astype("float32")
    layer.build(x.shape)
    beta, gamma = RANDOM.uniform(size=4), RANDOM.uniform(size=(4, 4))
    layer.set_weights([beta, gamma])
    expected = np.empty_like(x)
    for i in range(4):
        energy = sum(gamma[j, i] * x[..., j] ** 2 for j in range(4))
        expected[..., i] = x[..., i] / np.sqrt(beta[i] + energy)
    np.testing.assert_allclose(np.asarray(layer(x)), expected, atol=1e-5)
    assert layer.compute_output_shape(x.shape) == x.shape


def test_gdn_stays_above_zero():
    """Whatever the gradient, and finite where all is zero."""
    inner = keras.Input((3, 3, 4))
    network = keras.Model(inner, GDN(name="gdn")(inner))
    optimizer = keras.optimizers.SGD(10.0)
    weights = network.trainable_variables
    optimizer.apply([np.ones(w.shape, "float32") for w in weights], weights)
    for weight in weights:
        assert (weight.numpy() == 0).all()
    assert np.isfinite(network(np.zeros((1, 3, 3, 4)))).all()


def test_counts_of_its_parts(network):
    """As in the specification: what both tasks share, distortions, scores."""

    def count(*names):
        layers = [x for x in network.layers if x.name.startswith(names)]
        return sum(layer.count_params() for layer in layers)

    assert count("conv") == 40_712
    assert count("classes_") == 25_477
    assert count("scores_") == 83_717
    assert network.count_params() == 149_906


@pytest.mark.parametrize("wrong", [{"classes": 1}, {"size": (LEAST, LEAST - 1)}])
def test_arguments_out_of_range(wrong):
    with pytest.raises(UsageError, match=r"classes is 1|takes 235"):
        meon(**wrong)


def test_answers(network, pictures):
    """The score is the mean over the places of what their distortions expect."""
    wanted = ("shares", "scores_fc2", "both")
    layers = {name: network.get_layer(name).output for name in wanted}
    inner = keras.Model(network.inputs[0], layers)(pictures)
    shares, scores, both = (np.asarray(inner[name]) for name in wanted)
    assert shares.shape == scores.shape == (2, 1, 2, 5)
    found = {key: np.asarray(value) for key, value in network(pictures).items()}
    expected = (shares * scores).sum(-1).mean((1, 2))[:, None]
    np.testing.assert_allclose(found["score"], expected, atol=1e-6)
    np.testing.assert_allclose(found["classes"], shares.mean((1, 2)), atol=1e-6)
    np.testing.assert_allclose(found["classes"].sum(1), 1, atol=1e-5)
    both_found = np.concatenate([found["score"], found["classes"]], axis=1)
    np.testing.assert_array_equal(both, both_found)


def test_the_least_size(network):
    for side in (LEAST, LEAST + 1):
        picture = np.zeros((1, side, side, 3), "float32")
        assert np.isfinite(network(picture)["score"]).all()


def test_static_saved_and_converted(network, pictures, tmp_path):
    """A fixed size, a file of Keras and one of LiteRT answer alike."""
    expected = {key: np.asarray(value) for key, value in network(pictures).items()}
    static = meon(classes=5, size=(256, 400))
    static.set_weights(network.get_weights())
    network.save(tmp_path / "meon.keras")
    again = keras.saving.load_model(tmp_path / "meon.keras", safe_mode=True)
    content = converted(network, (256, 400), "score")
    for key in ("score", "classes"):
        found = static(pictures)[key]
        np.testing.assert_allclose(found, expected[key], atol=1e-6)
        np.testing.assert_array_equal(again(pictures)[key], expected[key])
        found = LiteRT(content, key, "meon").predict(pictures.astype("uint8"))
        np.testing.assert_allclose(found, expected[key], atol=1e-4)
