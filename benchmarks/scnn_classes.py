"""Does S-CNN with its authors' weights name the distortions that it was trained on?

    python benchmarks/scnn_classes.py KODAK WEIGHTS

KODAK is the folder of the 24 Kodak photos, WEIGHTS the file of `scnn.dbcnn`. The middle
224 pixels of each photo are distorted, and `results/scnn_classes.json` gets for each
kind and level how many photos S-CNN puts in each class, and for the three cases of the
specification how many it puts in the expected one.
"""

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
from machine import record

from iqa_zoo import cards, registry
from iqa_zoo.arrays import read_arrays
from iqa_zoo.distortions import distort
from iqa_zoo.images import read_image
from iqa_zoo.models.scnn import SIDE, from_dbcnn

#: Kind and level, and the class that the authors' weights put them in: JPEG of quality
#: 4, blur by a window of 91 pixels, noise of the variance 2^-3.5.
EXPECTED = {
    ("dbcnn_jpeg", 4): 23,
    ("dbcnn_blur", 4): 4,
    ("dbcnn_noise", 4): 18,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kodak", type=Path)
    parser.add_argument("weights", type=Path)
    asked = parser.parse_args()
    network = registry.load_network("scnn", None)
    arrays = read_arrays(asked.weights.read_bytes(), asked.weights.name)
    registry.fill(network, from_dbcnn(arrays), str(asked.weights))
    crops = [middle(read_image(path)) for path in sorted(asked.kodak.glob("*.png"))]
    names = cards.all_cards()["scnn"]["output"]["classes"]
    found = {name: classes(network, crops, *parted(name)) for name in names}
    expected = [
        {
            "kind": kind,
            "level": level,
            "class": number,
            "named": int((classes(network, crops, kind, level) == number).sum()),
        }
        for (kind, level), number in EXPECTED.items()
    ]
    record(
        "scnn_classes.json",
        {
            "photos": len(crops),
            "expected": expected,
            "classes": {
                name: {str(number): n for number, n in Counter(map(int, row)).items()}
                for name, row in found.items()
            },
        },
    )


def middle(pixels: np.ndarray) -> np.ndarray:
    top, left = ((n - SIDE) // 2 for n in pixels.shape[:2])
    return pixels[top : top + SIDE, left : left + SIDE]


def parted(name: str) -> tuple[str, int]:
    kind, _, level = name.rpartition("-")
    return kind, int(level)


def classes(network, crops, kind: str, level: int) -> np.ndarray:
    """The class that the network puts each damaged crop in."""
    damaged = np.stack([distort(crop, kind, level) for crop in crops])
    return network.predict(damaged.astype(np.float32), verbose=0).argmax(1)


if __name__ == "__main__":
    main()
