"""Measures that are fitted to one's own photos."""

import json

import numpy as np
import pytest

import iqa_zoo
from iqa_zoo.data.manifest import read_labels
from iqa_zoo.errors import UsageError
from iqa_zoo.training.unfinished import claimed
from tests.helpers.small import make_opinions


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return make_opinions(tmp_path_factory.mktemp("opinions"), 30)


def test_brisque_learns_from_opinions(table, tmp_path):
    run = iqa_zoo.train(*table, model="brisque", out=tmp_path / "run")
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["test"]["n"] == 6
    labels = read_labels(*table)
    scorer = iqa_zoo.Scorer(run)
    result = scorer(labels.paths[0])
    low, high = labels.range
    assert low <= result.value <= high
    assert (result.scale, result.direction) == ((low, high), labels.direction)
    assert result.percentile is not None
    text = (run / "scores.csv").read_text()
    assert f"{result.value:.4f}".rstrip("0") in text
    assert iqa_zoo.load_model(run).score(labels.paths[0]) == result.value
    again = iqa_zoo.train(*table, model="brisque", out=tmp_path / "again")
    assert (again / "weights.safetensors").read_bytes() == (
        run / "weights.safetensors"
    ).read_bytes()


def test_niqe_learns_from_photos(tmp_path):
    random = np.random.default_rng(0)
    folder = tmp_path / "photos"
    folder.mkdir()
    from PIL import Image

    for number in range(3):
        rough = random.integers(0, 256, (480, 480, 3), np.uint8)
        Image.fromarray(rough).save(folder / f"{number}.png")
    run = iqa_zoo.train(images=folder, model="niqe", out=tmp_path / "run")
    assert np.isfinite(iqa_zoo.Scorer(run)(folder / "0.png").value)
    assert not (run / "metrics.json").exists()


@pytest.mark.parametrize(
    ("model", "arguments", "message"),
    [
        ("brisque", {"epochs": 3}, "leave out epochs"),
        ("brisque", {"start": "imagenet"}, "leave out epochs and start"),
        ("piqe", {}, "nothing can be trained"),
        ("niqe", {"images": None}, "name their folder"),
    ],
)
def test_what_cannot_be_fitted(table, tmp_path, model, arguments, message):
    labels, images = table
    given = {"images": images, **arguments}
    with pytest.raises(UsageError, match=message):
        iqa_zoo.train(labels, model=model, out=tmp_path / "run", **given)
    assert not (tmp_path / "run").exists()


def test_what_an_unfinished_training_saved_is_left_alone(table, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(ZeroDivisionError), claimed(out) as place:
        place.follow({"model": "nima-mobilenetv2", "recipe": []})
        place.save(3, {"a": np.zeros(3)}, {"step": 3})
        raise ZeroDivisionError
    for how in (
        {"model": "brisque"},
        {"model": "nima-mobilenetv2", "start": "random", "fuse": True},
    ):
        with pytest.raises(UsageError, match=r"had another .*recipe"):
            iqa_zoo.train(*table, out=out, **how)
        assert (out / "unfinished" / "checkpoints" / "000000003").is_dir()
