"""Real full disks, read-only folders and names that few programs expect."""

import contextlib
import logging
import os
import shutil

import numpy as np
import pytest

import iqa_zoo
from iqa_zoo import cards, registry, store
from iqa_zoo.engines.convert import to_litert
from iqa_zoo.errors import IqaError, OutputError
from iqa_zoo.files import sha256, write_bytes
from iqa_zoo.training import checkpoints
from tests.crash import disks, sweep
from tests.helpers import small, tiny

pytestmark = pytest.mark.crash

MORE = 5 * disks.MEGABYTE  # than fits


@pytest.fixture(params=["a full disk", "no large files"])
def disk(request, tmp_path):
    """A folder that takes 4 MB."""
    folder = tmp_path / "disk"
    with contextlib.ExitStack() as stack:
        if request.param == "a full disk":
            stack.enter_context(disks.small_disk(folder))
        else:
            folder.mkdir()
            stack.enter_context(disks.small_files())
        yield folder


@pytest.fixture
def real_disk(tmp_path):
    with disks.small_disk(tmp_path / "disk") as folder:
        yield folder


@pytest.fixture
def home(disk, monkeypatch):
    monkeypatch.setenv(store.HOME_VARIABLE, str(disk / "store"))
    return disk / "store"


def test_a_file_keeps_what_it_was(disk):
    path = disk / "out.bin"
    write_bytes(path, sweep.OLD)
    with pytest.raises(OutputError, match=rf"out\.bin, which needs {MORE:,} bytes"):
        write_bytes(path, bytes(MORE))
    assert sweep.files_of(disk) == {"out.bin": sweep.OLD}


def test_what_is_computed_is_there_though_it_cannot_be_kept(home, caplog):
    with caplog.at_level(logging.WARNING, "iqa_zoo"):
        assert store.cached("large.bin", lambda: bytes(MORE)) == bytes(MORE)
    assert len(caplog.records) == 1 and "large.bin" in caplog.text
    assert sweep.files_of(home) == {}
    assert store.cached("small.bin", lambda: b"small") == b"small"
    assert store.cached("small.bin", pytest.fail) == b"small"


def test_a_weight_file_that_does_not_fit(home, monkeypatch, tmp_path):
    file = tmp_path / "as-published.npz"
    with disks.small_files(2 * MORE):
        np.savez(file, **{"00/kernel": np.ones(MORE // 4, np.float32)})
    data = file.read_bytes()
    said = {
        "file": "large.npz",
        "bytes": len(data),
        "sha256": sha256(data),
        "where": "nowhere",
    }
    card = {"weights": {"imagenet": said}}
    monkeypatch.setattr(cards, "backbone_cards", lambda: {"large": card})
    with pytest.raises(OutputError, match=rf"large\.npz, which needs {len(data):,} by"):
        store.add("large.imagenet", file)
    assert sweep.files_of(home) == {}


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_rows_go_on_when_there_is_room_again(real_disk, form, tmp_path):
    writer = sweep.rows(form, None, photos=[f"{n}.jpg" for n in range(300)])
    writer.write(tmp_path)
    wanted = (tmp_path / f"scores.{form}").read_bytes()
    out = real_disk / f"scores.{form}"
    with (
        disks.full(real_disk, left=12 << 10),
        pytest.raises(OutputError, match=r"No space left on device\. The rows"),
    ):
        writer.write(real_disk)
    there = out.read_bytes()
    assert 0 < len(there) < len(wanted)
    assert wanted.startswith(there) and there.endswith(b"\n")
    writer.again(real_disk)
    assert out.read_bytes() == wanted


def test_a_run_on_a_disk_with_little_room(real_disk, tmp_path):
    """It ends as if there had been room, once there is some and it is begun again."""
    sweep.train_in(tmp_path)
    wanted = sweep.files_of(tmp_path)
    found = set()
    for pages in range(30):
        with disks.full(real_disk, left=pages << 12):
            try:
                sweep.train_in(real_disk)
            except OutputError as error:
                assert "No space left on device" in str(error)
                files = sweep.files_of(real_disk / "run")
                assert "card.toml" not in files
                kept = checkpoints.newest(real_disk / "run/unfinished/checkpoints")
                assert bool(kept) == any("unfinished" in name for name in files)
                found.add("saved" if kept else "nothing")
                with pytest.raises(IqaError):
                    registry.resolve(str(real_disk / "run"))
            else:
                found.add("whole")
        if "whole" not in found:
            sweep.train_in(real_disk)
        assert sweep.files_of(real_disk) == wanted
        shutil.rmtree(real_disk / "run")
    assert found == {"nothing", "saved", "whole"}


def test_a_network_is_converted_where_there_is_room(real_disk, monkeypatch):
    network = tiny.network()
    monkeypatch.setattr("tempfile.tempdir", str(real_disk))
    with (
        disks.full(real_disk, left=16 << 10),
        pytest.raises(OutputError, match="TMPDIR"),
    ):
        to_litert(network, tiny.SIZE)
    monkeypatch.setattr("tempfile.tempdir", str(real_disk / "no"))
    with pytest.raises(OutputError, match="TMPDIR"):
        to_litert(network, tiny.SIZE)


def test_a_store_that_may_only_be_read(tmp_path, monkeypatch, caplog):
    """Scoring works, and says once that the next time will take as long."""
    home = tmp_path / "store"
    home.mkdir()
    monkeypatch.setenv(store.HOME_VARIABLE, str(home))
    photos = tiny.make_photos(tmp_path / "photos", 3)
    with small.packaged() as name:
        network = registry.load_model(name, None)
        arrays = {v.path: v.numpy() for v in network.weights if "seed" not in v.path}
        run = tiny.make_run(tmp_path / "run", arrays=arrays, model=name)
        with disks.read_only(home), caplog.at_level(logging.WARNING, "iqa_zoo"):
            scores = list(iqa_zoo.score(photos, run, engine="litert"))
            with pytest.raises(OutputError, match=str(home)):
                write_bytes(home / "a.bin", b"a")
    assert [score.error for score in scores] == [None] * 3
    (said,) = caplog.messages
    assert "Cannot keep" in said and str(home) in said
    assert not any(home.iterdir())


@pytest.mark.parametrize("option", [None, "--resume", "--overwrite"])
@pytest.mark.parametrize(
    "name",
    ["a" * 251, "\N{GRINNING FACE}" * 62, "line\nbreak", os.fsdecode(b"caf\xe9")],
    ids=["255 bytes", "62 of 4 bytes", "line break", "no UTF-8"],
)
def test_odd_names_of_outputs(tmp_path, name, option):
    writer = sweep.rows("csv", option, name)
    writer.prepare(tmp_path)
    writer.write(tmp_path)
    (path,) = tmp_path.iterdir()
    assert path.name == f"{name}.csv"
    wanted = sweep.rows("csv", None)
    wanted.write(tmp_path)
    assert path.read_bytes() == (tmp_path / "scores.csv").read_bytes()


@pytest.mark.parametrize("name", ["a" * 252, "a/" * 2200 + "a"], ids=len)
def test_names_that_are_too_long(tmp_path, name):
    with pytest.raises(OutputError, match="File name too long"):
        sweep.rows("csv", None, name).write(tmp_path)
    with pytest.raises(OutputError, match="File name too long"):
        write_bytes(tmp_path / f"{name}.csv", sweep.NEW)
    assert sweep.files_of(tmp_path) == {}
