"""Exports of what is no distribution: scores, classes, own sizes, two inputs."""

import json

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

import iqa_zoo
from iqa_zoo import registry
from iqa_zoo.engines.litert import LiteRT
from iqa_zoo.errors import ExportError
from iqa_zoo.exporting import export as exporting
from iqa_zoo.exporting import graphs, parity
from tests.helpers import native, tiny

pytestmark = pytest.mark.export


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    with native.packaged(*native.KINDS):
        yield {name: native.make_run(folder / name, name) for name in native.KINDS}


def test_a_score_of_photos_in_their_own_size(runs, few, tmp_path):
    file = tmp_path / "m.tflite"
    found = iqa_zoo.export(runs["small-framed"], file, photos=few)
    assert found["output"] == {"name": "score", "labels": ["score"], "scale": [0, 1]}
    assert found["input"]["shape"] == [1, *native.TILE, 3]
    page = (tmp_path / "m.tflite.report.html").read_text()
    assert found["native"] and "the library judges them in their own" in page
    signature = Interpreter(str(file)).get_signature_list()["score"]
    assert sorted(signature["outputs"]) == ["map", "score"]
    image = np.random.default_rng(0).integers(0, 256, (*native.TILE, 3), np.uint8)
    network = registry.load_network(runs["small-framed"])
    wanted = network(image[None].astype(np.float32), training=False)["score"]
    engine = LiteRT(file.read_bytes(), "score", "m")
    np.testing.assert_allclose(engine.predict([image]), wanted, atol=1e-4)


def test_two_inputs(runs, few, tmp_path):
    file = tmp_path / "m.tflite"
    found = iqa_zoo.export(runs["small-pair"], file, photos=few, quantize="float16")
    assert found["input"]["name"] == "distorted and reference"
    assert found["parity"]["photos"] == 16
    signature = Interpreter(str(file)).get_signature_list()["score"]
    assert sorted(signature["inputs"]) == ["distorted", "reference"]
    image = np.random.default_rng(0).integers(0, 256, (*native.TILE, 6), np.uint8)
    network = registry.load_network(runs["small-pair"])
    given = image[None].astype(np.float32)
    halves = {"distorted": given[..., :3], "reference": given[..., 3:]}
    wanted = network(halves, training=False)
    engine = LiteRT(file.read_bytes(), "score", "m")
    np.testing.assert_allclose(engine.predict([image]), wanted, atol=3e-3)


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [
        ("m", {"to": "savedmodel"}, "export to savedmodel"),
        ("m.tflite", {"to": "mediapipe"}, "export to mediapipe"),
        ("m.tflite", {"reduce": True}, "export to a reduction"),
        ("m.tflite", {"quantize": "int8", "calibrate": "."}, r"to 8 bits \(int8\)"),
    ],
)
def test_what_is_not_offered_of_two_inputs(tmp_path, monkeypatch, name, more, said):
    run = tiny.make_run(tmp_path / "run", model="wadiqam-fr", content=b"none")
    entry = registry.resolve(run)
    monkeypatch.setattr(
        exporting, "subject", lambda *_: graphs.Subject(entry, None, native.TILE)
    )
    with pytest.raises(ExportError, match=said):
        iqa_zoo.export(run, tmp_path / name, **more)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_what_files_with_classes_are_compared_by(tmp_path):
    run = tiny.make_run(tmp_path / "run", model="scnn", content=b"none")
    given = graphs.Subject(registry.resolve(run), None, native.TILE)
    assert given.labels[0] == "dbcnn_blur-1" and len(given.labels) == 39
    assert given.scale == (0, 1)
    answers = iter([[0.1, 0.6, 0.3], [0.7, 0.2, 0.1]])
    others = iter([[0.1, 0.5, 0.4], [0.7, 0.2, 0.1]])
    found = parity.compare(
        range(2),
        lambda _: given.score(np.array(next(answers))),
        lambda _: given.score(np.array(next(others))),
        "none",
        1,
    )
    assert found["max"] == pytest.approx(0.1) and found["mean"] == pytest.approx(0.05)
    assert found["scores"] == [[0.6, 0.5], [0.7, 0.7]]
    json.dumps(found, allow_nan=False)


@pytest.mark.slow
def test_a_savedmodel_of_a_score(runs, few, tmp_path):
    found = iqa_zoo.export(
        runs["small-patches"], tmp_path / "m", to="savedmodel", photos=few
    )
    assert found["reading"]["photos"] == 16
