"""What networks said of test photos, kept for the cards' prediction intervals."""

import csv
import json
from pathlib import Path

from iqa_zoo.data.manifest import Labels
from iqa_zoo.files import write_bytes


def keep(place: Path, model: str, labels: Labels, split: int, run: Path) -> None:
    """Add the scores and opinions of a run's test photos, both on 1 to 10."""
    kept = json.loads(place.read_text()) if place.exists() else {}
    with open(run / "scores.csv", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["part"] == "test"]
    low, high = labels.range
    kept.setdefault(model, {})[str(split)] = {
        "score": [float(row["score"]) for row in rows],
        "opinion": [
            round(1 + 9 * (float(row["mos"]) - low) / (high - low), 4) for row in rows
        ],
    }
    write_bytes(place, (json.dumps(kept, sort_keys=True) + "\n").encode())
