"""What holds for every model of the zoo and every weight set that comes with it.

Everything is asked of the cards: a new card is tested without a new line here. What
would take a large network too long is marked `slow` for it.
"""

import functools
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load, save

import iqa_zoo
from iqa_zoo import cards, registry
from iqa_zoo.engines.convert import to_litert
from iqa_zoo.engines.litert import LiteRT
from iqa_zoo.images import fit_image, read_image
from iqa_zoo.models.losses import TERMS, score_mean
from tests.helpers.small import eagerly, make_opinions

MODELS = list(cards.all_cards())
LARGE = [n for n in MODELS if cards.all_cards()[n]["parameters"] > 10e6]
WEIGHT_SETS = [
    f"{name}.{tag}"
    for name in MODELS
    for tag in cards.all_cards()[name].get("weights", {})
]

# For what takes seconds in a small network, and a minute in a large one.
costly = pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow if n in LARGE else ()) for n in MODELS],
    indirect=True,
)


@pytest.fixture(scope="module", params=MODELS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def card(name):
    return iqa_zoo.model_card(name)


def least(name):
    """The smallest side that the network takes."""
    rule = cards.all_cards()[name]["input"]
    return rule.get("network_least", rule["least"])


def side(name):
    """A side in pixels to test with: small, since that is quick.

    Where a network ends, some pixels must be left: with one, `built` would normalise by
    statistics of two numbers, and rounding would decide what the network answers.
    """
    return least(name) + 64


# One at a time, since large ones take half a gigabyte.
@functools.lru_cache(maxsize=1)
def built(name):
    """The network with random weights, and statistics that let a signal through."""
    import keras

    keras.utils.set_random_seed(7)
    network = iqa_zoo.load_model(name, None)
    norms = [
        x for x in network.layers if isinstance(x, keras.layers.BatchNormalization)
    ]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    if norms:
        network(two_images(side(name)), training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return network


@functools.cache
def two_images(side):
    """A dark and a bright picture, float32 (2, side, side, 3)."""
    noise = np.random.default_rng(1).integers(0, 256, (2, side, side, 3))
    noise[0] //= 4
    noise[1, ::2] = 255
    return noise.astype("float32")


@pytest.fixture(scope="module")
def network(name):
    return built(name)


@pytest.fixture(scope="module")
def images(name):
    return two_images(side(name))


@pytest.fixture(scope="module")
def answers(network, images):
    return ask(network, images)


@pytest.fixture(scope="module")
def stored(network):
    """The network's arrays as a weight file has them."""
    arrays = registry.variables(network).items()
    return load(save({path: variable.numpy() for path, variable in arrays}))


def ask(network, images) -> np.ndarray:
    return np.asarray(network(images, training=False))


def check_answers(found, card, bins=None):
    """Distributions over the card's bins, whose means lie on its scale."""
    output = card["output"]
    assert found.dtype == np.float32
    assert found.shape[1] == (bins or output["bins"])
    assert np.isfinite(found).all()
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)
    low, high = output["scale"]
    means = np.asarray(score_mean(found, output["scale"]))
    assert (means >= low - 1e-4).all()
    assert (means <= high + 1e-4).all()


# --- every card -----------------------------------------------------------------------


def test_builds_as_the_card_says(network, card):
    assert network.compiled
    assert network.inputs[0].name == "image"
    assert network.input_shape == (None, None, None, 3)
    assert network.output_shape == (None, card["output"]["bins"])
    assert network.count_params() == card["parameters"]
    trainable = sum(np.prod(w.shape) for w in network.trainable_weights)
    assert trainable == card["trainable_parameters"]


def test_answers(network, card, images, answers):
    check_answers(answers, card)
    # Two images apart, and the same bits when asked again.
    assert np.abs(answers[0] - answers[1]).max() > 1e-5
    np.testing.assert_array_equal(ask(network, images), answers)
    assert (images == images.astype("uint8")).all(), "the input was changed"


def test_every_size_is_an_input(name, network, card):
    height = least(name)
    for width in (height, height + 65):
        check_answers(ask(network, np.zeros((1, height, width, 3), "float32")), card)


@costly
def test_arrays_round_trip_into_a_static_network(name, stored, images, answers):
    """Arrays lead to the same network, and a static size to the same answers."""
    size = (side(name), side(name))
    twin = iqa_zoo.load_model(name, None, size=size)
    assert twin.input_shape == (None, *size, 3)
    assert np.abs(ask(twin, images) - answers).max() > 1e-6
    registry.fill(twin, stored, "that file")
    known = registry.variables(twin)
    assert known.keys() == stored.keys()
    for path, variable in known.items():
        np.testing.assert_array_equal(variable, stored[path])
    np.testing.assert_array_equal(ask(twin, images), answers)


@costly
def test_other_bins(name, card, images):
    network = iqa_zoo.load_model(name, None, bins=5)
    assert network.output_shape == (None, 5)
    check_answers(ask(network, images[:1]), card, bins=5)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A function that saves a network once, and what it answers beside it."""
    folder = tmp_path_factory.mktemp("saved")

    def save_once(name):
        path = folder / f"{name}.keras"
        if not path.exists():
            images = two_images(side(name))
            built(name).save(path)
            answers = ask(built(name), images)
            np.savez(path.with_suffix(".npz"), images=images, answers=answers)
        return path

    return save_once


@costly
def test_save_and_reload(name, network, images, answers, saved):
    import keras

    again = keras.saving.load_model(saved(name), safe_mode=True)
    assert again.compiled
    assert again.loss.get_config() == network.loss.get_config()
    np.testing.assert_array_equal(ask(again, images), answers)


RELOAD = """
import sys, pathlib, keras, numpy as np, iqa_zoo.models.nima
for path in map(pathlib.Path, sys.argv[1:]):
    network = keras.saving.load_model(path, safe_mode=True)
    assert network.compiled
    kept = np.load(path.with_suffix(".npz"))
    found = np.asarray(network(kept["images"], training=False))
    np.testing.assert_allclose(found, kept["answers"], atol=1e-6)
    del network
"""


@pytest.mark.parametrize(
    "names",
    [
        pytest.param([n for n in MODELS if n not in LARGE], id="small"),
        *(pytest.param([n], id=n, marks=pytest.mark.slow) for n in LARGE),
    ],
)
def test_reload_in_a_fresh_process(names, saved):
    files = [saved(name) for name in names]
    done = subprocess.run(
        [sys.executable, "-c", RELOAD, *files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


# Converting takes 20 s. Where a LiteRT file comes with the model, `test_weight_set`
# shows on it that the two agree.
def converts_slowly(name):
    sets = cards.all_cards()[name].get("weights", {})
    return name in LARGE or any("litert" in weights for weights in sets.values())


@pytest.mark.export
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=pytest.mark.slow if converts_slowly(n) else ())
        for n in MODELS
    ],
    indirect=True,
)
def test_litert_equals_keras(network, card, images, answers):
    kind, scale = card["output"]["kind"], card["output"]["scale"]
    content = to_litert(network, images.shape[1:3], output=kind, scale=scale)
    found = LiteRT(content, kind, network.name).predict(images.astype("uint8"))
    np.testing.assert_allclose(found, answers, atol=1e-4)
    np.testing.assert_allclose(
        score_mean(found, scale), score_mean(answers, scale), atol=1e-4
    )


@costly
def test_one_step_changes_every_trainable_weight(name, card, images):
    import keras

    network = iqa_zoo.load_model(name, None)
    # Eager, since tracing a whole network takes ten times as long as one step.
    network.compile("adam", network.loss, run_eagerly=True)
    keras.utils.set_random_seed(7)
    before = [w.numpy() for w in network.trainable_weights]
    shares = np.eye(card["output"]["bins"], dtype="float32")[[0, -1]]
    assert np.isfinite(network.train_on_batch(images, shares))
    for weight, old in zip(network.trainable_weights, before, strict=True):
        new = weight.numpy()
        assert np.isfinite(new).all(), weight.path
        assert (new != old).any(), f"{weight.path} did not change"


def test_recipe_names_layers_and_terms(network, card):
    layers = {layer.name for layer in network.layers} | {"none"}
    assert card["recipe"]
    for stage in card["recipe"]:
        kernel = stage.get("kernel", {"frozen_to": "none"})
        named = {stage["frozen_to"], stage.get("output", "none"), kernel["frozen_to"]}
        assert named <= layers
        assert stage["loss"].keys() <= TERMS.keys()


@costly
def test_recipe_runs(name, card, tmp_path, opinions, monkeypatch):
    """The card's recipe from end to end, on smaller pictures and for one epoch."""
    card["input"]["size"] = [side(name), side(name)]
    known = {**cards.all_cards(), name: card}
    monkeypatch.setattr(cards, "all_cards", lambda: known)
    with eagerly():
        run = iqa_zoo.train(
            *opinions, model=name, out=tmp_path / "run", start="random", epochs=1
        )
    made = iqa_zoo.model_card(run)
    assert made["weights"]["run"]["start"] == "random"
    arrays = registry.resolve(run).arrays()
    assert all(np.isfinite(array).all() for array in arrays.values())


@pytest.fixture(scope="module")
def opinions(tmp_path_factory):
    folder = tmp_path_factory.mktemp("opinions")
    return make_opinions(folder, 12, size=(100, 90))


# --- every weight set -----------------------------------------------------------------


@pytest.mark.weights
@pytest.mark.parametrize("full_name", WEIGHT_SETS)
def test_weight_set(full_name, photos, published):
    """From the file: LiteRT, as `score` runs it, and Keras answer alike."""
    entry = registry.resolve(full_name)
    if entry.weights["kind"] == "external":
        published(full_name)
    else:
        assert entry.weights["arrays"] == len(entry.arrays())
    files = sorted(p for p in photos.rglob("*") if p.suffix in (".jpg", ".png"))[:3]
    rule = entry.input
    rules = {key: rule[key] for key in ("fit", "shrink", "enlarge")}
    pixels = [fit_image(read_image(p), rule["size"], **rules) for p in files]
    network = iqa_zoo.load_model(full_name)
    expected = ask(network, np.stack(pixels).astype("float32"))
    check_answers(expected, entry.card)

    results = list(iqa_zoo.score(files, full_name, engine="litert"))
    assert [result.error for result in results] == [None] * len(files)
    found = np.array([result.distribution for result in results])
    np.testing.assert_allclose(found, expected, atol=1e-4)
    low, high = entry.output["scale"]
    means = np.asarray(score_mean(expected, (low, high)))
    for result, mean in zip(results, means, strict=True):
        assert result.model == full_name
        assert result.value == pytest.approx(mean, abs=1e-4)
        assert low <= result.value <= high
    assert np.ptp([result.value for result in results]) > 0.01
