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
from iqa_zoo.images import fit_by, read_image
from iqa_zoo.models.losses import TERMS, score_mean
from tests.helpers.small import eagerly, make_distorted, make_opinions

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
        network(given(network, two_images(side(name))), training=True)
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


def given(network, images):
    """What a network takes: pictures, or each with another one as its reference."""
    if len(network.inputs) == 1:
        return images
    return {"distorted": images, "reference": images[::-1]}


def ask(network, images) -> np.ndarray:
    answer = network(given(network, images), training=False)
    if isinstance(answer, dict):
        answer = answer["score"]
    return np.asarray(answer)


def width(card):
    """Columns of the network's own answer."""
    output = card["output"]
    widths = {"score": 1, "classes": len(output.get("classes", ()))}
    return widths.get(output["kind"]) or output["bins"]


def check_answers(found, card, bins=None):
    """Scores; or shares, and of distributions over bins a mean on the scale."""
    output = card["output"]
    assert found.dtype == np.float32
    assert found.shape[1] == (bins or width(card))
    assert np.isfinite(found).all()
    if output["kind"] == "score":
        return
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)
    if output["kind"] == "classes":
        return
    low, high = output["scale"]
    means = np.asarray(score_mean(found, output["scale"]))
    assert (means >= low - 1e-4).all()
    assert (means <= high + 1e-4).all()


# --- every card -----------------------------------------------------------------------


def test_builds_as_the_card_says(network, card):
    assert network.compiled
    names = ["distorted", "reference"] if card["input"].get("pair") else ["image"]
    assert [image.name for image in network.inputs] == names
    assert {image.shape for image in network.inputs} == {(None, None, None, 3)}
    answer = network.output
    if isinstance(answer, dict):
        answer = answer["score"]
    assert answer.shape == (None, width(card))
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
    assert {image.shape for image in twin.inputs} == {(None, *size, 3)}
    assert np.abs(ask(twin, images) - answers).max() > 1e-6
    registry.fill(twin, stored, "that file")
    known = registry.variables(twin)
    assert known.keys() == stored.keys()
    for path, variable in known.items():
        np.testing.assert_array_equal(variable, stored[path])
    np.testing.assert_array_equal(ask(twin, images), answers)


@costly
def test_other_bins(name, card, images):
    if card["output"]["kind"] != "distribution":
        pytest.skip("it answers without bins")
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


def configured(loss):
    """The configuration of a loss, or of that of each output that has one."""
    if isinstance(loss, dict):
        return {name: part.get_config() for name, part in loss.items() if part}
    return loss.get_config()


@costly
def test_save_and_reload(name, network, images, answers, saved):
    import keras

    again = keras.saving.load_model(saved(name), safe_mode=True)
    assert again.compiled
    assert configured(again.loss) == configured(network.loss)
    np.testing.assert_array_equal(ask(again, images), answers)


