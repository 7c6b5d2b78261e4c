"""Make a run's weights ours: rounded, converted, measured, on the card.

    python benchmarks/ship_weights.py nima-efficientnet-lite0.clive \\
        --run runs/lite0-all --data ../shared/data/clive
    python benchmarks/ship_weights.py cnniqa.clive --recipe short \\
        --run runs/cnniqa-all --data ../shared/data/clive
    python benchmarks/ship_weights.py scnn.kodak --recipe short --run runs/scnn

Writes weights/NAME.safetensors (16-bit arrays) and, for networks of one size,
weights/NAME.tflite (32 bits, built from those rounded arrays, so that the two agree; of
others the store keeps what it converts), and fills the card's table of the
weight set: hashes, how they were made, the results on the splits of the set of photos,
the quantiles of the scores of the photos in --data, and the interval from what the
networks of those splits said of their test photos. Without --run only the results and
the interval are written anew: those of synthetic sets, which `held_out.py` measures on
the weights as they ship, come that way.
"""

import argparse
import json
import re
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

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
RESULTS = ROOT / "benchmarks" / "results"
LICENCE = "Apache-2.0"
FIGURES = {  # on the card, and in the results
    "kind": "kind",
    "kind_and_level": "kind_and_level",
    "map_correlation": "map_correlation",
    "srocc": "srocc",
    "plcc": "plcc_logistic",
    "krocc": "krocc",
    "rmse": "rmse",
    "emd": "emd",
}


def clive_figures(model: str, recipe: str | None) -> dict[str, list[dict]]:
    """The figures of each split of `clive_splits.py`, by method."""
    recorded = json.loads((RESULTS / "clive_splits.json").read_text())
    named = f"{model}:{recipe}" if recipe else model
    _same_recipe(model, recipe, recorded[f"{named} trained"]["recipe"])
    methods = {"trained": "trained", "frozen_svr": "frozen + SVR"}
    found = {}
    for key, method in {**methods, "constant": "constant"}.items():
        if f"{named} {method}" in recorded:
            splits = recorded[f"{named} {method}"]["splits"]
            found[key] = [splits[k] for k in sorted(splits)]
    return found


def agiqa3k_figures(model: str, recipe: str | None) -> dict[str, list[dict]]:
    """The figures of each split of `fresh_user.py`, by method."""
    recorded = json.loads((RESULTS / "fresh_user.json").read_text())
    if recorded["model"] != model:
        raise SystemExit(f"fresh_user.json is of {recorded['model']}.")
    _same_recipe(model, recipe, recorded["recipe"])
    methods = {"trained": "test", "frozen_svr": "frozen_svr", "constant": "constant"}
    return {k: [row[m] for row in recorded["splits"]] for k, m in methods.items()}


def held_out_figures(name: str, sha256: str) -> dict[str, list[dict]]:
    """The figures of `held_out.py` by method; none before it has seen these weights.

    Args:
        name: of the weight set, `model.tag`.
        sha256: of its file.
    """
    place = RESULTS / "held_out.json"
    recorded = json.loads(place.read_text()) if place.exists() else {}
    for key, entry in recorded.items():
        if key.partition(" on ")[0] == name and entry["weights"] == sha256:
            methods = [m for m in ("trained", "psnr", "ssim") if m in entry]
            return {method: [entry[method]] for method in methods}
    return {}


def _same_recipe(model: str, recipe: str | None, stages: list) -> None:
    card = registry.model_card(model)
    if stages != (card["recipes"][recipe] if recipe else card["recipe"]):
        raise SystemExit(f"The figures are of another recipe of {model}: run it again.")


class Photos(NamedTuple):
    """A set of photos: what a card says of weights that were trained on it."""

    # By method, of a model and its recipe; None where `held_out_figures` has them.
    figures: Callable[[str, str | None], dict[str, list[dict]]] | None
    columns: Mapping[str, str]
    said: Mapping[str, Any]
    protocol: str
    pairs: str = ""  # file of what networks said of test photos
    quantiles_of: str = ""
    held_out: str = ""


KODAK_TERMS = "Eastman Kodak released the photos for unrestricted use"
PSEUDO_LIMIT = (
    "No person has judged what it was trained on: its scores follow VSI, a measure "
    "that compares with the original, and are no opinions."
)
PROTOCOL = (
    "The shipped weights, asked about the pictures of a quarter of the {}, none of "
    "which was trained on. SROCC and PLCC are against pseudo-MOS of VSI, not against "
    "people."
)
SYNTHETIC = Photos(
    figures=None,
    columns={},
    said={
        "data": "24 photos of Kodak (pseudo-MOS): 16 of them, cropped to 384x384, each "
        "with the 25 distortions of KADID-10k at five levels, made by code; the scores "
        "are what VSI says of them",
        "terms": KODAK_TERMS,
        "limits": [PSEUDO_LIMIT],
    },
    protocol=PROTOCOL.format("photos"),
)

