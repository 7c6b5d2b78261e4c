"""LiteRT files whose large constants have 16 bits."""

import numpy as np
import pytest

from iqa_zoo.engines.convert import converted
from iqa_zoo.engines.litert import LiteRT
from iqa_zoo.exporting.half import halved

pytestmark = pytest.mark.export


@pytest.fixture(scope="module")
def whole():
    """A file of 600,000 numbers, most of them weights."""
    import keras

    keras.utils.set_random_seed(5)
    image = keras.Input((8, 8, 3), name="image")
    x = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.Conv2D(64, 3, bias_initializer="random_normal")(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(256, "relu", bias_initializer="random_normal")(x)
    shares = keras.layers.Dense(10, "softmax", bias_initializer="random_normal")(x)
    return converted(keras.Model(image, shares), (8, 8), "distribution")


def constants(content, kind):
    """Its constants of a type that have numbers, by name and shape."""
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    (graph,) = model.subgraphs
    return {
        (tensor.name, *tensor.shape): np.frombuffer(bytes(data), kind)
        for tensor in graph.tensors
        if tensor.type
        == {
            np.float32: schema.TensorType.FLOAT32,
            np.float16: schema.TensorType.FLOAT16,
        }[kind]
        and (data := model.buffers[tensor.buffer].data) is not None
    }


def test_half_the_size(whole):
    assert 0.49 < len(halved(whole)) / len(whole) < 0.52


def test_small_constants_and_biases_are_untouched(whole):
    content = halved(whole)
    before, after = constants(whole, np.float32), constants(content, np.float32)
    small = constants(content, np.float16)
    assert len(small) == 1  # of the first dense layer
    assert set(before) == {*after, *small}
    for key, numbers in after.items():
        np.testing.assert_array_equal(numbers, before[key])
    for key, numbers in small.items():
        np.testing.assert_array_equal(numbers, before[key].astype(np.float16))


def test_answers_are_those_of_rounded_weights(whole):
    images = np.random.default_rng(1).integers(0, 256, (6, 8, 8, 3), np.uint8)
    shares = [
        LiteRT(f, "distribution", "").predict(images) for f in (whole, halved(whole))
    ]
    np.testing.assert_allclose(*shares, atol=1e-3)
    assert not np.array_equal(*shares)
