"""A final name always means a complete file, whatever fails on the way."""

import errno
import os

import pytest

from iqa_zoo.errors import OutputError
from iqa_zoo.files import atomic_write, sha256, write_bytes

OLD, NEW = b"old", b"new " * 5000
CALLS = ("open", "fsync", "replace", "close")


def failing(patch: pytest.MonkeyPatch, call: str, n: int, number: int) -> list[int]:
    """Make the n-th call of `os.<call>` fail; counts the calls."""
    real = getattr(os, call)
    calls = [0]

    def fail(*arguments, **named):
        calls[0] += 1
        if calls[0] == n:
            if call == "close":
                real(*arguments)  # the descriptor is gone, as after a real failure
            raise OSError(number, os.strerror(number))
        return real(*arguments, **named)

    patch.setattr(os, call, fail)
    return calls


def test_sha256():
    assert sha256(b"").startswith("e3b0c44298fc1c149afb")


def test_writes_and_replaces(tmp_path):
    path = tmp_path / "out.bin"
    write_bytes(path, OLD)
    write_bytes(str(path), NEW)
    assert path.read_bytes() == NEW
    assert os.listdir(tmp_path) == ["out.bin"]


@pytest.mark.parametrize("mode", [0o600, 0o444])
def test_permissions_stay(tmp_path, mode):
    path = tmp_path / "out.bin"
    write_bytes(path, OLD)
    path.chmod(mode)
    write_bytes(path, NEW)
    assert path.read_bytes() == NEW
    assert path.stat().st_mode & 0o777 == mode


def test_nothing_under_the_final_name_before_the_end(tmp_path):
    path = tmp_path / "out.bin"
    with atomic_write(path) as file:
        file.write(NEW)
        file.flush()
        assert not path.exists()
    assert path.read_bytes() == NEW


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EACCES])
@pytest.mark.parametrize("call", CALLS)
def test_n_th_call_fails(tmp_path, call, number):
    path = tmp_path / "out.bin"
    for n in range(1, 9):
        write_bytes(path, OLD)
        with pytest.MonkeyPatch.context() as patch:
            calls = failing(patch, call, n, number)
            try:
                write_bytes(path, NEW)
                error = None
            except OutputError as caught:
                error = caught
        # Either it is written, or it is not and the error says so.
        assert path.read_bytes() == (OLD if error else NEW)
        assert os.listdir(tmp_path) == ["out.bin"]
        if error:
            assert str(path) in str(error)
            assert os.strerror(number) in str(error)
        if calls[0] < n:  # all calls have had their turn
            return
    pytest.fail("it never succeeded")


def test_write_fails(tmp_path):
    path = tmp_path / "out.bin"
    write_bytes(path, OLD)
    with pytest.raises(OutputError, match=r"out\.bin"), atomic_write(path) as file:
        file.write(b"part")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert path.read_bytes() == OLD
    assert os.listdir(tmp_path) == ["out.bin"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_real_full_disk(tmp_path, monkeypatch):
    path = tmp_path / "out.bin"
    write_bytes(path, OLD)
    real = os.open
    monkeypatch.setattr(
        os,
        "open",
        lambda name, flags, *mode: (
            real("/dev/full", os.O_WRONLY)
            if flags & os.O_CREAT
            else real(name, flags, *mode)
        ),
    )
    with pytest.raises(OutputError, match="No space left"):
        write_bytes(path, NEW)
    assert path.read_bytes() == OLD


@pytest.mark.parametrize("kind", [KeyboardInterrupt, ValueError])
def test_other_errors_pass_and_leave_nothing(tmp_path, kind):
    path = tmp_path / "out.bin"
    with pytest.raises(kind), atomic_write(path) as file:
        file.write(NEW)
        raise kind
    assert os.listdir(tmp_path) == []


def test_missing_folder_and_folder_in_the_way(tmp_path):
    with pytest.raises(OutputError, match="No such file"):
        write_bytes(tmp_path / "no" / "out.bin", NEW)
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="folder"):
        write_bytes(tmp_path / "folder", NEW)
    assert os.listdir(tmp_path) == ["folder"]


@pytest.mark.parametrize(
    "name",
    ["a" * 255, "\N{GRINNING FACE}" * 63, "line\nbreak", os.fsdecode(b"caf\xe9")],
    ids=["255 bytes", "63 of 4 bytes", "line break", "no UTF-8"],
)
def test_odd_names(tmp_path, name):
    write_bytes(tmp_path / name, NEW)
    assert (tmp_path / name).read_bytes() == NEW
    assert os.listdir(tmp_path) == [name]
