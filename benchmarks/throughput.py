"""Images a second of `iqa_zoo.score`, of plain Keras and of what LiteRT can do at most.

    python benchmarks/throughput.py ../shared/data/clive/images

The photos are dealt out over the rounds, and in each round every method gets the same
ones for about as long, so that a machine that slows down, or is fast in short bursts
only, does so to all. The limit is
the better of one interpreter with two threads and two with one thread each, fed with
pixels that are ready, slowed only by decoding the same files on the same cores:
1 / (t_infer + t_decode / cores). Peak memory is that of a process that scores 100
images and of one that scores them all.
"""

import argparse
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from machine import record

import iqa_zoo
from iqa_zoo import registry, threads
from iqa_zoo.images import fit_by, read_image

MEMORY = """
import sys
import iqa_zoo
from itertools import islice
from iqa_zoo.images import find_images
paths = islice(find_images(sys.argv[1]), int(sys.argv[2]))
done = sum(1 for _ in iqa_zoo.score(paths, sys.argv[3]))
# Not getrusage, whose peak a process inherits from the one that started it.
status = dict(line.split(":") for line in open("/proc/self/status"))
print(done, int(status["VmHWM"].split()[0]) / 1024)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default=registry.default_model())
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    paths = sorted(str(p) for p in options.folder.iterdir())
    entry = registry.resolve(options.model)
    size = tuple(entry.input["size"])
    cores = threads.cores()

    predict = _keras(options.model, size)
    measures = {
        "iqa_zoo.score": lambda dealt, _: _score(dealt, options.model),
        "keras predict": lambda dealt, _: predict(dealt),
        "one interpreter, all threads": lambda _, ready: _run(entry, ready, 1, cores),
        "an interpreter a core": lambda _, ready: _run(entry, ready, cores, 1),
        "decode": lambda dealt, _: len([_fitted(path, entry) for path in dealt]),
    }
    rates: dict[str, list[float]] = {name: [] for name in measures}
    for turn in range(options.rounds):
        dealt = paths[turn :: options.rounds]
        ready = [_fitted(path, entry)[None].astype(np.float32) for path in dealt]
        for name, measure in measures.items():
            start = time.perf_counter()
            count = measure(dealt, ready)
            rates[name].append(count / (time.perf_counter() - start))
            print(f"{name}: {rates[name][-1]:.2f} images/s", file=sys.stderr)
    median = {name: statistics.median(each) for name, each in rates.items()}
    infer = 1 / max(
        median["one interpreter, all threads"], median["an interpreter a core"]
    )
    limit = 1 / (infer + 1 / median["decode"] / cores)
    ours = median["iqa_zoo.score"]
    memory = {str(n): _memory(options.folder, n, entry.name) for n in (100, len(paths))}
    low, high = sorted(memory.values())
    record(
        "throughput.json",
        {
            "model": entry.name,
            "images": len(paths),
            "rounds": options.rounds,
            "images_per_second": {name: round(r, 2) for name, r in median.items()},
            "limit": round(limit, 2),
            "ours_over_keras": round(ours / median["keras predict"], 3),
            "ours_over_limit": round(ours / limit, 3),
            "peak_memory_mb": memory,
            "peak_memory_ratio": round(high / low, 3),
        },
    )


def _score(paths: list[str], model: str) -> int:
    return sum(result.value is not None for result in iqa_zoo.score(paths, model))


def _keras(model: str, size: tuple[int, int]):
    """Plain Keras over the same files: decode and resize in tf.data, predict."""
    import tensorflow as tf

    network = iqa_zoo.load_model(model)

    def load(path):
        image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        return tf.ensure_shape(tf.image.resize(image, size), (*size, 3))

    def predict(paths: list[str]) -> int:
        data = tf.data.Dataset.from_tensor_slices(paths)
        data = data.map(load, num_parallel_calls=tf.data.AUTOTUNE).batch(32)
        data = data.prefetch(tf.data.AUTOTUNE)
        return len(network.predict(data, verbose=0))

    network.predict(np.zeros((32, *size, 3), np.float32), verbose=0)  # compiles it
    return predict


def _run(entry, pixels: list[np.ndarray], count: int, threads: int) -> int:
    """Bare interpreters on ready arrays, each fed by a thread of its own."""
    from ai_edge_litert.interpreter import Interpreter

    content = entry.litert_bytes()

    def run(share: list[np.ndarray]) -> None:
        interpreter = Interpreter(model_content=content, num_threads=threads)
        interpreter.allocate_tensors()
        place = interpreter.get_input_details()[0]["index"]
        answer = interpreter.get_output_details()[0]["index"]
        for image in share:
            interpreter.set_tensor(place, image)
            interpreter.invoke()
            interpreter.get_tensor(answer)

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(run, [pixels[i::count] for i in range(count)]))
    return len(pixels)


def _fitted(path: str, entry) -> np.ndarray:
    return fit_by(entry.input, read_image(path))


def _memory(folder: Path, count: int, model: str) -> float:
    command = [sys.executable, "-c", MEMORY, str(folder), str(count), model]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    done, peak = answer.stdout.split()
    if int(done) != count:
        raise SystemExit(f"{done} of {count} images were scored.")
    return round(float(peak), 1)


if __name__ == "__main__":
    main()
