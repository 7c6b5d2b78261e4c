"""A whole training of the small model, and what its folder is good for."""

import csv
import json
import logging

import numpy as np
import pytest

import iqa_zoo
from iqa_zoo import cards, registry, store
from iqa_zoo.data.manifest import read_labels
from iqa_zoo.data.splits import fixed_split
from iqa_zoo.errors import (
    OpinionError,
    OutputError,
    UnknownNameError,
    UsageError,
    WeightsError,
)
from iqa_zoo.files import fingerprint
from iqa_zoo.training import trunk
from tests.helpers.small import NAME, card, eagerly, make_opinions, packaged


@pytest.fixture(scope="module", autouse=True)
def _packaged():
    with packaged():
        yield


@pytest.fixture(scope="module")
def opinions(tmp_path_factory):
    return make_opinions(tmp_path_factory.mktemp("opinions"))


@pytest.fixture
def eager():
    with eagerly():
        yield


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def run(tmp_path_factory, opinions, cache):
    out = tmp_path_factory.mktemp("runs") / "deep" / "run"
    made = iqa_zoo.train(
        *opinions, model=NAME, out=out, start="random", seed=4, cache=cache
    )
    assert made == out
    return out


def metrics(run):
    return json.loads((run / "metrics.json").read_text())


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


# --- the folder -----------------------------------------------------------------------


def test_files(run):
    assert {path.name for path in run.iterdir()} == {
        *("weights.safetensors", "card.toml", "seen.txt", "command.txt"),
        *("split.csv", "scores.csv", "metrics.json"),
        *("history.csv", "history.png", "scatter.png", "logs"),
    }


def test_split_is_the_fixed_one(run, opinions):
    labels = read_labels(*opinions)
    split = fixed_split(len(labels.names), 0)
    part_of = {row["image"]: row["part"] for row in table(run / "split.csv")}
    assert list(part_of) == list(labels.names)
    for part, rows in (
        ("train", split.fitting),
        ("validation", split.validation),
        ("test", split.test),
    ):
        assert {n for n, p in part_of.items() if p == part} == {
            labels.names[row] for row in rows
        }


def test_history(run):
    rows = table(run / "history.csv")
    assert [(row["stage"], row["epoch"]) for row in rows] == [
        ("upper layers", "1"),
        ("upper layers", "2"),
    ]
    assert all(np.isfinite(float(row["loss"])) for row in rows)


def test_metrics(run, opinions):
    found = metrics(run)
    assert found["start"] == "random"
    assert (found["split"], found["seed"], found["precision"]) == (0, 4, "float32")
    labels = read_labels(*opinions)
    split = fixed_split(20, 0)
    assert "validation" not in found  # one picture agrees with anything
    for part, n in (("train", 15), ("test", 4)):
        assert found[part]["n"] == found[f"{part}_constant"]["n"] == n
        assert 0 <= found[part]["emd"] <= found[part]["emd_r2"] <= 1
    constant = found["test_constant"]
    assert constant["srocc"] == constant["plcc"] == constant["krocc"] == 0
    mean = labels.mos[split.fitting].mean()
    expected = np.sqrt(np.mean((labels.mos[split.test] - mean) ** 2))
    assert constant["rmse"] == pytest.approx(expected)
    # Brightness is all there is to learn, and it is learnt.
    assert found["test"]["srocc"] == 1
    assert found["test"]["emd"] < constant["emd"]


def test_card(run):
    made = cards.read_card(run / "card.toml")
    weights = made["weights"]["run"]
    assert "preferred" not in made
    assert (weights["kind"], weights["seed"], weights["trained_on"]) == ("local", 4, 15)
    assert weights["command"] == "iqa_zoo.train"
    assert weights["results"]["test"] == metrics(run)["test"]
    assert made["recipe"] == card()["recipe"]


# --- what the folder is good for ------------------------------------------------------


def test_run_is_a_model(run, opinions):
    network = iqa_zoo.load_model(run)
    assert network.compiled
    photo = opinions[1] / "07.png"
    (result,) = iqa_zoo.score(photo, run, engine="tensorflow")
    assert (result.model, result.error) == (str(run), None)
    assert 1 <= result.value <= 10
    (lite,) = iqa_zoo.score(photo, run, engine="litert")
    assert lite.value == pytest.approx(result.value, abs=1e-4)


