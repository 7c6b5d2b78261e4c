"""What the benchmarks say of the machine, and how they write their results."""

import json
import platform
from pathlib import Path
from typing import Any

from iqa_zoo.files import write_bytes
from iqa_zoo.threads import cores

RESULTS = Path(__file__).parent / "results"


def machine() -> str:
    """Processor and number of cores, as printed beside every time."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
    return f"{name}, {cores()} cores"


def record(file: str, results: dict[str, Any]) -> None:
    """Write results as small JSON, with the machine's name, and print them."""
    results = {"machine": machine(), **results}
    text = json.dumps(results, indent=1) + "\n"
    write_bytes(RESULTS / file, text.encode())
    print(text, end="")
