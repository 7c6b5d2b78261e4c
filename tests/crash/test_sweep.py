"""Every writer keeps what was there, whichever of its calls fails, and however."""

import errno

import pytest

from tests.crash.faults import ERRORS
from tests.crash.sweep import WRITERS, sweep

pytestmark = pytest.mark.crash
# What is not counted is not swept.
FEWEST = {"train --out": 50}


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
