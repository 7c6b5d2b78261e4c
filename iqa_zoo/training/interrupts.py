"""Ctrl-C and SIGTERM while a training runs: the batch is finished and saved first."""

import contextlib
import logging
import signal
import threading
from collections.abc import Iterator
from types import FrameType

logger = logging.getLogger("iqa_zoo")

TERMINATED = 143  # 128 + SIGTERM, as shells report it


class Interrupt:
    """Whether the user or the system asked the training to end."""

    def __init__(self) -> None:
        self.number: int | None = None

    def leave(self) -> None:
        """End as the signal would have ended the program.

        Raises:
            KeyboardInterrupt: after SIGINT.
            SystemExit: after SIGTERM, with status 143.
        """
        if self.number == signal.SIGTERM:
            raise SystemExit(TERMINATED)
        raise KeyboardInterrupt


@contextlib.contextmanager
def deferred() -> Iterator[Interrupt]:
    """Within, the first signal only sets `number`; the second ends at once.

    One that nobody has acted upon within takes effect at the end.

    Signals can be caught in a program's main thread alone: in others, nothing changes.
    """
    interrupt = Interrupt()

    def note(number: int, frame: FrameType | None) -> None:
        if interrupt.number is not None:
            interrupt.leave()
        interrupt.number = number
        with contextlib.suppress(RuntimeError):  # just then a line was being written
            logger.warning("Ending after this step; a second signal ends at once.")

    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, note) for number in numbers}
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            # None: the handler was not set from Python and cannot be set back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
    if interrupt.number is not None:
        interrupt.leave()
