"""The processor: how many threads work is shared out to, and what it is called."""

import os
import platform
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

Thing = TypeVar("Thing")


def cores() -> int:
    """How many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def machine() -> str:
    """Processor and number of cores, as printed beside every time."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
    return f"{name}, {cores()} cores"


def in_order(
    jobs: Iterable[tuple[int, Callable[[], Thing]]], room: int
) -> Iterator[Thing]:
    """What jobs give, in their order, while all cores work on those that follow.

    Args:
        jobs: the room that each takes, and what does it.
        room: how much there is for what is begun and not yet given. A job that takes
            more is done alone.
    """
    pool = ThreadPoolExecutor(cores(), thread_name_prefix="iqa_zoo")
    pending: deque[tuple[int, Future[Thing]]] = deque()
    try:
        for size, job in jobs:
            while pending and sum(each for each, _ in pending) + size > room:
                yield pending.popleft()[1].result()
            pending.append((size, pool.submit(job)))
        while pending:
            yield pending.popleft()[1].result()
    finally:
        pool.shutdown(cancel_futures=True)
