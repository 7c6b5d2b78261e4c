"""Patches, what is known of each, and what they say as one score."""

import numpy as np
import pytest

import iqa_zoo
from iqa_zoo.engines.convert import converted
from iqa_zoo.errors import UsageError
from iqa_zoo.models import patches, saliency
from iqa_zoo.training.trunk import main_output

NETWORKS = (
    "cnniqa",
    "cnniqa-plus-plus",
    "diqam-nr",
    "wadiqam-nr",
    "diqam-fr",
    "wadiqam-fr",
)
SIZE = (102, 140)  # 3 x 4 patches, and a remainder on both sides


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape).astype("float32")


@pytest.fixture(scope="module")
def image():
    """One that is dark on the left and bright on the right, (1, *SIZE, 3)."""
    return noise(1, *SIZE, 3) * np.linspace(0.1, 1, SIZE[1])[:, None].astype("f4")


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    import keras

    keras.utils.set_random_seed(3)
    return iqa_zoo.load_model(request.param, None)


def given(network, image):
    """What the network takes: for two, the reference is the picture's negative."""
    if len(network.inputs) == 1:
        return image
    return {"distorted": image, "reference": 255 - image}


def ask(network, image, layer=None):
    import keras

    if layer:
        network = keras.Model(network.input, network.get_layer(layer).output)
    found = network(given(network, image), training=False)
    return np.asarray(found["score"] if isinstance(found, dict) else found)


# --- networks -------------------------------------------------------------------------


def test_the_picture_is_judged_patch_by_patch(network, image):
    found = ask(network, image, "cells")
    assert found.shape[:3] == (1, 3, 4)
    assert found.dtype == np.float32
    for row in range(3):
        for column in range(4):
            top, left = 32 * row, 32 * column
            part = image[:, top : top + 32, left : left + 32]
            alone = ask(network, part, "cells")
            np.testing.assert_allclose(
                found[:, row, column], alone[:, 0, 0], rtol=1e-4, atol=1e-5
            )
    np.testing.assert_array_equal(ask(network, image, "map"), found[..., :1])
    # What is less than a patch is left out.
    whole = ask(network, image)
    assert whole.shape == (1, 1)
    np.testing.assert_allclose(whole, ask(network, image[:, :96, :128]), rtol=1e-5)


def test_tiles_joined_at_the_cells_give_the_score(network, image):
    import keras

    upper = keras.Model(network.get_layer("cells").output, network.output)
    parts = [image[:, :, :64], image[:, :, 64:]]
    cells = np.concatenate([ask(network, part, "cells") for part in parts], axis=2)
    found = upper(cells)
    found = found["score"] if isinstance(found, dict) else found
    np.testing.assert_allclose(found, ask(network, image), atol=1e-5)


def test_a_static_size_gives_the_same(network, image):
    name = network.name.replace("_", "-")
    twin = iqa_zoo.load_model(name, None, size=SIZE)
    twin.set_weights(network.get_weights())
    assert twin.get_layer("cells").output.shape[1:3] == (3, 4)
    np.testing.assert_allclose(ask(twin, image), ask(network, image), atol=1e-6)


def test_saves_and_reloads(network, image, tmp_path):
    import keras

    network.save(tmp_path / "it.keras")
    again = keras.saving.load_model(tmp_path / "it.keras", safe_mode=True)
    np.testing.assert_array_equal(ask(again, image), ask(network, image))


@pytest.mark.export
def test_converts_with_built_in_operators_only(network, image):
    import keras

    if network.name.startswith("diqam"):
        pytest.skip("all of it is in WaDIQaM, which is converted")
    photo = keras.Input((None, None, 3), name="image")
    end = network.get_layer("cells").output, main_output(network)
    cells, score = keras.Model(network.input, end)(given(network, photo))
    part = keras.Model(photo, {"cells": cells, "score": score})
    found = run(converted(part, SIZE, "score"), image)
    np.testing.assert_allclose(found["score"], ask(network, image), atol=1e-4)
    cells = ask(network, image, "cells")
    np.testing.assert_allclose(found["cells"], cells, atol=1e-4)


def run(content, image):
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(model_content=content).get_signature_runner("score")
    return run(image=image)


# --- pooling --------------------------------------------------------------------------


def test_poolings_of_one_network(image):
    found = {
        pooling: iqa_zoo.load_model("wadiqam-nr", None, pooling=pooling)
        for pooling in patches.POOLINGS
    }
    for network in found.values():
        network.set_weights(found["learned"].get_weights())
    cells = ask(found["learned"], image, "cells").astype(np.float64)
    score, weight = cells[0, ..., 0], cells[0, ..., 1]
    looked_at = ask(found["saliency"], image, "saliency")[0, ..., 0]
    expected = {
        "mean": score.mean(),
        "learned": np.average(score, weights=weight),
        "saliency": np.average(score, weights=looked_at),
        "worst": np.sort(score, axis=None)[:2].mean(),  # of 12 patches
    }
    for pooling, value in expected.items():
        assert ask(found[pooling], image) == pytest.approx(value, abs=1e-5), pooling


@pytest.mark.export
@pytest.mark.parametrize("pooling", ["saliency", "worst"])
def test_each_pooling_converts(pooling, image):
    network = iqa_zoo.load_model("cnniqa", None, pooling=pooling)
    found = run(converted(network, SIZE, "score"), image)["score"]
    np.testing.assert_allclose(found, ask(network, image), atol=1e-4)


