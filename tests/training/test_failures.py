"""What ends a training, or how it goes on: no number, no room, a broken picture."""

import csv
import json

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file

import iqa_zoo
from iqa_zoo.data.manifest import read_labels
from iqa_zoo.data.splits import split_labels
from iqa_zoo.errors import ImageError, TrainingError
from iqa_zoo.training import train as module
from iqa_zoo.training import trunk
from iqa_zoo.training.batches import Batches
from tests.helpers.small import card, eagerly, make_opinions, packaged, plainly


@pytest.fixture(scope="module", autouse=True)
def _eager():
    with eagerly():
        yield


@pytest.fixture(scope="module")
def opinions(tmp_path_factory):
    return make_opinions(tmp_path_factory.mktemp("opinions"), 32)


def train(opinions, out, *, stages=1, callbacks=(), **changes):
    stage = card()["recipe"][0] | changes
    stage = {key: value for key, value in stage.items() if value is not None}
    recipe = [stage | {"name": f"stage {number}"} for number in range(stages)]
    with packaged(recipe=recipe) as name, plainly():
        return iqa_zoo.train(
            *opinions, model=name, out=out, start="random", callbacks=callbacks
        )


class Each(keras.callbacks.Callback):
    """Does something after every step and every epoch."""

    def __init__(self, step=None, epoch=None):
        super().__init__()
        self.step, self.epoch = step, epoch
        self.steps = 0

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        if self.step:
            self.step(self.model, self.steps)

    def on_epoch_end(self, epoch, logs=None):
        if self.epoch:
            self.epoch(self.model, epoch)


def test_a_loss_that_is_no_number_names_the_images_of_the_batch(opinions, tmp_path):
    def spoil(network, steps):
        if steps == 3:  # in the middle of an epoch
            bias = network.get_layer("head").bias
            bias.assign(np.full(bias.shape, np.nan))

    with pytest.raises(TrainingError, match=r"The loss of step 4 is nan") as caught:
        train(opinions, tmp_path / "run", epochs=3, callbacks=[Each(spoil)])
    labels = read_labels(*opinions)
    rows = split_labels(labels, 0)["train"]
    stage = {"batch": 8, "epochs": 3}
    drawn = Batches(np.zeros((32, 1, 1, 1, 1)), np.zeros((32, 1)), stage, rows, (0, 0))
    named = [line.strip() for line in str(caught.value).splitlines()[1:]]
    assert named == [labels.names[row] for row in drawn.rows_of(3)]


def test_patience_keeps_the_best_epochs_weights(opinions, tmp_path, monkeypatch):
    found = iter([0.2, 0.9, 0.5, 0.9, 0.7, 1.0, 1.0])
    monkeypatch.setattr(module, "srocc", lambda *_: next(found))
    seen = []
    looking = Each(
        epoch=lambda network, _: seen.append(
            {v.path: v.numpy() for v in network.trainable_variables}
        )
    )
    out = train(
        opinions,
        tmp_path / "run",
        epochs=7,
        patience=3,
        average=None,
        callbacks=[looking],
    )
    with (out / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    figures = [float(row["validation_srocc"]) for row in rows]
    assert figures == [0.2, 0.9, 0.5, 0.9, 0.7]
    arrays = load_file(out / "weights.safetensors")
    for path, value in seen[1].items():
        np.testing.assert_array_equal(arrays[path], value)
    assert (arrays["head/kernel"] != seen[4]["head/kernel"]).any()


def test_the_best_epoch_is_sought_anew_in_every_stage(opinions, tmp_path, monkeypatch):
    found = iter([0.9, 0.5, 0.4, 0.1, 0.3, 0.2])
    monkeypatch.setattr(module, "srocc", lambda *_: next(found))
    out = train(opinions, tmp_path / "run", stages=2, epochs=3, patience=2, ridge=None)
    with (out / "history.csv").open() as file:
        rows = [(row["stage"], row["epoch"]) for row in csv.DictReader(file)]
    assert rows == [(f"stage {n}", str(epoch)) for n in (0, 1) for epoch in (1, 2, 3)]


def test_pictures_are_read_again_where_the_disk_has_no_room(
    opinions, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(trunk, "LARGEST_SHARE", 0)
    out = train(opinions, tmp_path / "run", epochs=1, crop=0.75)
    assert "prepared anew in each epoch" in caplog.text
    found = json.loads((out / "metrics.json").read_text())
    assert np.isfinite(found["test"]["emd"]) and np.isfinite(found["train"]["srocc"])
    with (out / "history.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert 0 < float(row["loss"]) < 2


@pytest.mark.parametrize("ridge", [None, 1.0], ids=["in a step", "before the steps"])
def test_a_broken_picture_is_named_where_pictures_are_read_again(
    tmp_path, monkeypatch, ridge
):
    monkeypatch.setattr(trunk, "LARGEST_SHARE", 0)
    table, photos = make_opinions(tmp_path / "data", 20)
    labels = read_labels(table, photos)
    name = labels.names[split_labels(labels, 0)["train"][3]]
    broken = photos / name
    broken.write_bytes(broken.read_bytes()[:300])
    with pytest.raises(ImageError, match=name) as caught:
        train((table, photos), tmp_path / "run", ridge=ridge)
    assert caught.value.code == "truncated"
    assert not any((tmp_path / "run").iterdir())
