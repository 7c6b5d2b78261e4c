"""DIQA's parts against their formulas written out, and its tiles against the whole."""

import keras
import numpy as np
import pytest

import iqa_zoo
from iqa_zoo import registry
from iqa_zoo.engines.convert import converted
from iqa_zoo.engines.litert import LiteRT
from iqa_zoo.errors import UsageError
from iqa_zoo.models import diqa
from iqa_zoo.models.losses import OpinionLoss
from tests.helpers.pictures import smooth

SIZE = (101, 70)  # its cells are 6 x 4


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(3)
    return iqa_zoo.load_model("diqa", None)


@pytest.fixture(scope="module")
def images():
    """A smooth picture and noise, float32 (2, *SIZE, 3)."""
    noise = np.random.default_rng(0).integers(0, 256, (*SIZE, 3))
    return np.stack([smooth(*SIZE), noise]).astype("float32")


@pytest.fixture(scope="module")
def answers(network, images):
    return ask(network, images)


def ask(network, images):
    return {k: np.asarray(v) for k, v in network(images, training=False).items()}


def between(network, first, last):
    """The part of the network from the layer `first` up to the layer `last`."""
    tensors = [network.get_layer(name).output for name in (first, last)]
    return keras.Model(*tensors)


def looked(network, images, *names):
    """What the layers of these names answer, float64."""
    layers = [network.get_layer(name).output for name in names]
    answers = keras.Model(network.inputs[0], layers)(images)
    return [np.asarray(answer, np.float64) for answer in answers]


def test_parameters_are_those_of_the_paper(network):
    counts = {layer.name: layer.count_params() for layer in network.layers}
    assert sum(n for name, n in counts.items() if name.startswith("conv")) == 381_200
    assert counts.pop("errors") == 129
    assert sum(counts.values()) == 398_097


def test_size_below_the_least():
    with pytest.raises(UsageError, match="48 pixels a side"):
        diqa.diqa(size=(47, 64))


def pyramid(grey):
    """The low frequencies of a picture (h, w), by the filters as they are defined."""
    kernel = np.array([1, 4, 6, 4, 1]) / 16

    def blurred(x):
        for axis in (0, 1):
            x = np.apply_along_axis(np.convolve, axis, x, kernel, "same")
        return x

    for _ in range(2):
        grey = blurred(grey)[::2, ::2]
    for _ in range(2):
        wide = np.zeros((2 * grey.shape[0], 2 * grey.shape[1]))
        wide[::2, ::2] = 4 * grey
        grey = blurred(wide)
    return grey


