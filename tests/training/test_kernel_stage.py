"""A recipe that ends with a kernel head: trained, resumed, streamed, planned."""

import json

import keras
import numpy as np
import pytest

import iqa_zoo
from iqa_zoo.data.manifest import read_labels
from iqa_zoo.models.kernel_head import Evidence, KernelHead
from iqa_zoo.training import trunk
from iqa_zoo.training.plan import plan
from tests.helpers.small import NAME, card, eagerly, make_opinions, packaged, small

KERNEL = {"frozen_to": "evidence", "ridge": 0.03, "floor": 0.01}


def with_kernel(**arguments):
    plain = small(**arguments)
    own = keras.layers.Softmax(dtype="float32", name="tuned")(
        plain.get_layer("head").output
    )
    low = keras.layers.ReLU()(plain.get_layer("low_out").output)
    evidence = Evidence(dtype="float32", name="evidence")([low, own])
    head = KernelHead(10, 4, 16, dtype="float32", name="distribution")
    network = keras.Model(plain.inputs, head(evidence), name="nima_small")
    network.compile(optimizer="adam", loss="mse")
    return network


@pytest.fixture(autouse=True)
def _packaged(monkeypatch):
    head = 8 * 4 + 4 + 16 * 4 + 16 * 10 + 10
    recipe = [card()["recipe"][0] | {"output": "tuned", "epochs": 1, "kernel": KERNEL}]
    sizes = {"parameters": 518 + head, "trainable_parameters": 494}
    with packaged(recipe=recipe, **sizes):
        monkeypatch.setattr("iqa_zoo.models.nima.small", with_kernel)
        yield


@pytest.fixture(scope="module")
def opinions(tmp_path_factory):
    return make_opinions(tmp_path_factory.mktemp("opinions"))


HOW = {"model": NAME, "start": "random"}


def test_trained_streamed_and_scored(opinions, tmp_path, monkeypatch):
    run = iqa_zoo.train(*opinions, out=tmp_path / "run", **HOW)
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["test"]["srocc"] == 1  # brightness is all there is to learn
    network = iqa_zoo.load_model(run)
    assert np.abs(network.get_layer("distribution").get_weights()[3]).max() > 0
    photo = opinions[1] / "07.png"
    (one,) = iqa_zoo.score(photo, run, engine="tensorflow")
    (other,) = iqa_zoo.score(photo, run, engine="litert")
    assert one.value == pytest.approx(other.value, abs=1e-4)

    monkeypatch.setattr(trunk, "LARGEST_SHARE", 0)  # no room for prepared pictures
    with eagerly():
        streamed = iqa_zoo.train(*opinions, out=tmp_path / "streamed", **HOW)
    found = json.loads((streamed / "metrics.json").read_text())
    assert found["test"]["srocc"] == 1


def test_plan(opinions, tmp_path):
    labels = read_labels(*opinions)
    with eagerly():
        found = plan(labels, out=tmp_path / "run", epochs=2, **HOW)
    (stage,) = found["stages"]
    assert stage["steps"] == 2
    assert stage["seconds"] > 0
