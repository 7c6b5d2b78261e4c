"""QODCNN: its weights and its second step by hand, and its tiles against the whole."""

import keras
import numpy as np
import pytest

import iqa_zoo
from iqa_zoo.engines.convert import converted
from iqa_zoo.engines.litert import LiteRT
from iqa_zoo.errors import UnknownNameError, UsageError
from iqa_zoo.models import qodcnn
from iqa_zoo.models.losses import OpinionLoss
from tests.helpers.pictures import smooth

SIZE = (75, 130)  # 2 x 4 patches
MODELS = ("qodcnn", "qodcnn-fr")


@pytest.fixture(scope="module")
def images():
    """A smooth picture with some noise in a half, and noise; float32 (2, *SIZE, 3)."""
    random = np.random.default_rng(0)
    half = smooth(*SIZE).astype(float)
    half[:, 64:] += random.normal(0, 20, half[:, 64:].shape)
    noise = random.integers(0, 256, half.shape)
    return np.stack([half, noise]).clip(0, 255).astype("uint8").astype("float32")


@pytest.fixture(scope="module", params=MODELS)
def network(request, images):
    """With random weights, and statistics that let a signal through."""
    keras.utils.set_random_seed(5)
    network = iqa_zoo.load_model(request.param, None)
    norms = [
        x for x in network.layers if isinstance(x, keras.layers.BatchNormalization)
    ]
    assert len(norms) == 8
    for norm in norms:
        norm.momentum = 0.0
    network(given(network, images), training=True)
    return network


def given(network, images):
    if len(network.inputs) == 1:
        return images
    return {"distorted": images, "reference": images[::-1]}


def ask(network, images):
    return np.asarray(network(given(network, images), training=False))


@pytest.fixture(scope="module")
def answers(network, images):
    return ask(network, images)


@pytest.mark.parametrize(
    "build, count", [(qodcnn.qodcnn, 1_699_489), (qodcnn.qodcnn_fr, 2_748_065)]
)
def test_parameters(build, count):
    network = build()
    trainable = sum(int(np.prod(w.shape)) for w in network.trainable_weights)
    assert trainable == count
    assert network.count_params() == count + 1_920  # means and variances


@pytest.mark.parametrize("build", [qodcnn.qodcnn, qodcnn.qodcnn_fr])
@pytest.mark.parametrize(
    "wrong, error, text",
    [
        ({"dropout": 1.0}, UsageError, "dropout is 1.0"),
        ({"size": (31, 64)}, UsageError, "32 pixels"),
        ({"pooling": "textures"}, UnknownNameError, "Did you mean texture"),
    ],
    ids=str,
)
def test_arguments_out_of_range(build, wrong, error, text):
    with pytest.raises(error, match=text):
        build(**wrong)


def test_texture_is_the_variance_of_local_deviations():
    patches = np.zeros((3, 32, 32, 3), "float32")
    patches[1] = 200
    patches[2, :, 16:] = 255  # an edge: 2 of 30 windows across have a deviation
    found = np.asarray(qodcnn.Texture()(patches))[:, 0]
    # Of 3 x 3 pixels a third is white.
    deviation = np.sqrt(1 / 3 - 1 / 9)
    values = np.zeros(30)
    values[:2] = deviation
    np.testing.assert_allclose(found, [0, 0, values.var()], atol=1e-7)


def test_score_is_weighted_by_texture(network, images, answers):
    inputs = given(network, images)
    scores = np.asarray(keras.Model(network.input, layer(network, "map"))(inputs))
    patches = images[:, :64, :128].reshape(2, 2, 32, 4, 32, 3).swapaxes(2, 3)
    weights = qodcnn.Texture()(patches.reshape(-1, 32, 32, 3))
    weights = np.asarray(weights).reshape(2, 2, 4, 1)
    raised = weights + 1e-3 * weights.mean((1, 2), keepdims=True)
    expected = (raised * scores).sum((1, 2)) / raised.sum((1, 2))
    np.testing.assert_allclose(answers, expected, atol=1e-5)
    assert np.abs(scores.mean((1, 2)) - answers).max() > 1e-4


def layer(network, name):
    return network.get_layer(name).output


