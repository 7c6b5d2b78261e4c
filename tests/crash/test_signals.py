"""Told to end, the program leaves whole rows and no half-written file."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from iqa_zoo import store
from tests.crash.kills import IQA_ZOO
from tests.crash.sweep import files_of
from tests.helpers import tiny
from tests.helpers.small import make_opinions

pytestmark = pytest.mark.crash

STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return tiny.make_run(tmp_path_factory.mktemp("models") / "run")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return tiny.make_photos(tmp_path_factory.mktemp("photos"), 9)


@pytest.mark.parametrize("sent", STATUS, ids=lambda sent: sent.name)
def test_scoring(run, photos, tmp_path, sent):
    """It waits for a name here, so that the moment is a certain one."""
    out = tmp_path / "scores.jsonl"
    names = [str(path) for path in sorted(photos.iterdir())]
    command = [*IQA_ZOO, "score", "-", "-m", run, "-o", out]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        child.stdin.write("\n".join(names) + "\n")
        child.stdin.flush()
        wait_for(lambda: out.exists() and out.read_bytes().count(b"\n") == 9, child)
        child.send_signal(sent)
        assert child.wait(30) == STATUS[sent]
        said = child.stderr.read()
    assert "interrupted: 9 scored" in said and "--resume scores the rest" in said
    assert "Traceback" not in said
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["path"] for row in rows] == names
    assert os.listdir(tmp_path) == [out.name]


BUSY = """
import sys, time
from iqa_zoo import cli, scoring

def look(*_, **__):
    print("now", flush=True)
    time.sleep(99)

scoring.Scorer._look = look
cli.main(["score", *sys.argv[1:]])
"""


@pytest.mark.parametrize("sent", STATUS, ids=lambda sent: sent.name)
def test_an_image_that_takes_long_is_not_waited_for(run, photos, tmp_path, sent):
    options = [photos, "-m", run, "-o", tmp_path / "scores.csv", "--threads", "1"]
    with subprocess.Popen(
        [sys.executable, "-c", BUSY, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        assert child.stdout.readline() == b"now\n"
        child.send_signal(sent)
        assert child.wait(30) == STATUS[sent]
        assert b"interrupted: 0 scored" in child.stderr.read()


WRITING = """
import sys
from iqa_zoo import cli
from iqa_zoo.files import atomic_write

def write(*_, **__):
    with atomic_write(sys.argv[1]) as file:
        file.write(b"half")
        file.flush()
        print("now", flush=True)
        sys.stdin.read()

cli.COMMANDS = {"write": ("write", "")}
sys.modules["write"] = type(sys)("write")
sys.modules["write"].command = cli.click.command()(write)
cli.main(["write"])
"""


@pytest.mark.parametrize("sent", STATUS, ids=lambda sent: sent.name)
@pytest.mark.parametrize("before", [None, b"old"])
def test_a_file_half_written(tmp_path, sent, before):
    path = tmp_path / "out.bin"
    if before:
        path.write_bytes(before)
    with subprocess.Popen(
        [sys.executable, "-c", WRITING, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        assert child.stdout.readline() == b"now\n"
        assert len(os.listdir(tmp_path)) == 1 + bool(before)
        child.send_signal(sent)
        assert child.wait(30) == STATUS[sent]
        assert child.stderr.read().strip() == b""
    assert files_of(tmp_path) == ({"out.bin": before} if before else {})


PREPARING = """
import sys, time
from iqa_zoo import cli
from iqa_zoo.training import train

def started(*_):
    print("now", flush=True)
    time.sleep(99)

train.started = started
cli.main(["train", *sys.argv[1:]])
"""


@pytest.mark.parametrize("sent", STATUS, ids=lambda sent: sent.name)
def test_training_that_has_saved_nothing(tmp_path, sent):
    table, photos = make_opinions(tmp_path)
    out = tmp_path / "run"
    options = ["--labels", table, "--images", photos, "-o", out, "--start", "random"]
    with subprocess.Popen(
        [sys.executable, "-c", PREPARING, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout.readline() == "now\n"
        child.send_signal(sent)
        assert child.wait(30) == STATUS[sent]
        said = child.stderr.read()
    assert said.endswith("iqa-zoo: interrupted: nothing was saved yet\n")
    assert "Traceback" not in said
    assert not list(out.iterdir())


FETCHING = """
import sys
from iqa_zoo import cli, store

table = {"file": "a.npz", "bytes": 1000, "licence": "none", "url": sys.argv[1]}
table["sha256"] = "0" * 64
store.published_sets = lambda: {"a.imagenet": table}
cli.main(["weights", "fetch", "a.imagenet"])
"""


@pytest.mark.parametrize("sent", STATUS, ids=lambda sent: sent.name)
def test_fetching(tmp_path, sent):
    home = tmp_path / "store"
    environment = {**os.environ, store.HOME_VARIABLE: str(home)}
    environment.pop(store.OFFLINE_VARIABLE, None)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/a.npz"
        with subprocess.Popen(
            [sys.executable, "-c", FETCHING, url],
            env=environment,
            stderr=subprocess.PIPE,
        ) as child:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + bytes(500)
                )
                time.sleep(0.1)  # and no more comes
                child.send_signal(sent)
                assert child.wait(30) == STATUS[sent]
            assert b"Traceback" not in child.stderr.read()
    assert files_of(home) == {}


def wait_for(condition, child):
    """Until the condition holds; the child must live until then."""
    while not condition():
        assert child.poll() is None, child.stderr.read()
        time.sleep(0.005)
