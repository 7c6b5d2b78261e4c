"""DB-CNN: the size of the networks, bilinear pooling, and the branch's weights."""

import numpy as np
import pytest

from iqa_zoo import registry
from iqa_zoo.engines.convert import converted
from iqa_zoo.engines.litert import LiteRT
from iqa_zoo.models import dbcnn, scnn

# Odd, so that VGG16 and S-CNN round otherwise.
SIZE = (90, 77)
NOISE = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3)).astype("float32")
BUILDERS = {"vgg16": dbcnn.vgg16, "mobilenetv2": dbcnn.mobilenetv2}


@pytest.fixture(scope="module", params=BUILDERS)
def built(request):
    """Name of the backbone and network."""
    import keras

    keras.utils.set_random_seed(0)
    return request.param, BUILDERS[request.param]()


def answer(network):
    return network(NOISE, training=False).numpy()


def test_parameters(built):
    name, network = built
    expected = {"vgg16": 15_309_873, "mobilenetv2": 1_222_577}
    assert network.count_params() == expected[name]


@pytest.mark.parametrize(
    "name, rows, channels, products",
    [("vgg16", 31, 512 + 128, 65_536), ("mobilenetv2", 32, 64 + 128, 73_728)],
)
def test_streams_of_a_photo_of_500_pixels(name, rows, channels, products):
    network = BUILDERS[name](size=(500, 500))
    assert network.get_layer("streams").output.shape == (None, rows, rows, channels)
    assert network.get_layer("bilinear").output.shape == (None, 1, 1, products)


def test_all_goes_through_the_streams(built):
    import keras

    network = built[1]
    streams = network.get_layer("streams").output
    lower = keras.Model(network.inputs, streams)
    upper = keras.Model(streams, network.output)
    np.testing.assert_allclose(upper(lower(NOISE)), answer(network), atol=1e-6)


def test_static_size_gives_the_same(built):
    name, network = built
    twin = BUILDERS[name](size=SIZE)
    twin.set_weights(network.get_weights())
    np.testing.assert_allclose(answer(twin), answer(network), atol=1e-6)


def test_one_colour_gives_a_number(built):
    for value in (0, 255):
        flat = np.full((1, 64, 64, 3), value, "float32")
        assert np.isfinite(built[1](flat, training=False)).all()


@pytest.mark.export
def test_litert(built):
    network = built[1]
    content = converted(network, SIZE, "score")
    found = LiteRT(content, "score", network.name).predict(NOISE.astype("uint8"))
    np.testing.assert_allclose(found, answer(network), atol=1e-4)


def test_save_and_reload(built, tmp_path):
    import keras

    network = built[1]
    network.save(tmp_path / "dbcnn.keras")
    again = keras.saving.load_model(tmp_path / "dbcnn.keras", safe_mode=True)
    assert again.compiled
    np.testing.assert_array_equal(answer(again), answer(network))


def test_bilinear_pooling():
    random = np.random.default_rng(0)
    left = random.normal(size=(2, 3, 5, 4)).astype("float32")
    right = random.normal(size=(2, 3, 5, 6)).astype("float32")
    products = np.einsum("bhwc,bhwd->bcd", left, right) / 15
    rooted = np.sign(products) * np.sqrt(np.abs(products) + 1e-8)
    expected = rooted.reshape(2, -1)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    found = dbcnn.BilinearPooling()([left, right]).numpy()
    assert found.shape == (2, 1, 1, 24)
    np.testing.assert_allclose(found[:, 0, 0], expected, atol=1e-5)


def test_bilinear_pooling_of_nothing_has_a_gradient():
    import tensorflow as tf

    left, right = tf.zeros((1, 2, 2, 3)), tf.ones((1, 2, 2, 4))
    with tf.GradientTape() as tape:
        tape.watch([left, right])
        found = dbcnn.BilinearPooling()([left, right])
    gradients = tape.gradient(found, [left, right])
    assert (found.numpy() == 0).all()
    assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_resizing_takes_the_middles_of_pixels():
    row = np.array([0, 1, 2, 3], "float32").reshape(1, 1, 4, 1)
    like = np.zeros((1, 1, 2, 3), "float32")
    found = dbcnn.ResizeLike()([row, like]).numpy()
    np.testing.assert_allclose(found.ravel(), [0.5, 2.5])
    np.testing.assert_array_equal(dbcnn.ResizeLike()([row, row]), row)


def test_the_branch_is_filled_from_scnn(built):
    """The branch gives what S-CNN gives, with its normalisation or with none."""
    import keras

    network = built[1]
    source = scnn.scnn()
    random = np.random.default_rng(1)
    arrays = {
        path: variable.numpy() for path, variable in registry.variables(source).items()
    }
    for path, array in arrays.items():
        if "_bn/" in path:
            arrays[path] = random.uniform(0.5, 1.5, array.shape).astype("float32")
    registry.fill(source, arrays, "source")
    registry.fill_shared(network, arrays, "source")
    image = np.resize(NOISE, (1, 224, 224, 3)).astype("float32")
    last = "scnn9_relu"
    branch = keras.Model(network.inputs, network.get_layer(last).output)
    whole = keras.Model(source.inputs, source.get_layer(last).output)
    expected = whole(image, training=False).numpy()
    found = branch(image, training=False).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4 * expected.max())


def test_a_branch_without_weights_is_told_of(caplog, monkeypatch):
    from types import SimpleNamespace

    from iqa_zoo import registry

    monkeypatch.setattr(registry, "resolve", lambda *_: SimpleNamespace(card={}))
    # A network that is not looked at: there is nothing to fill it with.
    registry._fill_branch(SimpleNamespace(name="some"), "scnn")
    assert "scnn has no weights of its own yet" in caplog.text
    assert "some starts from random" in caplog.text
