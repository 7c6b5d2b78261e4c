"""Fusions of a network with hand-made features: choices, and the runs they leave."""

import dataclasses
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

import iqa_zoo
from iqa_zoo import registry
from iqa_zoo.data.manifest import read_labels
from iqa_zoo.errors import CardError, UsageError, WeightsError
from iqa_zoo.models.fusion import BLOCKS, predict
from iqa_zoo.training import kernel_ridge
from iqa_zoo.training.fused_run import compared, gains
from iqa_zoo.training.fusion import Search, _convex, drawn_folds
from iqa_zoo.training.kernel_ridge import solve
from tests.helpers.small import make_opinions, packaged, plainly

COUNT = 60


def made_up(count=COUNT, seed=0):
    """Features by block, and opinions that two of them tell half of each."""
    random = np.random.default_rng(seed)
    features = {
        "network": random.normal(size=(count, 9)),
        "natural_scene": random.normal(size=(count, 5)),
        "technical": random.normal(size=(count, 3)),
    }
    opinions = 50 + 10 * (features["network"][:, 0] + features["natural_scene"][:, 0])
    return features, opinions


def test_photos_left_out_are_answered_as_without_them():
    random = np.random.default_rng(1)
    x, y = random.normal(size=(30, 4)), random.normal(size=30)
    kernel = np.exp(-np.linalg.norm(x[:, None] - x, axis=2))
    folds = np.array_split(random.permutation(30), 5)
    found = solve(kernel, y, folds)
    errors = []
    for ridge in kernel_ridge.RIDGES:
        answers = np.empty(30)
        for fold in folds:
            rest = np.setdiff1d(np.arange(30), fold)
            inner = kernel[np.ix_(rest, rest)] + ridge * np.eye(len(rest))
            answers[fold] = kernel[np.ix_(fold, rest)] @ np.linalg.solve(inner, y[rest])
        errors.append(np.sqrt(np.square(answers - y).mean()))
        if errors[-1] == min(errors):
            best = answers, np.linalg.solve(kernel + ridge * np.eye(30), y)
    assert found.error == pytest.approx(min(errors), rel=1e-9)
    np.testing.assert_allclose(found.left_out, best[0], atol=1e-9)
    np.testing.assert_allclose(found.coefficients, best[1], atol=1e-9)


def test_few_centres_stand_for_many():
    x = np.linspace(0, 1, 80)[:, None]
    y = np.sin(5 * x[:, 0]) - np.sin(5 * x[:, 0]).mean()
    order = np.random.default_rng(0).permutation(80)
    x, y = x[order], y[order]
    kernel = np.exp(-((x - x[:40].T) ** 2))
    found = solve(kernel, y, np.array_split(np.arange(80), 8))
    assert found.error < 0.1
    np.testing.assert_allclose(kernel @ found.coefficients, y, atol=0.1)


def test_weights_are_convex_and_follow_what_is_right():
    random = np.random.default_rng(0)
    truth = random.normal(size=200)
    near, far = truth + random.normal(size=200) * 0.1, random.normal(size=200)
    weights = _convex(np.stack([far, near, far]), truth)
    assert weights.sum() == pytest.approx(1)
    assert weights.min() >= 0
    assert weights[1] >= 0.9


def test_a_fusion_beats_its_blocks_and_answers_anew():
    features, opinions = made_up(160)
    learned = {block: each[:120] for block, each in features.items()}
    held_out = {block: each[120:] for block, each in features.items()}
    search = Search(learned, opinions[:120], drawn_folds(120))
    fusion = search.best()
    alone = [search.early([block]).error for block in BLOCKS]
    assert fusion.error < min(alone)
    assert fusion.error == min(search.early(BLOCKS).error, search.late(BLOCKS).error)
    arrays = search.arrays(fusion)
    answers = predict(held_out, arrays)
    one = {block: each[:1] for block, each in held_out.items()}
    assert predict(one, arrays) == pytest.approx(answers[:1], abs=1e-9)
    assert np.corrcoef(answers, opinions[120:])[0, 1] > 0.8
    others = compared(search, held_out)
    found = gains(opinions[120:], answers, others)
    assert found["network"]["interval"][0] > 0.1
    assert abs(found["technical"]["srocc"]) < 0.1
    for gain in found.values():
        low, high = gain["interval"]
        assert low <= gain["srocc"] <= high


def test_groups_are_left_out_together():
    features, opinions = made_up()
    groups = [f"scene {number // 2}" for number in range(COUNT)]
    # The second of each two is a copy: told by the first where it is not left out too.
    copies = np.repeat(np.arange(0, COUNT, 2), 2)
    noise = {
        b: np.random.default_rng(3).normal(size=e.shape) for b, e in features.items()
    }
    twice = {block: each[copies] for block, each in noise.items()}
    apart = Search(twice, opinions[copies], drawn_folds(COUNT, groups)).early(BLOCKS)
    mixed = Search(twice, opinions[copies], drawn_folds(COUNT)).early(BLOCKS)
    assert mixed.error < 0.8 * apart.error


def test_a_property_that_cannot_be_measured_counts_as_the_mean():
    features, opinions = made_up()
    features["technical"][::7, 1] = np.nan
    search = Search(features, opinions, drawn_folds(COUNT))
    arrays = search.arrays(search.best())
    known = {block: each[:1].copy() for block, each in features.items()}
    known["technical"][0, 1] = arrays["technical/offset"][1]
    unknown = {block: each[:1] for block, each in features.items()}
    assert np.isnan(unknown["technical"]).any()
    assert predict(unknown, arrays) == predict(known, arrays)