@pytest.mark.parametrize("name", ["cnniqa", "cnniqa-plus-plus", "diqam-fr"])
@pytest.mark.parametrize("pooling", ["learned", "best"])
def test_no_such_pooling(name, pooling):
    with pytest.raises(UsageError, match=f"No pooling is called '{pooling}'"):
        iqa_zoo.load_model(name, None, pooling=pooling)


def test_a_size_below_a_patch():
    with pytest.raises(UsageError, match=r"size is \(32, 31\)"):
        iqa_zoo.load_model("cnniqa", None, size=(32, 31))


@pytest.mark.parametrize("rows, columns", [(1, 1), (2, 5), (4, 5), (7, 3)])
def test_the_worst_tenth(rows, columns):
    scores = noise(2, rows, columns, 1)
    found = patches.WorstScore()(scores)
    count = -(-rows * columns // 10)
    expected = np.sort(scores.reshape(2, -1))[:, :count].mean(1, keepdims=True)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_equal_weights_are_the_mean():
    scores = noise(2, 3, 4, 1)
    found = patches.WeightedScore()([scores, np.full_like(scores, 1e-6)])
    np.testing.assert_allclose(found, scores.mean((1, 2)), rtol=1e-5)
    np.testing.assert_allclose(patches.MeanScore()(scores), found, rtol=1e-5)


# --- saliency -------------------------------------------------------------------------


def light_of(grey, side=8):
    """Luminances (n * side, m * side) as `SpectralResidual` takes them."""
    rows, columns = (n // side for n in grey.shape)
    blocks = grey.reshape(rows, side, columns, side).transpose(0, 2, 1, 3)
    return blocks.reshape(1, rows, columns, side * side).astype("float32")


def by_formula(grey, cells):
    """The saliency of a picture 0..255 in so many rows and columns, by NumPy's FFT."""
    import cv2
    from scipy.ndimage import convolve

    x = cv2.resize(grey / 255, (64, 64), interpolation=cv2.INTER_AREA)
    spectrum = np.fft.fft2(x)
    amplitude = np.abs(spectrum) + 0.01
    logarithm = np.log(amplitude)
    around = convolve(logarithm, np.full((3, 3), 1 / 9), mode="nearest")
    residual = logarithm - around
    x = np.abs(np.fft.ifft2(np.exp(residual) * spectrum / amplitude)) ** 2
    weights = np.exp(-0.5 * (np.arange(-5, 6) / 2.5) ** 2)
    kernel = np.outer(weights, weights)
    x, ones = (convolve(y, kernel, mode="constant") for y in (x, np.ones_like(x)))
    x = cv2.resize(x / ones, cells[::-1], interpolation=cv2.INTER_AREA)
    return np.maximum(x / x.max(), 0.05)


@pytest.mark.parametrize("rows, columns", [(8, 8), (16, 32), (15, 20)])
def test_saliency_is_the_spectral_residual(rows, columns):
    grey = noise(rows * 8, columns * 8) / 4
    grey[8:24, 32:48] += 150
    found = saliency.SpectralResidual()(light_of(grey))
    assert found.shape == (1, rows, columns, 1)
    expected = by_formula(grey.astype(np.float64), (rows, columns))
    np.testing.assert_allclose(found[0, ..., 0], expected, atol=2e-3)


def test_what_stands_out_is_salient():
    waves = 100 + 40 * np.sin(np.arange(128) / 3)
    grey = np.tile(waves, (128, 1))
    grey[70:90, 30:50] = 200
    found = np.asarray(saliency.SpectralResidual()(light_of(grey)))[0, ..., 0]
    rows, columns = np.unravel_index(found.argmax(), found.shape)
    assert 70 // 8 - 1 <= rows <= 90 // 8 + 1
    assert 30 // 8 - 1 <= columns <= 50 // 8 + 1


@pytest.mark.parametrize("grey", [0.0, 77.0, 255.0])
@pytest.mark.parametrize("rows, columns", [(1, 1), (3, 7), (15, 15)])
def test_places_of_a_flat_picture_count_alike(grey, rows, columns):
    light = np.full((1, rows, columns, 64), grey, np.float32)
    found = saliency.SpectralResidual()(light)
    np.testing.assert_allclose(found, 1, atol=0.05)


# --- layers ---------------------------------------------------------------------------


def test_patches_are_cut_row_by_row_and_put_back():
    image = noise(2, *SIZE, 3)
    cut = np.asarray(patches.CutPatches()(image))
    assert cut.shape == (2 * 3 * 4, 32, 32, 3)
    np.testing.assert_array_equal(cut[12 + 4 + 2], image[1, 32:64, 64:96])
    means = cut.mean((1, 2))
    found = np.asarray(patches.JoinCells()([means, image]))
    assert found.shape == (2, 3, 4, 3)
    np.testing.assert_allclose(
        found[1, 2, 3], image[1, 64:96, 96:128].mean((0, 1)), rtol=1e-5
    )


@pytest.mark.parametrize(("window", "constant"), [(3, 1), (7, 10)])
def test_local_normalisation(window, constant):
    patch = noise(1, 32, 32, 1)
    found = patches.LocalNormalise(window, constant)(patch)
    grey = patch[0, ..., 0].astype(np.float64)
    x = np.pad(grey, window // 2, mode="symmetric")
    near = np.lib.stride_tricks.sliding_window_view(x, (window, window))
    expected = (grey - near.mean((2, 3))) / (near.std((2, 3)) + constant)
    np.testing.assert_allclose(found[0, ..., 0], expected, atol=1e-4)
