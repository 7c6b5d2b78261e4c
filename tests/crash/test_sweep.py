"""Every writer keeps what was there, whichever of its calls fails, and however."""

import errno
import os

import pytest

from tests.crash.faults import ERRORS, failing
from tests.crash.sweep import WRITERS, sweep

pytestmark = pytest.mark.crash
# What is not counted is not swept.
FEWEST = {"train --out": 100, "checkpoint of a training": 30}


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(number, marks=() if number == errno.ENOSPC else pytest.mark.slow)
        for number in ERRORS
    ],
    ids=errno.errorcode.get,
)
@pytest.mark.parametrize("writer", WRITERS)
def test_one_call_fails(writer, number, tmp_path):
    assert sweep(WRITERS[writer], tmp_path, number) >= FEWEST.get(writer, 5)


@pytest.mark.slow
@pytest.mark.parametrize("number", ERRORS, ids=errno.errorcode.get)
@pytest.mark.parametrize("writer", WRITERS)
def test_all_calls_from_one_on_fail(writer, number, tmp_path):
    sweep(WRITERS[writer], tmp_path, number, forever=True)


@pytest.mark.parametrize("writer", WRITERS)
def test_what_has_a_final_name_is_on_the_disk(writer, tmp_path):
    """A name that comes before its content would be an empty file after a power cut."""
    WRITERS[writer].prepare(tmp_path)
    with failing(tmp_path, 0, errno.EIO) as calls:
        WRITERS[writer].write(tmp_path)
    written, flushed, folders = set(), set(), []
    for call in calls:
        if call.name == "write":
            written.add(call.path)
            flushed.discard(call.path)
        elif call.name == "fsync":
            flushed.add(call.path)
        elif call.name == "replace":
            assert call.path in flushed
            folders.append(os.path.dirname(call.path))
    assert written and written <= flushed
    synced = [call.path for call in calls if call.name == "fsync"]
    assert [path for path in synced if path in folders] == folders
