"""Five fixed splits of LIVE In the Wild: our recipes, frozen features, a constant.

    python benchmarks/clive_splits.py --data ../shared/data/clive
    python benchmarks/clive_splits.py --data ../shared/data/clive --models cnniqa:short

A model's recipe is its card's first, or the one that is named behind a colon. For
k = 0..4 the photos are split 80/20 by `numpy.random.default_rng(k)`; networks start
from ImageNet (those without a backbone, by chance; or from `--start`), are trained by
the recipe on the 80 and measured once on the 20. Recipes were chosen on the last tenth
of the 80 (`--choose` prints those figures). Beside those with a backbone: the same
backbone frozen, its pooled features standardised on the training photos and fed to an
SVR (RBF, C 10, epsilon 2, gamma 0.5/1280); and a constant.

A split that is already in the results file is not trained again. Needs scikit-learn.
"""

import argparse
import json
import logging
import statistics
import tempfile
import time
from pathlib import Path

import pairs
from baselines import frozen_svr
from machine import machine
from poolings import by_pooling

from iqa_zoo import registry
from iqa_zoo.data.manifest import Labels, read_labels
from iqa_zoo.data.splits import fixed_split
from iqa_zoo.evaluation.figures import constant_figures, figures
from iqa_zoo.files import write_bytes
from iqa_zoo.training.train import train

RESULTS = Path(__file__).parent / "results" / "clive_splits.json"
MODELS = ("nima-mobilenetv2", "nima-efficientnet-lite0")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--splits", nargs="+", type=int, default=range(5))
    parser.add_argument("--start", default="", help="weights to start from")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--choose", action="store_true", help="validation figures")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")

    labels = read_labels(options.data / "mos.csv", options.data / "images")
    results = json.loads(options.out.read_text()) if options.out.exists() else {}
    for model in options.models:
        for split in options.splits:
            methods = {"validation" if options.choose else "trained": _trained}
            name, _, chosen = model.partition(":")
            card = registry.model_card(name)
            if "backbone" in card and not options.choose:
                methods |= {"constant": _constant, "frozen + SVR": _frozen}
            for method, measure in methods.items():
                key = f"{model} {method}"
                recipe = card["recipes"][chosen] if chosen else card["recipe"]
                known = {"recipe": recipe}
                if options.start and measure is _trained:
                    known["start"] = options.start
                entry = results.setdefault(key, {**known, "splits": {}})
                if any(entry.get(part) != known[part] for part in known):
                    entry.update(known, splits={})
                if str(split) in entry["splits"]:
                    continue
                start = time.monotonic()
                found = measure(model, labels, split, options)
                found["seconds"] = round(time.monotonic() - start, 1)
                entry["splits"][str(split)] = found
                results["machine"] = machine()
                text = json.dumps(results, indent=1, sort_keys=True) + "\n"
                write_bytes(options.out, text.encode())
                logging.info("%s, split %d: SROCC %.4f", key, split, found["srocc"])
    print_table(results)


def print_table(results: dict) -> None:
    """SROCC of every split and the medians, as printed in the documents."""
    print(f"{'':40}" + "".join(f"{k:>8}" for k in range(5)) + "  median    PLCC")
    for key, entry in sorted(results.items()):
        if key == "machine":
            continue
        by_split = [entry["splits"][k] for k in sorted(entry["splits"])]
        cells = "".join(f"{found['srocc']:8.3f}" for found in by_split)
        median = statistics.median(found["srocc"] for found in by_split)
        plcc = statistics.median(found["plcc_logistic"] for found in by_split)
        print(f"{key:40}{cells:40}{median:8.3f}{plcc:8.3f}")
        pooled = [found.get("srocc_by_pooling", {}) for found in by_split]
        for way in dict.fromkeys(way for found in pooled for way in found):
            cells = "".join(f"{found.get(way, float('nan')):8.3f}" for found in pooled)
            print(f"    pooled by {way:26}{cells}")


def _trained(model: str, labels: Labels, split: int, options) -> dict:
    model, _, recipe = model.partition(":")
    first = "imagenet" if "backbone" in registry.model_card(model) else "random"
    with tempfile.TemporaryDirectory() as folder:
        run = train(
            labels,
            model=model,
            out=Path(folder) / "run",
            start=options.start or first,
            recipe=recipe or None,
            split=split,
            train_on_validation=not options.choose,
            cache=options.cache,
        )
        metrics = json.loads((run / "metrics.json").read_text())
        if not options.choose:
            place = options.out.with_name(f"{options.out.stem}_pairs.json")
            pairs.keep(place, model, labels, split, run)
        found = metrics["validation" if options.choose else "test"]
        if not options.choose and registry.model_card(model)["output"].get("map"):
            rows = fixed_split(len(labels.mos), split).test
            paths = [labels.paths[row] for row in rows]
            found["srocc_by_pooling"] = by_pooling(run, paths, labels.mos[rows])
    return found


def _frozen(model: str, labels: Labels, split: int, options) -> dict:
    rows = fixed_split(len(labels.mos), split)
    answers = frozen_svr(model, labels, rows.train, rows.test, options.cache)
    return figures(labels, rows.test, answers)


def _constant(model: str, labels: Labels, split: int, options) -> dict:
    rows = fixed_split(len(labels.mos), split)
    return constant_figures(labels, rows.test, rows.train)


if __name__ == "__main__":
    main()