def test_normalisation_is_the_pyramids(network, images):
    inner, low = (x[..., 0] for x in looked(network, images, "inner", "inner_low"))
    height, width = (n // 16 * 16 for n in SIZE)
    for image, found, found_low in zip(images, inner, low, strict=True):
        grey = image[:height, :width] @ [0.299, 0.587, 0.114] / 255
        wide = np.pad(grey, 64, mode="symmetric")
        expected = pyramid(wide)[64 : 64 + height, 64 : 64 + width]
        np.testing.assert_allclose(found_low, expected, atol=1e-5)
        np.testing.assert_allclose(found, grey - expected, atol=1e-5)


def test_numbers_made_by_hand(network, images):
    inner, low, pool = looked(network, images, "inner", "inner_low", "pool")
    expected = 2 / (1 + np.exp(-255 * np.abs(inner))) - 1
    np.testing.assert_allclose(pool[:, -2], expected.mean((1, 2, 3)), atol=1e-5)
    deviation = np.sqrt(low.var((1, 2, 3)) + 1e-6)
    np.testing.assert_allclose(pool[:, -1], deviation, atol=1e-5)


@pytest.mark.parametrize("tile", [(16, 16), (32, 48)])
def test_tiles_are_the_whole(network, images, answers, tile):
    tall, wide = tile
    framed = np.asarray(between(network, "image", "framed")(images))
    cells = between(network, "framed", "cells")
    whole = np.asarray(cells(framed))
    assert whole.shape == (2, 6, 4, 147)
    rows = []
    for top in range(0, 96, tall):
        row = []
        for left in range(0, 64, wide):
            bottom, right = min(top + tall, 96) + 96, min(left + wide, 64) + 96
            row.append(cells(framed[:, top:bottom, left:right]))
        rows.append(np.concatenate(row, axis=2))
    joined = np.concatenate(rows, axis=1)
    np.testing.assert_allclose(joined, whole, atol=1e-5)
    last = network.get_layer("cells").output
    found = ask(keras.Model(last, network.output), joined)
    for name, expected in answers.items():
        np.testing.assert_allclose(found[name], expected, atol=1e-5)


def test_a_cell_depends_on_nothing_beyond_the_halo(network, images):
    cells = between(network, "framed", "cells")
    framed = np.zeros((1, 112 + 32, 112, 3), "float32")
    near, far = framed.copy(), framed.copy()
    near[:, 112 - 18] = 255  # 48 + 16 + 30: the last row that the first cells see
    far[:, 112 - 17] = 255
    expected, seen, unseen = (np.asarray(cells(x))[:, 0] for x in (framed, near, far))
    assert (seen != expected).any()
    np.testing.assert_array_equal(unseen, expected)


def test_static_and_dynamic_sizes_answer_alike(network, images, answers):
    twin = diqa.diqa(size=SIZE)
    assert twin.output["map"].shape == (None, 24, 16, 1)
    twin.set_weights(network.get_weights())
    for name, found in ask(twin, images).items():
        np.testing.assert_allclose(found, answers[name], atol=1e-6)


def test_true_errors_by_hand():
    layer = diqa.TrueErrors()
    distorted = np.zeros((1, 4, 8, 1), "float32")
    reference = distorted.copy()
    reference[0, 1, 2] = 1  # one of 16 pixels
    distorted[0, :, 4:] = 0.5  # all of 16
    found = np.asarray(layer([distorted, reference]))
    np.testing.assert_allclose(found[0, 0, :, 0], [1 / 16, 0.5**0.2], rtol=1e-5)


def test_reliability_by_hand():
    found = np.asarray(diqa.reliability(np.array([0, 1, -5], "float32") / 255))
    expected = [0, (np.e - 1) / (np.e + 1), (np.e**5 - 1) / (np.e**5 + 1)]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_error_map_loss_by_hand():
    layer = diqa.ErrorMapLoss()
    true = np.array([0.5, 0.25], "float32").reshape(1, 1, 2, 1)
    normalised = np.zeros((1, 4, 8, 1), "float32")
    assert np.asarray(layer([true, true, normalised])) == 0
    assert np.asarray(layer([true + 1, true, normalised])) == 0  # flat: not reliable
    normalised[:, :, :4] = 1
    assert np.asarray(layer([true, true, normalised])) == 0
    # The first place weighs 2, the other nothing: (0.1 * 2) ** 2 / 2.
    off = np.array([0.1, 9], "float32").reshape(true.shape)
    found = np.asarray(layer([true + off, true, normalised]))
    np.testing.assert_allclose(found, [[0.02]], rtol=1e-4)


@pytest.fixture(scope="module")
def pairs(images):
    noise = np.random.default_rng(1).normal(0, 20, images.shape)
    distorted = (images + noise * [[[[0]]], [[[1]]]]).clip(0, 255)
    return np.concatenate([distorted, images], axis=-1).astype("float32")


def test_what_is_undistorted_has_no_errors(network, pairs):
    found = np.asarray(diqa.true_error_map(network)(pairs))
    assert found.shape == (2, 24, 16, 1)
    assert (found[0] == 0).all()
    assert (found[1] > 0.1).all()


def test_first_stage_falls():
    keras.utils.set_random_seed(4)
    network = diqa.diqa()
    head = [network.get_layer(name).get_weights()[0] for name in ("fc", "score")]
    stage = diqa.error_map_loss(network)
    stage.compile(keras.optimizers.Nadam(1e-3), OpinionLoss({"own": 1.0}))
    random = np.random.default_rng(2)
    reference = random.integers(60, 196, (2, 48, 48, 3))
    noise = random.normal(0, [[[[5]]], [[[40]]]], reference.shape)
    pair = np.concatenate([reference + noise, reference], axis=-1).astype("float32")
    history = stage.fit(pair, np.zeros((2, 1)), epochs=12, verbose=0).history["loss"]
    assert history[-1] < history[0] / 4
    for name, before in zip(("fc", "score"), head, strict=True):
        after = network.get_layer(name).get_weights()[0]
        np.testing.assert_array_equal(after, before)


@pytest.mark.export
def test_litert_answers_alike(network, images, answers):
    content = converted(network, SIZE, "score")
    for name, expected in answers.items():
        found = LiteRT(content, name, "diqa").predict(images.astype("uint8"))
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_save_and_reload(network, images, answers, tmp_path):
    network.save(tmp_path / "diqa.keras")
    again = keras.saving.load_model(tmp_path / "diqa.keras")
    assert again.compiled
    assert registry.variables(again).keys() == registry.variables(network).keys()
    for name, found in ask(again, images).items():
        np.testing.assert_array_equal(found, answers[name])


# --- pooling --------------------------------------------------------------------------


@pytest.mark.parametrize("pooling", ["learned", "saliency", "worst"])
def test_pooling_weighs_the_cells(network, images, pooling):
    """The features' means by hand, with the weights that the network gives."""
    weighed = iqa_zoo.load_model("diqa", None, pooling=pooling)
    registry.fill_shared(weighed, named(network), "diqa")
    layer = {
        "learned": "cell_weight",
        "saliency": "saliency",
        "worst": "largest_errors",
    }[pooling]
    cells, weights, pool, errors = looked(
        weighed, images, "features", layer, "pool", "cell_errors"
    )
    if pooling == "worst":
        errors = errors.mean(-1).reshape(2, -1)
        for one, each in zip(weights.reshape(2, -1) > 0, errors, strict=True):
            assert one.sum() >= 3  # a tenth of 24
            assert each[one].min() >= each[~one].max() - 1e-6
    assert weights.shape == (*cells.shape[:-1], 1)
    assert (weights >= 0).all()
    assert np.ptp(weights[1]) > 0
    expected = (cells * weights).sum((1, 2)) / weights.sum((1, 2))
    np.testing.assert_allclose(pool[:, :-1], expected[:, :-2], atol=1e-5)
    content = converted(weighed, SIZE, "score")
    found = LiteRT(content, "score", "diqa").predict(list(images.astype("uint8")))
    np.testing.assert_allclose(found, ask(weighed, images)["score"], atol=1e-4)


def test_no_such_pooling():
    with pytest.raises(UsageError, match="No pooling is called 'best'"):
        iqa_zoo.load_model("diqa", None, pooling="best")


def named(network):
    return {path: v.numpy() for path, v in registry.variables(network).items()}
