"""`iqa-zoo train`: its arguments, what it prints and how it ends."""

import json

import pytest
from click.testing import CliRunner

from iqa_zoo import registry
from iqa_zoo.cli import main
from tests.helpers.small import NAME, eagerly, make_opinions, packaged


@pytest.fixture(scope="module", autouse=True)
def _packaged():
    with packaged():
        yield


@pytest.fixture(scope="module")
def opinions(tmp_path_factory):
    return make_opinions(tmp_path_factory.mktemp("opinions"))


@pytest.fixture
def eager():
    with eagerly():
        yield


def train(opinions, out, *arguments):
    table, photos = opinions
    words = ["train", "--labels", table, "--images", photos, "--out", out, "-m", NAME]
    words += ["--start", "random", *arguments]
    return CliRunner().invoke(main, list(map(str, words)))


def test_train(opinions, tmp_path):
    out = tmp_path / "run"
    done = train(opinions, out, "--epochs", 2, "--seed", 3, "--range", 0, 100)
    assert done.exit_code == 0, done.output
    head, *rows = done.stdout.splitlines()
    assert " ".join(head.split()) == "part images SROCC PLCC KROCC RMSE EMD"
    # Intervals stand below the figures, without a name.
    named = [row.split("  ")[0] for row in rows if not row.startswith(" ")]
    assert named == [
        f"{part}{more}"
        for part in ("train", "test")  # one picture validates nothing
        for more in ("", ", constant")
    ]
    assert "20 images, scores 0 to 100, high is good, with standard" in done.stderr
    assert "loading TensorFlow" in done.stderr
    assert "epoch 2/2  loss 0." in done.stderr
    assert f"iqa-zoo score PHOTOS -m {out}" in done.stderr
    assert json.loads((out / "metrics.json").read_text())["seed"] == 3
    weights = registry.model_card(out)["weights"]["run"]
    assert weights["command"].startswith("iqa-zoo ")


def test_train_on_all_with_dmos_and_a_cache(eager, opinions, tmp_path):
    out = tmp_path / "run"
    cache = tmp_path / "cache"
    done = train(opinions, out, "--epochs", 1, "--all", "--dmos", "--cache", cache)
    assert done.exit_code == 0, done.output
    assert [row.split("  ")[0] for row in done.stdout.splitlines()[1:]] == [
        "train",
        "train, constant",
    ]
    assert "scores 0 to 100 (--range" in done.stderr
    assert "low is good" in done.stderr
    assert len(list(cache.iterdir())) == 1


def test_dry_run(eager, opinions, tmp_path):
    done = train(opinions, tmp_path / "run", "--dry-run", "--epochs", 2)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[1] == "images   15 train, 1 validation, 4 test"
    assert "upper layers: 2 epochs, 2 steps, about" in done.stdout
    assert not (tmp_path / "run").exists()


def test_repeats_give_the_medians(eager, opinions, tmp_path):
    done = train(opinions, tmp_path / "runs", "--repeats", 2, "--epochs", 1)
    assert done.exit_code == 0, done.output
    assert [row.split("  ")[0] for row in done.stdout.splitlines()] == [
        "test part",
        "split 0",
        "split 1",
        "median",
    ]


def test_learning_curve(eager, tmp_path):
    opinions = make_opinions(tmp_path, 40)
    done = train(opinions, tmp_path / "runs", "--learning-curve", "--epochs", 1)
    assert done.exit_code == 0, done.output
    rows = done.stdout.splitlines()
    assert [row.split()[0] for row in rows] == ["labels", "25", "29"]
    assert "Three points or more" in done.stderr


@pytest.mark.parametrize(
    "arguments, status, words",
    [
        (("--epochs", 0), 2, "--epochs"),
        (("--precision", "float61"), 2, "float61"),
        (("--start", "nowhere"), 2, "nowhere"),
        (("--mos-column", "moss"), 2, "moss"),
        (("--range", 0, 50), 2, "50"),
        (("--colour", "red"), 2, "--colour"),
        (("--repeats", 2, "--split", 1), 2, "--repeats chooses"),
        (("--learning-curve", "--all"), 2, "leave out --all"),
        (("--strategy", "workers"), 2, "TF_CONFIG"),
    ],
    ids=lambda x: " ".join(map(str, x)) if isinstance(x, tuple) else "",
)
def test_wrong_use(opinions, tmp_path, arguments, status, words):
    done = train(opinions, tmp_path / "run", *arguments)
    assert done.exit_code == status
    assert words in done.stderr
    assert not done.stdout


def test_folder_that_is_not_empty(opinions, tmp_path):
    (tmp_path / "file").touch()
    done = train(opinions, tmp_path)
    assert done.exit_code == 2
    assert "holds files already" in done.stderr
    assert "reading" not in done.stderr  # it takes long where the table does
    done = train(opinions, tmp_path / "file" / "run")
    assert done.exit_code == 3