def test_evaluate_agrees_with_the_metrics(run, opinions):
    rows = iqa_zoo.evaluate(
        run, *opinions, split=run / "split.csv", engine="tensorflow"
    )
    found, expected = rows[0], metrics(run)["test"]
    assert found["n"] == 4
    for figure in ("srocc", "krocc", "plcc", "emd", "emd_r2"):
        # Training saw the trunk's output in 16 bits.
        assert found[figure] == pytest.approx(expected[figure], abs=2e-3)


# --- reproducing ----------------------------------------------------------------------


def test_same_seed_same_bytes_and_the_cache_is_used(
    run, opinions, cache, tmp_path, monkeypatch
):
    monkeypatch.setattr(trunk, "_compute", lambda *_: pytest.fail("computed again"))
    again = iqa_zoo.train(
        *opinions, model=NAME, out=tmp_path / "a", start="random", seed=4, cache=cache
    )
    for name in ("weights.safetensors", "split.csv", "history.csv", "metrics.json"):
        assert (again / name).read_bytes() == (run / name).read_bytes(), name
    other = iqa_zoo.train(
        *opinions,
        model=NAME,
        out=tmp_path / "b",
        start=run,
        seed=5,
        epochs=1,
        cache=cache,
    )
    assert metrics(other)["start"] == str(run)
    assert len(table(other / "history.csv")) == 1


# --- variants -------------------------------------------------------------------------


def train(opinions, out, **arguments):
    return iqa_zoo.train(
        *opinions,
        **{"model": NAME, "out": out, "start": "random", "epochs": 1, **arguments},
    )


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(opinions, tmp_path, precision):
    import keras

    run = train(opinions, tmp_path / "run", precision=precision)
    assert keras.config.dtype_policy().name == "float32"
    assert metrics(run)["precision"] == precision
    assert np.isfinite(float(table(run / "history.csv")[0]["loss"]))
    arrays = registry.resolve(run).arrays()
    assert all(np.isfinite(array).all() for array in arrays.values())
    assert 0 < metrics(run)["train"]["emd"] < 0.5


def test_several_stages_and_whole_pictures(eager, opinions, tmp_path, caplog):
    upper = card()["recipe"][0]
    whole = upper | {
        "name": "everything",
        "frozen_to": "none",
        "batch_norm": "live",
        "crop": 0.75,
    }
    del whole["ridge"]
    with packaged(recipe=[upper, whole]), caplog.at_level(logging.INFO, "iqa_zoo"):
        run = train(opinions, tmp_path / "run")
    assert [row["stage"] for row in table(run / "history.csv")] == [
        "upper layers",
        "everything",
    ]
    assert "Stage: everything (epochs: 1)." in caplog.text
    assert not (run / "unfinished").exists()


def test_dmos_and_training_on_validation(eager, opinions, cache, tmp_path):
    run = train(
        opinions,
        tmp_path / "run",
        direction="lower_is_better",
        train_on_validation=True,
        cache=cache,
    )
    parts = [row["part"] for row in table(run / "split.csv")]
    assert (parts.count("train"), parts.count("test")) == (16, 4)
    # The dark pictures are the good ones now.
    scores = iqa_zoo.score(sorted(opinions[1].iterdir()), run, engine="tensorflow")
    values = [result.value for result in scores]
    assert values[0] > values[-1]
    assert metrics(run)["direction"] == "lower_is_better"


def test_seen_images_and_training_on_all(eager, run, opinions, cache, tmp_path):
    """What a run was trained on is known, also that of the run it started from."""
    parts = {row["image"]: row["part"] for row in table(run / "split.csv")}
    seen = registry.resolve(run).seen()
    for name, part in parts.items():
        assert (fingerprint(opinions[1] / name) in seen) == (part == "train")
    every = train(opinions, tmp_path / "every", start=run, split=None, cache=cache)
    assert len(registry.resolve(every).seen()) == 20
    assert {row["part"] for row in table(every / "split.csv")} == {"train"}
    assert "test" not in metrics(every)
    assert registry.model_card(every)["weights"]["run"]["trained_on"] == 20
    with pytest.raises(UsageError, match="4 of the 4 test images"):
        train(opinions, tmp_path / "a", start=every, train_on_validation=True)
    assert not (tmp_path / "a").exists()  # it is found out before anything is made


