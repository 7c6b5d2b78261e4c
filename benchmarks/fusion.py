"""A network and hand-made features together, on LIVE In the Wild's five fixed splits.

    python benchmarks/fusion.py ../shared/data/clive

For k = 0..4 the photos are split 80/20 by `iqa_zoo.data.splits.fixed_split`. The
network stays as ImageNet left it. On the 80 the regressions of `iqa-zoo train --fuse`
are fitted, and all their choices made on photos left out among those; the 20 are
measured once. Gains are of the fusion to the better fusion of the other two blocks,
over the test photos of all splits together; intervals are 95 %, drawn by photo.
"""

import argparse
import dataclasses
import json
import logging
import statistics
from pathlib import Path

import numpy as np
from machine import machine

from iqa_zoo import registry
from iqa_zoo.correlation import agreement
from iqa_zoo.data.manifest import read_labels
from iqa_zoo.data.splits import fixed_split
from iqa_zoo.files import fingerprint, write_bytes
from iqa_zoo.models.fusion import BLOCKS, predict
from iqa_zoo.training.fused_run import (
    compared,
    features_of,
    fusion_card,
    gains,
    rows_of,
)
from iqa_zoo.training.fusion import Search, drawn_folds
from iqa_zoo.training.trunk import above

RESULTS = Path(__file__).parent / "results" / "fusion.json"
METHODS = (*BLOCKS, "early", "late", "fusion")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="nima-efficientnet-lite0")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    labels = read_labels(options.data / "mos.csv", options.data / "images")
    features = _features(options.model, labels, options.cache)

    splits, pooled = [], []
    for k in range(5):
        split = fixed_split(len(labels.mos), k)
        search = Search(
            rows_of(features, split.train),
            labels.mos[split.train],
            drawn_folds(len(split.train)),
        )
        fusion = search.best()
        test = rows_of(features, split.test)
        scores = compared(search, test)
        scores["fusion"] = predict(test, search.arrays(fusion))
        pooled.append((split.test, scores))
        splits.append(
            {
                "kind": fusion.kind,
                "left_out_rmse": {
                    "early": round(search.early(BLOCKS).error, 3),
                    "late": round(search.late(BLOCKS).error, 3),
                },
                "late_weights": search.late(BLOCKS).weights.tolist(),
                **{
                    method: _short(agreement(labels.mos[split.test], each))
                    for method, each in scores.items()
                },
            }
        )
        logging.info("split %d: %s", k, splits[-1])
    rows = np.concatenate([test for test, _ in pooled])
    together = {
        method: np.concatenate([scores[method] for _, scores in pooled])
        for method in pooled[0][1]
    }
    results = {
        "machine": machine(),
        "model": options.model,
        "splits": splits,
        "median": {
            method: {
                figure: round(statistics.median(s[method][figure] for s in splits), 4)
                for figure in ("srocc", "plcc")
            }
            for method in METHODS
        },
        "gains": {
            block: {
                "srocc": round(gain["srocc"], 4),
                "interval": [round(bound, 4) for bound in gain["interval"]],
            }
            for block, gain in gains(
                labels.mos[rows],
                together["fusion"],
                together,
                [labels.names[row] for row in rows],
            ).items()
        },
    }
    text = json.dumps(results, indent=1) + "\n"
    write_bytes(options.out, text.encode())
    print(text)


def _features(model: str, labels, cache: Path) -> dict[str, np.ndarray]:
    """The photos' features by block, computed once."""
    entry = registry.resolve(model, None)
    entry = dataclasses.replace(entry, card=fusion_card(entry, labels))
    network = above(registry.load_network(model, "imagenet"), "none", "pool")
    prints = [fingerprint(path) for path in labels.paths]
    return features_of(network, entry, labels.paths, prints, cache)[1]


def _short(found: dict) -> dict:
    return {
        "srocc": round(found["srocc"], 4),
        "plcc": round(found["plcc_logistic"], 4),
    }


if __name__ == "__main__":
    main()
