"""Checkpoints that are whole or do not count."""

import json
import logging
import shutil

import numpy as np
import pytest

from iqa_zoo.errors import OutputError
from iqa_zoo.training import checkpoints
from iqa_zoo.training.checkpoints import ARRAYS, MARKER, STATE, SUMS


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "checkpoints"


def content(number):
    arrays = {
        "a/kernel": np.full((2, 3), number, "float32").T,
        "steps": np.int64(number),
    }
    return arrays, {"step": number, "best": {}, "losses": [0.1 * number, 2]}


def write(folder, *numbers):
    for number in numbers:
        checkpoints.write(folder, number, *content(number))


def taken(folder):
    """The number of the checkpoint that is gone on from, which must be whole."""
    found = checkpoints.newest(folder)
    if found is None:
        return None
    arrays, state = found
    wanted, said = content(state["step"])
    assert state == said
    assert arrays.keys() == wanted.keys()
    for name in wanted:
        np.testing.assert_array_equal(arrays[name], wanted[name])
        assert arrays[name].dtype == wanted[name].dtype
        assert arrays[name].shape == wanted[name].shape  # () stays ()
    return state["step"]


def names(folder):
    return sorted(int(path.name) for path in folder.iterdir())


def test_none(folder):
    assert checkpoints.newest(folder) is None
    assert checkpoints.last_number(folder) == -1


def test_the_newest_counts_and_two_are_kept(folder):
    for number in (0, 3, 20, 100):
        write(folder, number)
        assert taken(folder) == checkpoints.last_number(folder) == number
    assert names(folder) == [20, 100]
    assert {path.name for path in (folder / "000000100").iterdir()} == {
        *(ARRAYS, STATE, SUMS, MARKER)
    }


def half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flipped(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGE = {
    "half": half,
    "one bit": flipped,
    "empty": lambda path: path.write_bytes(b""),
    "gone": lambda path: path.unlink(),
    "another": lambda path: path.write_bytes(json.dumps({"step": 7}).encode()),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("file", [ARRAYS, STATE, SUMS])
def test_the_one_before_a_damaged_one_is_taken(folder, file, damage, caplog):
    write(folder, 1, 2)
    DAMAGE[damage](folder / "000000002" / file)
    with caplog.at_level(logging.WARNING, "iqa_zoo"):
        assert taken(folder) == 1
    (said,) = caplog.messages
    assert "000000002 is damaged" in said and "the one before it is taken" in said
    if damage in ("half", "one bit") and file != SUMS:
        assert file in said
    # It is written anew, and does not count as one of the two that are kept.
    write(folder, 3)
    assert names(folder) == [1, 3]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_damaged_ones_are_not_in_the_way(folder, number):
    """Whatever the number of what is written next, it is there afterwards."""
    write(folder, 1, 2)
    for path in folder.iterdir():
        flipped(path / ARRAYS)
    assert taken(folder) is None
    write(folder, number)
    assert taken(folder) == number
    write(folder, number + 1)
    assert names(folder) == [number, number + 1]


def test_without_its_marker_a_checkpoint_does_not_count(folder, caplog):
    """That of a killed process is no fault of the disk, and nobody is warned."""
    write(folder, 1, 2)
    (folder / "000000002" / MARKER).unlink()
    assert checkpoints.last_number(folder) == taken(folder) == 1
    assert caplog.messages == []


@pytest.mark.parametrize("left", [[], [ARRAYS], [ARRAYS, STATE], [ARRAYS, STATE, SUMS]])
@pytest.mark.parametrize("number", [2, 3, 4])
def test_what_a_killed_process_left_is_replaced(folder, left, number):
    write(folder, 1, 3)
    for file in {ARRAYS, STATE, SUMS, MARKER} - set(left):
        (folder / "000000003" / file).unlink()
    (folder / "000000003" / f".{STATE}.0123.part").write_bytes(b"{")
    write(folder, number)
    assert names(folder) == [1, number]
    assert taken(folder) == number
    assert not list(folder.rglob("*.part"))


def test_other_files_are_left_alone(folder):
    write(folder, 1)
    (folder / "notes.txt").write_text("mine")
    write(folder, 2, 3)
    assert taken(folder) == 3
    assert sorted(path.name for path in folder.iterdir()) == [
        *("000000002", "000000003", "notes.txt")
    ]


def test_all_that_is_before_the_marker_is_on_the_disk_before_it(folder, monkeypatch):
    done = []
    real = checkpoints.write_bytes

    def write_bytes(path, data):
        real(path, data)
        done.append(path.name)

    monkeypatch.setattr(checkpoints, "write_bytes", write_bytes)
    monkeypatch.setattr(checkpoints, "sync_folder", lambda path: done.append(path))
    monkeypatch.setattr(shutil, "rmtree", lambda path: done.append(f"no {path.name}"))
    write(folder, 1)
    assert done == [ARRAYS, STATE, SUMS, MARKER, folder]
    write(folder, 2)
    done.clear()
    write(folder, 3)
    assert done[-2:] == [folder, "no 000000001"]


def test_a_disk_that_does_not_take_it(folder, monkeypatch):
    write(folder, 1, 2)

    def full(path, data):
        if path.name == STATE:
            raise OutputError(f"Cannot write {path}: No space left on device.")
        path.write_bytes(data)

    monkeypatch.setattr(checkpoints, "write_bytes", full)
    with pytest.raises(OutputError, match=r"000000003, which needs [\d,]+ bytes: .*No"):
        write(folder, 3)
    assert names(folder) == [1, 2]
    assert taken(folder) == 2
