"""Speed, memory and agreement of the full-reference metrics beside other libraries.

    PYTHONPATH=. python benchmarks/full_reference.py

Compared are piq (PyTorch on the processor, two threads), scikit-image and OpenCV's
quality module, where they are installed, on a batch of 512 x 512 pixels and on a pair
of 12 megapixels, colour or grey as named. All start from the same uint8 arrays; piq's
are float tensors already, so that their conversion does not count. All have two threads
and take turns, each first in turn; medians are compared. Agreement is the largest
difference over 50 random pairs of 32 to 1024 pixels a side, of grey where the others
treat colours differently.
"""

import argparse
import importlib
import inspect
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from machine import record

from iqa_zoo.full_reference import metric, metric_card, metric_names

SIZES = {"512 x 512, batch of 4": (4, 512, 512), "12 megapixels": (1, 3000, 4000)}
THREADS = 2
MEMORY = """
import sys
import numpy as np
from iqa_zoo.full_reference import metric
random = np.random.default_rng(0)
pair = [random.integers(0, 256, (3000, 4000, 3), np.uint8) for _ in range(2)]
metric(sys.argv[1])(*pair)
# Not getrusage, whose peak a process inherits from the one that started it.
status = dict(line.split(":") for line in open("/proc/self/status"))
print(int(status["VmHWM"].split()[0]) / 1024)
"""
#: metric: whether grey, piq's function, and its arguments. Its luma is not rounded.
PIQ: dict[str, tuple[bool, str, dict[str, Any]]] = {
    "psnr": (False, "psnr", {}),
    "ssim": (True, "ssim", {"downsample": True}),
    "ssim_fullres": (True, "ssim", {"downsample": False}),
    "ms_ssim": (True, "multi_scale_ssim", {}),
    "gmsd": (False, "gmsd", {}),
    "ms_gmsd": (False, "multi_scale_gmsd", {"chromatic": False}),
    "ms_gmsdc": (False, "multi_scale_gmsd", {"chromatic": True}),
    "fsim": (False, "fsim", {"chromatic": False}),
    "fsimc": (False, "fsim", {"chromatic": True}),
    "vsi": (False, "vsi", {}),
    "mdsi": (False, "mdsi", {}),
    "vifp": (False, "vif_p", {}),
}
#: metric: whether grey, and scikit-image's function with its arguments.
SKIMAGE: dict[str, tuple[bool, str, dict[str, Any]]] = {
    "mse": (False, "mean_squared_error", {}),
    "psnr": (False, "peak_signal_noise_ratio", {}),
    "ssim_fullres": (
        True,
        "structural_similarity",
        {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False},
    ),
}
#: metric: whether grey, and OpenCV's function.
OPENCV = {
    "mse": (False, "QualityMSE_compute"),
    "psnr": (False, "QualityPSNR_compute"),
    "ssim_fullres": (True, "QualitySSIM_compute"),
    "gmsd": (True, "QualityGMSD_compute"),
}
#: How far scores may be apart; others' than 1e-4 have a reason beside them.
TOLERANCES = {
    ("psnr", "piq"): 1e-3,  # of float32, in dB
    ("psnr", "opencv"): 1e-3,  # of an epsilon, in dB
    ("ms_ssim", "piq"): 1e-3,  # odd sides are padded in another way
    ("ssim_fullres", "opencv"): 1e-2,  # windows reach beyond the border
    ("gmsd", "opencv"): 1e-2,  # a divisor n for n - 1, and another shrinking
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--metric", action="append", choices=metric_names())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pairs", type=int, default=50, help="0 leaves agreement out")
    options = parser.parse_args()
    names = options.metric or metric_names()
    results = {
        "threads": THREADS,
        "versions": {
            name: _module(name).__version__
            for name in ("numpy", "cv2", "torch", "piq", "skimage")
            if _module(name)
        },
        "milliseconds": {
            size: {name: _times(name, shape, options.rounds) for name in names}
            for size, shape in SIZES.items()
        },
        "peak_megabytes_at_12_megapixels": {name: _memory(name) for name in names},
        "largest_difference": {
            name: _agreement(name, options.pairs) for name in names if options.pairs
        },
    }
    record("full_reference.json", results)
    far = [
        (name, library, difference)
        for name, differences in results["largest_difference"].items()
        for library, difference in differences.items()
        if difference > TOLERANCES.get((name, library), 1e-4)
    ]
    if far:
        sys.exit(f"Further apart than stated: {far}")


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _pair(shape: tuple[int, ...], seed: int = 0) -> list[np.ndarray]:
    """Patches of colour under noise, and the same with more noise, uint8."""
    random = np.random.default_rng(seed)
    height, width = shape[-3:-1]
    coarse = random.integers(20, 236, (shape[0], 40, 50, shape[-1]), np.uint8)
    rows, columns = np.arange(height) * 40 // height, np.arange(width) * 50 // width
    clean = coarse[:, rows][:, :, columns] + random.integers(0, 9, shape, np.uint8)
    damaged = clean + random.integers(0, 11, shape, np.uint8)
    return [clean, damaged]


