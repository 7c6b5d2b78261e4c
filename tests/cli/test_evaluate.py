"""`iqa-zoo evaluate`: tables, formats and exit statuses."""

import csv
import io
import json

import numpy as np
import pytest
from click.testing import CliRunner

from iqa_zoo.cli import main
from tests.helpers.small import make_opinions
from tests.helpers.tiny import make_run


@pytest.fixture(scope="module")
def opinions(tmp_path_factory):
    return make_opinions(tmp_path_factory.mktemp("opinions"), size=(40, 56))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("runs") / "tiny")


def evaluate(opinions, *arguments):
    table, photos = opinions
    words = ["evaluate", *arguments, "--labels", table, "--images", photos]
    return CliRunner().invoke(main, list(map(str, words)))


def test_table(run, opinions):
    done = evaluate(opinions, run)
    assert done.exit_code == 0, done.output
    head, first, constant = done.stdout.splitlines()
    assert " ".join(head.split()) == "model images SROCC PLCC KROCC RMSE EMD failed"
    assert first.split()[:2] == [str(run), "20"]
    assert constant.split()[:3] == ["constant", "20", "0.000"]
    assert "20 images, scores 0 to 100 (--range" in done.stderr


def test_csv_and_jsonl_say_the_same(run, opinions):
    table = evaluate(opinions, run, "--format", "csv").stdout
    lines = evaluate(opinions, run, "--format", "jsonl").stdout.splitlines()
    from_csv = list(csv.DictReader(io.StringIO(table)))
    from_json = [json.loads(line) for line in lines]
    assert len(from_csv) == len(from_json) == 2
    for a, b in zip(from_csv, from_json, strict=True):
        assert a.keys() == b.keys()
        assert {key: str(value) for key, value in b.items()} == a
        assert np.isfinite(b["emd"])


def test_split(run, opinions, tmp_path):
    split = tmp_path / "split.csv"
    rows = [f"{n:02}.png,{'test' if n < 6 else 'train'}" for n in range(20)]
    split.write_text("\n".join(["image,part", *rows]))
    done = evaluate(opinions, run, "--split", split, "--format", "jsonl")
    assert json.loads(done.stdout.splitlines()[0])["n"] == 6
    done = evaluate(opinions, run, "--split", split, "--part", "tset")
    assert done.exit_code == 2
    assert "'tset' is not one of" in done.stderr


def test_an_image_that_fails(run, tmp_path):
    table, photos = make_opinions(tmp_path, size=(40, 56))
    (photos / "04.png").write_bytes(b"")
    done = evaluate((table, photos), run, "--format", "jsonl")
    assert done.exit_code == 1
    row = json.loads(done.stdout.splitlines()[0])
    assert (row["n"], row["failed"]) == (19, 1)


@pytest.mark.parametrize(
    "arguments, status, words",
    [
        ((), 2, "MODEL"),
        (("nima-mobilnetv2",), 2, "Did you mean nima-mobilenetv2"),
        (("no/such/run",), 2, "no run folder"),
        (("--engine", "onnx", "{run}"), 2, "onnx"),
        (("--format", "xml", "{run}"), 2, "xml"),
        (("--mos-column", "moss", "{run}"), 2, "moss"),
    ],
    ids=["none", "model", "run", "engine", "format", "column"],
)
def test_wrong_use(run, opinions, arguments, status, words):
    done = evaluate(opinions, *(a.format(run=run) for a in arguments))
    assert done.exit_code == status
    assert words in done.stderr
    assert not done.stdout


def test_damaged_weights(run, opinions, tmp_path):
    copy = make_run(tmp_path / "run")
    path = copy / "tiny.tflite"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    done = evaluate(opinions, copy)
    assert done.exit_code == 3
    assert "tiny.tflite" in done.stderr
