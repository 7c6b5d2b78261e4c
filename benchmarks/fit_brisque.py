"""BRISQUE fitted to LIVE In the Wild: figures on five fixed splits, and the arrays.

    python benchmarks/fit_brisque.py --data ../shared/data/clive

For k = 0..4 the photos are split 80/20 by `numpy.random.default_rng(k)`; a regression
is fitted to the 80, its two numbers chosen by the error on photos left out among those,
and measured once on the 20. The shipped arrays are fitted to all photos in the same
way. With --authors, arrays of the authors' model (npz), those are measured on the same
20 as they are.

Writes weights/brisque.clive.safetensors, the fingerprints of the photos beside it, and
the results, with the tables of a card.
"""

import argparse
import json
import statistics
from pathlib import Path

import numpy as np
from authors import released
from machine import machine
from safetensors.numpy import save

from iqa_zoo.calibration import interval_table, quantile_table
from iqa_zoo.correlation import agreement
from iqa_zoo.data.manifest import read_labels
from iqa_zoo.data.splits import fixed_split
from iqa_zoo.files import fingerprint, sha256, write_bytes
from iqa_zoo.images import read_image
from iqa_zoo.natural_scene import brisque

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "brisque_clive.json"
FIGURES = {"srocc": "srocc", "plcc": "plcc_logistic", "krocc": "krocc", "rmse": "rmse"}
HELD_OUT = (
    "those of LIVE In the Wild, judged by regressions that were fitted without them"
)
SEEN = "the 930 photos of LIVE In the Wild that it was fitted to"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--authors", type=Path)
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    options = parser.parse_args()
    labels = read_labels(options.data / "mos.csv", options.data / "images")
    rows = features(labels.paths, options.cache)

    found: dict[str, list] = {"fitted": []}
    scores, opinions = [], []
    for k in range(5):
        split = fixed_split(len(rows), k)
        arrays = brisque.fit(rows[split.train], labels.mos[split.train])
        answers = brisque.predict(rows[split.test], arrays)
        found["fitted"].append(agreement(labels.mos[split.test], answers))
        scores += answers.tolist()
        opinions += labels.mos[split.test].tolist()
        if options.authors:
            answers = -brisque.predict(rows[split.test], released(options.authors))
            theirs = agreement(labels.mos[split.test], answers)
            found.setdefault("authors_live", []).append(theirs)

    arrays = {
        name: array.astype(np.float32)
        for name, array in brisque.fit(rows, labels.mos).items()
    }
    files = {
        "brisque.clive.safetensors": save(arrays),
        "brisque.clive.seen.txt": "".join(
            f"{each}\n" for each in sorted({fingerprint(path) for path in labels.paths})
        ).encode(),
    }
    for name, data in files.items():
        write_bytes(ROOT / "weights" / name, data)
    weights, seen = (
        {"file": name, "bytes": len(data), "sha256": sha256(data)}
        for name, data in files.items()
    )
    results = {
        "machine": machine(),
        "weights": {
            **weights,
            "dtype": "float32",
            "arrays": len(arrays),
            "trained_on": len(rows),
            "seen": seen,
            "results": {method: table(each) for method, each in found.items()},
            "quantiles": quantile_table(brisque.predict(rows, arrays), SEEN),
            "interval": interval_table(scores, opinions, held_out=HELD_OUT),
        },
        "gamma": float(arrays["gamma"][0]),
    }
    text = json.dumps(results, indent=1) + "\n"
    write_bytes(RESULTS, text.encode())
    print(text, end="")


def features(paths, cache: Path) -> np.ndarray:
    """Features (n, 36) of the photos, computed once."""
    names = "".join(map(fingerprint, paths)).encode()
    place = cache / f"brisque-{sha256(names)[:16]}.npy"
    if not place.exists():
        rows = np.array([brisque.features(read_image(path)) for path in paths])
        place.parent.mkdir(parents=True, exist_ok=True)
        np.save(place, rows)
    return np.load(place)


def table(splits: list[dict]) -> dict:
    """The figures of every split and their medians, as on a card."""
    return {
        name: {
            "splits": [round(each[measure], 4) for each in splits],
            "median": round(statistics.median(each[measure] for each in splits), 4),
        }
        for name, measure in FIGURES.items()
    }


if __name__ == "__main__":
    main()
