"""Put the weight set of a hand-made measure on its card, from the fit's record.

    python benchmarks/ship_measure.py brisque.clive

`fit_brisque.py` and `fit_niqe.py` write weights/NAME.safetensors and what the card says
of it into benchmarks/results.
"""

import argparse
import json
from pathlib import Path

import tomli_w

from iqa_zoo import cards
from iqa_zoo.files import sha256, write_bytes

ROOT = Path(__file__).parent.parent
RECORDS = {"brisque.clive": "brisque_clive.json", "niqe.kodak": "niqe.json"}
SAID = {
    "brisque.clive": {
        "licence": "Apache-2.0",
        "data": "LIVE In the Wild Image Quality Challenge: 930 of its 1,162 photos, "
        "authentic distortions, 500x500, about 175 opinions a photo",
        "terms": "The photos may be used, copied and modified for any purpose with the "
        "notice of the University of Texas at Austin kept and the two papers cited "
        "(see NOTICE)",
        "start": "nothing",
        "seed": 0,
        "command": "python benchmarks/fit_brisque.py --data clive",
        "output": {
            "kind": "score",
            "scale": [0, 100],
            "direction": "higher_is_better",
        },
        "notes": [
            "The form of the regression was changed after the first one had been "
            "measured on the test photos; the new one was chosen by "
            "the error on photos left out of the training part.",
        ],
    },
    "niqe.kodak": {
        "licence": "Apache-2.0",
        "data": "Kodak: 24 photos on film, 768x512, without distortion",
        "terms": "The photos were released by Eastman Kodak for unrestricted use",
        "start": "nothing",
        "seed": 0,
        "command": "python benchmarks/fit_niqe.py --pristine kodak --data clive",
    },
}
KEPT = ("results", "quantiles", "interval", "notes", "limits", "trained_on")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=sorted(RECORDS))
    name = parser.parse_args().name
    place = ROOT / "benchmarks" / "results" / RECORDS[name]
    found = json.loads(place.read_text())["weights"]
    data = (ROOT / "weights" / found["file"]).read_bytes()
    if sha256(data) != found["sha256"]:
        raise SystemExit(f"{found['file']} is not the one that {place} is about.")
    model, _, tag = name.rpartition(".")
    path = cards.FOLDER / "measures" / f"{model}.toml"
    card = cards.read_card(path)
    card["default_weights"] = tag
    card.setdefault("weights", {})[tag] = {
        "kind": "own",
        **{key: found[key] for key in ("file", "bytes", "sha256", "dtype", "arrays")},
        **SAID[name],
        **{key: found[key] for key in KEPT if key in found},
        **({"seen": found["seen"]} if "seen" in found else {}),
    }
    cards.check_card(card, str(path))
    order = {key: place for place, key in enumerate(cards.MEASURE)}
    ordered = dict(
        sorted(
            card.items(), key=lambda item: (isinstance(item[1], dict), order[item[0]])
        )
    )
    write_bytes(path, tomli_w.dumps(ordered).encode())


if __name__ == "__main__":
    main()
