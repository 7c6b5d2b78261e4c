"""The options that say where opinions are, and what is said of them."""

import csv

import click
import pytest
from click.testing import CliRunner

from iqa_zoo.cli.opinions import opinion_options, read
from iqa_zoo.errors import IqaError, UnknownNameError


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for number in range(12):
        (folder / f"{number}.jpg").write_text(f"{number}")
    return folder


def write(path, **columns):
    rows = [
        {"image": f"{n}.jpg", **{name: value(n) for name, value in columns.items()}}
        for n in range(12)
    ]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def run(*arguments):
    """The result of a command that only reads, and the labels that it got."""
    got = []

    @click.command()
    @opinion_options
    def command(**columns):
        got.append(read(**columns))

    done = CliRunner().invoke(command, list(map(str, arguments)))
    return done, *got


def test_all_columns(photos, tmp_path):
    table = write(
        tmp_path / "mos.csv",
        DMOS=lambda n: 20 + n,
        sd=lambda n: 3,
        few=lambda n: 12 - n,
        many=lambda n: n,
        scene=lambda n: n // 2,
        pristine=lambda n: f"{n // 4}.jpg",
        side=lambda n: "test" if n > 7 else "train",
        kind=lambda n: "noise",
        step=lambda n: n % 4,
    )
    done, labels = run(
        *("--labels", table, "--images", photos, "--mos-column", "DMOS"),
        *("--std-column", "sd", "--votes-columns", "few, many", "--group", "scene"),
        *("--reference-column", "pristine", "--split-column", "side"),
        *("--distortion-column", "kind", "--level-column", "step"),
    )
    assert done.exit_code == 0, done.output
    assert done.stderr.endswith(
        f"{table}: 12 images, scores 0 to 100 (--range states another range), low is "
        "good (--mos states the opposite), with standard deviations, votes on 2 "
        "levels, 6 groups, split by the table: 8 train / 4 test\n"
    )
    assert labels.std.tolist() == [3] * 12
    assert labels.votes.tolist() == [[n, 12 - n] for n in range(12)]  # worst first
    assert labels.group[5] == "2"
    assert labels.reference[5] == photos / "1.jpg"
    assert labels.distortion == ("noise",) * 12
    assert labels.level == (0, 1, 2, 3) * 3


def test_what_is_declared_is_said_without_a_hint(photos, tmp_path):
    table = write(tmp_path / "mos.csv", dmos=lambda n: n, std=lambda n: 1)
    words = ("--labels", table, "--images", photos, "--mos-column", "dmos")
    done, labels = run(*words, "--mos", "--range", 0, 20, "--std-column", "")
    assert done.stderr.endswith(
        f"{table}: 12 images, scores 0 to 20, high is good, without standard "
        "deviations\n"
    )
    assert labels.std is None
    _, labels = run(*words, "--dmos")
    assert labels.direction == "lower_is_better"


def test_votes_of_observers_and_bad_rows(photos, tmp_path):
    table = write(
        tmp_path / "votes.csv",
        vote=lambda n: n % 5 + 1 if n != 3 else "",
        who=lambda n: f"observer {n}",
    )
    words = ("--labels", table, "--images", photos, "--mos-column", "vote")
    for option in ("--observer", "--observer-column"):
        done, labels = run(*words, option, "who", "--skip-bad")
        assert done.exit_code == 0, done.output
        assert done.stderr.endswith(
            "without standard deviations, 1 bad rows left out\n"
        )
        assert labels.skipped == 1
    (done,) = run(*words)
    assert isinstance(done.exception, IqaError)
    assert "line 5: vote is empty" in str(done.exception)


def test_the_older_names_of_options(photos, tmp_path):
    table = write(tmp_path / "mos.csv", score=lambda n: n, spread=lambda n: 1)
    done, labels = run(
        *("--labels", table, "--images", photos, "--image-column", "image"),
        *("--mos-column", "score", "--std-column", "spread"),
        *("--group-column", "score", "--range", 0, 11, "--dmos"),
    )
    assert done.exit_code == 0, done.output
    assert len(set(labels.group)) == 12


@pytest.mark.parametrize(
    ("option", "column"),
    [("--group", "group"), ("--std-column", "std"), ("--observer", "observer")],
)
def test_columns_that_are_named_must_be_there(photos, tmp_path, option, column):
    table = write(tmp_path / "mos.csv", mos=lambda n: n, Group=lambda n: n)
    words = ("--labels", table, "--images", photos)
    (done,) = run(*words, option, column)
    assert isinstance(done.exception, UnknownNameError)
    assert f"is called {column!r}" in str(done.exception)
    (done,) = run(*words, "--image-column", "")
    assert "image names (image) cannot be left out" in str(done.exception)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Name a table (--labels) or a published set (--dataset)"),
        (("--labels", "a.csv", "--dataset", "live"), "Name a table (--labels) or"),
        (("--labels", "a.csv"), "folder of the images of a.csv: --images"),
        (("--dataset", "live"), "folder of the images of live: --data-dir"),
    ],
)
def test_what_is_missing(arguments, words):
    (done,) = run(*arguments)
    assert done.exit_code == 2
    assert words in done.stderr


def test_columns_of_a_published_set_are_known(tmp_path):
    (done,) = run("--dataset", "live", "--data-dir", tmp_path, "--group", "scene")
    assert "group cannot change a known dataset" in str(done.exception)


def test_a_published_set(monkeypatch, photos, tmp_path):
    from iqa_zoo.data import datasets
    from iqa_zoo.data.manifest import read_labels

    table = write(tmp_path / "mos.csv", mos=lambda n: n)
    asked = []

    def read_dataset(name, data_dir):
        asked.append((name, data_dir))
        return read_labels(table, photos, range=(0, 11))

    monkeypatch.setattr(datasets, "read_dataset", read_dataset)
    done, labels = run("--dataset", "clive", "--data-dir", "there")
    assert asked == [("clive", "there")]
    assert "clive: 12 images, scores 0 to 11, high is good" in done.stderr
    assert len(labels.names) == 12
