"""What traditional metrics gain on feature maps: do they order levels of distortion?

    python benchmarks/revived.py --data ../shared/data/kodak --scores revived.csv

No opinions are at hand of images whose originals are, so that nothing here says how
well a metric agrees with people. Six of Kodak's photos, shrunk by area to half of
their sides, get the 25 kinds of distortion of KADID-10k at five levels. Two figures a
metric: Spearman's correlation with the level among all images of a kind, averaged over
kinds; and that with VSI and with FSIMc, which are metrics too, among all images. Where
the middle level is the mildest (mean_shift, contrast), the size of the parameter counts
for the level. The gain is the metric of feature maps minus that of pixels; its interval
is from drawing photos.

FILE holds the scores of each photo, and a second run computes the photos that it lacks.
"""

import argparse
import csv
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from machine import record
from scipy.stats import rankdata

from iqa_zoo.comparing.features import feature_maps
from iqa_zoo.comparing.metrics import metric_card, network_metrics, of_maps
from iqa_zoo.distortions import KINDS, LEVELS, distort
from iqa_zoo.full_reference import metric
from iqa_zoo.full_reference.feature_maps import REVIVED
from iqa_zoo.images import fit_image, read_image

PHOTOS = [f"kodim{number:02}" for number in range(1, 25, 4)]
TYPES = [name for name, kind in KINDS.items() if kind.family == "kadid"]
MILD_IN_THE_MIDDLE = ("mean_shift", "contrast")
TARGETS = ("vsi", "fsimc")
METRICS = (*sorted(REVIVED), *network_metrics(), *TARGETS)
REPEATS = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scores", type=Path, required=True)
    options = parser.parse_args()
    for photo in PHOTOS:
        if photo not in read_scores(options.scores):
            append(options.scores, photo, scores_of(options.data / f"{photo}.png"))
    kept = read_scores(options.scores)
    scores = np.array([kept[photo] for photo in PHOTOS])
    record("revived.json", results(oriented(scores)))


def scores_of(path: Path) -> list[list[float]]:
    """The scores of one photo's images by kind and level, a row of `METRICS` each."""
    image = read_image(path)
    reference = fit_image(image, (image.shape[0] // 2, image.shape[1] // 2))
    network = metric_card("cnn_pyramid")["network"]
    maps_of = partial(feature_maps, model=network["model"], layers=network["layers"])
    maps = maps_of(reference)
    rows = []
    for kind in TYPES:
        for level in LEVELS:
            distorted = distort(reference, kind, level)
            others = maps_of(distorted)
            rows.append(
                [
                    of_maps(name, maps, others)
                    if name in network_metrics()
                    else metric(name)(reference, distorted)
                    for name in METRICS
                ]
            )
    return rows


def read_scores(path: Path) -> dict[str, list[list[float]]]:
    """What an earlier run kept, by photo."""
    found: dict[str, list[list[float]]] = {}
    if path.exists():
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                scores = [float(row[name]) for name in METRICS]
                found.setdefault(row["photo"], []).append(scores)
    return found


def append(path: Path, photo: str, rows: list[list[float]]) -> None:
    """Add the scores of one photo."""
    is_new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if is_new:
            writer.writerow(["photo", *METRICS])
        writer.writerows([photo, *row] for row in rows)


def oriented(scores: np.ndarray) -> dict[str, np.ndarray]:
    """Scores (photos, kinds, levels) by metric, higher for less damage."""
    shaped = scores.reshape(len(PHOTOS), len(TYPES), len(LEVELS), len(METRICS))
    found = {}
    for number, name in enumerate(METRICS):
        card, values = metric_card(name), shaped[..., number]
        if card["direction"] == "nearest_is_best":
            values = -np.abs(values - card["identical"])
        elif card["direction"] == "lower_is_better":
            values = -values
        found[name] = values
    return found


def results(scores: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The figures of each metric, and the gain of each that was revived."""
    everyone = np.arange(len(PHOTOS))
    whole = figures(scores, everyone)
    random = np.random.default_rng(0)
    draws = [
        figures(scores, random.integers(0, len(PHOTOS), len(PHOTOS)))
        for _ in range(REPEATS)
    ]
    gains = {}
    for name in REVIVED:
        gains[name] = {
            figure: {
                "gain": whole[f"cnn_{name}"][figure] - whole[name][figure],
                "interval": np.percentile(
                    [
                        draw[f"cnn_{name}"][figure] - draw[name][figure]
                        for draw in draws
                    ],
                    (2.5, 97.5),
                ).tolist(),
            }
            for figure in ("levels", *TARGETS)
        }
    return {
        "photos": PHOTOS,
        "kinds": TYPES,
        "images": len(PHOTOS) * len(TYPES) * len(LEVELS),
        "metrics": rounded(whole),
        "gains": rounded(gains),
    }


def figures(
    scores: Mapping[str, np.ndarray], photos: np.ndarray
) -> dict[str, dict[str, float]]:
    """Both kinds of figures of each metric, of some photos."""
    strength = np.array([strengths(kind) for kind in TYPES])
    strength = np.repeat(strength[:, None], len(photos), 1).reshape(len(TYPES), -1)
    level_ranks = rankdata(-strength, axis=1)
    ranks = {name: rankdata(scores[name][photos].ravel()) for name in METRICS}
    found = {}
    for name in METRICS:
        by_kind = scores[name][photos].swapaxes(0, 1).reshape(len(TYPES), -1)
        found[name] = {
            "levels": float(
                np.mean(correlations(rankdata(by_kind, axis=1), level_ranks))
            )
        } | {
            target: float(correlations(ranks[name][None], ranks[target][None])[0])
            for target in TARGETS
        }
    return found


def strengths(kind: str) -> list[float]:
    """What orders a kind's levels."""
    if kind in MILD_IN_THE_MIDDLE:
        return [abs(parameter) for parameter in KINDS[kind].levels]
    return list(LEVELS)


def correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Pearson's, row by row; 0 where a row is the same everywhere."""
    first = first - first.mean(1, keepdims=True)
    second = second - second.mean(1, keepdims=True)
    scale = np.sqrt((first**2).sum(1) * (second**2).sum(1))
    return (first * second).sum(1) / np.where(scale > 0, scale, 1)


def rounded(found: Any) -> Any:
    """All numbers in tables of tables to four decimals."""
    if isinstance(found, dict):
        return {key: rounded(value) for key, value in found.items()}
    if isinstance(found, list):
        return [rounded(value) for value in found]
    return round(found, 4)


if __name__ == "__main__":
    main()
