"""The same training with fewer labels, on several splits, and not at all."""

import csv

import pytest

from iqa_zoo.data.manifest import read_labels
from iqa_zoo.errors import UsageError
from iqa_zoo.training.curve import labels_for_more, learning_curve, repeated
from iqa_zoo.training.plan import plan
from tests.helpers.small import NAME, eagerly, make_opinions, packaged


@pytest.fixture(scope="module", autouse=True)
def _packaged():
    with packaged(), eagerly():
        yield


@pytest.fixture(scope="module")
def labels(tmp_path_factory):
    return read_labels(*make_opinions(tmp_path_factory.mktemp("opinions"), 40))


HOW = {"model": NAME, "start": "random", "epochs": 1}


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_learning_curve(labels, tmp_path):
    points = learning_curve(labels, out=tmp_path, sizes=[8, 16], **HOW)
    assert [point["labels"] for point in points] == [8, 16]
    assert all(p["low"] <= p["srocc"] <= p["high"] for p in points)
    assert [row["labels"] for row in table(tmp_path / "learning-curve.csv")] == [
        "8",
        "16",
    ]
    assert (tmp_path / "learning-curve.png").read_bytes().startswith(b"\x89PNG")
    few = table(tmp_path / "labels-8" / "split.csv")
    assert [row["part"] for row in few].count("train") == 8
    # What is finished is not trained again.
    before = (tmp_path / "labels-8" / "card.toml").stat().st_mtime_ns
    again = learning_curve(labels, out=tmp_path, sizes=[8, 16], **HOW)
    assert again == points
    assert (tmp_path / "labels-8" / "card.toml").stat().st_mtime_ns == before
    with pytest.raises(UsageError, match="labels-8 was made by another command"):
        learning_curve(labels, out=tmp_path, sizes=[8], **{**HOW, "seed": 1})


def test_default_sizes_double_up_to_all(labels, tmp_path, monkeypatch):
    asked = []

    def train(labels, *, out, limit, **_):
        asked.append(limit)
        raise InterruptedError

    monkeypatch.setattr("iqa_zoo.training.curve.train", train)
    with pytest.raises(InterruptedError):
        learning_curve(labels, out=tmp_path, **HOW)
    assert asked == [25]
    with pytest.raises(UsageError, match="has 29 images, and not 30"):
        learning_curve(labels, out=tmp_path, sizes=[30], **HOW)


def test_what_more_labels_bring():
    def points(*found):
        return [
            {"labels": 25 * 2**k, "srocc": s, "low": s - 0.05, "high": s + 0.05}
            for k, s in enumerate(found)
        ]

    # The error halves with every doubling: it will again.
    text = labels_for_more(points(0.2, 0.6, 0.8, 0.9))
    assert "Twice the labels (400)" in text
    assert "0.900 to about 0.950" in text
    assert "0.050" in text
    assert "brought nothing" in labels_for_more(points(0.8, 0.8, 0.79))
    assert "Three points" in labels_for_more(points(0.5, 0.6))


def test_repeats(labels, tmp_path):
    rows = repeated(labels, out=tmp_path, repeats=2, **HOW)
    assert [row["split"] for row in rows] == [0, 1]
    assert {row["n"] for row in rows} == {8}
    first, second = (table(tmp_path / f"split-{k}" / "split.csv") for k in range(2))
    assert first != second
    assert len(table(tmp_path / "repeats.csv")) == 2


def test_plan_says_what_a_training_does_and_writes_nothing(labels, tmp_path):
    out = tmp_path / "run"
    found = plan(labels, out=out, **{**HOW, "epochs": 3})
    assert found["images"] == {"train": 29, "validation": 3, "test": 8}
    (stage,) = found["stages"]
    assert (stage["epochs"], stage["steps"], stage["pictures"]) == (3, 9, 40)
    assert stage["bytes"] == 40 * 2 * (12 * 16 * 4) * 2  # views of the trunk's maps
    assert stage["kept"]
    assert 0 < stage["seconds"] == found["seconds"]
    assert found["memory"] > 1e8
    assert not out.exists()