def test_flat_pictures_have_the_mean_of_their_patches():
    network = qodcnn.qodcnn()
    flat = np.full((1, 64, 64, 3), 77, "float32")
    flat[:, 32:] = 150
    scores = np.asarray(keras.Model(network.input, layer(network, "map"))(flat))
    assert np.ptp(scores) > 0
    np.testing.assert_allclose(network(flat), scores.mean((1, 2)), atol=1e-6)


@pytest.mark.parametrize("pooling", ["mean", "saliency", "worst"])
@pytest.mark.parametrize("build", [qodcnn.qodcnn, qodcnn.qodcnn_fr])
def test_other_poolings(build, pooling, images):
    network = build(pooling=pooling)
    found = ask(network, images)
    assert found.shape == (2, 1)
    assert np.isfinite(found).all()


def test_tiles_are_the_whole(network, images, answers):
    inputs = given(network, images)
    cells = keras.Model(network.input, layer(network, "cells"))

    def cut(x, top, left):
        part = np.s_[:, top : top + 32, left : left + 64]
        return {k: v[part] for k, v in x.items()} if isinstance(x, dict) else x[part]

    joined = np.concatenate(
        [
            np.concatenate(
                [cells(cut(inputs, top, left)) for left in (0, 64)],
                axis=2,
            )
            for top in (0, 32)
        ],
        axis=1,
    )
    np.testing.assert_allclose(joined, cells(inputs), atol=1e-5)
    head = keras.Model(layer(network, "cells"), network.output)
    np.testing.assert_allclose(head(joined), answers, atol=1e-5)


def test_static_and_dynamic_sizes_answer_alike(network, images, answers):
    twin = iqa_zoo.load_model(network.name.replace("_", "-"), None, size=SIZE)
    assert layer(twin, "map").shape == (None, 2, 4, 1)
    twin.set_weights(network.get_weights())
    np.testing.assert_allclose(ask(twin, images), answers, atol=1e-5)


def test_reference_and_distorted_are_compared(images):
    keras.utils.set_random_seed(5)
    network = qodcnn.qodcnn_fr()
    one, other = images[:1], images[1:]
    alike, unlike = (
        np.asarray(network({"distorted": one, "reference": reference}))
        for reference in (one, other)
    )
    assert np.abs(alike - unlike).max() > 1e-6
    features = np.arange(8, dtype="float32").reshape(4, 2)
    compared = np.asarray(qodcnn.Compared()(features))
    np.testing.assert_array_equal(compared, [[4, 5, 0, 1, 4, 4], [6, 7, 2, 3, 4, 4]])


def test_second_step_learns_from_patches_that_agree():
    loss = OpinionLoss({"agreeing": 1.0}, scale=(0, 1))
    opinions = np.array([[0.5], [1.0]], "float32")
    places = np.array([[0.5, 0.6, 0.9, 0.1], [1.0, 0.8, 0.0, 0.1]], "float32").reshape(
        2, 2, 2, 1
    )
    # The nearer half: 0 and 0.1 of the first, 0 and 0.2 of the other.
    assert float(loss(opinions, places)) == pytest.approx(0.3 / 4, abs=1e-6)
    # Of five the median is kept too.
    five = np.array([0.5, 0.6, 0.8, 0.0, 0.0], "float32").reshape(1, 1, 5, 1)
    assert float(loss(opinions[:1], five)) == pytest.approx(0.4 / 3, abs=1e-6)
    both = OpinionLoss({"agreeing": 1.0, "mae": 1.0}, scale=(0, 1))
    error = np.abs(opinions[:, None, None] - places).mean()
    assert float(both(opinions, places)) == pytest.approx(0.075 + error, abs=1e-6)


@pytest.mark.export
def test_litert_answers_alike(network, images, answers):
    if len(network.inputs) == 2:  # a file takes one picture; this one is its own mirror
        image = keras.Input((*SIZE, 3), name="image")
        both = {"distorted": image, "reference": image[:, ::-1]}
        network = keras.Model(image, network(both))
        answers = np.asarray(network(images))
    content = converted(network, SIZE, "score")
    found = LiteRT(content, "score", "qodcnn").predict(images.astype("uint8"))
    np.testing.assert_allclose(found, answers, atol=1e-4)


def test_save_and_reload(network, images, answers, tmp_path):
    network.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras")
    np.testing.assert_array_equal(ask(again, images), answers)
