"""From names to models: what is found, what is refused, and by which words."""

import numpy as np
import pytest
import tomli_w
from safetensors.numpy import save

from iqa_zoo import cards, registry, store
from iqa_zoo.errors import CardError, UnknownNameError, UsageError, WeightsError
from iqa_zoo.files import sha256
from tests.helpers.small import NAME, packaged


@pytest.fixture(scope="module", autouse=True)
def _packaged():
    with packaged():
        yield


@pytest.fixture(scope="module")
def network():
    return registry.load_model(NAME, None)


@pytest.fixture(scope="module")
def arrays(network):
    return {
        path: variable.numpy().astype("float16")
        for path, variable in registry.variables(network).items()
    }


def make_run(folder, arrays, /, *, card=(), **weights):
    """A run's folder with these arrays; `weights` wins over what its card would say."""
    folder.mkdir(exist_ok=True)
    data = save(arrays)
    (folder / "w.safetensors").write_bytes(data)
    table = {
        "kind": "local",
        "file": "w.safetensors",
        "bytes": len(data),
        "sha256": sha256(data),
        "dtype": "float16",
        "arrays": len(arrays),
        **dict.fromkeys(("licence", "data", "terms", "start", "command"), "none"),
        "seed": 0,
        "trained_on": 0,
    } | weights
    made = registry.model_card(NAME)
    made |= {"default_weights": "run", "weights": {"run": table}, **dict(card)}
    (folder / "card.toml").write_text(tomli_w.dumps(made))
    return folder


@pytest.fixture
def run(tmp_path, arrays):
    return make_run(tmp_path / "run", arrays)


# --- lists and cards ------------------------------------------------------------------


def test_list_models():
    names = registry.list_models()
    assert names == sorted(names) or names[-1] == NAME
    assert {"nima-mobilenetv2", "nima-efficientnet-lite0"} <= set(names)
    assert registry.list_models("*-small") == [NAME]
    assert registry.list_models("NIMA*") == []
    assert NAME in registry.list_models(task="quality", has_weights=False)
    assert NAME not in registry.list_models(has_weights=True)
    # A model is listed where one of its weight sets has the task.
    assert registry.list_models(task="aesthetics") == ["nima-mobilenet"]
    assert "nima-mobilenet" in registry.list_models(task="quality", has_weights=True)


def test_model_card_is_a_copy(run):
    card = registry.model_card(NAME)
    card["input"]["size"].append(3)
    assert len(registry.model_card(NAME)["input"]["size"]) == 2
    assert registry.model_card(run)["weights"]["run"]["file"] == "w.safetensors"


# --- names ----------------------------------------------------------------------------


def test_resolve_run_folders(run):
    for name in (run, str(run)):
        entry = registry.resolve(name)
        assert (entry.name, entry.tag, entry.folder) == (str(run), "run", run)
        assert entry.input["size"] == [24, 32]
        assert entry.output["bins"] == 10
        assert entry.litert_bytes() is None
    assert registry.resolve(run, None).weights is None
    with pytest.raises(WeightsError, match="no trained weights"):
        registry.resolve(run, None).arrays()


@pytest.mark.parametrize(
    "name, hint",
    [
        ("nima-mobilenetv3", "Did you mean nima-mobilenetv2"),
        ("mobilenetv2", "nima-mobilenetv2"),
        ("NIMA-MOBILENETV2", "Known: .*nima-mobilenetv2"),
        ("zzz", "Known: .*nima-mobilenetv2"),
        ("nima-mobilenetv2.cliv", "weight set"),
        (f"{NAME}.a.b", "No model"),
    ],
)
def test_unknown_names(name, hint):
    with pytest.raises(UnknownNameError, match=hint):
        registry.resolve(name)
    with pytest.raises(UnknownNameError):
        registry.load_model(name, None)


def test_unknown_tag_names_the_nearest(run):
    with pytest.raises(UnknownNameError, match=r"Did you mean .*\.run"):
        registry.resolve(run, "ran")
    with pytest.raises(UnknownNameError, match="weight set"):
        registry.load_model(NAME, "clive")


def test_no_run_folder(tmp_path):
    for name in (tmp_path, str(tmp_path), f"{tmp_path}/no", ""):
        with pytest.raises(UsageError, match=r"no card\.toml"):
            registry.resolve(name)


def test_no_weights_yet():
    with pytest.raises(WeightsError, match=f"iqa-zoo train --model {NAME}"):
        registry.resolve(NAME)


# --- filling --------------------------------------------------------------------------


def test_load_a_run(run, arrays):
    loads = (
        registry.load_model(run),
        registry.load_model(str(run), "run"),
        registry.load_model(NAME, run),
        registry.load_model(NAME, str(run)),
    )
    for network in loads:
        assert network.compiled
        for path, variable in registry.variables(network).items():
            np.testing.assert_array_equal(variable, arrays[path].astype("float32"))


