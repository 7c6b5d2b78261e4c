"""NIQE's pristine model of our own, and how it and the authors' agree with opinions.

    python benchmarks/fit_niqe.py --pristine ../shared/data/kodak \\
        --data ../shared/data/clive --authors ../shared/weights/niqe_pristine.npz

The model is fitted to the photos in --pristine by the authors' rule, with nothing
chosen. Figures are those of all photos of LIVE In the Wild, none of which it has seen,
and of those that test in each of its five fixed splits. --authors is optional.

Writes weights/niqe.kodak.safetensors and the results, with the tables of a card.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from fit_brisque import table
from machine import machine
from safetensors.numpy import save

from iqa_zoo.calibration import quantile_table
from iqa_zoo.correlation import agreement
from iqa_zoo.data.manifest import read_labels
from iqa_zoo.data.splits import fixed_split
from iqa_zoo.errors import ImageError
from iqa_zoo.files import sha256, write_bytes
from iqa_zoo.images import find_images, read_image
from iqa_zoo.natural_scene import niqe

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "niqe.json"
SET = "photos of LIVE In the Wild, none of which it has seen"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pristine", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--authors", type=Path)
    options = parser.parse_args()
    photos = sorted(find_images(options.pristine))
    models = {"fitted": niqe.fit(read_image(photo) for photo in photos)}
    data = save(models["fitted"])
    write_bytes(ROOT / "weights" / "niqe.kodak.safetensors", data)
    if options.authors:
        models["authors_live"] = dict(np.load(options.authors))

    labels = read_labels(options.data / "mos.csv", options.data / "images")
    scores = {name: np.full(len(labels.mos), np.nan) for name in models}
    for row, path in enumerate(labels.paths):
        image = read_image(path)
        for name, arrays in models.items():
            try:
                scores[name][row] = niqe.score(image, arrays)
            except ImageError as error:
                print(f"{path}: {error}")
    results, quantiles = {}, {}
    for name, values in scores.items():
        judged = np.isfinite(values)
        if judged.sum() < len(judged):
            print(f"{name}: {judged.sum()} of {len(judged)} photos have a score")
        splits = [fixed_split(len(judged), k).test for k in range(5)]
        tested = [rows[judged[rows]] for rows in splits]
        # Low scores are good, so they are turned round.
        results[name] = {
            "all": _figures(labels.mos[judged], -values[judged]),
            **table([agreement(labels.mos[rows], -values[rows]) for rows in tested]),
        }
        said = f"the {judged.sum()} {SET}"
        quantiles[name] = quantile_table(values[judged], said)
    found = {
        "machine": machine(),
        "weights": {
            "file": "niqe.kodak.safetensors",
            "bytes": len(data),
            "sha256": sha256(data),
            "dtype": "float64",
            "arrays": len(models["fitted"]),
            "trained_on": len(photos),
            "results": results,
            "quantiles": quantiles["fitted"],
        },
        "quantiles": quantiles,
    }
    text = json.dumps(found, indent=1) + "\n"
    write_bytes(RESULTS, text.encode())
    print(text, end="")


def _figures(mos: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    found = agreement(mos, scores)
    return {name: round(found[name], 4) for name in ("srocc", "plcc_logistic", "n")}


if __name__ == "__main__":
    main()