SETS = {
    "clive": Photos(
        figures=clive_figures,
        pairs="clive_splits_pairs.json",
        columns={},
        said={
            "data": "LIVE In the Wild Image Quality Challenge: 930 of its 1,162 "
            "photos, authentic distortions, 500x500, about 175 opinions a photo",
            "terms": "The photos may be used, copied and modified for any purpose with "
            "the notice of the University of Texas at Austin kept and the two papers "
            "cited (see NOTICE)",
            "limits": [
                "Trained on photos from phones and cameras, 500 pixels a side: "
                "drawings, screenshots, scans and generated pictures lie outside what "
                "it has seen.",
            ],
        },
        protocol="{count} networks trained by this recipe, each on 744 of the photos "
        "and measured on the other 186 (numpy.random.default_rng(k)."
        "permutation(930), k = 0..{last}); one pass over the whole photo; PLCC after a "
        "four-parameter logistic. The shipped weights saw all 930 and have no test "
        "figure of their own.",
        quantiles_of="the 930 photos of LIVE In the Wild that it was trained on",
        held_out="those of LIVE In the Wild, judged by networks of this recipe that "
        "were trained without them",
    ),
    "kodak": SYNTHETIC,
    "scnn.kodak": SYNTHETIC._replace(
        said={
            "data": "Kodak and AGIQA-3K: 16 photos and 60 generated pictures, cropped "
            "to 384x384, each with the 39 distortions of DB-CNN's authors, made by "
            "code; the best picture of each of 60 prompts, no opinions",
            "terms": f"{KODAK_TERMS}; AGIQA-3K is under the MIT licence",
        },
    ),
    "screens": SYNTHETIC._replace(
        said={
            "data": "Screens drawn by code (pseudo-MOS): windows, pages, tables and "
            "plots of 720x480, each with 25 distortions at five levels; the scores are "
            "what VSI says of them",
            "terms": "Code of this repository makes the pictures",
            "limits": [PSEUDO_LIMIT],
        },
        protocol=PROTOCOL.format("screens"),
    ),
    "agiqa3k": Photos(
        figures=agiqa3k_figures,
        pairs="fresh_user_pairs.json",
        columns={"group": "prompt"},
        said={
            "data": "AGIQA-3K: 1,196 of its 2,982 pictures, which six text-to-image "
            "models made from 120 prompts, 512x512; LIVE In the Wild and ImageNet "
            "before that",
            "terms": "AGIQA-3K is under the MIT licence, the photos of LIVE In the "
            "Wild under the notice of the University of Texas at Austin (see NOTICE)",
            "limits": [
                "Trained on pictures that text-to-image models of 2022 and 2023 made: "
                "what it says of photos, and of pictures by later models, was not "
                "measured.",
                "It judges how well a picture is made, not whether it shows what the "
                "prompt asked for.",
            ],
        },
        protocol="Three networks trained by this recipe from the weights "
        "nima-efficientnet-lite0-kernel.clive, each on the pictures of four fifths of "
        "the 120 prompts (a tenth of them for validation) and measured on those of the "
        "others; one pass over the whole picture; PLCC after a four-parameter "
        "logistic. The shipped weights saw all 1,196 and have no test figure of their "
        "own.",
        quantiles_of="the 1,196 pictures of AGIQA-3K that it was trained on",
        held_out="those of AGIQA-3K, judged by networks of this recipe that were "
        "trained on other prompts",
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", help="family-backbone.tag")
    parser.add_argument("--run", type=Path)
    parser.add_argument("--recipe", help="of the card's recipes; else its first")
    parser.add_argument("--data", type=Path)
    options = parser.parse_args()
    model, _, tag = options.name.rpartition(".")
    photos = SETS.get(options.name) or SETS[tag]
    path = cards.FOLDER / f"{model}.toml"
    card = cards.read_card(path)
    if options.run:
        card.setdefault("default_weights", tag)
        table = card.setdefault("weights", {})
        table[tag] = _shipped(options.name, registry.resolve(options.run), photos)
        if options.recipe:
            table[tag]["recipe"] = options.recipe
    if results := _results(photos, options.name, card["weights"][tag]):
        card["weights"][tag]["results"] = results
    if interval := interval_of(photos, model):
        card["weights"][tag]["interval"] = interval
    _write(path, card)
    if options.run and photos.quantiles_of:
        labels = read_labels(
            options.data / "mos.csv", options.data / "images", **photos.columns
        )
        cards.all_cards.cache_clear()
        scores = [r.value for r in Scorer(options.name).score(list(labels.paths))]
        card["weights"][tag]["quantiles"] = quantile_table(scores, photos.quantiles_of)
        _write(path, card)
    _prefer_the_better()


def _shipped(name: str, run: registry.Entry, photos: Photos) -> dict[str, Any]:
    """Write the files of a run's weights; gives the table of the weight set."""
    # The converter gets the arrays as they ship.
    arrays = {k: v.astype(np.float16) for k, v in run.arrays().items()}
    network = registry.load_model(name.rpartition(".")[0], None)
    registry.fill(network, arrays, name)
    files = {
        "": (f"{name}.safetensors", save(arrays)),
        "seen": (
            f"{name}.seen.txt",
            (run.folder / run.weights["seen"]["file"]).read_bytes(),
        ),
    }
    if run.input["fit"] != "native":
        height, width = run.input["size"]
        scale = tuple(run.output["scale"])
        kind = run.output["kind"]
        content = to_litert(network, (height, width), output=kind, scale=scale)
        files["litert"] = (f"{name}.tflite", content)
    tables = {}
    for key, (file, data) in files.items():
        write_bytes(ROOT / "weights" / file, data)
        tables[key] = {"file": file, "bytes": len(data), "sha256": sha256(data)}
    said = dict(photos.said)
    if run.weights["start"] == "imagenet":
        said["data"] += "; ImageNet before that"
    return {
        "kind": "own",
        **tables.pop(""),
        "dtype": "float16",
        "arrays": len(arrays),
        "licence": LICENCE,
        **said,
        "start": run.weights["start"],
        "command": run.weights["command"],
        "seed": run.weights["seed"],
        "trained_on": run.weights["trained_on"],
        **tables,
    }


def interval_of(photos: Photos, model: str) -> dict | None:
    """The card's table `interval`, where the splits' answers were kept."""
    place = RESULTS / photos.pairs
    pairs = json.loads(place.read_text()).get(model) if place.is_file() else None
    if not pairs:
        return None
    scores, opinions = (
        [number for split in pairs.values() for number in split[key]]
        for key in ("score", "opinion")
    )
    return interval_table(scores, opinions, held_out=photos.held_out)


def _results(photos: Photos, name: str, weights: Mapping[str, Any]) -> dict:
    """Figures of the splits, of the frozen features and of a constant."""
    if photos.figures:
        found = photos.figures(name.rpartition(".")[0], weights.get("recipe"))
    else:
        found = held_out_figures(name, weights["sha256"])
    if not found:
        return {}
    count = len(found["trained"])
    words = {5: "Five", 3: "Three"}
    protocol = photos.protocol.format(count=words.get(count), last=count - 1)
    table: dict = {"protocol": protocol}
    for method, figures in found.items():
        table[method] = {
            name: {
                "splits": [round(f[measure], 4) for f in figures],
                "median": round(statistics.median(f[measure] for f in figures), 4),
            }
            for name, measure in FIGURES.items()
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
        if card.pop("preferred", False) != (name == best):
            _write(
                cards.FOLDER / f"{name}.toml",
                card | ({"preferred": True} if name == best else {}),
            )


def _write(path: Path, card: dict) -> None:
    """Write what a card says of weights anew; the rest of its text stays as it is."""
    cards.check_card(card, str(path))
    head = path.read_text("utf-8").partition("\n[weights.")[0].rstrip("\n")
    for key in ("preferred", "default_weights"):
        head = re.sub(rf"^{key} = .*\n", "", head, flags=re.MULTILINE)
        if key in card:
            line = tomli_w.dumps({key: card[key]})
            head = re.sub(
                r"^(trainable_parameters = .*\n)", rf"\1{line}", head, flags=re.M
            )
    weights = tomli_w.dumps({"weights": card["weights"]}) if "weights" in card else ""
    write_bytes(path, f"{head}\n\n{weights}".rstrip("\n").encode() + b"\n")
    if cards.read_card(path) != card:
        raise SystemExit(f"{path} was not written as it should be.")


if __name__ == "__main__":
    main()
