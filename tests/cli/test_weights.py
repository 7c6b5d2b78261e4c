"""`iqa-zoo weights`: list, add, verify."""

import numpy as np
import pytest
from click.testing import CliRunner

from iqa_zoo import cards, store
from iqa_zoo.cli import main
from iqa_zoo.files import sha256


@pytest.fixture
def published(tmp_path, monkeypatch):
    """The published file of a backbone `tiny`, and an empty store."""
    monkeypatch.setenv(store.HOME_VARIABLE, str(tmp_path / "home"))
    path = tmp_path / "published.npz"
    np.savez(path, **{"00/kernel": np.ones(3)})
    data = path.read_bytes()
    expected = {"file": "tiny.npz", "bytes": len(data), "sha256": sha256(data)}
    backbone = {"weights": {"imagenet": expected}}
    monkeypatch.setattr(cards, "backbone_cards", lambda: {"tiny": backbone})
    return path


def call(*arguments):
    return CliRunner().invoke(main, ["weights", *map(str, arguments)])


def test_add_list_verify(published, tmp_path):
    assert "missing" in call("list").stdout
    assert call("verify").exit_code == 0
    done = call("add", "tiny.imagenet", published)
    place = tmp_path / "home" / "weights" / "tiny.npz"
    assert done.exit_code == 0
    assert str(place) in done.stdout
    (line,) = [x for x in call("list").stdout.splitlines() if x.startswith("tiny")]
    assert str(place) in line
    assert "tiny.imagenet" in call("verify").stdout


def test_list_names_every_packaged_file():
    listed = call("list").stdout
    for name, card in cards.all_cards().items():
        for tag in card.get("weights", {}):
            assert f"{name}.{tag} " in listed
    for name in cards.backbone_cards():
        assert f"{name}.imagenet" in listed


def test_verify_finds_damage(published, tmp_path):
    call("add", "tiny.imagenet", published)
    place = tmp_path / "home" / "weights" / "tiny.npz"
    place.write_bytes(place.read_bytes()[:-1] + b"?")
    done = call("verify")
    assert done.exit_code == 3
    assert "sha256" in done.stdout
    assert "1 damaged: tiny.imagenet" in done.stderr


def test_add_refuses(published, tmp_path):
    assert call("add", "tinny.imagenet", published).exit_code == 2
    assert call("add", "tiny.clive", published).exit_code == 2
    assert call("add", "tiny.imagenet", tmp_path / "no").exit_code == 2
    published.write_bytes(b"other")
    done = call("add", "tiny.imagenet", published)
    assert done.exit_code == 3
    assert "5 bytes" in done.stderr
    assert not (tmp_path / "home").exists()
