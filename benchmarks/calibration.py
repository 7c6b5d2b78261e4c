"""Five pairs that metrics' authors measured: their values, ours and those of others.

    python benchmarks/calibration.py --data ../shared/data/calibration \\
        --weights ../shared/weights

The table is written with the reason for every difference. MATLAB's toolbox is as others
published it for the same pairs; OpenCV's BRISQUE, whose model no package brings, was
measured once. The other libraries are run where they are installed: OpenCV with its
module `quality`, scikit-image, piq and pypiqe, all with their own defaults on the
images in colour. What another run recorded of one that is missing here is kept.
"""

import argparse
import csv
import json
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from authors import released
from machine import RESULTS, record

from iqa_zoo.full_reference import metric
from iqa_zoo.images import read_image
from iqa_zoo.natural_scene import brisque, niqe, piqe

PAIRS = ("I03", "I04", "I06", "I08", "I19")


class Row(NamedTuple):
    """A line of the table."""

    name: str
    official: str | None  # the row of results_official.csv
    note: str  # what the official row is, or why others differ


FULL_REFERENCE = (
    Row("psnr", "psnr", "over all channels"),
    Row("ssim_fullres", "ssim", "ssim_index.m of 2003, without shrinking"),
    Row("ssim", None, "ssim.m of 2009 shrinks by two first"),
    Row("ms_ssim", None, "the product of the paper"),
    Row(
        "ms_ssim_sum",
        "ms_ssim",
        "the published row is the weighted mean of the same numbers",
    ),
    Row("gmsd", "gmsd", ""),
    Row(
        "nlpd",
        "nlpd",
        "ports leave out the authors' displaced tap and round no grey",
    ),
    Row("fsimc", "fsim", "the published row is FSIMc"),
    Row("fsim", None, "of grey alone"),
    Row("vif", "vif", "with steerable wavelets; vifp is the pixel version"),
    Row("vifp", None, ""),
    Row(
        "vsi",
        "vsi",
        "the published row is a port's: our values are those of the authors' code as "
        "reimplemented for the specification",
    ),
    Row("mdsi", None, ""),
)
NO_REFERENCE = (
    Row(
        "brisque",
        "brisque",
        "large flat areas (I08, I19) turn on the last bits of sums: the sign of "
        "rounding residue is counted by the fit",
    ),
    Row("niqe", "niqe", "flat areas as for BRISQUE"),
    Row("piqe", "piqe", ""),
)


class Other(NamedTuple):
    """What another library gives.

    Attributes:
        by: its name, beside which its version is written.
        score: from the reference and the distorted image, uint8 RGB, to the score.
        note: why it differs.
    """

    by: str
    score: Callable[[Any, Any], float]
    note: str


def of_piq(name: str, **arguments: Any) -> Callable[[Any, Any], float]:
    """A function of piq, which takes tensors on 0..1, the distorted one first."""

    def score(reference: Any, distorted: Any) -> float:
        import piq
        import torch

        pair = [
            torch.from_numpy(image.transpose(2, 0, 1)[None] / 255).float()
            for image in (distorted, reference)
        ]
        return float(getattr(piq, name)(*pair, data_range=1.0, **arguments))

    return score


def of_skimage(name: str, **arguments: Any) -> Callable[[Any, Any], float]:
    """A function of scikit-image."""

    def score(reference: Any, distorted: Any) -> float:
        from skimage import metrics

        return float(
            getattr(metrics, name)(reference, distorted, data_range=255, **arguments)
        )

    return score


def of_opencv(name: str) -> Callable[[Any, Any], float]:
    """A measure of OpenCV's quality module, averaged over the channels it gives."""

    def score(reference: Any, distorted: Any) -> float:
        import cv2

        found, _ = getattr(cv2.quality, f"Quality{name}_compute")(reference, distorted)
        return float(np.mean(found[:3]))

    return score


def of_pypiqe(_: Any, distorted: Any) -> float:
    """The package pypiqe, which takes OpenCV's order of channels."""
    from pypiqe import piqe as measure

    return float(measure(np.ascontiguousarray(distorted[..., ::-1]))[0])


