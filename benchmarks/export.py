"""What exported LiteRT files are off by, weigh and take, in every quantization.

    python benchmarks/export.py ../shared/data/clive

The default weights of this project's models are written as LiteRT files in every
quantization. Scores are compared with Keras's on 200 photos of LIVE In the Wild; int8
is calibrated on 32 others. Times are of one photo, all files of a model in turn.
"""

import argparse
import statistics
import time

import numpy as np
from machine import record

from iqa_zoo import cards
from iqa_zoo.errors import ExportError
from iqa_zoo.exporting import parity, to_tflite
from iqa_zoo.exporting.graphs import subject
from iqa_zoo.exporting.int8 import measured
from iqa_zoo.exporting.report import in_tensorflow
from iqa_zoo.images import find_images, fit_by, read_image

PHOTOS, CALIBRATION, SEED = 200, 32, 0


def main() -> None:
    """Make, compare and time all files, and record the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos")
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    names = list(find_images([options.photos]))
    order = np.random.default_rng(SEED).permutation(len(names))
    pixels = [read_image(names[n]) for n in order[: PHOTOS + CALIBRATION]]
    rows = []
    for name, card in cards.all_cards().items():
        tag = card.get("default_weights")
        if tag is not None and card["weights"][tag]["kind"] == "own":
            rows += figures(f"{name}.{tag}", pixels, options.rounds)
    record("export.json", {"photos": PHOTOS, "rows": rows})


def figures(model: str, pixels: list[np.ndarray], rounds: int) -> list[dict]:
    """A row for each quantization of a model."""
    given = subject(model, None)
    fitted = [fit_by(given.rule, photo) for photo in pixels]
    photos, calibration = fitted[:PHOTOS], fitted[PHOTOS:]
    network = in_tensorflow(given, given.size, False)
    known = [given.score(network(photo, 0)) for photo in photos]
    low, high = given.scale
    ranges = measured(given.network, calibration)
    rows, runs = [], {}
    for quantize in parity.BOUNDS:
        content = to_tflite.tflite(
            given,
            quantize,
            reduce=False,
            found=ranges if quantize == "int8" else None,
        )
        run = runs[quantize] = to_tflite.runner(content, given)
        answers = iter(known)
        found = parity.compare(
            photos,
            lambda _, answers=answers: next(answers),
            lambda photo, run=run: given.score(run(photo, 2)),
            quantize,
            high - low,
        )
        try:
            parity.check(found, model, quantize)
            within = True
        except ExportError:
            within = False
        rows.append(
            {
                "model": given.entry.name,
                "quantize": quantize,
                "bytes": len(content),
                **{key: round(found[key], 6) for key in ("mean", "max", "srocc")},
                "within": within,
            }
        )
        print(rows[-1], flush=True)
    for threads in (1, 2):
        times = timed(runs, photos[0], threads, rounds)
        for row in rows:
            taken = times[row["quantize"]]
            row[f"ms_{threads}"] = round(statistics.median(taken), 2)
            row[f"speedup_{threads}"] = round(
                statistics.median(
                    whole / part
                    for whole, part in zip(times["none"], taken, strict=True)
                ),
                2,
            )
    return rows


def timed(
    runs: dict, photo: np.ndarray, threads: int, rounds: int
) -> dict[str, list[float]]:
    """Milliseconds of each file, one after the other, round by round."""
    times: dict[str, list[float]] = {quantize: [] for quantize in runs}
    for number in range(rounds + 2):
        for quantize, run in runs.items():
            start = time.perf_counter()
            run(photo, threads)
            if number > 1:
                times[quantize].append(1e3 * (time.perf_counter() - start))
    return times


if __name__ == "__main__":
    main()
