"""Time and memory of BRISQUE, NIQE and PIQE, beside OpenCV's BRISQUE and pypiqe.

    python benchmarks/natural_scene.py

In each round everything runs once on the same photo, so that a machine that slows down
does so for all; medians of the rounds are compared. OpenCV's features are timed without
its regression, which takes next to nothing. Needs opencv-contrib-python in place of
opencv-python, and pypiqe; what is not installed is left out.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from machine import record

from iqa_zoo.images import read_image
from iqa_zoo.natural_scene import brisque, niqe, piqe

PHOTO = Path(__file__).parent.parent / "examples" / "photos" / "rocket.jpg"
SIZES = {"512x512": (512, 512), "4000x3000": (4000, 3000)}
OURS = ("brisque", "niqe", "piqe")
RATIOS = {
    "opencv_over_brisque": ("opencv brisque", "brisque"),
    "opencv_over_piqe": ("opencv brisque", "piqe"),
    "pypiqe_over_piqe": ("pypiqe", "piqe"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--memory-of", choices=OURS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of:
        print(_peak(options.memory_of))
        return

    results: dict = {"rounds": options.rounds, "sizes": {}}
    for label in SIZES:
        measures = {name: _ours(name) for name in OURS} | _others()
        photo = _photo(label)
        times: dict[str, list[float]] = {name: [] for name in measures}
        for turn in range(options.rounds + 1):  # the first one warms up
            for name, measure in measures.items():
                start = time.perf_counter()
                measure(photo)
                if turn:
                    times[name].append(time.perf_counter() - start)
        medians = {name: statistics.median(each) for name, each in times.items()}
        results["sizes"][label] = {
            "milliseconds": {name: round(t * 1e3, 2) for name, t in medians.items()},
            **{
                ratio: round(medians[over] / medians[under], 2)
                for ratio, (over, under) in RATIOS.items()
                if over in medians
            },
        }
    results["peak_memory_mb"] = {name: _memory(name) for name in OURS}
    record("natural_scene.json", results)


def _photo(label: str) -> np.ndarray:
    """The example photo enlarged, with fine noise for what enlarging cannot make."""
    large = cv2.resize(read_image(PHOTO), SIZES[label], interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng(0).normal(0, 3, large.shape[:2])
    return (large + noise[..., None]).clip(0, 255).astype(np.uint8)


def _ours(name: str) -> Callable[[np.ndarray], object]:
    random = np.random.default_rng(0)
    if name == "piqe":
        return piqe.score
    if name == "niqe":
        model = {"mean": random.random(36), "covariance": np.eye(36)}
        return lambda photo: niqe.score(photo, model)
    rows = random.random((800, 36))
    arrays = brisque.fit(rows, rows[:, 0], gamma=0.01, ridge=0.1)
    return lambda photo: brisque.score(photo, arrays)


def _others() -> dict[str, Callable[[np.ndarray], object]]:
    """What is installed of other code. It takes BGR, as the time does not show."""
    found: dict[str, Callable[[np.ndarray], object]] = {}
    if hasattr(cv2, "quality"):
        found["opencv brisque"] = cv2.quality.QualityBRISQUE_computeFeatures
    else:
        print("no opencv-contrib-python: OpenCV's BRISQUE left out", file=sys.stderr)
    try:
        from pypiqe import piqe as theirs
    except ImportError:
        print("no pypiqe: left out", file=sys.stderr)
    else:
        found["pypiqe"] = theirs
    return found


def _memory(name: str) -> float:
    """Peak of a process that measures one photo of 12 megapixels, in MB."""
    command = [sys.executable, __file__, "--memory-of", name]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(answer.stdout)


def _peak(name: str) -> float:
    _ours(name)(_photo("4000x3000"))
    # Not getrusage, whose peak a process inherits from the one that started it.
    status = dict(
        line.split(":") for line in Path("/proc/self/status").read_text().splitlines()
    )
    return round(int(status["VmHWM"].split()[0]) / 1024, 1)


if __name__ == "__main__":
    main()
