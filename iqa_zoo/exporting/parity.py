"""How far a file's answers are from its network's, and what it costs."""

import math
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from iqa_zoo.correlation import srocc
from iqa_zoo.errors import ExportError

#: What a file may be off by, in shares of the scale: the largest difference of scores,
#: or, where numbers are of 8 bits, the mean one and the least rank correlation. A
#: score on 1 to 10 may be off by 0.0009, 0.02, and on average 0.06.
BOUNDS: Mapping[str, Mapping[str, float]] = {
    "none": {"max": 1e-4},
    "float16": {"max": 0.02 / 9},
    "dynamic": {"mean": 0.06 / 9, "srocc": 0.99},
    "int8": {"mean": 0.06 / 9, "srocc": 0.99},
}
_ROUNDS, _WARM = 15, 3

Answer = Callable[[np.ndarray], np.ndarray]


def compare(
    inputs: Iterable[np.ndarray],
    network: Answer,
    file: Answer,
    quantize: str,
    width: float,
) -> dict[str, Any]:
    """Differences between the scores of a network and of its file, from equal pixels.

    Args:
        inputs: uint8 (height, width, channels), of the file's size.
        network: the network's score of such pixels, (1,), or several numbers.
        file: the file's.
        quantize: a key of `BOUNDS`.
        width: of the scale.

    Returns:
        Numbers under "photos", "mean", "max" (both of absolute differences of scores),
        "srocc", "bound" and "scores", a pair for each photo; of several numbers that of
        the largest one.
    """
    # (photos, 2, numbers)
    pairs = np.array([(network(pixels), file(pixels)) for pixels in inputs])
    most = pairs[:, :1].argmax(-1, keepdims=True)
    bound = BOUNDS[quantize]
    scaled = {key: value * width for key, value in bound.items() if key != "srocc"}
    return {
        **differences(pairs[:, 0], pairs[:, 1]),
        # Scores that are no numbers have no ranks.
        "srocc": srocc(pairs[:, 0].ravel(), pairs[:, 1].ravel())
        if np.isfinite(pairs).all()
        else math.nan,
        "bound": {**bound, **scaled},
        "scores": np.take_along_axis(pairs, most, -1)[..., 0].round(5).tolist(),
    }


def check(parity: Mapping[str, Any], name: str, quantize: str) -> None:
    """Raise ExportError where a file is further off than it may be."""
    for key, bound in parity["bound"].items():
        found = parity[key]
        # Written so that NaN fails.
        if not (found >= bound if key == "srocc" else found <= bound):
            what = {"max": "The largest", "mean": "The mean"}
            said = (
                f"{what[key]} difference of scores is {found:.4g}, above {bound:.4g}"
                if key in what
                else f"Their SROCC is {found:.4f}, below {bound}"
            )
            remedies = {
                "none": "Check the weights for NaN.",
                "int8": "Give calibration photos that are like those it will see, or "
                "another quantization.",
            }
            remedy = remedies.get(quantize, "Choose another quantization.")
            raise ExportError(
                f"{name} as {quantize} does not answer as the network does on "
                f"{parity['photos']} photos. {said}. {remedy} No file was written."
            )


def differences(
    mine: Sequence[np.ndarray], theirs: Sequence[np.ndarray]
) -> dict[str, Any]:
    """How far apart the same photos' scores, (photos, n), are, read in two ways."""
    apart = np.abs(np.subtract(mine, theirs)).max(-1)
    return {
        "photos": len(apart),
        "mean": float(apart.mean()),
        "max": float(apart.max()),
    }


def latency(run: Callable[[int], object]) -> dict[str, float]:
    """Milliseconds of `run(threads)` on one and on two threads, the medians."""
    found: dict[int, list[float]] = {1: [], 2: []}
    for number in range(_WARM + _ROUNDS):
        for threads, times in found.items():
            start = time.perf_counter()
            run(threads)
            if number >= _WARM:
                times.append(1e3 * (time.perf_counter() - start))
    return {
        str(threads): round(statistics.median(times), 2)
        for threads, times in found.items()
    }


def operators(content: bytes) -> dict[str, int]:
    """How often a LiteRT file has each operator, the most frequent first."""
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    names = [
        flatbuffer_utils.opcode_to_name(model, operator.opcodeIndex)
        for graph in model.subgraphs
        for operator in graph.operators
    ]
    return dict(Counter(names).most_common())
