"""Training of networks that answer with scores, classes, or of pairs of pictures."""

import json

import numpy as np
import pytest
from PIL import Image

import iqa_zoo
from iqa_zoo import cards
from iqa_zoo.data.manifest import read_labels
from iqa_zoo.data.pictures import Decoded
from iqa_zoo.errors import ImageError, TrainingError, UsageError
from iqa_zoo.training.batches import Batches, augmented, mosaic_shape
from iqa_zoo.training.curve import repeated
from iqa_zoo.training.train import targets_of
from tests.helpers.small import eagerly, make_opinions, plainly

NATIVE = {"fit": "native", "size": [64, 64]}


@pytest.fixture
def recipe(monkeypatch):
    """A function that gives the card of cnniqa another recipe."""

    def change(*stages):
        card = iqa_zoo.model_card("cnniqa") | {"recipe": list(stages)}
        known = {**cards.all_cards(), "cnniqa": card}
        monkeypatch.setattr(cards, "all_cards", lambda: known)

    return change


STAGE = {
    "name": "patches",
    "frozen_to": "none",
    "epochs": 2,
    "batch": 4,
    "learning_rate": 1e-3,
    "optimizer": "adam",
    "patches": 6,
    "patch": 32,
    "output": "cells",
    "loss": {"mae": 1.0},
}


def trained(tmp_path, **arguments):
    opinions = make_opinions(tmp_path / "data", 16, size=(70, 90))
    with eagerly(), plainly():
        return iqa_zoo.train(
            *opinions, model="cnniqa", out=tmp_path / "run", **arguments
        )


def test_patches_of_pictures_in_their_own_size(tmp_path, recipe):
    recipe(STAGE)
    run = trained(tmp_path)
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["start"] == "random"
    assert "emd" not in metrics["test"]
    assert metrics["test"].keys() >= {"srocc", "plcc", "rmse", "n"}
    made = iqa_zoo.model_card(run)
    assert made["recipe"][0]["patches"] == 6
    history = (run / "history.csv").read_text().splitlines()
    losses = [float(line.split(",")[2]) for line in history[1:]]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("optimizer", ["sgd", "nadam"])
@pytest.mark.parametrize("schedule", ["constant", "exponential"])
def test_optimizers_and_schedules(tmp_path, recipe, optimizer, schedule):
    stage = {**STAGE, "optimizer": optimizer, "schedule": schedule, "epochs": 1}
    recipe({**stage, "learning_rate": 1e-4})
    run = trained(tmp_path, split=None)
    assert np.isfinite(iqa_zoo.load_model(run).get_weights()[0]).all()


def test_a_recipe_by_name(tmp_path, monkeypatch):
    card = iqa_zoo.model_card("cnniqa")
    card["recipes"] = {"quick": [{**STAGE, "epochs": 1}]}
    monkeypatch.setattr(cards, "all_cards", lambda: {"cnniqa": card})
    run = trained(tmp_path, recipe="quick", split=None)
    assert iqa_zoo.model_card(run)["recipe"][0]["epochs"] == 1
    with pytest.raises(iqa_zoo.errors.UnknownNameError, match="quick"):
        trained(tmp_path / "other", recipe="quack")


def test_pictures_of_different_sizes_are_no_batch():
    class Inputs:
        shape, dtype = (2, 1, None, None, 3), np.dtype(np.uint8)

        def __getitem__(self, row):
            return np.zeros((1, 40 + row, 50, 3), np.uint8)

    targets = np.zeros((2, 1), np.float32)
    whole = {"batch": 2, "epochs": 1}
    rows = np.arange(2)
    with pytest.raises(TrainingError, match=r"50 x 40, 50 x 41.*side"):
        Batches(Inputs(), targets, whole, rows, (0,)).draw(0)
    squares = Batches(Inputs(), targets, whole | {"side": 48}, rows, (0,)).draw(0)
    assert squares.shape == (2, 48, 48, 3)


def test_a_mosaic_holds_patches_of_the_picture():
    assert [mosaic_shape(n) for n in (1, 6, 7, 32)] == [(1, 1), (2, 3), (1, 7), (4, 8)]
    height, width = 40, 50
    places = np.stack(np.mgrid[:height, :width], axis=-1).astype(np.uint8)
    view = np.concatenate([places, places[..., :1]], axis=-1)[None]
    stage = {"patches": 6, "patch": 8}
    mosaic = augmented(view, stage, np.random.default_rng(0))
    assert mosaic.shape == (16, 24, 3)
    for top in range(0, 16, 8):
        for left in range(0, 24, 8):
            patch = mosaic[top : top + 8, left : left + 8]
            row, column, _ = patch[0, 0]
            np.testing.assert_array_equal(
                patch, view[0, row : row + 8, column : column + 8]
            )


# --- pairs, distortions, order --------------------------------------------------------


