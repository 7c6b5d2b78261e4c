"""The kernel head: what it takes from maps, and what its closed form answers."""

import keras
import numpy as np
import pytest

from iqa_zoo.errors import TrainingError
from iqa_zoo.models.kernel_head import Evidence, KernelHead
from iqa_zoo.training.kernels import set_kernel

RANDOM = np.random.default_rng(0)
SETTINGS = {"ridge": 1e-6, "floor": 1e-4}


def softmax(logits):
    shares = np.exp(logits - logits.max(-1, keepdims=True))
    return shares / shares.sum(-1, keepdims=True)


def network(bins=3, features=6, components=4, centres=8):
    evidence = keras.Input((features + bins,))
    head = KernelHead(bins, components, centres, name="distribution")
    return keras.Model(evidence, head(evidence))


def evidence_of(x, shares):
    return np.concatenate([x, np.log(shares)], axis=1).astype("float32")


@pytest.mark.parametrize("size", [(5, 7), (1, 1)])
def test_evidence(size):
    maps = [RANDOM.uniform(0, 6, (2, *size, n)).astype("float32") for n in (3, 2)]
    shares = RANDOM.dirichlet(np.ones(4), 2).astype("float32")
    found = np.asarray(Evidence()([*maps, shares]))
    y, x = (np.linspace(-1, 1, n) if n > 1 else np.array([-1.0]) for n in size)
    weights = np.exp(-2 * y**2)[:, None] * np.exp(-2 * x**2)
    weights /= weights.sum()
    expected = []
    for features in maps:
        expected.append(np.sqrt(np.einsum("bhwc,hw->bc", features, weights)))
        expected.append(np.sqrt(features.std((1, 2))))
    expected.append(np.log(shares))
    np.testing.assert_allclose(found, np.concatenate(expected, 1), atol=2e-3)
    shapes = [array.shape for array in (*maps, shares)]
    assert Evidence().compute_output_shape(shapes) == found.shape


def test_answer_is_the_mean_of_both_logits():
    model = network()
    arrays = [
        RANDOM.normal(size=w.shape) for w in model.get_layer("distribution").weights
    ]
    model.get_layer("distribution").set_weights(arrays)
    projection, shift, centres, coefficients, offset = arrays
    x = RANDOM.normal(size=(5, 6))
    shares = RANDOM.dirichlet(np.ones(3), 5)
    z = x @ projection + shift
    near = np.exp(-((z[:, None] - centres) ** 2).sum(-1))
    logits = offset + near @ coefficients
    found = model.predict_on_batch(evidence_of(x, shares))
    expected = softmax((np.log(shares) + logits) / 2)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("count", [5, 8, 40])
def test_what_was_learned_is_answered(count):
    """With hardly any ridge the training pictures' own opinions come back."""
    model = network(components=6, centres=40)
    x = RANDOM.normal(size=(count, 6)).astype("float32")
    targets = RANDOM.dirichlet(np.ones(3), count)
    even = np.full((count, 3), 1 / 3)
    set_kernel(model, SETTINGS, evidence_of(x, even), targets)
    found = model.predict_on_batch(evidence_of(x, even))
    # Half of the logits are those of the even shares.
    expected = softmax(np.log(targets + SETTINGS["floor"]) / 2)
    np.testing.assert_allclose(found, expected, atol=0.02)


def test_more_pictures_than_centres():
    """A smooth function of the features is found from fewer centres than pictures."""
    model = network(components=6, centres=30)
    x = RANDOM.normal(size=(400, 6)).astype("float32")
    targets = softmax(np.stack([x[:, 0], 0 * x[:, 0], -x[:, 1]], 1) / 2)
    even = np.full((400, 3), 1 / 3)
    settings = {"ridge": 1e-3, "floor": 1e-4}
    set_kernel(model, settings, evidence_of(x, even)[:300], targets[:300])
    found = model.predict_on_batch(evidence_of(x, even)[300:])
    expected = softmax(np.log(targets[300:]) / 2)
    constant = np.abs(expected - expected.mean(0)).mean()
    assert np.abs(found - expected).mean() < 0.4 * constant


def test_pictures_that_are_all_alike():
    with pytest.raises(TrainingError, match="alike"):
        set_kernel(network(), SETTINGS, np.ones((9, 9)), np.full((9, 3), 1 / 3))


def test_saved_and_loaded(tmp_path):
    model = network()
    model.save(tmp_path / "head.keras")
    again = keras.saving.load_model(tmp_path / "head.keras", safe_mode=True)
    x = RANDOM.normal(size=(2, 9)).astype("float32")
    np.testing.assert_array_equal(again.predict_on_batch(x), model.predict_on_batch(x))