def test_too_few_photos():
    with pytest.raises(UsageError, match="19 photos to train on"):
        drawn_folds(19)
    with pytest.raises(UsageError, match="10 groups of photos to train on"):
        drawn_folds(COUNT, [f"scene {number % 10}" for number in range(COUNT)])


@pytest.mark.parametrize("shape", [(), (0,), (2,), (7, 1), (5, 3, 2)])
def test_arrays_that_are_no_regression(shape):
    features, opinions = made_up()
    search = Search(features, opinions, drawn_folds(COUNT))
    arrays = search.arrays(search.best())
    for name in arrays:
        with pytest.raises(WeightsError, match=r"no regression|must have the shape"):
            predict(features, {**arrays, name: np.zeros(shape)})


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return make_opinions(tmp_path_factory.mktemp("opinions"), 40)


@pytest.fixture(scope="module")
def run(table, tmp_path_factory):
    out = tmp_path_factory.mktemp("fused") / "run"
    cache = out.parent / "cache"
    with packaged() as name, plainly():
        return iqa_zoo.train(
            *table, model=name, out=out, start="random", fuse=True, cache=cache
        )


def test_the_run_is_a_model(table, run):
    labels = read_labels(*table)
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["test"]["n"] == 8
    assert metrics["fusion"]["kind"] in ("early", "late")
    assert set(metrics["fusion"]["gains"]) == set(BLOCKS)
    result = iqa_zoo.Scorer(run)(labels.paths[3])
    assert (result.scale, result.direction) == (labels.range, labels.direction)
    line = next(
        line
        for line in (run / "scores.csv").read_text().splitlines()
        if line.startswith(labels.names[3])
    )
    assert float(line.rpartition(",")[2]) == pytest.approx(result.value, abs=1e-4)
    assert iqa_zoo.load_model(run).score(labels.paths[3]) == result.value
    rows = iqa_zoo.evaluate(run, *table, split=run / "split.csv", repeats=20)
    assert rows[0]["srocc"] == pytest.approx(metrics["test"]["srocc"])


def test_scores_are_equal_in_another_process_without_tensorflow(table, run):
    photo = read_labels(*table).paths[5]
    program = (
        "import sys, iqa_zoo; print(repr(iqa_zoo.Scorer(sys.argv[1])(sys.argv[2])"
        ".value)); sys.exit('tensorflow' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, run, photo],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == iqa_zoo.Scorer(run)(photo).value


def test_features_are_kept_and_the_same_run_comes_again(table, run, monkeypatch):
    from iqa_zoo.training import fused_run

    monkeypatch.setattr(fused_run, "read_image", None)
    cache = run.parent / "cache"
    with packaged() as name, plainly():
        again = iqa_zoo.train(
            *table,
            model=name,
            out=run.parent / "again",
            start="random",
            fuse=True,
            cache=cache,
        )
    kept = "weights.safetensors"
    assert (again / kept).read_bytes() == (run / kept).read_bytes()


def test_a_photo_that_is_too_small(run):
    tiny = np.zeros((31, 80, 3), np.uint8)
    result = next(iter(iqa_zoo.score([tiny], run)))
    assert result.error == "too_small"


def test_the_card_is_shown(run):
    from iqa_zoo.cli import main

    shown = CliRunner().invoke(main, ["models", "show", str(run)])
    assert shown.exit_code == 0, shown.output
    assert "hand-made features" in shown.output


def test_a_card_that_names_another_function(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    card = (copy / "card.toml").read_text()
    for other in ("iqa_zoo.engines.fused:extractor", "iqa_zoo.technical.noise:measure"):
        (copy / "card.toml").write_text(card.replace(registry.FUSED, other))
        with pytest.raises(CardError, match="no measure here"):
            registry.resolve(copy)


def test_a_run_without_its_network(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    (copy / "network.tflite").unlink()
    with pytest.raises(WeightsError, match=r"network\.tflite"):
        iqa_zoo.Scorer(copy)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epochs": 3}, "leave out epochs"),
        ({"precision": "mixed_float16"}, "leave out precision"),
        ({"model": "brisque"}, "Name a network"),
        ({"limit": 10}, "10 photos to train on"),
    ],
)
def test_what_cannot_be_fused(table, tmp_path, arguments, message):
    with packaged() as name, pytest.raises(UsageError, match=message):
        iqa_zoo.train(
            *table,
            out=tmp_path / "run",
            fuse=True,
            **{"model": name, "start": "random", **arguments},
        )
    assert not (tmp_path / "run").exists()


def test_a_network_without_a_pooling_layer(table, tmp_path, monkeypatch):
    from iqa_zoo.training import train

    def started(name, start):
        import keras

        image = keras.Input((24, 32, 3), name="image")
        return keras.Model(image, keras.layers.Flatten(name="flat")(image)), None

    monkeypatch.setattr(train, "started", started)
    with packaged() as name, pytest.raises(UsageError, match="no layer `pool`"):
        iqa_zoo.train(
            *table, model=name, out=tmp_path / "run", fuse=True, start="random"
        )
    assert not (tmp_path / "run").exists()


def test_the_network_takes_what_its_weights_take(table, tmp_path, monkeypatch):
    from iqa_zoo.training import train

    with packaged() as name:
        entry = registry.resolve(name, None)
        card = {**entry.card, "input": {**entry.input, "size": [48, 40]}}
        source = dataclasses.replace(entry, card=card)
        network = registry.load_model(name, None)
        monkeypatch.setattr(train, "source_of", lambda *_: source)
        monkeypatch.setattr(train, "started", lambda *_: (network, source))
        monkeypatch.setattr(train.fused_run, "fuse", lambda entry, *_, **__: entry)
        fused = iqa_zoo.train(*table, model=name, out=tmp_path / "run", fuse=True)
    assert fused.input["size"] == [48, 40]
