"""Trainings that are told to end, and go on: with the same bits as if they had not."""

import logging
import os
import signal
import threading

import keras
import pytest

from iqa_zoo import cli
from iqa_zoo.errors import OutputError, UsageError
from iqa_zoo.training import checkpoints
from iqa_zoo.training.interrupts import deferred
from tests.crash.training import PICTURES, train
from tests.helpers.small import eagerly, make_opinions, packaged

SAME = ("weights.safetensors", "history.csv", "metrics.json", "split.csv", "scores.csv")
STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}


@pytest.fixture(scope="module", autouse=True)
def _eager():
    with eagerly():
        yield


@pytest.fixture(scope="module")
def opinions(tmp_path_factory):
    return make_opinions(tmp_path_factory.mktemp("opinions"), PICTURES)


@pytest.fixture(scope="module")
def whole(opinions, tmp_path_factory):
    """The files of an unbroken training, which saves at the ends of stages only."""
    out = tmp_path_factory.mktemp("whole") / "run"
    train(*opinions, out, save_seconds=1e9)
    return files(out)


def files(out):
    assert not (out / "unfinished").exists()
    return {name: (out / name).read_bytes() for name in SAME}


class At(keras.callbacks.Callback):
    """Does something in the n-th step of all stages."""

    def __init__(self, step, act):
        super().__init__()
        self.left, self.act = step, act

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            self.act()


def interrupt(number):
    return lambda: os.kill(os.getpid(), number)


@pytest.mark.parametrize(
    "sent, step, said", [(signal.SIGINT, 4, "4 of 6"), (signal.SIGTERM, 11, "5 of 12")]
)
def test_told_to_end_it_saves_and_goes_on(
    opinions, whole, tmp_path, sent, step, said, caplog
):
    out = tmp_path / "run"
    ending = At(step, interrupt(sent))
    before = [signal.getsignal(number) for number in STATUS]
    with (
        caplog.at_level(logging.INFO, "iqa_zoo"),
        pytest.raises((KeyboardInterrupt, SystemExit)) as caught,
    ):
        train(*opinions, out, save_seconds=1e9, callbacks=[ending])
    if sent == signal.SIGTERM:
        assert caught.value.code == STATUS[sent]
    assert ending.left == 0
    assert [signal.getsignal(number) for number in STATUS] == before
    assert f"Saved after step {said}; " in caplog.text
    with caplog.at_level(logging.INFO, "iqa_zoo"):
        train(*opinions, out, save_seconds=1e9)
    assert f"Going on from step {said}." in caplog.text
    assert files(out) == whole


@pytest.mark.parametrize("sent", STATUS, ids=lambda sent: sent.name)
def test_exit_status_of_the_command(opinions, tmp_path, monkeypatch, sent):
    from iqa_zoo.cli import progress

    def leave(status):
        raise SystemExit(status)

    monkeypatch.setattr(cli, "_exit", leave)
    monkeypatch.setattr(progress, "EpochProgress", lambda: At(1, interrupt(sent)))
    table, photos = opinions
    out = tmp_path / "run"
    options = ["--labels", table, "--images", photos, "--start", "random", "-o", out]
    before = signal.getsignal(signal.SIGTERM)
    try:
        with packaged() as name, pytest.raises(SystemExit) as caught:
            cli.main(["train", "-m", name, *map(str, options)])
    finally:
        signal.signal(signal.SIGTERM, before)
    assert caught.value.code == STATUS[sent]
    assert checkpoints.last_number(out / "unfinished" / "checkpoints") == 1


def test_the_second_signal_is_not_deferred():
    with pytest.raises(KeyboardInterrupt), deferred() as asked:
        interrupt(signal.SIGINT)()
        assert asked.number == signal.SIGINT
        interrupt(signal.SIGINT)()
        pytest.fail("it went on")
    with pytest.raises(SystemExit) as caught, deferred() as asked:
        interrupt(signal.SIGTERM)()
        asked.leave()
    assert caught.value.code == 143


def test_what_nobody_acted_upon_is_not_lost():
    went_on = []
    with pytest.raises(KeyboardInterrupt), deferred():
        interrupt(signal.SIGINT)()
        went_on.append(True)
    assert went_on


def test_a_signal_while_the_last_step_is_saved(opinions, whole, tmp_path, monkeypatch):
    """It ends after that stage, whose end is saved."""
    real = checkpoints.write
    out = tmp_path / "run"

    def write(folder, number, *rest):
        real(folder, number, *rest)
        if number == 6:
            interrupt(signal.SIGINT)()

    monkeypatch.setattr(checkpoints, "write", write)
    with pytest.raises(KeyboardInterrupt):
        train(*opinions, out, save_seconds=1e9)
    monkeypatch.undo()
    assert checkpoints.last_number(out / "unfinished" / "checkpoints") == 6
    train(*opinions, out, save_seconds=1e9)
    assert files(out) == whole


def test_other_threads_catch_no_signals():
    before = signal.getsignal(signal.SIGINT)
    found = []

    def look():
        with deferred() as asked:
            found.append((asked.number, signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [(None, before)]


class Stop(Exception):
    pass


def stop():
    raise Stop


def test_an_error_of_a_callback_loses_no_more_than_since_the_last_save(
    opinions, whole, tmp_path
):
    out = tmp_path / "run"
    with pytest.raises(Stop):
        train(*opinions, out, callbacks=[At(8, stop)])
    with pytest.raises(UsageError, match=r"had another .*seed"):
        train(*opinions, out, seed=1)
    with pytest.raises(UsageError, match="had another recipe"):
        train(*opinions, out, epochs=1)
    train(*opinions, out, save_seconds=1e9)
    assert files(out) == whole


def test_before_a_step_is_saved_nothing_stays(opinions, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(Stop):
        train(*opinions, out, callbacks=[At(1, stop)], seed=1, save_seconds=1e9)
    assert not any(out.iterdir())


def test_a_disk_without_room_for_a_checkpoint_is_found_before_the_first_step(
    opinions, tmp_path, monkeypatch
):
    def full(path, data):
        raise OutputError(f"Cannot write {path}: No space left on device.")

    monkeypatch.setattr(checkpoints, "write_bytes", full)
    first = At(1, lambda: pytest.fail("a step was taken"))
    with pytest.raises(OutputError, match=r"which needs [\d,]+ bytes"):
        train(*opinions, tmp_path / "run", callbacks=[first])
    assert not any((tmp_path / "run").iterdir())


def test_where_no_checkpoint_is_whole_it_begins_again(
    opinions, whole, tmp_path, caplog
):
    out = tmp_path / "run"
    with pytest.raises(Stop):
        train(*opinions, out, callbacks=[At(9, stop)])
    found = sorted((out / "unfinished" / "checkpoints").iterdir())
    assert len(found) == 2
    for place in found:
        (place / "state.json").write_bytes(b"{}")
    with caplog.at_level(logging.WARNING, "iqa_zoo"):
        train(*opinions, out)
    assert caplog.text.count("is damaged (state.json)") == 2
    assert files(out) == whole
