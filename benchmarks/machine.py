"""How the benchmarks write their results."""

import json
from pathlib import Path
from typing import Any

from iqa_zoo.files import write_bytes
from iqa_zoo.threads import machine

RESULTS = Path(__file__).parent / "results"


def record(file: str, results: dict[str, Any]) -> None:
    """Write results as small JSON, with the machine's name, and print them."""
    results = {"machine": machine(), **results}
    text = json.dumps(results, indent=1) + "\n"
    write_bytes(RESULTS / file, text.encode())
    print(text, end="")
