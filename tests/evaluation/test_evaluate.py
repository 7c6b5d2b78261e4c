"""Figures of models against opinions, with engines that answer by rule."""

import csv
import dataclasses
import importlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import iqa_zoo
from iqa_zoo import correlation
from iqa_zoo.data.manifest import read_labels
from iqa_zoo.errors import OpinionError, UnknownNameError, UsageError
from iqa_zoo.evaluation.evaluate import measure
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


answers = importlib.import_module("iqa_zoo.evaluation.answers")

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
    monkeypatch.setattr(answers, "Scorer", Judge)
    monkeypatch.setattr(
        answers.registry, "resolve", lambda _: SimpleNamespace(seen=lambda: seen)
    )
    return seen


def evaluate(*arguments, **options):
    """Without intervals, which most tests do not look at."""
    return iqa_zoo.evaluate(*arguments, **{"repeats": 0} | options)


def test_rows_and_figures(judge, opinions, labels):
    rows = evaluate(["good", "wrong", "flaky"], *opinions, engine="litert")
    names = [row["model"] for row in rows]
    assert names == ["good", "wrong", "flaky", "sharpness", "constant"]
    good, wrong, flaky, sharp, constant = rows
    assert good["srocc"] == good["krocc"] == 1
    assert wrong["srocc"] == wrong["krocc"] == -1
    values = [RULES["good"](row) for row in range(20)]
    assert good["plcc"] == pytest.approx(correlation.plcc(values, labels.mos))
    assert good["plcc_logistic"] >= good["plcc"]
    assert good["plcc_logistic5"] >= good["plcc"]
    assert (good["n"], good["failed"]) == (20, 0)
    assert (flaky["n"], flaky["failed"]) == (10, 10)
    assert flaky["srocc"] == 1
    assert (sharp["n"], sharp["failed"], sharp["seen"]) == (20, 0, 0)
    assert constant["srocc"] == 0
    assert constant["rmse"] == pytest.approx(labels.mos.std())
    assert good["rmse"] < constant["rmse"]
    assert not any(key.endswith("_low") for row in rows for key in row)


def test_one_model_and_labels_read_before(judge, labels):
    rows = evaluate("good", labels)
    assert [row["model"] for row in rows] == ["good", "sharpness", "constant"]


def test_intervals_and_paired_tests(judge, labels):
    found = measure(["good", "flaky", "wrong"], labels, repeats=40)
    good = found.figures[0]
    for name in ("srocc", "plcc", "plcc_logistic", "plcc_logistic5", "krocc", "rmse"):
        assert good[f"{name}_low"] <= good[name] * (1 + 1e-9)
        assert good[f"{name}_high"] >= good[name] * (1 - 1e-9)
    assert (found.drawn, found.drawn_of) == ("image", 20)
    pairs = [(test["a"], test["b"], test["n"]) for test in found.tests]
    assert pairs == [
        ("good", "flaky", 10),
        ("good", "wrong", 10),
        ("flaky", "wrong", 10),
    ]
    assert found.tests[1]["better_srocc"] == "good"
    again = measure("good", labels, repeats=40)
    assert again.figures[0] == good


def test_scores_can_be_watched_as_they_come(judge, labels):
    totals, seen = [], []

    def watch(things, total):
        totals.append(total)
        for thing in things:
            seen.append(thing)
            yield thing

    found = measure(["good", "wrong"], labels, repeats=0, watch=watch)
    assert totals == [40, 20]
    assert len(seen) == 60
    assert found.figures == measure(["good", "wrong"], labels, repeats=0).figures


def with_columns(labels, **columns):
    return dataclasses.replace(labels, **columns)


def test_references_are_drawn_and_taken_apart(judge, labels):
    references = tuple(Path(f"ref{row % 4}.png") for row in range(20))
    found = measure(
        "good", with_columns(labels, reference=references), by="reference", repeats=10
    )
    assert (found.drawn, found.drawn_of) == ("reference", 4)
    rows = [row for row in found.parts if row["model"] == "good"]
    assert [row["part"] for row in rows] == [f"ref{n}.png" for n in range(4)]
    assert all(row["n"] == 5 for row in rows)
    assert [row["srocc"] for row in rows] == pytest.approx([1] * 4)
    total = sum(row["n"] * row["rmse"] ** 2 for row in rows)
    assert np.sqrt(total / 20) == pytest.approx(found.figures[0]["rmse"])
    assert sum(row["n"] * row["bias"] for row in rows) == pytest.approx(0, abs=1)


def test_small_and_numbered_parts(judge, labels):
    levels = tuple([10] * 2 + [2] * 18)
    rows = evaluate("good", with_columns(labels, level=levels), by="level")
    first, last = rows[3:5]
    assert (first["part"], first["n"], last["part"], last["n"]) == ("02", 18, "10", 2)
    assert first["srocc"] == pytest.approx(1)
    assert last["srocc"] is None and last["rmse"] > 0
    with pytest.raises(UsageError, match="no column distortion"):
        evaluate("good", labels, by="distortion")
    with pytest.raises(UnknownNameError, match="Did you mean level"):
        evaluate("good", labels, by="levels")


