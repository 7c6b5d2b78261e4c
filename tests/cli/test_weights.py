"""`iqa-zoo weights`: list, fetch, add, verify."""

import sys

import numpy as np
import pytest
from click.testing import CliRunner

from iqa_zoo import cards, store
from iqa_zoo.cli import main
from iqa_zoo.files import sha256
from tests.helpers.server import content, serving


@pytest.fixture
def expected(tmp_path, monkeypatch):
    """The card of the file `published`."""
    path = tmp_path / "published.npz"
    np.savez(path, **{"00/kernel": np.ones(3)})
    data = path.read_bytes()
    expected = {
        "file": "tiny.npz",
        "bytes": len(data),
        "sha256": sha256(data),
        "converter": "none",
        "licence": "Apache-2.0",
        "where": "a shop round the corner",
    }
    backbone = {"weights": {"imagenet": expected}}
    monkeypatch.setattr(cards, "backbone_cards", lambda: {"tiny": backbone})
    return expected


@pytest.fixture
def published(expected, tmp_path, monkeypatch):
    """The published file of a backbone `tiny`, and an empty store."""
    monkeypatch.setenv(store.HOME_VARIABLE, str(tmp_path / "home"))
    return tmp_path / "published.npz"


@pytest.fixture
def served(published, expected, monkeypatch):
    """The address of the published file; the network may be used."""
    monkeypatch.delenv(store.OFFLINE_VARIABLE, raising=False)
    with serving() as server:
        expected["url"] = server.url("/tiny", content(published.read_bytes()))
        yield server


def call(*arguments, env=None):
    return CliRunner().invoke(main, ["weights", *map(str, arguments)], env=env)


def state():
    """What the list says of the one published file."""
    (line,) = [x for x in call("list").stdout.splitlines() if x.startswith("tiny")]
    return line.split(maxsplit=2)[2]


def test_add_list_verify(published, tmp_path):
    assert state() == "must be added"
    assert call("verify").exit_code == 0
    done = call("add", "tiny.imagenet", published)
    place = tmp_path / "home" / "weights" / "tiny.npz"
    assert done.exit_code == 0
    assert str(place) in done.stdout
    assert state() == "in the store"
    assert "tiny.imagenet: ok" in call("verify").stdout


def test_list_names_every_packaged_file():
    done = call("list")
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    for name, card in cards.all_cards().items():
        for tag, weights in card.get("weights", {}).items():
            (line,) = [x for x in lines if x.startswith(f"{name}.{tag} ")][:1]
            state = "shipped"
            if weights["kind"] == "external":
                state = "can be fetched" if "url" in weights else "must be added"
            assert line.endswith(state)
    for name in cards.backbone_cards():
        assert any(line.startswith(f"{name}.imagenet ") for line in lines)
    assert str(store.home()) in done.stderr


def test_fetch(served, tmp_path):
    assert state() == "can be fetched"
    done = call("fetch", "tiny.imagenet")
    place = tmp_path / "home" / "weights" / "tiny.npz"
    assert done.exit_code == 0
    assert done.stdout == f"tiny.imagenet is now in {place}\n"
    assert done.stderr.startswith("iqa-zoo: Fetching tiny.imagenet (0.0 MB, Apache")
    assert state() == "in the store"
    # What is there and whole is not fetched again; what is damaged is.
    assert call("fetch", "tiny.imagenet").stdout == f"tiny.imagenet is in {place}\n"
    assert served.asked == ["/tiny"]
    place.write_bytes(b"damaged")
    assert call("fetch", "tiny.imagenet").exit_code == 0
    assert served.asked == ["/tiny"] * 2


def test_fetch_shows_progress_on_a_terminal(served, monkeypatch):
    import tqdm

    bars = []

    class Bar:
        n = 0

        def __init__(self, total, **options):
            self.total = total
            bars.append((self, options))

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.closed = True

        def update(self, more):
            self.n += more

    monkeypatch.setattr(tqdm, "tqdm", Bar)
    call("fetch", "tiny.imagenet")
    assert bars == []
    (store.home() / "weights" / "tiny.npz").unlink()
    runner = CliRunner()
    with runner.isolation():
        stream = type(sys.stderr)
    monkeypatch.setattr(stream, "isatty", lambda _: True)
    call("fetch", "tiny.imagenet")
    ((bar, options),) = bars
    assert bar.n == bar.total > 0
    assert bar.closed
    assert options["unit_scale"] and not options["leave"]


def test_fetch_fails(served, published, tmp_path, monkeypatch):
    served.answers["/tiny"] = content(b"gone", status=404)
    done = call("fetch", "tiny.imagenet")
    assert done.exit_code == 3
    assert done.stdout == ""
    first, *rest = done.stderr.splitlines()[1:]
    assert first.startswith("iqa-zoo: error: tiny.imagenet could not be fetched. The")
    assert "404: Not Found" in first
    assert "    iqa-zoo weights add tiny.imagenet FILE" in rest
    assert not list((tmp_path / "home" / "weights").iterdir())
    done = call("fetch", "tiny.imagenet", env={store.OFFLINE_VARIABLE: "1"})
    assert done.exit_code == 3
    assert store.OFFLINE_VARIABLE in done.stderr


def test_fetch_what_must_be_added(published, expected):
    done = call("fetch", "tiny.imagenet")
    assert done.exit_code == 3
    assert "must be added by hand" in done.stderr
    assert expected["where"] in done.stderr


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tinny.imagenet", "Did you mean tiny.imagenet"),
        ("tiny", "tiny.imagenet"),
        ("nima-mobilenetv2.clive", "comes with its package"),
    ],
)
def test_fetch_what_is_not_published(published, name, words):
    for command in (["fetch", name], ["add", name, published]):
        done = call(*command)
        assert done.exit_code == 2
        assert words in done.stderr


def test_names_are_completed():
    env = {
        "_IQA_ZOO_COMPLETE": "bash_complete",
        "COMP_WORDS": "iqa-zoo weights fetch nima-mobilenet.",
        "COMP_CWORD": "3",
    }
    result = CliRunner().invoke(main, [], env=env)
    assert result.stdout.splitlines() == [
        "plain,nima-mobilenet.ava",
        "plain,nima-mobilenet.tid2013",
    ]


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


def test_verify_misses_what_should_have_come_with_the_package(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "own_folder", lambda: tmp_path)
    done = CliRunner().invoke(main, ["weights", "verify"], prog_name="iqa-zoo")
    assert done.exit_code == 3
    assert "images seen" in done.output
