"""Five pairs that metrics' authors measured: their values, ours and those of others.

    python benchmarks/calibration.py --data ../shared/data/calibration \\
        --weights ../shared/weights

The table is written with the reason for every difference. OpenCV's and MATLAB's columns
are those that others published for the same pairs, or that were measured once with
OpenCV 4.11's quality module.
"""

import argparse
import csv
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from machine import record

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
    Row(
        "ms_ssim",
        None,
        "the product of the paper; the published row is the weighted sum of the same "
        "numbers",
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
# Published for MATLAB's Image Processing Toolbox (results_official.csv), and measured
# with OpenCV's quality module: other models, other borders, clamped to 0..100.
OPENCV = {"brisque": (84.46, 0.00, 1.30, 7.91, 83.81)}
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    options = parser.parse_args()
    with open(options.data / "results_official.csv", newline="") as file:
        published = {row.pop("metric"): row for row in csv.DictReader(file)}
    arrays = {
        name: {
            key: np.atleast_1d(array)
            for key, array in np.load(options.weights / file).items()
            if not key.startswith("scale_")
        }
        for name, file in (
            ("brisque", "brisque_live_official_svr.npz"),
            ("niqe", "niqe_pristine.npz"),
        )
    }
    found = {}
    for row in (*FULL_REFERENCE, *NO_REFERENCE):
        entry: dict[str, Any] = {"note": row.note, "ours": {}, "official": {}}
        for pair in PAIRS:
            reference, distorted = (
                read_image(next((options.data / side).glob(f"{pair}.*")))
                for side in ("ref", "dist")
            )
            if row in FULL_REFERENCE:
                value = metric(row.name)(reference, distorted)
            elif row.name == "piqe":
                value = piqe.score(distorted)
            else:
                judge = {"brisque": brisque, "niqe": niqe}[row.name]
                value = judge.score(distorted, arrays[row.name])
            entry["ours"][pair] = round(float(value), 9)
            if row.official:
                entry["official"][pair] = float(published[row.official][pair])
        if toolbox := published.get(f"{row.name}_matlab"):
            entry["MATLAB's toolbox"] = {pair: float(toolbox[pair]) for pair in PAIRS}
        if row.name in OPENCV:
            entry["OpenCV"] = dict(zip(PAIRS, OPENCV[row.name], strict=True))
        found[row.name] = entry
    record("calibration.json", {"metrics": found})


if __name__ == "__main__":
    main()
