"""Scoring and training are killed again and again, and lose and repeat nothing."""

import pytest

from tests.crash.kills import kill_scoring, kill_training
from tests.helpers import tiny

pytestmark = pytest.mark.crash


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return tiny.make_run(tmp_path_factory.mktemp("models") / "run")


def test_five_kills(run, tmp_path):
    photos = tiny.make_photos(tmp_path / "photos", 100)
    counts = kill_scoring(run, photos, tmp_path / "out", "csv", kills=5)
    assert counts["kills"] == 5 and counts["runs"] >= 1
    assert counts["lost"] == counts["twice"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("overwrite", [False, True], ids=["--resume", "--overwrite"])
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_hundred_kills(run, tmp_path, form, overwrite):
    photos = tiny.make_photos(tmp_path / "photos", 300)
    counts = kill_scoring(
        run, photos, tmp_path / "out", form, kills=100, overwrite=overwrite
    )
    assert counts["kills"] == 100
    assert counts["while starting"] > 5 and counts["while writing"] > 5
    assert counts["lost"] == counts["twice"] == 0


def test_twenty_kills_of_a_training(tmp_path):
    counts = kill_training(tmp_path / "out", kills=20)
    assert counts["kills"] == 20
    assert counts["bit-equal"] == counts["runs"] >= 1
    assert counts["resumed"] >= 5


@pytest.mark.slow
def test_two_hundred_kills_of_a_training(tmp_path):
    counts = kill_training(tmp_path / "out", kills=200, seed=1)
    assert counts["kills"] == 200
    assert counts["bit-equal"] == counts["runs"] >= 10
    assert counts["mid-epoch"] >= 20 and counts["while saving"] >= 20