RELOAD = """
import sys, pathlib, keras, numpy as np, importlib
for module in sys.argv[1].split(","):
    importlib.import_module(module)
for path in map(pathlib.Path, sys.argv[2:]):
    network = keras.saving.load_model(path, safe_mode=True)
    assert network.compiled
    kept = np.load(path.with_suffix(".npz"))
    images = kept["images"]
    if len(network.inputs) == 2:
        images = {"distorted": images, "reference": images[::-1]}
    found = network(images, training=False)
    found = np.asarray(found["score"] if isinstance(found, dict) else found)
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
    modules = {cards.all_cards()[n]["builder"].partition(":")[0] for n in names}
    done = subprocess.run(
        [sys.executable, "-c", RELOAD, ",".join(sorted(modules)), *files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


# Converting a backbone takes 20 s. Where a LiteRT file comes with a model on it,
# `test_weight_set` shows on that that the two agree.
def converts_slowly(name):
    return name in LARGE or "backbone" in cards.all_cards()[name]


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
    if card["input"].get("pair"):
        pytest.skip("pairs go through the tiled engine, see tests/engines")
    kind, scale = card["output"]["kind"], card["output"].get("scale", (0, 1))
    content = to_litert(network, images.shape[1:3], output=kind, scale=scale)
    found = LiteRT(content, kind, network.name).predict(images.astype("uint8"))
    np.testing.assert_allclose(found, answers, atol=1e-4)
    if kind == "distribution":
        np.testing.assert_allclose(
            score_mean(found, scale), score_mean(answers, scale), atol=1e-4
        )


@costly
def test_one_step_changes_every_trainable_weight(name, card, images):
    import keras

    network = iqa_zoo.load_model(name, None)
    # Eager, since tracing a whole network takes ten times as long as one step.
    loss = network.loss
    if isinstance(network.output, dict):  # not all of them need have one
        loss = dict.fromkeys(network.output, "mse")
    network.compile("adam", loss, run_eagerly=True)
    keras.utils.set_random_seed(7)
    before = [w.numpy() for w in network.trainable_weights]
    if isinstance(network.output, dict):
        asked = network(given(network, images))
        targets = {key: np.zeros(answer.shape) for key, answer in asked.items()}
    else:
        targets = np.eye(width(card), dtype="float32")[[0, -1]]
    losses = network.train_on_batch(given(network, images), targets)
    assert np.isfinite(losses).all()
    for weight, old in zip(network.trainable_weights, before, strict=True):
        new = weight.numpy()
        assert np.isfinite(new).all(), weight.path
        assert (new != old).any(), f"{weight.path} did not change"


def all_stages(card):
    recipes = [card["recipe"], *card.get("recipes", {}).values()]
    return [stage for recipe in recipes for stage in recipe]


def test_recipe_names_layers_and_terms(network, card):
    layers = {layer.name for layer in network.layers} | {"none"}
    for stage in all_stages(card):
        kernel = stage.get("kernel", {"frozen_to": "none"})
        named = {stage["frozen_to"], stage.get("output", "none"), kernel["frozen_to"]}
        assert named <= layers
        assert stage["loss"].keys() <= TERMS.keys()


#: Recipes of all cards: the first one under None, the others by name.
RECIPES = [
    pytest.param(name, recipe, marks=pytest.mark.slow if name in LARGE else ())
    for name in MODELS
    for recipe in (None, *cards.all_cards()[name].get("recipes", {}))
]


@pytest.mark.parametrize(("name", "recipe"), RECIPES, indirect=["name"])
def test_recipe_runs(name, recipe, card, tmp_path, tables, monkeypatch):
    """A recipe from end to end, on smaller pictures and for few epochs."""
    card["input"]["size"] = [side(name), side(name)]
    stages = card["recipes"][recipe] if recipe else card["recipe"]
    for stage in stages:
        stage["batch"] = min(stage["batch"], 4)
        for key, most in (("side", side(name)), ("patches", 4)):
            if key in stage:
                stage[key] = min(stage[key], most)
    card["recipe"] = stages
    known = {**cards.all_cards(), name: card}
    monkeypatch.setattr(cards, "all_cards", lambda: known)
    with eagerly():
        run = iqa_zoo.train(
            *tables(card), model=name, out=tmp_path / "run", start="random", epochs=1
        )
    made = iqa_zoo.model_card(run)
    assert made["weights"]["run"]["start"] == "random"
    arrays = registry.resolve(run).arrays()
    assert all(np.isfinite(array).all() for array in arrays.values())


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """A function that gives the table and the photos that a card's recipes take."""

    @functools.cache
    def made(kinds, size=(100, 90)):
        folder = tmp_path_factory.mktemp("tables")
        if not kinds:
            return make_opinions(folder, 12, size=size)
        return make_distorted(folder, kinds, size=size)

    def table(card):
        if not any("target" in x or "network" in x for x in all_stages(card)) and (
            not card["input"].get("pair")
        ):
            return made(())
        levels = ("noise-1", "noise-2", "noise-3")
        kinds = tuple(card["output"].get("classes", levels))[:3]
        least = max(card["input"]["least"], 90)
        return made(kinds, (least + 10, least))

    return table


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
    pixels = [read_image(p) for p in files]
    if entry.input["fit"] != "native":
        pixels = [fit_by(entry.input, image) for image in pixels]
    network = iqa_zoo.load_model(full_name)
    batches = [image[np.newaxis].astype("float32") for image in pixels]
    expected = np.concatenate([ask(network, batch) for batch in batches])
    check_answers(expected, entry.card)
    if entry.output["kind"] == "classes" or entry.input.get("pair"):
        return  # no scores of photos

    results = list(iqa_zoo.score(files, full_name, engine="litert"))
    assert [result.error for result in results] == [None] * len(files)
    if entry.output["kind"] == "distribution":
        found = np.array([result.distribution for result in results])
        np.testing.assert_allclose(found, expected, atol=1e-4)
    low, high = entry.output["scale"]
    means = np.clip(score_mean(expected, (low, high)), low, high)
    for result, mean in zip(results, means, strict=True):
        assert result.model == full_name
        assert result.value == pytest.approx(mean, abs=1e-4)
        assert low <= result.value <= high
    assert np.ptp([result.value for result in results]) > 0.001 * (high - low)
