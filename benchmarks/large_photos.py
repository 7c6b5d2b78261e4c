"""Time and memory of large photos: each step, and Pillow and Keras beside it.

    python benchmarks/large_photos.py ../shared/data/kodak

The photos are made of those in the folder, side by side at their own size, and stored
as JPEG (4:2:0, quality 90) and as PNG. The other way is Pillow's full decoding, its
resizing (BOX, which is an average by area) and Keras's `predict` of the same network.
Each figure comes from a process of its own, the ways alternate over the rounds, and
medians of times are given: of what a process takes for a photo once it has scored one.
Peak memory is the whole process's (VmHWM). In the table of steps it is what the process
had needed up to there.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from machine import record
from PIL import Image

from iqa_zoo import registry

# Height and width in pixels, and how often each process scores the photo.
SIZES = {"12 MP": (3000, 4000, 7), "24 MP": (4000, 6000, 5), "100 MP": (8660, 11546, 2)}
FORMATS = {"JPEG": {"quality": 90, "subsampling": 2}, "PNG": {"compress_level": 1}}

REPORT = """
import json, statistics, sys, time
path, model, times, scale = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
def clocked(work):
    each = []
    for _ in range(times + 1):
        start = time.perf_counter()
        result = work()
        each.append(time.perf_counter() - start)
    return result, round(statistics.median(each[1:]), 4)
def peak():
    # Not getrusage, whose peak a process inherits from the one that started it.
    status = dict(line.split(":") for line in open("/proc/self/status"))
    return round(int(status["VmHWM"].split()[0]) / 1024, 1)
"""
WAYS = {
    "iqa_zoo": """
import iqa_zoo
scorer = iqa_zoo.Scorer(model, engine="litert")
score, seconds = clocked(lambda: scorer(path).value)
print(json.dumps({"score": score, "seconds": seconds, "peak_memory_mb": peak()}))
""",
    "pillow and keras": """
import iqa_zoo, numpy as np
from PIL import Image
from iqa_zoo import registry
Image.MAX_IMAGE_PIXELS = None
network = iqa_zoo.load_model(model)
height, width = registry.resolve(model).input["size"]
photo, decode = clocked(lambda: np.asarray(Image.open(path).convert("RGB")))
whole = Image.fromarray(photo)
small, resize = clocked(lambda: np.asarray(whole.resize((width, height), Image.BOX)))
batch = small[None].astype("float32")
shares, predict = clocked(lambda: network.predict(batch, verbose=0)[0])
score = float(shares @ np.arange(1, 11))
print(json.dumps({"score": score, "decode": decode, "resize": resize,
                  "predict": predict, "peak_memory_mb": peak()}))
""",
}
STEPS = """
import io
from iqa_zoo import registry
from iqa_zoo.engines import make_engine
from iqa_zoo.images import fit_by
from iqa_zoo.images.formats import decoder, format_of
from iqa_zoo.images.pixels import upright_rgb
from iqa_zoo.images.resizing import shrink_reduced
from iqa_zoo.images.whole import WHOLE
rule = (entry := registry.resolve(model)).input
engine, scale, table = make_engine(entry, "litert"), int(scale), {"start": [0, peak()]}
def step(name, work):
    result, seconds = clocked(work)
    table[name] = [seconds, peak()]
    return result
data = step("read", lambda: open(path, "rb").read())
kind = step("check", lambda: WHOLE[format_of(data, "")](data) and format_of(data, ""))
def decoded():
    image = decoder(kind, "")(io.BytesIO(data))
    if scale > 1:
        image.draft(None, tuple(side // scale for side in image.size))
    image.load()
    return image
image = step("decode", decoded)
pixels = step("colours, upright", lambda: upright_rgb(image, ""))
def fitted():
    return shrink_reduced(pixels, *rule["size"]) if scale > 1 else fit_by(rule, pixels)
small = step("resize", fitted)
step("network", lambda: engine.predict([small], threads=2))
print(json.dumps(table))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default=registry.default_model())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    options = parser.parse_args()
    model = registry.resolve(options.model).name
    photos: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, path, times in _photos(options.folder, options.sizes, Path(folder)):
            ways = [way for way in WAYS if "JPEG" in name or way == "iqa_zoo"]
            if name.startswith("100"):  # where memory is the question
                ways = ["iqa_zoo"]
            runs: dict[str, list[dict]] = {way: [] for way in ways}
            for _ in range(options.rounds):
                for way in ways:
                    runs[way].append(_run(WAYS[way], path, model, times))
                    print(name, way, runs[way][-1], file=sys.stderr)
            found = {way: _median(each) for way, each in runs.items()}
            if len(ways) > 1:
                ours, theirs = found["iqa_zoo"], found["pillow and keras"]
                # Without their resizing, which they need as well.
                least = theirs["decode"] + theirs["predict"]
                found["ours_over_decode_and_predict"] = round(
                    ours["seconds"] / least, 3
                )
            scales = (1, 2, 4) if "JPEG" in name else (1,)
            found["steps"] = {
                f"1/{scale}": _run(STEPS, path, model, times, scale) for scale in scales
            }
            photos[name] = {"bytes": path.stat().st_size, **found}
    record(
        "large_photos.json",
        {"model": model, "rounds": options.rounds, "photos": photos},
    )


def _photos(
    source: Path, sizes: list[str], folder: Path
) -> Iterator[tuple[str, Path, int]]:
    """Name and file of each photo, and how often it is to be scored."""
    tiles = [Image.open(path).convert("RGB") for path in sorted(source.glob("*.png"))]
    for size in sizes:
        height, width, times = SIZES[size]
        photo = Image.new("RGB", (width, height))
        random = np.random.default_rng(0)
        step_x, step_y = map(min, zip(*(tile.size for tile in tiles), strict=True))
        for top in range(0, height, step_y):
            for left in range(0, width, step_x):
                photo.paste(tiles[random.integers(len(tiles))], (left, top))
        for form, how in FORMATS.items():
            path = folder / f"photo.{form.lower()}"
            photo.save(path, form, **how)
            yield f"{size} {form}", path, times


def _run(program: str, path: Path, model: str, times: int, scale: int = 1) -> dict:
    words = [str(path), model, str(times), str(scale)]
    command = [sys.executable, "-c", REPORT + program, *words]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(answer.stdout)


def _median(runs: list[dict]) -> dict[str, float]:
    return {
        name: round(statistics.median(run[name] for run in runs), 4) for name in runs[0]
    }


if __name__ == "__main__":
    main()
