"""Fit the thresholds of `iqa_zoo.diagnose` and write its card.

    python benchmarks/diagnose_thresholds.py ../shared/data

Damages the photos kodim01 to 18 in all known ways, measures them and the clean ones,
and chooses for each flag the threshold of the largest F1, among those that flag no more
than 5 % of well-rated photos: every second of the 200 best of LIVE In the Wild. The
other half of these, and kodim19 to 24, are left to `benchmarks/diagnose.py`.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import tomli_w
from diagnose_cases import (
    CLEAN,
    LEVELS,
    MATCHING,
    all_kinds,
    clean,
    clive,
    damaged,
    is_clipped,
    kodak,
    truth,
)

from iqa_zoo.diagnosis import FLAGS, readings
from iqa_zoo.diagnosis.card import FILE
from iqa_zoo.files import write_bytes
from iqa_zoo.images import Pixels, read_image

TRAINING = range(1, 19)
WELL_RATED = "well-rated"
BEST = 200
MOST_FALSE = 0.05
SIZE = 384, 512  # of the part of a photo that is damaged: height, width
TOO_SLOW = "denoise"

# What each flag is measured by, and whether high values are faults.
MEASURES = {
    "blurred": ("gradient of the finest detail over that of coarser detail", False),
    "noisy": ("noise in grey levels, of colours, or of grey less 4.5", True),
    "underexposed": ("mean grey level times that of the lightest places", False),
    "overexposed": ("the same of black and the darkest places", False),
    "clipped": ("share of pixels that are black, or white in a channel", True),
    "low_contrast": (
        "grey levels from the darkest to the lightest places, 0 to 1",
        False,
    ),
    "colour_cast": ("the light's colour in standard deviations of good photos", True),
    "blocky": ("steps on a grid of 8 pixels over those beside it", True),
    "pixelated": ("share of rows and columns that are repeated", True),
    "banded": ("share of coarse steps among those between flat areas", True),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path, help="the folder of kodak and clive")
    parser.add_argument("--kept", type=Path, help="where measured values are kept")
    given = parser.parse_args()
    rows = measured(given.shared, given.kept)
    card = {
        "fitted_on": "kodim01 to 18, damaged by iqa_zoo.distortions at levels 3 to 5",
        "clean": "the same photos, and 100 well-rated ones of LIVE In the Wild",
        "flags": {flag: fitted(flag, rows) for flag in FLAGS},
    }
    write_bytes(FILE, tomli_w.dumps(card).encode())
    print(FILE.read_text(encoding="utf-8"))


# Photo, kind, level, whether it was clipped before, and the values.
Row = tuple[str, str, int, bool, dict[str, float | None]]


def measured(shared: Path, kept: Path | None) -> list[Row]:
    """What is measured on every photo, damaged or clean."""
    rows: list[Row] = []
    if kept and kept.exists():
        rows = [tuple(row) for row in json.loads(kept.read_text())]
    done = {row[0] for row in rows}
    for number in TRAINING:
        name = f"kodim{number:02d}"
        if name not in done:
            photo = kodak(shared, number)
            kinds = [kind for kind in all_kinds() if kind != TOO_SLOW]
            for case in (*clean(name, photo), *damaged(name, middle(photo), kinds)):
                rows.append((*case[:4], values(case.image)))
            print(name, flush=True)
            if kept:
                kept.write_text(json.dumps(rows))
    for path in clive(shared, BEST, best=True)[::2]:
        if path.name not in done:
            image = read_image(path)
            before = is_clipped(image)
            rows.append((path.name, WELL_RATED, 0, before, values(image)))
    if kept:
        kept.write_text(json.dumps(rows))
    return rows


def middle(photo: Pixels) -> Pixels:
    height, width = SIZE
    top, left = (photo.shape[0] - height) // 2, (photo.shape[1] - width) // 2
    part = photo[top : top + height, left : left + width]
    return np.ascontiguousarray(part)


def values(image: Pixels) -> dict[str, float | None]:
    return {
        flag: None if reading.value is None else float(reading.value)
        for flag, reading in readings(image).items()
    }


def fitted(flag: str, rows: list[Row]) -> dict:
    """A flag's table of the card."""
    measure, high = MEASURES[flag]
    sign = 1 if high else -1
    found: dict[str, list[float]] = {
        group: [] for group in ("yes", "no", CLEAN, WELL_RATED, "strong")
    }
    for _, kind, level, was_clipped, row in rows:
        whole = kind in (CLEAN, WELL_RATED)
        right = truth(flag, CLEAN if whole else kind, was_clipped)
        if right is None:
            continue
        group = kind if whole else "yes" if right else "no"
        value = row[flag]
        # What cannot be told raises no flag.
        found[group].append(-np.inf if value is None else sign * value)
        if group == "yes" and level == LEVELS[0] and value is not None:
            found["strong"].append(sign * value)
    yes, no, still, well = (
        np.array(found[group]) for group in ("yes", "no", CLEAN, WELL_RATED)
    )
    slight = best_threshold(yes, np.concatenate([no, still, well]), well)
    usual = float(np.median(np.concatenate([still, well])))
    # The card's scale needs it beyond `slight`, also where all are far beyond.
    strong = max(float(np.median(found["strong"])), slight + (slight - usual) / 20)
    right, wrong = (yes >= slight).sum(), (no >= slight).sum()
    wrong += (still >= slight).sum() + (well >= slight).sum()
    return {
        "measure": measure,
        "usual": round(sign * usual, 4),
        "slight": round(sign * slight, 4),
        "strong": round(sign * strong, 4),
        "matching": list(MATCHING[flag]),
        "precision": round(float(right / (right + wrong)), 3),
        "recall": round(float((yes >= slight).mean()), 3),
        "false_flags": round(float((np.r_[still, well] >= slight).mean()), 3),
    }


def best_threshold(yes: np.ndarray, no: np.ndarray, well: np.ndarray) -> float:
    """The threshold of the largest F1, in the middle of the widest gap with it."""
    ends = np.unique(np.concatenate([yes, no]))
    ends = ends[np.isfinite(ends)]
    middles = (ends[1:] + ends[:-1]) / 2
    scores = []
    for threshold in middles:
        right, wrong = (yes >= threshold).sum(), (no >= threshold).sum()
        allowed = (well >= threshold).mean() <= MOST_FALSE
        scores.append(2 * right / (right + wrong + len(yes)) if allowed else -1)
    best = np.flatnonzero(np.array(scores) >= max(scores) - 1e-9)
    widest = best[np.argmax((ends[1:] - ends[:-1])[best])]
    return float(middles[widest])


if __name__ == "__main__":
    main()
