"""CNNIQA and CNNIQA++: their size, and the distortion beside the score."""

import numpy as np
import pytest

from iqa_zoo.errors import UsageError
from iqa_zoo.models import cnniqa


@pytest.fixture(scope="module")
def network():
    import keras

    keras.utils.set_random_seed(1)
    return cnniqa.cnniqa_plus_plus()


@pytest.fixture(scope="module")
def images():
    noise = np.random.default_rng(0).integers(0, 256, (2, 70, 100, 3))
    noise[1] //= 8
    return noise.astype("float32")


@pytest.mark.parametrize(
    "build, parameters",
    [
        (cnniqa.cnniqa, 724_901),
        (cnniqa.cnniqa_plus_plus, 79_862),
        (lambda: cnniqa.cnniqa_plus_plus(classes=4), 79_349),
    ],
)
def test_parameters(build, parameters):
    assert build().count_params() == parameters


def test_colour_is_not_seen(images):
    network = cnniqa.cnniqa()
    grey = images @ np.array([0.299, 0.587, 0.114], "f4")
    same = np.repeat(grey[..., None], 3, axis=-1)
    np.testing.assert_allclose(network(images), network(same), atol=1e-4)


def test_the_largest_and_the_smallest_answers(images):
    import keras

    network = cnniqa.cnniqa()
    conv, pool = (network.get_layer(name).output for name in ("conv", "pool"))
    conv, pool = keras.Model(network.input, [conv, pool])(images)
    conv = np.asarray(conv)
    expected = np.concatenate([conv.max((1, 2)), conv.min((1, 2))], axis=1)
    np.testing.assert_array_equal(pool, expected)


def layer(network, name, images):
    import keras

    return np.asarray(
        keras.Model(network.input, network.get_layer(name).output)(images)
    )


def test_classes_are_the_softmax_of_the_mean_logits(network, images):
    found = network(images, training=False)
    logits = np.log(layer(network, "cells", images)[..., 1:].astype(np.float64))
    shares = np.exp(logits.mean((1, 2)))
    shares /= shares.sum(1, keepdims=True)
    np.testing.assert_allclose(found["classes"], shares, atol=1e-5)
    both = layer(network, "both", images)
    np.testing.assert_array_equal(both[:, :1], found["score"])
    np.testing.assert_array_equal(both[:, 1:], found["classes"])


@pytest.mark.parametrize("pooling", ["mean", "saliency", "worst"])
def test_each_patch_has_both(images, pooling):
    network = cnniqa.cnniqa_plus_plus(pooling=pooling)
    found = layer(network, "patch_both", images)
    assert found.shape == (2, 2, 3, 6)
    np.testing.assert_array_equal(found[..., :1], layer(network, "map", images))
    np.testing.assert_allclose(found[..., 1:].sum(-1), 1, atol=1e-5)


def test_a_step_learns_both(images):
    network = cnniqa.cnniqa_plus_plus()
    network.compile("adam", network.loss, run_eagerly=True)
    before = [w.numpy() for w in network.trainable_weights]
    wanted = {"score": np.array([[0.0], [1.0]]), "classes": np.eye(5)[:2]}
    network.train_on_batch(images, wanted)
    for weight, old in zip(network.trainable_weights, before, strict=True):
        assert (weight.numpy() != old).any(), weight.path


def test_one_class_is_none():
    with pytest.raises(UsageError, match="classes is 1"):
        cnniqa.cnniqa_plus_plus(classes=1)
