"""How long `iqa-zoo score one.jpg` takes, beside importing TensorFlow, in pairs.

python benchmarks/startup.py
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

from machine import record

PHOTO = Path(__file__).parent.parent / "examples" / "photos" / "coffee.jpg"
PAIRS = 7


def main() -> None:
    ours, theirs = [], []
    for turn in range(PAIRS + 1):
        seconds = _time([sys.executable, "-m", "iqa_zoo", "score", str(PHOTO)])
        import_ = _time([sys.executable, "-c", "import tensorflow"])
        if turn:  # the first pair fills the disk's cache
            ours.append(seconds)
            theirs.append(import_)
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    record(
        "startup.json",
        {
            "pairs": PAIRS,
            "score_one_photo_s": round(statistics.median(ours), 3),
            "import_tensorflow_s": round(statistics.median(theirs), 3),
            "ratio": round(statistics.median(ratios), 4),
            "worst_ratio": round(max(ratios), 4),
        },
    )


def _time(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