@pytest.fixture
def ranked(tmp_path):
    """Two pictures at two levels of two distortions each, and the table of them."""
    random = np.random.default_rng(3)
    lines = ["image,reference,distortion,level,mos"]
    for source in "ab":
        pixels = random.integers(0, 200, (48, 56, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{source}.png")
        for kind, step in (("brighten", 9), ("noise", 4)):
            for level in (1, 2, 3):
                name = f"{source}-{kind}-{level}.png"
                Image.fromarray(pixels + np.uint8(step * level)).save(tmp_path / name)
                lines.append(f"{name},{source}.png,{kind},{level},{4 - level}")
    (tmp_path / "mos.csv").write_text("\n".join(lines) + "\n")
    return read_labels(tmp_path / "mos.csv", tmp_path, range=(1, 3))


def test_pairs_are_drawn_alike(ranked):
    inputs = Decoded(ranked.paths, NATIVE, ranked.reference)
    assert inputs.shape == (12, 1, None, None, 6)
    stage = {"batch": 3, "epochs": 1, "side": 20, "mirror": True}
    targets = targets_of(ranked, {"kind": "score", "scale": [0, 1]}, {})
    np.testing.assert_allclose(targets[:3, 0], [1, 0.5, 0])
    batches = Batches(inputs, targets, stage, np.arange(12), (0,))
    for view, row in zip(batches.draw(0), batches.rows_of(0), strict=True):
        step = {"brighten": 9, "noise": 4}[ranked.distortion[row]]
        difference = view[..., :3].astype(int) - view[..., 3:]
        assert (difference == step * ranked.level[row]).all()


def test_decoded_pictures_are_kept_while_there_is_room(ranked):
    inputs = Decoded(ranked.paths, NATIVE, ranked.reference)
    room = 3 * 48 * 56 * 3
    few = Decoded(ranked.paths, NATIVE, ranked.reference, room)
    for row in (*range(12), 0, 11):
        np.testing.assert_array_equal(few[row], inputs[row])
    assert sum(image.nbytes for image in few._kept.values()) == room


def test_a_reference_of_another_size(ranked, tmp_path):
    Image.new("RGB", (50, 48)).save(tmp_path / "a.png")
    with pytest.raises(
        ImageError, match=r"56 x 48 pixels, but its reference .*50 x 48"
    ):
        Decoded(ranked.paths, NATIVE, ranked.reference)[0]


def test_distortions_as_classes(ranked):
    output = {"kind": "classes", "classes": ["brighten-1", "brighten-2", "brighten-3"]}
    stage = {"name": "types", "target": "distortion"}
    with pytest.raises(UsageError, match=r"a-noise-1.png: .* 'noise-1', only brighten"):
        targets_of(ranked, output, stage)
    output["classes"] += ["noise"]
    found = targets_of(ranked, output, stage)
    np.testing.assert_array_equal(found[:6].argmax(1), [0, 1, 2, 3, 3, 3])
    both = targets_of(ranked, output | {"scale": [0, 1]}, stage | {"target": "both"})
    np.testing.assert_array_equal(both[:, 1:], found)
    np.testing.assert_allclose(both[:3, 0], [1, 0.5, 0])


def test_order_keeps_groups_whole(ranked):
    stage = {"name": "ranks", "target": "order", "batch": 6, "epochs": 3}
    targets = targets_of(ranked, {"kind": "score", "scale": [0, 1]}, stage)
    np.testing.assert_array_equal(targets[:, 1], [1, 2, 3] * 4)
    batches = Batches(np.zeros((12, 1, 8, 8, 3)), targets, stage, np.arange(12), (0,))
    first = set()
    for step in range(batches.steps):
        groups = targets[batches.rows_of(step), 0]
        assert sorted(np.unique(groups, return_counts=True)[1]) == [3, 3]
        first.add(tuple(sorted(set(groups))))
    assert len(first) > 1


def test_order_asks_for_a_margin():
    from iqa_zoo.models.losses import OpinionLoss

    loss = OpinionLoss({"order": 1.0}, scale=(0, 1))
    targets = np.array([[0, 1], [0, 2], [1, 1], [1, 2]], np.float32)
    good = np.array([[0.9], [0.7], [0.5], [0.2]], np.float32)
    assert float(loss(targets, good)) == 0
    # Too close by 0.04 in one group; in the other the wrong way round by 0.3.
    bad = np.array([[0.9], [0.84], [0.2], [0.5]], np.float32)
    assert float(loss(targets, bad)) == pytest.approx((0.04 + 0.4) / 4, abs=1e-6)


def test_columns_that_a_stage_needs(tmp_path):
    table, photos = make_opinions(tmp_path, 12)
    labels = read_labels(table, photos)
    for target in ("distortion", "order"):
        with pytest.raises(UsageError, match="needs a column"):
            targets_of(labels, {"kind": "score"}, {"name": "x", "target": target})


def test_pseudo_scores_are_called_so(tmp_path, ranked, recipe):
    table = tmp_path / "mos.csv"
    lines = table.read_text().splitlines()
    lines = [f"{lines[0]},pseudo", *(f"{line},vsi" for line in lines[1:])]
    table.write_text("\n".join(lines) + "\n")
    labels = read_labels(table, tmp_path)
    assert labels.pseudo == "vsi"
    assert ranked.pseudo is None
    recipe({**STAGE, "epochs": 1})
    with eagerly(), plainly():
        run = iqa_zoo.train(labels, model="cnniqa", out=tmp_path / "run", split=None)
    data = iqa_zoo.model_card(run)["weights"]["run"]["data"]
    assert data == "12 images with pseudo-MOS of vsi"


def test_what_learned_no_opinions_gets_no_figures(tmp_path, ranked, recipe):
    order = {"target": "order", "loss": {"order": 1.0}, "batch": 6, "epochs": 1}
    recipe({**STAGE, **order})
    with eagerly(), plainly():
        run = iqa_zoo.train(ranked, model="cnniqa", out=tmp_path / "run", split=None)
    assert not (run / "scores.csv").exists()
    assert "train" not in json.loads((run / "metrics.json").read_text())
    assert "quantiles" not in iqa_zoo.model_card(run)["weights"]["run"]
    with pytest.raises(UsageError, match="learns from no opinions"):
        repeated(ranked, out=tmp_path / "runs", repeats=2, model="cnniqa")
