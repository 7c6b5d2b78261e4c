"""A folder's scoring is killed again and again, and loses and repeats nothing."""

import pytest

from tests.crash.kills import kill_scoring
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
