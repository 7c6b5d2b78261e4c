"""Figures of models against opinions, with engines that answer by rule."""

import csv
import importlib
from types import SimpleNamespace

import numpy as np
import pytest

import iqa_zoo
from iqa_zoo import correlation
from iqa_zoo.data.manifest import read_labels
from iqa_zoo.errors import OpinionError, UnknownNameError, UsageError
from iqa_zoo.evaluation.figures import constant_figures, figures
from iqa_zoo.files import fingerprint
from iqa_zoo.results import ImageScore
from tests.helpers.small import make_opinions


@pytest.fixture(scope="module")
def opinions(tmp_path_factory):
    return make_opinions(tmp_path_factory.mktemp("opinions"))


@pytest.fixture(scope="module")
def labels(opinions):
    return read_labels(*opinions)


module = importlib.import_module("iqa_zoo.evaluation.evaluate")

# From the row's number to its score.
RULES = {
    "good": lambda row: 1 + 9 * (row / 20) ** 2,
    "wrong": lambda row: 9 - row / 4,
    "flaky": lambda row: None if row % 2 else 1 + row / 4,
    "blind": lambda row: None,
}


class Judge:
    """A stand-in for `Scorer`: each "model" is one of `RULES`."""

    direction = "higher_is_better"

    def __init__(self, models, engine):
        self.models = tuple(models)
        assert engine in ("auto", "litert")

    def score(self, images):
        for image in images:
            for model in self.models:
                value = RULES[model](int(image.stem))
                if value is None:
                    yield ImageScore(
                        str(image), model, error="corrupt", message="is damaged"
                    )
                    continue
                shares = np.zeros(10)
                shares[round(value) - 1] = 1
                yield ImageScore(
                    str(image),
                    model,
                    value=value,
                    std=0.0,
                    distribution=tuple(shares),
                    scale=(1.0, 10.0),
                    direction=self.direction,
                )


@pytest.fixture
def judge(monkeypatch):
    """Takes the place of real models, which have seen the images of `seen`."""
    seen = set()
    monkeypatch.setattr(module, "Scorer", Judge)
    monkeypatch.setattr(
        module.registry, "resolve", lambda _: SimpleNamespace(seen=lambda: seen)
    )
    return seen


def test_rows_and_figures(judge, opinions, labels):
    rows = iqa_zoo.evaluate(["good", "wrong", "flaky"], *opinions, engine="litert")
    assert [row["model"] for row in rows] == ["good", "wrong", "flaky", "constant"]
    good, wrong, flaky, constant = rows
    assert good["srocc"] == good["krocc"] == 1
    assert wrong["srocc"] == wrong["krocc"] == -1
    values = [RULES["good"](row) for row in range(20)]
    assert good["plcc"] == pytest.approx(correlation.plcc(values, labels.mos))
    assert good["plcc_logistic"] >= good["plcc"]
    assert (good["n"], good["failed"]) == (20, 0)
    assert (flaky["n"], flaky["failed"]) == (10, 10)
    assert flaky["srocc"] == 1
    assert constant["srocc"] == 0
    assert constant["rmse"] == pytest.approx(labels.mos.std())
    assert good["rmse"] < constant["rmse"]


def test_one_model_and_labels_read_before(judge, labels):
    rows = iqa_zoo.evaluate("good", labels)
    assert [row["model"] for row in rows] == ["good", "constant"]


def test_dmos(judge, opinions, monkeypatch):
    row, _ = iqa_zoo.evaluate("wrong", *opinions, direction="lower_is_better")
    assert row["srocc"] == 1
    monkeypatch.setattr(Judge, "direction", "lower_is_better")
    row, _ = iqa_zoo.evaluate("wrong", *opinions)
    assert row["srocc"] == 1


def make_split(path, names, parts):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "part"])
        writer.writerows(zip(names, parts, strict=True))
    return path


def test_split(judge, labels, tmp_path):
    parts = ["test"] * 5 + ["train"] * 15
    # Another order, and images that the table does not have: names count.
    names = [*reversed(labels.names), "other.png"]
    split = make_split(tmp_path / "split.csv", names, [*parts, "test"])
    row, constant = iqa_zoo.evaluate("good", labels, split=split)
    assert (row["n"], constant["n"]) == (5, 5)
    assert constant["rmse"] == pytest.approx(labels.mos[15:].std())
    row, _ = iqa_zoo.evaluate("good", labels, split=split, part="train")
    assert row["n"] == 15
    with pytest.raises(UnknownNameError, match="Did you mean test"):
        iqa_zoo.evaluate("good", labels, split=split, part="tests")
    split = make_split(tmp_path / "short.csv", labels.names[1:], ["test"] * 19)
    with pytest.raises(UsageError, match=rf"short\.csv .*{labels.names[0]}"):
        iqa_zoo.evaluate("good", labels, split=split)


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "\x00\xff"])
def test_no_split_at_all(judge, labels, tmp_path, content):
    path = tmp_path / "split.csv"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(UsageError, match=r"split"):
        iqa_zoo.evaluate("good", labels, split=path)
    with pytest.raises(UsageError, match=r"no\.csv"):
        iqa_zoo.evaluate("good", labels, split=tmp_path / "no.csv")


def test_too_few_scores(judge, labels):
    with pytest.raises(OpinionError, match=r"blind scored 0 of 20.*is damaged"):
        iqa_zoo.evaluate("blind", labels)


def test_images_that_the_model_has_seen(judge, labels):
    judge.update(fingerprint(path) for path in labels.paths[:6])
    rows = iqa_zoo.evaluate(["good", "flaky"], labels)
    assert [row["seen"] for row in rows] == [6, 3, 0]


def test_an_image_that_has_gone_since(judge, tmp_path):
    labels = read_labels(*make_opinions(tmp_path))
    labels.paths[1].unlink()
    assert iqa_zoo.evaluate("flaky", labels)[0]["failed"] == 10


def test_images_must_be_named(judge, opinions, labels):
    with pytest.raises(UsageError, match="cannot change labels"):
        iqa_zoo.evaluate("good", labels, mos="mos")
    with pytest.raises(UsageError, match="folder of the images"):
        iqa_zoo.evaluate("good", opinions[0])


def test_figures_of_a_perfect_answer(labels):
    rows = np.arange(len(labels.names))
    truth = labels.distribution((1, 10), 10)
    found = figures(labels, rows, labels.mos, truth)
    assert found["srocc"] == found["krocc"] == 1
    assert found["plcc"] == pytest.approx(1)
    assert found["emd"] == found["emd_r2"] == 0
    assert found["n"] == 20
    assert found["rmse"] < 1
    assert "emd" not in figures(labels, rows, labels.mos)


def test_constant_answers_with_what_it_knows(labels):
    known, rows = np.arange(10), np.arange(10, 20)
    found = constant_figures(labels, rows, known)
    expected = np.sqrt(np.mean((labels.mos[rows] - labels.mos[known].mean()) ** 2))
    assert found["rmse"] == pytest.approx(expected)
    truth = labels.distribution()
    answer = truth[known].mean(0)
    assert found["emd"] == pytest.approx(
        np.mean([correlation.emd(row, answer) for row in truth[rows]])
    )
    assert found["n"] == 10
