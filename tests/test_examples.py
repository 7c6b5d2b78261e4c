"""The example photos and the script beside them do what the README says."""

import subprocess
import sys
from pathlib import Path

import pytest

import iqa_zoo
from iqa_zoo import cards

pytestmark = pytest.mark.weights


# Networks: a hand-made measure sees some of these faults and not others.
DEFAULT = [n for n, card in cards.all_cards().items() if "default_weights" in card]


@pytest.mark.parametrize("model", DEFAULT)
def test_degraded_versions_score_below_their_originals(photos, model):
    scores = {
        Path(result.path).stem: result.value
        for result in iqa_zoo.score(photos, model)
        if result.error is None
    }
    originals = [name for name in scores if "_" not in name]
    assert len(originals) >= 4
    for name in originals:
        for kind in ("blur", "jpeg", "noise"):
            degraded = f"{name}_{kind}"
            assert scores[degraded] < scores[name], degraded


@pytest.mark.skipif(not DEFAULT, reason="no trained weights")
def test_script_prints_best_and_worst(photos, tmp_path):
    script = photos.parent / "score_folder.py"
    done = subprocess.run(
        [sys.executable, script, photos],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    best, worst = done.stdout.split("worst")
    assert best.startswith("best")
    assert best.count(".jpg") == worst.count(".jpg") == 3