# The package that brings a library, where that has another name.
PACKAGES = {"OpenCV": "opencv-contrib-python-headless"}
CHANNELS = "the mean of three channels in place of grey"
LUMA = "luma is not rounded"
OTHERS = {
    "psnr": (
        Other("OpenCV", of_opencv("PSNR"), "decibels are averaged over channels"),
        Other("piq", of_piq("psnr"), ""),
        Other("scikit-image", of_skimage("peak_signal_noise_ratio"), ""),
    ),
    "ssim_fullres": (
        Other("OpenCV", of_opencv("SSIM"), f"{CHANNELS}; borders are mirrored"),
        Other("piq", of_piq("ssim", downsample=False), CHANNELS),
        Other(
            "scikit-image",
            of_skimage("structural_similarity", channel_axis=2),
            f"{CHANNELS}; windows of 7 x 7 of equal weights",
        ),
    ),
    "ssim": (Other("piq", of_piq("ssim"), CHANNELS),),
    "ms_ssim": (
        Other(
            "piq", of_piq("multi_scale_ssim"), f"{CHANNELS}; the product, as the paper"
        ),
    ),
    "gmsd": (
        Other("OpenCV", of_opencv("GMSD"), CHANNELS),
        Other("piq", of_piq("gmsd"), f"{LUMA}; the deviation divides by n, not n - 1"),
    ),
    "fsimc": (
        Other(
            "piq",
            of_piq("fsim"),
            "a power of negative numbers has no real part taken; blocks are averaged "
            "without a border",
        ),
    ),
    "fsim": (
        Other(
            "piq",
            of_piq("fsim", chromatic=False),
            "blocks are averaged without a border",
        ),
    ),
    "vifp": (Other("piq", of_piq("vif_p"), LUMA),),
    "vsi": (
        Other(
            "piq",
            of_piq("vsi"),
            "for saliency shrunk without antialiasing; borders are repeated",
        ),
    ),
    "mdsi": (Other("piq", of_piq("mdsi"), ""),),
    "piqe": (
        Other(
            "pypiqe",
            of_pypiqe,
            "rounding; greys are first divided by the lightest",
        ),
    ),
}
#: OpenCV 4.11's BRISQUE with the model of its samples.
OPENCV_BRISQUE = (84.46, 0.00, 1.30, 7.91, 83.81)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    options = parser.parse_args()
    with open(options.data / "results_official.csv", newline="") as file:
        published = {row.pop("metric"): row for row in csv.DictReader(file)}
    arrays = official_models(options.weights)
    pairs = {
        pair: [
            read_image(next((options.data / side).glob(f"{pair}.*")))
            for side in ("ref", "dist")
        ]
        for pair in PAIRS
    }
    path = RESULTS / "calibration.json"
    earlier = json.loads(path.read_text())["metrics"] if path.exists() else {}
    found = {}
    for row in (*FULL_REFERENCE, *NO_REFERENCE):
        ours = {}
        for pair, (reference, distorted) in pairs.items():
            if row in FULL_REFERENCE:
                value = metric(row.name)(reference, distorted)
            elif row.name == "piqe":
                value = piqe.score(distorted)
            else:
                judge = {"brisque": brisque, "niqe": niqe}[row.name]
                value = judge.score(distorted, arrays[row.name])
            ours[pair] = round(float(value), 9)
        others = fixed(row, published)
        for other in OTHERS.get(row.name, ()):
            kept = earlier.get(row.name, {}).get("others", {})
            others |= measured(other, pairs) or {
                by: {**entry, "note": other.note}
                for by, entry in kept.items()
                if by.startswith(f"{other.by} ")
            }
        found[row.name] = {"note": row.note, "ours": ours, "others": others}
    record("calibration.json", {"metrics": found})


def official_models(folder: Path) -> dict[str, dict[str, np.ndarray]]:
    """The authors' models of BRISQUE and NIQE, as ours take them."""
    regression = released(folder / "brisque_live_official_svr.npz")
    with np.load(folder / "niqe_pristine.npz") as file:
        return {"brisque": regression, "niqe": dict(file)}


def fixed(row: Row, published: dict[str, dict[str, str]]) -> dict[str, Any]:
    """What was published or measured once, by whom."""
    others = {}
    if row.official:
        values = {pair: float(published[row.official][pair]) for pair in PAIRS}
        others["official"] = {"values": values, "note": ""}
    if toolbox := published.get(f"{row.name}_matlab"):
        values = {pair: float(toolbox[pair]) for pair in PAIRS}
        note = "published: another model"
        others["MATLAB's toolbox"] = {"values": values, "note": note}
    if row.name == "brisque":
        others["OpenCV 4.11"] = {
            "values": dict(zip(PAIRS, OPENCV_BRISQUE, strict=True)),
            "note": "measured once: a model of its own, other borders, held to 0..100",
        }
    return others


def measured(other: Other, pairs: dict[str, Any]) -> dict[str, Any]:
    """The scores of another library with its version; nothing where it is missing."""
    try:
        by = f"{other.by} {version(PACKAGES.get(other.by, other.by))}"
        values = {pair: round(other.score(*pairs[pair]), 6) for pair in PAIRS}
    except (PackageNotFoundError, ImportError):
        return {}
    return {by: {"values": values, "note": other.note}}


if __name__ == "__main__":
    main()