def _others(name: str, pair: list[np.ndarray]) -> dict[str, Callable[[], Any]]:
    """What other libraries offer for a metric, ready to run on a batch of pairs."""
    grey = [np.ascontiguousarray(image[..., 1]) for image in pair]
    found: dict[str, Callable[[], Any]] = {}
    torch, piq = _module("torch"), _module("piq")
    if piq and torch and name in PIQ:
        torch.set_num_threads(THREADS)
        of_grey, function, arguments = PIQ[name]
        images = [g[..., None] for g in grey] if of_grey else pair
        tensors = [
            torch.from_numpy(image.transpose(0, 3, 1, 2).astype(np.float32) / 255)
            for image in images
        ]
        call = partial(getattr(piq, function), reduction="none", **arguments)
        found["piq"] = partial(call, *tensors[::-1])  # the distorted one first
    metrics = _module("skimage.metrics")
    if metrics and name in SKIMAGE:
        of_grey, function, arguments = SKIMAGE[name]
        call = partial(getattr(metrics, function), **arguments)
        found["scikit-image"] = _each(call, grey if of_grey else pair)
    quality = getattr(_module("cv2"), "quality", None)
    if quality and name in OPENCV:
        of_grey, function = OPENCV[name]
        call = getattr(quality, function)
        found["opencv"] = _each(call, grey if of_grey else pair)
    return found


def _each(
    function: Callable[[Any, Any], Any], pair: list[np.ndarray]
) -> Callable[[], Any]:
    return lambda: [function(*images) for images in zip(*pair, strict=True)]


def _is_grey(name: str) -> bool:
    return any(table.get(name, (False,))[0] for table in (PIQ, SKIMAGE, OPENCV))


def _times(name: str, shape: tuple[int, ...], rounds: int) -> dict[str, Any]:
    """Medians in milliseconds a pair, and how many times ours the others take."""
    _module("cv2").setNumThreads(THREADS)
    pair = _pair((*shape, 3))
    function, inputs = metric(name), {"iqa_zoo": pair}
    if _is_grey(name):
        inputs["iqa_zoo, grey"] = [np.ascontiguousarray(i[..., 1:2]) for i in pair]
    ours = {key: partial(function, *images) for key, images in inputs.items()}
    ways = list({**ours, **_others(name, pair)}.items())
    times: dict[str, list[float]] = {key: [] for key, _ in ways}
    for turn in range(-1, rounds):
        for key, way in ways[turn % len(ways) :] + ways[: turn % len(ways)]:
            start = time.perf_counter()
            way()
            if turn >= 0:  # the first round warms up
                times[key].append((time.perf_counter() - start) * 1000 / shape[0])
    found = {key: statistics.median(each) for key, each in times.items()}
    for key in list(found):
        if not key.startswith("iqa_zoo"):
            of_grey = _is_grey(name) and not (key == "piq" and not PIQ[name][0])
            own = "iqa_zoo, grey" if of_grey else "iqa_zoo"
            found[f"{key} / {own}"] = found[key] / found[own]
    print(name, found, file=sys.stderr)
    return {key: float(f"{value:.3g}") for key, value in found.items()}


def _memory(name: str) -> int:
    """The peak of a process that scores one pair of 12 megapixels, MB."""
    command = [sys.executable, "-c", MEMORY, name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return round(float(done.stdout))


def _agreement(name: str, count: int) -> dict[str, float]:
    """The largest differences of the scores of random pairs from the others'."""
    worst: dict[str, float] = {}
    function, least = metric(name), max(metric_card(name)["least"], 32)
    known = inspect.signature(function).parameters
    unrounded = {key: False for key in ("luma_rounding",) if key in known}
    for seed in range(count):
        random = np.random.default_rng(seed)
        height, width = random.integers(least, 1025, 2)
        pair = _pair((1, height, width, 3), seed)
        for key, way in _others(name, pair).items():
            of_grey = PIQ[name][0] if key == "piq" else _is_grey(name)
            images = [i[0, ..., 1] if of_grey else i[0] for i in pair]
            # OpenCV gives a score a channel, and a map.
            found = way()[0][0][: 1 if of_grey else 3] if key == "opencv" else way()
            score = function(*images, **(unrounded if key == "piq" else {}))
            difference = abs(float(np.asarray(found).mean()) - score)
            worst[key] = max(worst.get(key, 0.0), difference)
    return {key: float(f"{value:.3g}") for key, value in worst.items()}


if __name__ == "__main__":
    main()
