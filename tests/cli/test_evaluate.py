"""`iqa-zoo evaluate`: tables, formats and exit statuses."""

import csv
import io
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from iqa_zoo.cli import evaluate as command
from iqa_zoo.cli import main
from tests.helpers.small import make_opinions
from tests.helpers.tiny import make_run


@pytest.fixture(scope="module")
def opinions(tmp_path_factory):
    return make_opinions(tmp_path_factory.mktemp("opinions"), size=(40, 56))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("runs") / "tiny")


def evaluate(opinions, *arguments, repeats=0):
    table, photos = opinions
    words = ["evaluate", *arguments, "--labels", table, "--images", photos]
    return CliRunner().invoke(
        main, list(map(str, [*words, "--repeats", repeats])), catch_exceptions=False
    )


def test_table(run, opinions):
    done = evaluate(opinions, run, repeats=5)
    assert done.exit_code == 0, done.output
    figures, more = done.stdout.split("\n\n")
    head, first, bounds, sharp, _, constant = figures.splitlines()
    assert " ".join(head.split()) == "model images SROCC PLCC KROCC RMSE EMD failed"
    assert first.split()[:2] == [str(run), "20"]
    assert re.fullmatch(r" +(\[-?[\d.]+,-?[\d.]+\] *){4}", bounds)
    assert sharp.split()[:2] == ["sharpness", "20"]
    assert constant.split()[:3] == ["constant", "20", "0.000"]
    assert "PLCC raw" in more and "SRCC std" in more and "C0" not in more
    assert "20 images, scores 0 to 100 (--range" in done.stderr


def test_two_models_are_compared(run, opinions, tmp_path):
    other = make_run(tmp_path / "other")
    done = evaluate(opinions, run, other, repeats=5)
    assert done.exit_code == 0, done.output
    _, _, order, residuals = done.stdout.split("\n\n")
    assert "SROCC, row - column" in order
    rows = [line.split() for line in order.splitlines()[2:]]
    assert rows == [["1", str(run), "-", "+0.000"], ["2", str(other), "+0.000", "-"]]
    assert residuals.splitlines()[2].split()[-1] == "1.00"


def test_the_better_model_is_named_and_names_are_shown_as_they_are(capsys):
    tests = [
        {
            "a": "first",
            "b": "\x1b[31mred\n",
            "srocc_difference": -0.25,
            "better_srocc": "\x1b[31mred\n",
            "residual_test": "Wilcoxon",
            "variance_ratio": 2.0,  # some large errors, most of them smaller
            "better_residuals": "first",
        }
    ]
    names = ["first", "\x1b[31mred\n"]
    command._print_tests(tests, names)
    tests[0] |= {"residual_test": "F", "better_srocc": None}
    command._print_tests(tests, names)
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    blocks = [block.splitlines() for block in printed.strip().split("\n\n")]
    assert [[line.split() for line in lines[2:]] for lines in blocks] == [
        [
            ["1", "first", "-", "-0.250", "*2"],
            ["2", r"\x1b[31mred\n", "+0.250", "*2", "-"],
        ],
        [
            ["1", "first", "-", "2.00", "w1"],
            ["2", r"\x1b[31mred\n", "0.50", "w1", "-"],
        ],
        [["1", "first", "-", "-0.250"], ["2", r"\x1b[31mred\n", "+0.250", "-"]],
        [
            ["1", "first", "-", "2.00", "*1"],
            ["2", r"\x1b[31mred\n", "0.50", "*1", "-"],
        ],
    ]
    command.print_figures([{"model": "\x1b", "n": 3}])
    assert "\x1b" not in capsys.readouterr().out


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_counts_scores_on_a_terminal_only(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert list(command.counted("score")(iter("abc"), 3)) == list("abc")
    assert "/3 [" in sys.stderr.getvalue()
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert list(command.counted("score")(iter("abc"), 3)) == list("abc")
    assert not sys.stderr.getvalue()


def test_unknown_models_are_found_before_the_table_is_read(opinions):
    done = evaluate(opinions, "nima-mobilnetv2")
    assert done.exit_code == 2 and "reading" not in done.stderr


def test_by_group_and_votes(run, opinions, tmp_path):
    table, photos = opinions
    with table.open() as file:
        rows = list(csv.DictReader(file))
    grouped = tmp_path / "grouped.csv"
    with grouped.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "scene"])
        writer.writeheader()
        writer.writerows(
            {**row, "scene": "ab"[number % 2]} for number, row in enumerate(rows)
        )
    words = (run, "--group", "scene", "--by", "group", "--votes", "25")
    done = evaluate((grouped, photos), *words)
    assert done.exit_code == 0, done.output
    assert "C0" in done.stdout
    blocks = done.stdout.split("\n\n")
    assert [block.splitlines()[0] for block in blocks[2:]] == [str(run), "sharpness"]
    lines = blocks[2].splitlines()
    assert lines[1].split() == ["group", "images", "SROCC", "PLCC", "RMSE", "bias"]
    assert [line.split()[:2] for line in lines[2:]] == [["a", "10"], ["b", "10"]]
    done = evaluate((grouped, photos), *words, "--format", "jsonl")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row.get("part") for row in found] == [None] * 3 + ["a", "b"] * 2
    done = evaluate(opinions, run, "--by", "distortion")
    assert done.exit_code == 2
    assert "no column distortion" in done.stderr


