"""Hostile weight files and run folders, and damaged shipped files: all are refused."""

import pytest

from iqa_zoo import registry
from tests.helpers import small
from tests.hostile import shipped, weights


@pytest.fixture(scope="module")
def home():
    with weights.store_of_its_own() as folder:
        yield folder


@pytest.mark.parametrize("case", weights.good_files(), ids=lambda case: case.name)
def test_good_files_load(home, case):
    assert weights.outcome(case, home)[:2] == ("loaded", "")


def test_hostile_files_are_refused_before_they_cost_anything(home):
    network = registry.load_model(small.NAME, None)
    before = [variable.numpy() for variable in network.variables]
    cases = weights.cases()
    assert len({case.name for case in cases}) == len(cases) >= 80
    wrong = []
    for case in cases:
        found, message, excess = weights.outcome(case, home)
        if found not in weights.REFUSED or not message:
            wrong.append(f"{case.name}: {found} {message}")
        elif excess > 0:
            wrong.append(f"{case.name}: {excess:,} bytes too many")
    assert wrong == []
    assert not (home / "cache").exists()
    for old, variable in zip(before, network.variables, strict=True):
        assert (old == variable.numpy()).all(), variable.path


def test_damage_to_shipped_files_is_noticed():
    counts = shipped.run(flips=16, cuts=8)
    assert [missed for count in counts for missed in count.missed] == []
    assert {count.file.rpartition(".")[2] for count in counts} == {
        "safetensors",
        "tflite",
        "txt",
    }
