"""How far MediaPipe's scores of photos are from the library's.

    python -m venv client && client/bin/pip install 'mediapipe>=1,<2'
    python benchmarks/mediapipe_gap.py ../shared/data client/bin/python

MediaPipe's ImageClassifier reads the same files through an exported model, in an
environment of its own: 100 photos of LIVE In the Wild, and 20 of other sizes and shapes
made from Kodak's and scikit-image's pictures. Beside each model's file stands the one
without the reduction.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from machine import record
from skimage import data

import iqa_zoo
from iqa_zoo.exporting import to_tflite
from iqa_zoo.exporting.graphs import subject
from iqa_zoo.images import find_images, read_image

MODELS = (
    "nima-efficientnet-lite0-kernel",
    "nima-efficientnet-lite0",
    "nima-mobilenetv2",
)
PHOTOS = 100
# Width and height of mosaics of Kodak's photos in full detail.
MOSAICS = (
    (4000, 3000),
    (4032, 3024),
    (3264, 2448),
    (3000, 2000),
    (2000, 3000),
    (6000, 2000),
    (3000, 3000),
    (1500, 1000),
)

CLIENT = """
import json, sys, time
import mediapipe as mp
from mediapipe.tasks.python import BaseOptions, vision

model, names = sys.argv[1], json.load(sys.stdin)
options = vision.ImageClassifierOptions(BaseOptions(model_asset_path=model))
classifier = vision.ImageClassifier.create_from_options(options)
found = []
for name in names:
    image = mp.Image.create_from_file(name)
    start = time.perf_counter()
    categories = classifier.classify(image).classifications[0].categories
    seconds = time.perf_counter() - start
    shares = {c.index + 1: c.score for c in categories}
    score = sum(n * s for n, s in shares.items()) / sum(shares.values())
    found.append((score, 1e3 * seconds))
classifier.close()
print(json.dumps(found))
"""


def main() -> None:
    """Score all photos in both ways and record the differences."""
    shared, python = Path(sys.argv[1]), sys.argv[2]
    clive = chosen(shared / "clive")
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        others = made(shared / "kodak", Path(folder))
        for model in MODELS:
            given = subject(model, None)
            files = {}
            for reduce in (True, False):
                content = to_tflite.tflite(given, "none", reduce=reduce)
                file = Path(folder, f"{model}-{reduce}.tflite")
                file.write_bytes(to_tflite.mediapipe(content, given))
                files[reduce] = file
            results[model] = {
                "clive": compared(model, clive, files, python),
                "other": compared(model, others, files, python, rows=True),
            }
            print(model, json.dumps(results[model]["other"]), flush=True)
    record("mediapipe.json", {"models": results})


def chosen(folder: Path) -> list[str]:
    """The names of `PHOTOS` photos of a folder."""
    names = list(find_images([str(folder)]))
    numbers = np.random.default_rng(1).permutation(len(names))[:PHOTOS]
    return [names[number] for number in sorted(numbers)]


def compared(
    model: str,
    names: list[str],
    files: dict[bool, Path],
    python: str,
    rows: bool = False,
) -> dict[str, object]:
    """Differences between the library's scores and MediaPipe's, and milliseconds."""
    mine = np.array([score.value for score in iqa_zoo.score(names, model)])
    found: dict[str, object] = {"photos": len(names)}
    scores = {}
    for reduce, file in files.items():
        output = subprocess.run(
            [python, "-c", CLIENT, str(file)],
            input=json.dumps(names),
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        scores[reduce], times = np.array(json.loads(output.splitlines()[-1])).T
        before = "" if reduce else "plain_"
        apart = np.abs(scores[reduce] - mine)
        found[f"{before}mean"] = round(float(apart.mean()), 4)
        found[f"{before}max"] = round(float(apart.max()), 4)
        found[f"{before}ms"] = round(statistics.median(times), 1)
    if rows:
        found["rows"] = [
            {
                "name": Path(name).stem,
                "width": read_image(name).shape[1],
                "height": read_image(name).shape[0],
                "library": round(float(value), 3),
                "mediapipe": round(float(reduced), 3),
                "plain": round(float(plain), 3),
            }
            for name, value, reduced, plain in zip(
                names, mine, scores[True], scores[False], strict=True
            )
        ]
    return found


def made(kodak: Path, folder: Path) -> list[str]:
    """The names of 20 pictures of other sizes, as PNG files in a folder."""
    photos = [read_image(name) for name in sorted(map(str, kodak.glob("*.png")))]
    wide = [photo for photo in photos if photo.shape[0] == 512]
    tall = [photo for photo in photos if photo.shape[0] == 768]
    pictures = {
        f"mosaic-{width}x{height}": mosaic(wide, width, height, 3 * number)
        for number, (width, height) in enumerate(MOSAICS)
    }
    pictures |= {
        "kodak-wide": wide[0],
        "kodak-tall": tall[0],
        "kodak-thin": wide[5][100:300],
        "kodak-narrow": wide[9][:, 200:500],
        "kodak-small": cv2.resize(wide[6], (240, 160), interpolation=cv2.INTER_AREA),
        "kodak-enlarged": cv2.resize(
            wide[2], (4000, 3000), interpolation=cv2.INTER_CUBIC
        ),
        "kodak-800x600": cv2.resize(
            mosaic(wide, 3200, 2400, 4), (800, 600), interpolation=cv2.INTER_AREA
        ),
        "hubble": data.hubble_deep_field(),
        "retina": data.retina(),
        "astronaut": data.astronaut(),
        "coffee": data.coffee(),
        "rocket": data.rocket(),
    }
    names = []
    for name, picture in pictures.items():
        names.append(str(folder / f"{name}.png"))
        cv2.imwrite(names[-1], picture[:, :, ::-1])
    return names


def mosaic(tiles: list[np.ndarray], width: int, height: int, first: int) -> np.ndarray:
    """Photos side by side in full detail, every other one mirrored."""
    rows, number = [], first
    for row in range(-(-height // 512)):
        line = []
        for column in range(-(-width // 768)):
            tile = tiles[number % len(tiles)]
            line.append(tile[:: -1 if row % 2 else 1, :: -1 if column % 2 else 1])
            number += 1
        rows.append(np.concatenate(line, 1))
    return np.ascontiguousarray(np.concatenate(rows)[:height, :width])


if __name__ == "__main__":
    main()
