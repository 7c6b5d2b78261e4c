"""The conversion of Keras networks to LiteRT files."""

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from iqa_zoo.engines.convert import to_litert
from iqa_zoo.engines.litert import LiteRT
from iqa_zoo.errors import WeightsError
from tests.helpers import tiny

pytestmark = pytest.mark.export


def test_names_shapes_and_types():
    interpreter = Interpreter(model_content=tiny.litert())
    assert interpreter.get_signature_list() == {
        "score": {"inputs": ["image"], "outputs": ["distribution"]}
    }
    runner = interpreter.get_signature_runner("score")
    image = runner.get_input_details()["image"]
    assert tuple(image["shape"]) == (1, *tiny.SIZE, 3)
    assert image["dtype"] is np.float32
    shares = runner.get_output_details()["distribution"]
    assert tuple(shares["shape"]) == (1, 10)
    assert shares["dtype"] is np.float32


def test_answers_as_the_network_does():
    random = np.random.default_rng(3)
    images = random.integers(0, 256, (5, *tiny.SIZE, 3), np.uint8)
    expected = tiny.network()(images.astype(np.float32), training=False)
    found = LiteRT(tiny.litert(), "distribution", "tiny").predict(images)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_output_has_the_name_asked_for():
    content = to_litert(tiny.network(), (8, 8), output="quality")
    names = Interpreter(model_content=content).get_signature_list()
    assert names["score"]["outputs"] == ["quality"]


def test_says_nothing(capfd):
    to_litert(tiny.network(), (16, 16))
    assert capfd.readouterr() == ("", "")


def test_means_are_compared_on_the_scale_of_the_card(monkeypatch):
    # All shares are off by less than 1e-4, and the mean on a scale of 0 to 100 is not.
    real = LiteRT.predict
    off = np.array([5e-5] + [0] * 8 + [-5e-5])
    monkeypatch.setattr(LiteRT, "predict", lambda *args: real(*args) + off)
    with pytest.raises(WeightsError, match="does not answer as the network"):
        to_litert(tiny.network(), tiny.SIZE, scale=(0, 100))
    monkeypatch.setattr(LiteRT, "predict", lambda *args: real(*args) + off / 10)
    assert to_litert(tiny.network(), tiny.SIZE)


def test_a_network_with_nan_is_refused():
    import keras

    network = keras.models.clone_model(tiny.network())
    network.layers[-1].set_weights([np.full((8, 10), np.nan), np.zeros(10)])
    with pytest.raises(WeightsError, match="NaN"):
        to_litert(network, tiny.SIZE)


def test_an_operator_that_litert_lacks_is_named():
    import keras
    import tensorflow as tf

    image = keras.Input((*tiny.SIZE, 3), name="image")
    odd = keras.layers.Lambda(tf.math.special.bessel_j0)(image)
    shares = keras.layers.GlobalAveragePooling2D()(odd)
    with pytest.raises(WeightsError, match="cannot be converted for LiteRT"):
        to_litert(keras.Model(image, shares, name="odd"), tiny.SIZE)