def test_report(run, opinions, tmp_path):
    out = tmp_path / "report"
    done = evaluate(opinions, run, "--out", out, repeats=5)
    assert done.exit_code == 0, done.output
    assert f"{out}/report.html" in done.stderr
    assert sorted(path.name for path in out.iterdir()) == [
        "metrics.json",
        "report.html",
        "residuals-tiny.png",
        "scatter-tiny.png",
        "scores.csv",
    ]
    printed = evaluate(opinions, run, "--format", "jsonl", repeats=5).stdout
    figures = [json.loads(line) for line in printed.splitlines()]
    assert json.loads((out / "metrics.json").read_text())["figures"] == figures
    done = evaluate(opinions, run, "--out", out)
    assert done.exit_code == 2
    assert "holds files already" in done.stderr
    (tmp_path / "file").touch()
    done = evaluate(opinions, run, "--out", tmp_path / "file" / "report")
    assert done.exit_code == 3


def test_scoring_from_litert_needs_no_tensorflow(run, opinions, tmp_path):
    table, photos = opinions
    words = ["evaluate", run, "--labels", table, "--images", photos, "--repeats", "2"]
    words += ["--out", tmp_path / "report"]
    program = (
        "import sys\n"
        "from iqa_zoo.cli import main\n"
        "try:\n"
        "    main(sys.argv[1:])\n"
        "finally:\n"
        "    for name in ('tensorflow', 'keras', 'matplotlib.pyplot'):\n"
        "        assert name not in sys.modules, name\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_csv_and_jsonl_say_the_same(run, opinions):
    table = evaluate(opinions, run, "--format", "csv").stdout
    lines = evaluate(opinions, run, "--format", "jsonl").stdout.splitlines()
    from_csv = list(csv.DictReader(io.StringIO(table)))
    from_json = [json.loads(line) for line in lines]
    assert len(from_csv) == len(from_json) == 3
    for a, b in zip(from_csv, from_json, strict=True):
        assert b.keys() <= a.keys()
        assert {key: str(b.get(key, "")) for key in a} == a
        assert np.isfinite(b["srocc"])


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
        (("--part", "train", "{run}"), 2, "split.csv"),
        (("--by", "colour", "{run}"), 2, "colour"),
        (("--votes", "0", "{run}"), 2, "--votes"),
    ],
    ids=[
        *("none", "model", "run", "engine", "format", "column", "part", "by"),
        "votes",
    ],
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
