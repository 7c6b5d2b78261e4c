"""Networks on large photos and beside Keras: memory, tiles and rate.

    python benchmarks/own_size.py [MODEL ...]

Every network, with random weights, which time and memory do not depend on:

1. judges a picture of 12 megapixels from the files that the store keeps, in a process
   of its own, whose peak memory (VmHWM) and whose seconds are told; networks of one
   size get it shrunk;
2. those that judge photos in their own size judge one of 1.5 megapixels tile by tile
   and, in Keras, whole: the difference;
3. judges pictures of 500 x 500 pixels, or of the network's size, one on each core as
   `iqa_zoo.score` does, in turns with the same network in Keras, compiled, 8 at once:
   median rates over the rounds.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from machine import record

from iqa_zoo import cards, registry
from iqa_zoo.engines import make_engine
from iqa_zoo.threads import cores
from iqa_zoo.training.folder import write_model

LARGE, MIDDLE, SMALL = (3000, 4000), (1000, 1500), (500, 500)
PICTURES, ROUNDS, AT_ONCE = 8, 5, 8
PROGRAM = """
import json, sys, time
import numpy as np
from iqa_zoo import registry
from iqa_zoo.engines import make_engine
from iqa_zoo.images import fit_by
entry = registry.resolve(sys.argv[1])
size = tuple(json.loads(sys.argv[2]))
image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
engine = make_engine(entry, "litert")
start = time.perf_counter()
if entry.input["fit"] != "native":
    image = fit_by(entry.input, image)
if entry.input.get("pair"):
    image = np.concatenate([image, image], axis=-1)
engine.predict([image], int(sys.argv[3]))
seconds = time.perf_counter() - start
status = dict(line.split(":") for line in open("/proc/self/status"))
print(json.dumps({
    "seconds_12mp": round(seconds, 1),
    "peak_mb_12mp": round(int(status["VmHWM"].split()[0]) / 1024),
    "imports_tensorflow": "tensorflow" in sys.modules,
}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", help="all of them where none is named")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        os.environ["IQA_ZOO_HOME"] = f"{work}/store"
        rows = [measured(n, Path(work)) for n in options.models or cards.all_cards()]
    record("own_size.json", {"threads": cores(), "rows": rows})


def measured(name: str, work: Path) -> dict:
    """A row of the results."""
    import keras

    keras.utils.set_random_seed(1)
    network = registry.load_network(name, None)
    run = random_run(name, network, work / name)
    engine = make_engine(registry.resolve(run), "litert")  # makes the files
    command = [sys.executable, "-c", PROGRAM, run, json.dumps(LARGE), str(cores())]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rule, row = registry.model_card(name)["input"], {"model": name, **json.loads(told)}
    native = rule["fit"] == "native"
    if native:
        picture = pictures(name, 1, MIDDLE)
        apart = engine.predict(picture, cores()) - by_keras(network, np.stack(picture))
        row["largest_difference_to_whole"] = float(np.abs(apart).max())
    small = SMALL if native else tuple(rule["size"])
    row |= rates(network, engine, pictures(name, PICTURES, small))
    print(row, file=sys.stderr)
    return row


def random_run(name: str, network, folder: Path) -> str:
    """A run's folder with the network's weights as they are."""
    folder.mkdir()
    arrays = {path: v.numpy() for path, v in registry.variables(network).items()}
    said = {"data": "none", "terms": "none", "start": "random", "seed": 1}
    said |= {"trained_on": 0}
    seen = frozenset(["0" * 64])
    write_model(folder, registry.model_card(name), arrays, seen, "", said)
    return str(folder)


def pictures(name: str, count: int, size: tuple[int, int]) -> list[np.ndarray]:
    """Pictures of noise, uint8 (*size, 3), or pairs of them, (*size, 6)."""
    channels = 6 if registry.model_card(name)["input"].get("pair") else 3
    random = np.random.default_rng(2)
    return [
        random.integers(0, 256, (*size, channels), np.uint8) // (1 + n % 3)
        for n in range(count)
    ]


def by_keras(network, batch: np.ndarray) -> np.ndarray:
    """The network's own answers to a batch."""
    given = batch.astype(np.float32)
    if len(network.inputs) == 2:
        given = {"distorted": given[..., :3], "reference": given[..., 3:]}
    answer = network.predict_on_batch(given)
    if isinstance(answer, dict):
        answer = answer["score"]
    return answer


def rates(network, engine, images: list[np.ndarray]) -> dict:
    """Pictures a second of the engine and of Keras, in turns."""
    batches = [
        np.stack(images[n : n + AT_ONCE]) for n in range(0, len(images), AT_ONCE)
    ]

    def ours() -> None:
        with ThreadPoolExecutor(cores()) as pool:
            list(pool.map(lambda image: engine.predict([image]), images))

    def plain() -> None:
        for batch in batches:
            by_keras(network, batch)

    ours(), plain()  # the first time, both prepare themselves
    seconds: dict[str, list[float]] = {"engine": [], "keras": []}
    for _ in range(ROUNDS):
        for way, work in (("engine", ours), ("keras", plain)):
            start = time.perf_counter()
            work()
            seconds[way].append(time.perf_counter() - start)
    found = {
        way: len(images) / statistics.median(times) for way, times in seconds.items()
    }
    return {
        **{f"{way}_images_per_second": round(rate, 2) for way, rate in found.items()},
        "times_as_fast": round(found["engine"] / found["keras"], 2),
    }


if __name__ == "__main__":
    main()
