"""Lines about long jobs: rare, and with the time left."""

import logging

import pytest

from iqa_zoo.training import pace
from iqa_zoo.training.pace import Pace, duration, paced


@pytest.fixture
def clock(monkeypatch):
    """What time it is: a list of one number, to be set."""
    now = [100.0]
    monkeypatch.setattr(pace.time, "monotonic", lambda: now[0])
    return now


def test_a_line_now_and_then(clock, caplog):
    caplog.set_level(logging.INFO, "iqa_zoo")
    told = Pace(1000, "pictures", done=100)
    for done in range(101, 1001):
        clock[0] += 0.125
        told.tell(done)
    assert caplog.messages == [
        "340 of 1000 pictures, 8/s, about 82 s left.",
        "580 of 1000 pictures, 8/s, about 52 s left.",
        "820 of 1000 pictures, 8/s, about 22 s left.",
    ]


def test_things_pass_through(clock, caplog):
    caplog.set_level(logging.INFO, "iqa_zoo")
    for thing in paced("abc", 3, "scores"):
        clock[0] += 31
        assert thing in "abc"
    assert caplog.messages == [
        "1 of 3 scores, 0.032/s, about 62 s left.",
        "2 of 3 scores, 0.032/s, about 31 s left.",
    ]


def test_duration():
    said = [duration(seconds) for seconds in (40, 720, 7199, 12000)]
    assert said == ["40 s", "12 min", "2 h 0 min", "3 h 20 min"]
