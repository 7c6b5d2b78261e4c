"""Make a run's weights ours: rounded, converted, measured, on the card.

    python benchmarks/ship_weights.py runs/lite0-all nima-efficientnet-lite0.clive \\
        --data ../shared/data/clive

Writes weights/NAME.safetensors (16-bit arrays) and weights/NAME.tflite (32 bits, built
from those rounded arrays, so that the two agree), and fills the card's table of the
weight set: hashes, how they were made, the results of `clive_splits.py`, the quantiles
of the scores of the photos in --data, and the interval from what the networks of those
splits said of their test photos.
"""

import argparse
import json
import statistics
from pathlib import Path

import numpy as np
import tomli_w
from safetensors.numpy import save

from iqa_zoo import cards, registry
from iqa_zoo.calibration import interval_table, quantile_table
from iqa_zoo.data.manifest import read_labels
from iqa_zoo.engines.convert import to_litert
from iqa_zoo.files import sha256, write_bytes
from iqa_zoo.scoring import Scorer

ROOT = Path(__file__).parent.parent
SPLITS = ROOT / "benchmarks" / "results" / "clive_splits.json"
PAIRS = SPLITS.with_name("clive_splits_pairs.json")
# What the card says of this set of photos; see NOTICE.
LICENCE = "Apache-2.0"
DATA = (
    "LIVE In the Wild Image Quality Challenge: 930 of its 1,162 photos, authentic "
    "distortions, 500x500, about 175 opinions a photo; ImageNet before that"
)
TERMS = (
    "The photos may be used, copied and modified for any purpose with the notice of "
    "the University of Texas at Austin kept and the two papers cited (see NOTICE)"
)
HELD_OUT = (
    "those of LIVE In the Wild, judged by networks of this recipe that were trained "
    "without them"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("name", help="family-backbone.tag")
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    model, _, tag = options.name.rpartition(".")
    run = registry.resolve(options.run)
    labels = read_labels(options.data / "mos.csv", options.data / "images")

    # The converter gets the arrays as they ship.
    arrays = {k: v.astype(np.float16) for k, v in run.arrays().items()}
    network = registry.load_model(model, None)
    registry.fill(network, arrays, options.name)
    height, width = run.input["size"]
    files = {
        f"{options.name}.safetensors": save(arrays),
        f"{options.name}.tflite": to_litert(
            network, (height, width), scale=tuple(run.output["scale"])
        ),
        f"{options.name}.seen.txt": (
            run.folder / run.weights["seen"]["file"]
        ).read_bytes(),
    }
    for file, data in files.items():
        write_bytes(ROOT / "weights" / file, data)
    tables = [
        {"file": file, "bytes": len(data), "sha256": sha256(data)}
        for file, data in files.items()
    ]

    path = cards.FOLDER / f"{model}.toml"
    card = cards.read_card(path)
    card["default_weights"] = tag
    card.setdefault("weights", {})[tag] = {
        "kind": "own",
        **tables[0],
        "dtype": "float16",
        "arrays": len(arrays),
        "licence": LICENCE,
        "data": DATA,
        "terms": TERMS,
        "start": run.weights["start"],
        "command": run.weights["command"],
        "seed": run.weights["seed"],
        "trained_on": run.weights["trained_on"],
        "litert": tables[1],
        "seen": tables[2],
        "results": _results(model),
    }
    if interval := interval_of(model):
        card["weights"][tag]["interval"] = interval
    _write(path, card)

    cards.all_cards.cache_clear()
    scores = [r.value for r in Scorer(options.name).score(list(labels.paths))]
    card["weights"][tag]["quantiles"] = quantile_table(
        scores, "the 930 photos of LIVE In the Wild that it was trained on"
    )
    _write(path, card)
    _prefer_the_better()


def interval_of(model: str) -> dict | None:
    """The card's table `interval` from what `clive_splits.py` kept, where it has."""
    pairs = json.loads(PAIRS.read_text()).get(model) if PAIRS.exists() else None
    if not pairs:
        return None
    scores, opinions = (
        [number for split in pairs.values() for number in split[key]]
        for key in ("score", "opinion")
    )
    return interval_table(scores, opinions, held_out=HELD_OUT)


def _results(model: str) -> dict:
    """Figures of the five splits, of the frozen features and of a constant."""
    recorded = json.loads(SPLITS.read_text())
    table: dict = {
        "protocol": (
            "Five networks trained by this recipe from ImageNet, each on 744 of the "
            "photos and measured on the other 186 (numpy.random.default_rng(k)."
            "permutation(930), k = 0..4); one pass over the whole photo; PLCC after a "
            "four-parameter logistic. The shipped weights saw all 930 and have no test "
            "figure of their own."
        )
    }
    recipe = registry.model_card(model)["recipe"]
    if recorded[f"{model} trained"]["recipe"] != recipe:
        raise SystemExit(
            f"{SPLITS} was made by another recipe of {model}: run it again."
        )
    for key, method in (
        ("trained", "trained"),
        ("frozen_svr", "frozen + SVR"),
        ("constant", "constant"),
    ):
        splits = recorded[f"{model} {method}"]["splits"]
        figures = [splits[k] for k in sorted(splits)]
        table[key] = {
            name: {
                "splits": [round(f[measure], 4) for f in figures],
                "median": round(statistics.median(f[measure] for f in figures), 4),
            }
            for name, measure in (
                ("srocc", "srocc"),
                ("plcc", "plcc_logistic"),
                ("krocc", "krocc"),
                ("rmse", "rmse"),
                ("emd", "emd"),
            )
            if measure in figures[0]
        }
    return table


def _prefer_the_better() -> None:
    """Mark the model with the best median SROCC as the one that `score` uses."""
    cards.all_cards.cache_clear()
    medians = {
        name: card["weights"]["clive"]["results"]["trained"]["srocc"]["median"]
        for name, card in cards.all_cards().items()
        if "clive" in card.get("weights", {})
    }
    best = max(medians, key=medians.__getitem__)
    for name in cards.all_cards():
        card = cards.read_card(cards.FOLDER / f"{name}.toml")
        card.pop("preferred", None)
        if name == best:
            card["preferred"] = True
        _write(cards.FOLDER / f"{name}.toml", card)


def _write(path: Path, card: dict) -> None:
    cards.check_card(card, str(path))
    order = {key: place for place, key in enumerate(cards.SCHEMA)}
    # Plain keys before tables, as TOML wants them.
    ordered = dict(
        sorted(
            card.items(),
            key=lambda item: (
                isinstance(item[1], dict) or item[0] == "recipe",
                order[item[0]],
            ),
        )
    )
    write_bytes(path, tomli_w.dumps(ordered).encode())


if __name__ == "__main__":
    main()
