"""What an evaluation leaves in its folder, and the page that shows it."""

import csv
import dataclasses
import json
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from iqa_zoo.data.manifest import read_labels
from iqa_zoo.errors import OutputError, UsageError
from iqa_zoo.evaluation import output
from iqa_zoo.evaluation.answers import SHARPNESS, Answers
from iqa_zoo.evaluation.comparison import paired_tests
from iqa_zoo.evaluation.evaluate import Evaluation
from iqa_zoo.evaluation.figures import figures, high_is_good
from iqa_zoo.evaluation.parts import parts
from tests.helpers.small import make_opinions

EVIL = "<script>.jpg"


@pytest.fixture(scope="module")
def labels(tmp_path_factory):
    table, photos = make_opinions(tmp_path_factory.mktemp("opinions"), count=30)
    (photos / "04.png").rename(photos / EVIL)
    table.write_text(table.read_text().replace("04.png", EVIL))
    return read_labels(table, photos)


def found_out(labels):
    """An evaluation of two models, one of which gave no score for an image."""
    random = np.random.default_rng(0)
    rows, truth = np.arange(len(labels.mos)), high_is_good(labels)
    scores = truth / 10 + random.normal(size=len(rows)) / 2
    scores[4] += 6
    other = scores + random.normal(size=len(rows)) / 2
    other[7] = np.nan
    answers = [
        Answers("runs/a&b", scores, seen=3),
        Answers("other/a&b", other),
        Answers(SHARPNESS, random.normal(size=len(rows))),
    ]
    names = [f"{row % 2}<i>" for row in rows]
    table = [
        {
            "model": answer.model,
            "failed": len(rows) - len(answer.kept),
            "seen": answer.seen,
            **figures(labels, answer.kept, answer.good[answer.kept]),
        }
        for answer in answers
    ]
    kept = answers[1].kept
    return Evaluation(
        labels=labels,
        rows=rows,
        truth=truth,
        answers=answers,
        figures=table,
        parts=parts(answers, truth, "group", names, groups=None, repeats=5, seed=0),
        tests=paired_tests(
            truth[kept], {a.model: a.good[kept] for a in answers[:2]}, repeats=5
        ),
        drawn="image",
        drawn_of=len(rows),
        repeats=5,
    )


@pytest.fixture(scope="module")
def found(labels):
    return found_out(labels)


@pytest.fixture(scope="module")
def folder(found, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "new" / "folder"
    output.check_folder(out)
    output.write(found, out)
    return out


def of_one_model(found, **changes):
    """The same with one model and sharpness, which is written faster."""
    answers = [found.answers[0], found.answers[-1]]
    return dataclasses.replace(found, **{"answers": answers} | changes)


class Page(HTMLParser):
    """Tags that are open, attributes that name something, and the text."""

    VOID = frozenset({"meta", "img", "br"})

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.sources, self.text = [], [], [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.sources += [v for k, v in attributes if k in ("src", "href", "srcset")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_the_page_needs_nothing_else_and_is_whole(folder):
    text = (folder / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == []
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert page.sources and all(s.startswith("data:image/") for s in page.sources)
    assert "http://" not in text and "https://" not in text
    assert "url(" not in text and "@import" not in text
    assert "$" not in text
    assert 'name="viewport"' in text and "prefers-color-scheme: dark" in text


def test_names_are_shown_and_never_run(folder):
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert EVIL not in text and "&lt;script&gt;.jpg" in text
    page = Page(text)
    for said in (EVIL, "runs/a&b", "0<i>", "By group", "3 of these images trained"):
        assert said in page.text
    assert "1 images have no score by other/a&b." in page.text


def test_names_of_any_bytes_and_a_photo_that_has_gone_since(found, labels, tmp_path):
    names = (*labels.names[:4], "<i>\udcff\n\x07$x.png", *labels.names[5:])
    paths = (*labels.paths[:4], tmp_path / "gone", *labels.paths[5:])
    strange = dataclasses.replace(labels, names=names, paths=paths)
    output.write(of_one_model(found, labels=strange), tmp_path)
    text = (tmp_path / "report.html").read_text()
    assert r"&lt;i&gt;\udcff\n\x07$x.png" in text
    rows = (tmp_path / "scores.csv").read_bytes()
    assert b"<i>\xff\n\x07$x.png" in rows


def test_metrics_are_all_that_was_found(folder, found):
    read = json.loads((folder / "metrics.json").read_text())
    assert read["images"] == 30
    assert read["intervals"]["repeats"] == 5
    assert read["figures"] == found.figures
    assert read["parts"] == found.parts
    assert read["tests"] == found.tests


def test_a_run_of_the_name_of_what_costs_nothing(found, tmp_path):
    run, sharp = of_one_model(found).answers
    run = run._replace(model=SHARPNESS)
    output.write(of_one_model(found, answers=[run, sharp]), tmp_path)
    assert (tmp_path / "scatter-sharpness.png").is_file()
    with (tmp_path / "scores.csv").open(newline="") as file:
        heads, first, *_ = csv.reader(file)
    assert heads[2::2] == [SHARPNESS, SHARPNESS]
    assert [float(cell) for cell in first[2::2]] == [run.scores[0], sharp.scores[0]]


def test_scores_have_a_row_an_image(folder, labels):
    with (folder / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == list(labels.names)
    assert [float(row["opinion"]) for row in rows] == labels.mos.tolist()
    assert rows[7]["other/a&b"] == rows[7]["other/a&b residual"] == ""
    wrong = [float(row["runs/a&b residual"]) for row in rows]
    assert np.mean(wrong) == pytest.approx(0, abs=1)
    assert max(wrong) == wrong[4] > 10


def test_pictures_of_each_model_under_names_of_their_own(folder):
    files = sorted(path.name for path in folder.iterdir())
    assert files == [
        "metrics.json",
        "report.html",
        "residuals-a_b-2.png",
        "residuals-a_b.png",
        "scatter-a_b-2.png",
        "scatter-a_b.png",
        "scores.csv",
    ]
    for path in folder.glob("*.png"):
        with Image.open(path) as picture:
            assert picture.format == "PNG"
            assert len(np.unique(np.asarray(picture.convert("L")))) > 20


def test_the_worst_come_first_in_the_tables_own_direction(found, labels):
    from iqa_zoo.evaluation.sheet import misses

    turned = dataclasses.replace(
        labels, mos=100 - labels.mos, direction="lower_is_better"
    )
    for table in (labels, turned):
        truth = high_is_good(table)
        worst = misses(table, found.rows, truth, found.answers[0])
        assert len(worst) == 24
        assert worst[0].name == EVIL and worst[0].too_good
        sign = 1 if table is labels else -1
        assert sign * (worst[0].predicted - worst[0].opinion) > 10
        gaps = [abs(miss.predicted - miss.opinion) for miss in worst]
        assert gaps == sorted(gaps, reverse=True)
        with Image.open(BytesIO(worst[0].jpeg)) as picture:
            assert picture.size == (48, 40)


def test_the_folder_must_be_empty(tmp_path):
    output.check_folder(tmp_path)
    (tmp_path / "x").touch()
    with pytest.raises(UsageError, match="holds files"):
        output.check_folder(tmp_path)
    with pytest.raises(OutputError, match="Cannot make"):
        output.check_folder(tmp_path / "x" / "y")
