"""Few labels: LIVE In the Wild with 200 and with 50 of the training photos.

    python benchmarks/few_labels.py --data ../shared/data/clive

For each of the five fixed splits the default model is trained from ImageNet by
`iqa_zoo.train(..., limit=N)` and measured on the 186 test photos, beside the same
backbone frozen with an SVR on the same N photos. Intervals are 95 % over test photos of
split 0; the paired gain is over all splits. Needs scikit-learn.
"""

import argparse
import json
import logging
import statistics
import tempfile
from pathlib import Path

from baselines import frozen_svr
from machine import machine

from iqa_zoo import registry
from iqa_zoo.data.manifest import read_labels
from iqa_zoo.evaluation.figures import figures
from iqa_zoo.evaluation.intervals import bootstrap
from iqa_zoo.files import write_bytes
from iqa_zoo.training.train import parts_of, train

RESULTS = Path(__file__).parent / "results" / "few_labels.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default=registry.default_model().partition(".")[0])
    parser.add_argument("--sizes", nargs="+", type=int, default=[200, 50])
    parser.add_argument("--splits", nargs="+", type=int, default=range(5))
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")

    labels = read_labels(options.data / "mos.csv", options.data / "images")
    results = {"machine": machine(), "model": options.model, "sizes": {}}
    for size in options.sizes:
        table = [_both(labels, split, size, options) for split in options.splits]
        gains = [row["trained"]["srocc"] - row["frozen"]["srocc"] for row in table]
        results["sizes"][size] = {
            "splits": table,
            "trained_median": statistics.median(r["trained"]["srocc"] for r in table),
            "frozen_median": statistics.median(r["frozen"]["srocc"] for r in table),
            "gains": [round(gain, 4) for gain in gains],
        }
        text = json.dumps(results, indent=1) + "\n"
        write_bytes(options.out, text.encode())
        print(text)


def _both(labels, split: int, size: int, options) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        run = train(
            labels,
            model=options.model,
            out=Path(folder) / "run",
            start="imagenet",
            split=split,
            limit=size,
            cache=options.cache,
        )
        metrics = json.loads((run / "metrics.json").read_text())
    parts = parts_of(labels, split)
    test = parts["test"]
    answers = frozen_svr(
        options.model, labels, parts["train"][:size], test, options.cache
    )
    frozen = figures(labels, test, answers)
    found = {
        "trained": _short(metrics["test"], metrics["test_intervals"]),
        "frozen": _short(frozen, bootstrap(labels.mos[test], answers)),
    }
    logging.info("%d labels, split %d: %s", size, split, found)
    return found


def _short(found: dict, intervals: dict) -> dict:
    return {
        "srocc": round(found["srocc"], 4),
        "interval": [round(bound, 4) for bound in intervals["srocc"]],
        "plcc_logistic": round(found["plcc_logistic"], 4),
    }


if __name__ == "__main__":
    main()
