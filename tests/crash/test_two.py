"""Two processes that want to write the same."""

import subprocess
import sys

import pytest

from iqa_zoo.cli import rows as module
from iqa_zoo.cli.rows import HEADS, open_rows
from iqa_zoo.errors import OutputError, UsageError
from tests.crash import sweep
from tests.crash.kills import IQA_ZOO
from tests.helpers import tiny

pytestmark = pytest.mark.crash

ROW = b"a,row\n"


@pytest.mark.parametrize("option", ["--resume", "--overwrite"])
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_the_second_is_told(tmp_path, form, option):
    second = sweep.rows(form, option)
    path = tmp_path / f"scores.{form}"
    with open_rows(str(path), form) as rows:
        with pytest.raises(OutputError, match="another process is writing it"):
            second.write(tmp_path)
        rows.write(ROW)
        assert path.read_bytes() == HEADS[form] + ROW
    path.unlink()
    second.write(tmp_path)


def test_no_file_between_check_and_writing(tmp_path):
    """Another process may have written it all after this one looked."""
    path = tmp_path / "scores.csv"
    with open_rows(str(path), "csv") as rows:
        rows.write(ROW)
    with pytest.raises(UsageError, match="--resume"), open_rows(str(path), "csv"):
        pytest.fail("it was opened")
    assert path.read_bytes() == HEADS["csv"] + ROW


def test_a_file_replaced_before_it_could_be_locked(tmp_path, monkeypatch):
    """The lock of a file that has lost its name keeps nobody out."""
    path, other = tmp_path / "scores.csv", tmp_path / "other.csv"
    other.touch()
    real = module.lock
    locked = []

    def lock(stream, name):
        if not locked:
            other.replace(path)
        locked.append(stream)
        real(stream, name)

    monkeypatch.setattr(module, "lock", lock)
    with open_rows(str(path), "csv") as rows:
        rows.write(ROW)
    assert path.read_bytes() == HEADS["csv"] + ROW
    assert len(locked) == 2 and locked[0].closed


def test_a_link_stays_a_link(tmp_path):
    path, link = tmp_path / "real.csv", tmp_path / "scores.csv"
    path.write_bytes(b"old")
    path.chmod(0o600)
    link.symlink_to(path)
    sweep.rows("csv", "--overwrite").write(tmp_path)
    assert link.is_symlink() and path.read_bytes().startswith(HEADS["csv"])
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_is_no_file_has_no_lock():
    with open_rows("/dev/null", "csv") as one, open_rows("/dev/null", "csv") as other:
        one.write(ROW)
        other.write(ROW)


def test_two_commands_at_once(tmp_path):
    """The first goes on, the second ends with 3, and nothing is scored twice."""
    run = tiny.make_run(tmp_path / "run")
    photos = tiny.make_photos(tmp_path / "photos", 9)
    out = tmp_path / "scores.csv"
    options = ["-m", run, "-o", out, "--resume"]
    first = [*IQA_ZOO, "score", "-", *options]
    with subprocess.Popen(first, stdin=subprocess.PIPE, text=True) as child:
        names = sorted(map(str, photos.iterdir()))
        child.stdin.write(f"{names[0]}\n")
        child.stdin.flush()
        while not (out.exists() and out.read_bytes().count(b"\n") == 2):
            assert child.poll() is None
        second = subprocess.run(
            [*IQA_ZOO, "score", photos, *options], capture_output=True, check=False
        )
        assert second.returncode == 3
        assert b"another process is writing it" in second.stderr
        child.stdin.write("\n".join(names[1:]))
    assert child.returncode == 0
    assert [line.split(",")[0] for line in out.read_text().splitlines()[1:]] == names


STORING = """
import sys
from iqa_zoo import store
content = bytes(range(256)) * 4000
for number in range(int(sys.argv[1])):
    key = f"{number}.bin"
    assert store.cached(key, lambda: content) == content
"""


def test_one_key_of_the_store(tmp_path, monkeypatch):
    monkeypatch.setenv("IQA_ZOO_HOME", str(tmp_path / "store"))
    command = [sys.executable, "-c", STORING, "20"]
    children = [subprocess.Popen(command) for _ in range(3)]
    assert [child.wait() for child in children] == [0] * 3
    found = sweep.files_of(tmp_path / "store")
    assert sorted(found) == sorted(f"cache/{number}.bin" for number in range(20))
    assert len(set(found.values())) == 1


def test_one_folder_for_two_runs(tmp_path):
    """The second training is told, and the first one's folder is not of both."""
    from iqa_zoo.training import train

    inner, hashed = [], train._hash

    def meanwhile(*arguments):
        with pytest.raises(OutputError, match="run: another process is writing it"):
            sweep.train_in(tmp_path)
        inner.append(True)
        return hashed(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "_hash", meanwhile)
        sweep.train_in(tmp_path)
    assert inner
