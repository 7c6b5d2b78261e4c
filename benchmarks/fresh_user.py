"""A stranger's data: AGIQA-3K's table, one `iqa-zoo train` with defaults a split.

    python benchmarks/fresh_user.py --data ../shared/data/agiqa3k

For each of three splits by prompt the command is run as a user runs it, in a process of
its own; then the run scores a folder in two further processes, which must agree. Beside
it: the same backbone frozen with an SVR. Needs scikit-learn.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pairs
from baselines import frozen_svr
from machine import machine

from iqa_zoo import registry
from iqa_zoo.data.manifest import read_labels
from iqa_zoo.evaluation.figures import figures
from iqa_zoo.files import write_bytes
from iqa_zoo.training.train import parts_of

RESULTS = Path(__file__).parent / "results" / "fresh_user.json"
IQA_ZOO = [sys.executable, "-m", "iqa_zoo"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--splits", nargs="+", type=int, default=range(3))
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--photos", type=Path, default=Path("examples/photos"))
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()

    table, images = options.data / "mos.csv", options.data / "images"
    labels = read_labels(table, images, group="prompt")
    rows = []
    for split in options.splits:
        run = options.runs / f"agiqa3k-{split}"
        command = ["train", "--labels", table, "--images", images]
        command += ["--group", "prompt", "--split", split, "--out", run]
        begun = time.monotonic()
        if not (run / "card.toml").exists():
            subprocess.run([*IQA_ZOO, *map(str, command)], check=True)
        minutes = (time.monotonic() - begun) / 60
        metrics = json.loads((run / "metrics.json").read_text())
        model = metrics["model"]
        parts = parts_of(labels, split)
        answers = frozen_svr(
            model, labels, parts["train"], parts["test"], options.runs / "cache"
        )
        frozen = figures(labels, parts["test"], answers)
        place = options.out.with_name(f"{options.out.stem}_pairs.json")
        pairs.keep(place, model, labels, split, run)
        first, second = (_scores(run, options.photos) for _ in range(2))
        rows.append(
            {
                "split": split,
                "command": "iqa-zoo " + " ".join(map(str, command)),
                "minutes": round(minutes, 1),
                "test": metrics["test"],
                "test_intervals": metrics["test_intervals"],
                "constant": metrics["test_constant"],
                "frozen_svr": frozen,
                "scores_equal_in_a_new_process": first == second,
            }
        )
        print(json.dumps(rows[-1], indent=1), flush=True)
    results = {
        "machine": machine(),
        "model": model,
        "recipe": registry.model_card(model)["recipe"],
        "median_srocc": statistics.median(row["test"]["srocc"] for row in rows),
        "median_frozen_srocc": statistics.median(
            row["frozen_svr"]["srocc"] for row in rows
        ),
        "splits": rows,
    }
    write_bytes(options.out, (json.dumps(results, indent=1) + "\n").encode())
    print(json.dumps({k: v for k, v in results.items() if k != "splits"}))


def _scores(run: Path, photos: Path) -> str:
    command = ["score", str(photos), "-m", str(run), "--format", "csv"]
    done = subprocess.run([*IQA_ZOO, *command], check=True, capture_output=True)
    return done.stdout.decode()


if __name__ == "__main__":
    main()
