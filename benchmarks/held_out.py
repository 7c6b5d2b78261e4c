"""What networks are worth on content of synthetic sets that they have not seen.

    python benchmarks/held_out.py diqa SET/split.csv
    python benchmarks/held_out.py scnn SET/split.csv
    python benchmarks/held_out.py wadiqam-fr qodcnn SET/split.csv

SET/split.csv is of `synthetic_set.py`; pictures of its part `test` are asked about, or
with `--part` those of another. A weight set or the folder of a run may stand for a
model. By the kind of the model:

classes  how often the kind of distortion is named rightly, and the class;
maps     the correlation of the error map with the true one, picture by picture, and how
         often the worse half is marked where only half of a photo is damaged;
scores   SROCC and PLCC against the pseudo-MOS, and those of PSNR and SSIM.

Figures of weights of ours on the part `test` go to `results/held_out.json`.
"""

import argparse
import csv
import json
import statistics
from pathlib import Path

import numpy as np
from machine import machine

import iqa_zoo
from iqa_zoo import registry
from iqa_zoo.correlation import agreement
from iqa_zoo.distortions import distort
from iqa_zoo.engines import make_tiled
from iqa_zoo.files import write_bytes
from iqa_zoo.images import read_image
from iqa_zoo.naming import namer
from iqa_zoo.threads import cores

RESULTS = Path(__file__).parent / "results" / "held_out.json"
#: What half of a photo is damaged by, and how strongly.
DAMAGES = ("gaussian_blur", "white_noise", "jpeg")
LEVELS = (3, 4, 5)
EQUAL = 100.0  # decibels that PSNR is taken to be, at most
FLAT = 1e-6  # variance of a map that nothing can correlate with


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+")
    parser.add_argument("table", type=Path)
    parser.add_argument("--part", default="test")
    options = parser.parse_args()
    with options.table.open(newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["split"] == options.part]
    folder = options.table.parent
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for model in options.models:
        entry = registry.resolve(model)
        found = {"part": options.part, "set": folder.name, "pictures": len(rows)}
        if entry.output["kind"] == "classes":
            found |= classes(model, rows, folder)
        elif entry.output.get("map_direction") == "lower_is_better":
            found |= error_maps(entry, rows, folder) | halves(entry, rows, folder)
        else:
            found |= scores(entry, rows, folder)
        print(model, json.dumps(found, indent=1))
        if options.part == "test" and entry.weights["kind"] == "own":
            found["weights"] = entry.weights["sha256"]
            results[f"{entry.name} on {folder.name}"] = found
            results["machine"] = machine()
            text = json.dumps(results, indent=1, sort_keys=True) + "\n"
            write_bytes(RESULTS, text.encode())


def classes(model: str, rows: list[dict], folder: Path) -> dict:
    """Shares of the pictures whose kind, and whose class, is named rightly."""
    name, kinds, both = namer(model), [], []
    by_kind: dict[str, list[bool]] = {}
    for row in rows:
        first = name(folder / row["image"])[0]
        kinds.append(first.kind == row["distortion"])
        both.append(kinds[-1] and first.level == int(row["level"]))
        by_kind.setdefault(row["distortion"], []).append(kinds[-1])
    return {
        "trained": {
            "kind": round(float(np.mean(kinds)), 4),
            "kind_and_level": round(float(np.mean(both)), 4),
        },
        "kind_by_kind": {
            kind: round(float(np.mean(right)), 4)
            for kind, right in sorted(by_kind.items())
        },
    }


def error_maps(entry: registry.Entry, rows: list[dict], folder: Path) -> dict:
    """Correlation of the predicted with the true error map, over pictures."""
    from iqa_zoo.models.diqa import true_error_map

    truth = true_error_map(registry.load_network("diqa", None))
    network = make_tiled(entry, "auto")
    found = []
    for row in rows:
        picture = read_image(folder / row["image"])
        pair = np.concatenate([picture, read_image(folder / row["reference"])], axis=-1)
        true = np.asarray(truth(pair[None].astype(np.float32)))[0, ..., 0]
        if true.var() > FLAT:
            said = network.map(picture, cores())
            found.append(float(np.corrcoef(said.ravel(), true.ravel())[0, 1]))
    quarters = [round(q, 4) for q in statistics.quantiles(found, n=4)]
    return {
        "trained": {"map_correlation": quarters[1]},
        "map_correlation_quartiles": [quarters[0], quarters[2]],
        "map_pictures": len(found),
    }


def halves(entry: registry.Entry, rows: list[dict], folder: Path) -> dict:
    """How often the half that was damaged has the larger mean error."""
    network = make_tiled(entry, "auto")
    right = {kind: [] for kind in DAMAGES}
    for reference in sorted({row["reference"] for row in rows}):
        good = read_image(folder / reference)
        middle = good.shape[1] // 2
        for kind in DAMAGES:
            for level in LEVELS:
                bad = distort(good, kind, level)
                for left in (True, False):
                    photo = good.copy()
                    half = slice(0, middle) if left else slice(middle, None)
                    photo[:, half] = bad[:, half]
                    said = network.map(photo, cores())
                    centre = said.shape[1] // 2
                    worse = said[:, :centre].mean() > said[:, centre:].mean()
                    right[kind].append(bool(worse) == left)
    return {
        "halves_right": sum(map(sum, right.values())),
        "halves": sum(map(len, right.values())),
        "halves_right_by_kind": {k: round(np.mean(v), 4) for k, v in right.items()},
    }


def scores(entry: registry.Entry, rows: list[dict], folder: Path) -> dict:
    """Agreement with the pseudo-MOS, of the model, of PSNR and of SSIM."""
    pairs = [(folder / row["reference"], folder / row["image"]) for row in rows]
    metrics = ["psnr", "ssim"]
    said: dict[str, list[float]] = {}
    if entry.input.get("pair"):
        metrics.append(entry.name)
    else:
        images = [folder / row["image"] for row in rows]
        said[entry.name] = [s.value for s in iqa_zoo.score(images, entry.name)]
    for score in iqa_zoo.compare(pairs, metrics=metrics):
        said.setdefault(score.metric, []).append(score.value)
    mos = [float(row["mos"]) for row in rows]
    found = {
        "trained" if name == entry.name else name: agreement(
            mos, np.minimum(values, EQUAL)
        )
        for name, values in said.items()
    }
    return {
        name: {figure: round(value, 4) for figure, value in figures.items()}
        for name, figures in found.items()
    }


if __name__ == "__main__":
    main()