def test_arguments_win_over_the_cards(tmp_path, arrays):
    head = {"head/kernel": np.zeros((8, 5), "f2"), "head/bias": np.zeros(5, "f2")}
    run = make_run(tmp_path / "run", arrays | head, arguments={"bins": 5})
    assert registry.load_model(run).output_shape == (None, 5)
    assert registry.load_model(run, None).output_shape == (None, 10)
    assert registry.load_model(run, None, bins=7).output_shape == (None, 7)
    assert registry.load_model(run, size=(8, 9)).input_shape == (None, 8, 9, 3)
    with pytest.raises(WeightsError, match=r"head/\w+ has shape"):
        registry.load_model(run, bins=6)


def changed(arrays, change):
    arrays = dict(arrays)
    if change == "shape":
        arrays["low_bn/beta"] = arrays["low_bn/beta"][None]
    elif change == "extra":
        arrays["low_bn/delta"] = arrays["low_bn/beta"]
    elif change == "missing":
        del arrays["low_bn/beta"]
    elif change == "renamed":
        arrays["low_bn/betas"] = arrays.pop("low_bn/beta")
    return arrays


@pytest.mark.parametrize(
    "change, words",
    [
        ("shape", r"low_bn/beta has shape \(1, 4\); the network has \(4,\)"),
        ("extra", "extra array low_bn/delta"),
        ("missing", "lacks the array low_bn/beta"),
        ("renamed", "array low_bn/beta"),
    ],
)
def test_wrong_arrays_change_nothing(tmp_path, network, arrays, change, words):
    run = make_run(tmp_path / "run", changed(arrays, change))
    with pytest.raises(WeightsError, match=words) as caught:
        registry.load_model(run)
    assert str(run) in str(caught.value)
    before = [v.numpy().copy() for v in network.variables]
    with pytest.raises(WeightsError, match=words):
        registry.fill(network, registry.resolve(run).arrays(), "that file")
    for old, new in zip(before, network.variables, strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("change", ["byte", "cut", "dtype", "count", "gone"])
def test_wrong_files(tmp_path, arrays, change):
    said = {"dtype": {"dtype": "float32"}, "count": {"arrays": 3}}.get(change, {})
    run = make_run(tmp_path / "run", arrays, **said)
    path = run / "w.safetensors"
    data = path.read_bytes()
    if change == "byte":
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    elif change == "cut":
        path.write_bytes(data[:-1])
    elif change == "gone":
        path.unlink()
    with pytest.raises(WeightsError, match=r"w\.safetensors"):
        registry.load_model(run)


@pytest.mark.parametrize(
    "builder",
    [
        "os:system",
        "subprocess:run",
        "iqa_zoo.store:add",
        "iqa_zoo.models:nima",
        "iqa_zoo.modelsevil:small",
        "iqa_zoo.models.no:small",
        "iqa_zoo.models.nima:no",
        "iqa_zoo.models.nima:DROPOUT",
        "iqa_zoo.models.nima:keras",
        "iqa_zoo.models.nima:UsageError",
        "iqa_zoo.models.nima",
        "",
    ],
)
def test_hostile_builders(tmp_path, arrays, builder):
    run = make_run(tmp_path / "run", arrays, card={"builder": builder})
    with pytest.raises(CardError):
        registry.load_model(run)


def test_unknown_arguments(tmp_path, arrays):
    with pytest.raises(UnknownNameError, match="Did you mean bins"):
        registry.load_model(NAME, None, bin=5)
    run = make_run(tmp_path / "run", arrays, arguments={"dropuot": 0.5})
    with pytest.raises(UnknownNameError, match="Did you mean dropout"):
        registry.load_model(run)


def test_seen(tmp_path, arrays, run):
    assert registry.resolve(run).seen() == frozenset()
    assert registry.resolve(NAME, None).seen() == frozenset()
    text = b"0123456789abcdef\nfedcba9876543210\n"
    table = {"file": "seen.txt", "bytes": len(text), "sha256": sha256(text)}
    other = make_run(tmp_path / "other", arrays, seen=table)
    (other / "seen.txt").write_bytes(text)
    assert registry.resolve(other).seen() == {"0123456789abcdef", "fedcba9876543210"}
    (other / "seen.txt").write_bytes(text[:-17] + b"\n" * 17)
    with pytest.raises(WeightsError, match=r"seen\.txt has sha256"):
        registry.resolve(other).seen()
    table |= {"bytes": 2, "sha256": sha256(b"\xff\n")}
    strange = make_run(tmp_path / "strange", arrays, seen=table)
    (strange / "seen.txt").write_bytes(b"\xff\n")
    assert not registry.resolve(strange).seen() & {"0123456789abcdef"}


@pytest.mark.parametrize("file", ["../w.safetensors", "/etc/passwd", ".."])
def test_hostile_file_names(tmp_path, arrays, file):
    run = make_run(tmp_path / "run", arrays, file=file)
    with pytest.raises(CardError, match=r"card\.toml.*beside the card"):
        registry.load_model(run)


# --- ImageNet -------------------------------------------------------------------------


def test_imagenet_for_a_model_without_a_backbone():
    with pytest.raises(UsageError, match="no backbone"):
        registry.load_model(NAME, "imagenet")


def test_imagenet_missing_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv(store.HOME_VARIABLE, str(tmp_path))
    card = registry.model_card("nima-mobilenetv2")
    with pytest.raises(WeightsError, match=r"weights add mobilenetv2\.imagenet"):
        registry.fill_backbone(None, card)


def test_imagenet_array_that_the_network_lacks(monkeypatch, network):
    from iqa_zoo.models.backbones import mobilenetv2

    names = ["low_bn/beta", "low_bn/delta"]
    monkeypatch.setattr(store, "read_imagenet", lambda _: None)
    monkeypatch.setattr(
        mobilenetv2,
        "from_folded",
        lambda _: {name: np.zeros(4) for name in names},
    )
    monkeypatch.setattr(registry, "named_function", lambda *_: mobilenetv2.from_folded)
    with pytest.raises(WeightsError, match="low_bn/delta"):
        registry.fill_backbone(network, {"backbone": "mobilenetv2"})


@pytest.mark.parametrize("backbone", cards.backbone_cards())
def test_converters_name_every_variable_below_the_pool(backbone, imagenet_weights):
    """Nothing of a published file is lost, and nothing of the network left random."""
    expected = cards.backbone_card(backbone)["weights"]["imagenet"]
    if not (imagenet_weights / expected["file"]).exists():
        pytest.skip(f"needs ../shared/weights/{expected['file']}")
    with np.load(imagenet_weights / expected["file"]) as file:
        published = {name: file[name] for name in file.files}
    arrays = registry.named_function(expected["converter"])(published)
    model = next(
        name
        for name, card in cards.all_cards().items()
        if card.get("backbone") == backbone and "branch" not in card
    )
    known = registry.variables(registry.load_model(model, None))
    others = {path.partition("/")[0] for path in known.keys() - arrays.keys()}
    assert "head" in others <= {"head", "distribution"}  # the latter of a kernel head
    assert {path: array.shape for path, array in arrays.items()} == {
        path: tuple(known[path].shape) for path in arrays
    }
    for path, array in arrays.items():
        assert np.isfinite(array).all(), path
        if path.endswith("moving_variance"):
            assert (array >= 0).all(), path


# --- cards and files of strangers -----------------------------------------------------


@pytest.mark.parametrize("key", ["title", "arguments", "weights.run.results"])
def test_tables_in_tables_end_somewhere(run, key):
    text = (run / "card.toml").read_text()
    if key == "title":
        text = text.replace("title =", "was =", 1)
    (run / "card.toml").write_text(f"{text}\n[{key}{'.a' * 1900}]\nb = 1\n")
    with pytest.raises(CardError, match="deep"):
        registry.resolve(run)


@pytest.mark.parametrize(
    "builder, arguments",
    [
        ("iqa_zoo.models.layers:branch_names", {"chains": [], "name": "a"}),
        ("iqa_zoo.models.layers:unfolded", {"arrays": {"b": 1}, "names": ["a"]}),
        ("iqa_zoo.models.backbones.mobilenet:features", {"image": "a"}),
        ("os:system", {"command": "true"}),
    ],
)
def test_a_run_names_the_builder_of_a_known_model(tmp_path, arrays, builder, arguments):
    changes = {"builder": builder, "arguments": arguments}
    run = make_run(tmp_path / "run", arrays, card=changes)
    with pytest.raises(CardError, match="no model here has the builder"):
        registry.load_model(run)


def test_no_large_network_is_built_for_a_few_numbers(tmp_path, arrays, monkeypatch):
    large = registry.model_card("nima-vgg16")
    changes = {key: large[key] for key in ("builder", "parameters")}
    run = make_run(tmp_path / "run", arrays, card=changes)
    monkeypatch.setattr(registry, "_build", None)
    with pytest.raises(WeightsError, match=r"has 134,301,514 parameters"):
        registry.load_model(run)


def test_no_network_is_built_for_a_file_that_is_missing(monkeypatch):
    monkeypatch.setattr(registry, "_build", None)
    for name, weights in (
        ("nima-mobilenet.ava", "default"),
        ("nima-vgg16", "imagenet"),
    ):
        with pytest.raises(WeightsError, match="cannot be fetched"):
            registry.load_model(name, weights)


def test_numbers_that_are_too_large_for_the_network(network, arrays):
    wide = {path: array.astype(float) for path, array in arrays.items()}
    wide["head/bias"] = np.full(10, 1e300)
    with pytest.raises(WeightsError, match="NaN or infinite"):
        registry.fill(network, wide, "that file")