def test_pairs_need_the_number_of_votes(judge, labels):
    assert "c0" not in evaluate("good", labels)[0]
    good, sharp, constant = evaluate("good", labels, raters=20)
    assert good["auc_better"] == good["c0"] == 1
    assert sharp["different"] == good["different"] > 0.5
    assert "c0" not in constant
    counts = np.tile([0.0, 5, 10, 5, 0], (20, 1))
    voted = with_columns(labels, votes=counts)
    assert evaluate("good", voted)[0]["different"] == good["different"]
    shares = with_columns(labels, votes=counts / 20)
    assert "c0" not in evaluate("good", shares)[0]
    with pytest.raises(UsageError, match="without the standard deviations"):
        evaluate("good", with_columns(labels, std=None), raters=20)


@pytest.mark.parametrize("options", [{"repeats": -1}, {"raters": 0}])
def test_wrong_numbers(judge, labels, options):
    with pytest.raises(UsageError):
        evaluate("good", labels, **options)


def test_dmos(judge, opinions, monkeypatch):
    row, *_ = evaluate("wrong", *opinions, direction="lower_is_better")
    assert row["srocc"] == 1
    monkeypatch.setattr(Judge, "direction", "lower_is_better")
    row, *_ = evaluate("wrong", *opinions)
    assert row["srocc"] == 1


def test_the_tables_own_split(judge, labels):
    sides = ("train",) * 12 + ("test",) * 8
    own = with_columns(labels, split=sides)
    assert evaluate("good", own)[0]["n"] == 20
    assert evaluate("good", own, part="test")[0]["n"] == 8
    with pytest.raises(UnknownNameError, match="validation"):
        evaluate("good", own, part="validation")
    with pytest.raises(UsageError, match=r"split\.csv"):
        evaluate("good", labels, part="test")


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
    row, _, constant = evaluate("good", labels, split=split)
    assert (row["n"], constant["n"]) == (5, 5)
    assert constant["rmse"] == pytest.approx(labels.mos[15:].std())
    row, *_ = evaluate("good", labels, split=split, part="train")
    assert row["n"] == 15
    with pytest.raises(UnknownNameError, match="Did you mean test"):
        evaluate("good", labels, split=split, part="tests")


def test_images_that_a_split_leaves_out_are_in_no_part(judge, labels, tmp_path, caplog):
    caplog.set_level("INFO", "iqa_zoo")
    parts = ["test"] * 10 + ["train"] * 8
    split = make_split(tmp_path / "split.csv", labels.names[2:], parts)
    counts = [
        evaluate("good", labels, split=split, part=part)[0]["n"]
        for part in ("test", "train")
    ]
    assert counts == [10, 8]
    assert "2 images of the table are in no part of" in caplog.text
    with pytest.raises(UnknownNameError, match="test, train"):
        evaluate("good", labels, split=split, part="validation")
    split = make_split(tmp_path / "other.csv", ["a.png", "b.png"], ["test"] * 2)
    with pytest.raises(UsageError, match=r"other\.csv names no image of the table"):
        evaluate("good", labels, split=split)


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "\x00\xff"])
def test_no_split_at_all(judge, labels, tmp_path, content):
    path = tmp_path / "split.csv"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(UsageError, match=r"split"):
        evaluate("good", labels, split=path)
    with pytest.raises(UsageError, match=r"no\.csv"):
        evaluate("good", labels, split=tmp_path / "no.csv")


def test_too_few_scores(judge, labels):
    with pytest.raises(OpinionError, match=r"blind scored 0 of 20.*is damaged"):
        evaluate("blind", labels)


def test_images_that_the_model_has_seen(judge, labels):
    judge.update(fingerprint(path) for path in labels.paths[:6])
    rows = evaluate(["good", "flaky"], labels)
    assert [row["seen"] for row in rows] == [6, 3, 0, 0]


def test_an_image_that_has_gone_since(judge, tmp_path):
    labels = read_labels(*make_opinions(tmp_path))
    labels.paths[1].unlink()
    assert evaluate("flaky", labels)[0]["failed"] == 10


def test_images_must_be_named(judge, opinions, labels):
    with pytest.raises(UsageError, match="cannot change labels"):
        evaluate("good", labels, mos="mos")
    with pytest.raises(UsageError, match="folder of the images"):
        evaluate("good", opinions[0])


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
    some = np.array([7, 3, 12])
    assert figures(labels, some, labels.mos[some], truth[some])["emd"] < 1e-9


def test_deviations_of_distributions_are_held_against_those_of_opinions(labels):
    rows, std = np.arange(20), np.linspace(2, 25, 20)
    spread = with_columns(labels, std=std)
    truth = spread.distribution((1, 10), 10)
    found = figures(spread, rows, labels.mos, truth)
    assert found["srocc_std"] > 0.9
    assert found["plcc_std"] > 0.9
    turned = figures(spread, rows, labels.mos, truth[::-1])
    assert turned["srocc_std"] < -0.8
    none = figures(with_columns(labels, std=None), rows, labels.mos, truth)
    assert "srocc_std" not in none


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
