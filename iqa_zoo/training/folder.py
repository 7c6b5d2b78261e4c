"""The folder that a finished training leaves: a model like any other."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tomli_w
from safetensors.numpy import save

from iqa_zoo import cards, registry
from iqa_zoo.data.manifest import Labels
from iqa_zoo.files import sha256, write_bytes

TAG = "run"  # the weight set of a run's card


def write_run(
    out: Path,
    entry: registry.Entry,
    network: keras.Model,
    metrics: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]],
    labels: Labels,
    parts: Mapping[str, np.ndarray],
    seen: frozenset[str],
    command: str,
) -> None:
    """Write the run's folder; the card comes last and makes it a model."""
    data = save({path: v.numpy() for path, v in registry.variables(network).items()})
    write_bytes(out / "weights.safetensors", data)
    seen_text = "".join(f"{each}\n" for each in sorted(seen)).encode()
    write_bytes(out / "seen.txt", seen_text)
    part_of = {row: part for part, rows in parts.items() for row in rows}
    _write_csv(
        out / "split.csv",
        [
            {"image": name, "part": part_of[row]}
            for row, name in enumerate(labels.names)
        ],
    )
    _write_csv(out / "history.csv", history)
    write_bytes(out / "metrics.json", (json.dumps(metrics, indent=1) + "\n").encode())
    card = {k: v for k, v in entry.card.items() if k not in ("weights", "preferred")}
    card["default_weights"] = TAG
    card["weights"] = {
        TAG: {
            "kind": "local",
            "file": "weights.safetensors",
            "bytes": len(data),
            "sha256": sha256(data),
            "dtype": "float32",
            "arrays": len(registry.variables(network)),
            "licence": "as the opinions and images it was trained on allow",
            "data": f"{len(labels.names)} images with opinions",
            "terms": "those of the opinions and images",
            "start": metrics["start"],
            "command": command or "iqa_zoo.train",
            "seed": metrics["seed"],
            "trained_on": len(parts["train"]),
            "seen": {
                "file": "seen.txt",
                "bytes": len(seen_text),
                "sha256": sha256(seen_text),
            },
            "results": {
                part: metrics[part]
                for part in ("validation", "test")
                if part in metrics
            },
        }
    }
    cards.check_card(card, str(out / "card.toml"))
    write_bytes(out / "card.toml", tomli_w.dumps(card).encode())


def _write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [])
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(path, text.getvalue().encode("utf-8", "surrogateescape"))
