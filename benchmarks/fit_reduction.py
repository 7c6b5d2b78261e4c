"""Fit the filters by which an exported file reduces the pictures that it gets.

    python benchmarks/fit_reduction.py ../shared/data/clive/images

For photos of many widths, what MediaPipe's stretching makes of a row is brought as near
as a filter can to what the library makes of it, by least squares with the sum of the
weights held at 1. Writes iqa_zoo/exporting/reduction.toml.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
from machine import machine

from iqa_zoo.exporting.reduction import FIRST_STEP, TIMES
from iqa_zoo.exporting.stretching import stretch
from iqa_zoo.files import write_bytes
from iqa_zoo.images import find_images, fit_image, read_image

SIDE = 500  # of the network's input
PHOTOS, ROWS = 15, 200
STEPS = tuple(range(FIRST_STEP, TIMES + 2))
# Lengths in pixels, and the widths whose photos stand for each: primes, so that all
# places of a pixel within a cell occur, but for the simple ratios.
WIDTHS = {
    506: (503, 507, 509),
    520: (517, 521, 523),
    560: (551, 557, 563, 571),
    600: (593, 601, 607),
    640: (631, 641, 643),
    700: (691, 701, 709),
    768: (757, 768, 773),
    840: (829, 839, 853),
    920: (907, 919, 929),
    985: (983, 987, 989),
    1000: (1000,),
    1015: (1013, 1017),
    1100: (1087, 1097, 1103),
    1200: (1187, 1193, 1213),
    1350: (1327, 1361, 1373),
    1480: (1471, 1481, 1489),
    1500: (1500,),
    1520: (1511, 1523),
    1700: (1667, 1693, 1709),
    2000: (2000,),
    2400: (2311, 2399, 2503),
    3500: (2800, 3264, 3456, 3648, 4032, 4160, 4608, 5000),
}
# Squared grey levels that a weight away from a plain mean costs.
DAMPING = 0.3
RESULT = Path(__file__).parent.parent / "iqa_zoo" / "exporting" / "reduction.toml"


def main() -> None:
    """Fit all filters and write them."""
    cv2.setNumThreads(1)
    names = list(find_images([sys.argv[1]]))
    photos = [read_image(name) for name in names[:: len(names) // PHOTOS][:PHOTOS]]
    strips = [
        np.concatenate([photo[:ROWS], photo[:ROWS, ::-1]] * 8, 1) for photo in photos
    ]
    # As long as the network's input or shorter: the library takes the same points.
    table = {SIDE: np.array([float(step == 0) for step in STEPS])}
    for length, widths in WIDTHS.items():
        table[length] = solved([system(strips, width) for width in widths])
        print(length, table[length].round(3), flush=True)
    lines = [
        "# Filters from stretched pictures to photos' own averages. Made by",
        f"# benchmarks/fit_reduction.py from {len(photos)} photos of LIVE In the Wild.",
    ]
    for length, weights in table.items():
        numbers = ", ".join(f"{weight:.4f}" for weight in weights)
        lines += [
            "",
            "[[filters]]",
            f"length = {length / SIDE}",
            f"weights = [{numbers}]",
        ]
    write_bytes(RESULT, ("\n".join(lines) + "\n").encode())
    print(machine())


def system(strips: list[np.ndarray], width: int) -> tuple[np.ndarray, np.ndarray]:
    """Normal equations for photos of one width: matrix and right side, a pixel each."""
    matrix, side, count = 0.0, 0.0, 0
    for strip in strips:
        photo = np.ascontiguousarray(strip[:, :width])
        height = len(photo)
        points = stretch(photo, height, TIMES * SIDE).astype(np.float64)
        # The library's, for an image that only gets narrower.
        wanted = fit_image(photo, (height, SIDE)).astype(np.float64)[:, 2:-2].ravel()
        first, last = 2 * TIMES, TIMES * (SIDE - 2)
        near = np.stack(
            [points[:, first + step : last + step : TIMES].ravel() for step in STEPS]
        )
        matrix += near @ near.T
        side += near @ wanted
        count += wanted.size
    return matrix / count, side / count


def solved(systems: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """The weights, (steps,), whose squared error over all systems is least."""
    matrix = np.mean([matrix for matrix, _ in systems], 0)
    side = np.mean([side for _, side in systems], 0)
    plain = np.array([1 / TIMES if 0 <= step < TIMES else 0.0 for step in STEPS])
    ones = np.ones((1, len(STEPS)))
    whole = np.block(
        [[matrix + DAMPING * np.eye(len(STEPS)), ones.T], [ones, np.zeros((1, 1))]]
    )
    right = np.append(side + DAMPING * plain, 1.0)
    return np.linalg.solve(whole, right)[:-1]


if __name__ == "__main__":
    main()
