"""Keeping what C++ libraries write to the standard error from the user."""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator

_LOCK = threading.Lock()


@contextlib.contextmanager
def quiet_native() -> Iterator[None]:
    """Send what is written to file descriptor 2 nowhere.

    For the whole process, so keep it short: Python's own messages are lost as well.
    """
    with _LOCK:
        try:
            kept = os.dup(2)
        except OSError:  # the process has no standard error
            yield
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)


def stay_quiet() -> None:
    """For programs: from now on only Python's messages get to the standard error."""
    stream = sys.stderr
    if stream is not sys.__stderr__ or stream is None:
        return  # a test looks at it, or there is none
    stream.flush()
    sys.stderr = os.fdopen(
        os.dup(2), "w", 1, encoding=stream.encoding, errors="backslashreplace"
    )
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
