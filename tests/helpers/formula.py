"""A clean and a damaged image made by a formula, on which other code was run too."""

import numpy as np

#: Height and width of the two sizes that values are known of.
SIZES = {"A": (192, 256), "B": (704, 800)}


def formula_pair(size: str) -> tuple[np.ndarray, np.ndarray]:
    """The clean and the damaged image, uint8 RGB, of the size "A" or "B"."""
    height, width = SIZES[size]
    i, j, c = np.ogrid[:height, :width, :3]
    tau = 2 * np.pi
    waves = 50 * np.sin(tau * (i / (11 + 2 * c) + j / 37))
    rings = 35 * np.cos(tau * (i * i + j * j) / (4096 + 512 * c))
    stripes = 25 * np.sin(tau * j / (7 + c))
    levels = np.floor(127.5 + waves + rings + stripes + 0.5).clip(0, 255)
    clean = levels.astype(np.int64)
    padded = np.pad(clean, ((1, 1), (1, 1), (0, 0)), "edge")
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    total = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    noise = (73 * i + 151 * j + 29 * c + 17 * (i * j % 211)) % 41 - 20
    damaged = ((total + 5) // 10 + 12 + noise).clip(0, 255)
    return clean.astype(np.uint8), damaged.astype(np.uint8)