# --- starts ---------------------------------------------------------------------------


def test_best_start_is_the_default_weights(run):
    from iqa_zoo.training.train import started

    made = cards.read_card(run / "card.toml")
    with pytest.MonkeyPatch.context() as patch, packaged(**made):
        patch.setattr("iqa_zoo.store.own_folder", lambda: run)
        network, source = started(NAME, "best")
        arrays = registry.resolve(NAME).arrays()
    assert source.name == f"{NAME}.run"
    for path, variable in registry.variables(network).items():
        np.testing.assert_array_equal(variable, arrays[path])


def test_best_start_without_weights_is_imagenet(monkeypatch):
    from iqa_zoo.training.train import started

    asked = []
    monkeypatch.setattr(registry, "fill_backbone", lambda *a: asked.append(a))
    monkeypatch.setattr(registry, "_backbone", lambda card: "some")
    monkeypatch.setattr(store, "read_imagenet", lambda backbone: {})
    with packaged(backbone="some"):
        for start, fills in (("best", 1), ("imagenet", 2), ("random", 2)):
            assert started(NAME, start)[1] is None
            assert len(asked) == fills
    assert started(NAME, "best")[1] is None  # from random: there is no backbone
    assert len(asked) == 2


def test_start_from_another_model(run):
    from iqa_zoo.training.train import started

    with pytest.raises(WeightsError, match=r"weight file of .*run"):
        started("nima-mobilenetv2", run)


# --- what is refused ------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong, error, words",
    [
        ({"model": "nima-smal"}, UnknownNameError, NAME),
        ({"start": "imagenett"}, UnknownNameError, "No model"),
        ({"start": "imagenet"}, UsageError, "backbone"),
        ({"precision": "float61"}, UnknownNameError, "float32"),
        ({"mos": "moss"}, UnknownNameError, "mos"),
        ({"split": -1}, UsageError, "split is -1; it must be 0 to"),
        ({"seed": -1}, UsageError, "seed is -1; it must be 0 to"),
        ({"epochs": 0}, UsageError, "must be 1 to"),
        ({"limit": 0}, UsageError, "must be 1 to"),
        ({"start": "{run}", "split": 1}, UsageError, "would prove nothing"),
    ],
    ids=lambda x: "-".join(x) if isinstance(x, dict) else "",
)
def test_wrong_arguments(run, opinions, tmp_path, wrong, error, words):
    if wrong.get("start") == "{run}":
        wrong = wrong | {"start": run}
    with pytest.raises(error, match=words):
        train(opinions, tmp_path / "run", **wrong)
    # Nothing is in the way of the next try.
    train_again = tmp_path / "run"
    assert not train_again.exists() or not any(train_again.iterdir())


def test_out_must_be_empty(opinions, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="holds files"):
        train(opinions, tmp_path)
    with pytest.raises(OutputError, match="file"):
        train(opinions, tmp_path / "file" / "run")
    with pytest.raises(OutputError, match="file"):
        train(opinions, tmp_path / "file")


def test_images_must_be_named(opinions, tmp_path):
    with pytest.raises(UsageError, match="folder of the images"):
        iqa_zoo.train(opinions[0], model=NAME, out=tmp_path / "run")


def test_missing_picture(tmp_path):
    table, photos = make_opinions(tmp_path / "data", 12)
    (photos / "03.png").unlink()
    with pytest.raises(OpinionError, match=r"03\.png"):
        train((table, photos), tmp_path / "run")


def test_broken_picture_leaves_an_empty_folder(tmp_path):
    table, photos = make_opinions(tmp_path / "data", 12)
    broken = photos / "03.png"
    broken.write_bytes(broken.read_bytes()[:300])
    with pytest.raises(iqa_zoo.ImageError, match=r"03\.png"):
        train((table, photos), tmp_path / "run")
    assert not any((tmp_path / "run").iterdir())
