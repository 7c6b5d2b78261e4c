"""The sets of distorted pictures that networks are trained on where nobody has judged.

    python benchmarks/synthetic_set.py ../shared/data/kodak SET --side 384
    python benchmarks/synthetic_set.py ../shared/data/kodak SET --kinds dbcnn \\
        --side 384 --also ../shared/data/agiqa3k

Runs `iqa-zoo distort` with pseudo-MOS of VSI and writes SET/split.csv, its table with a
column `split`: of the photos in a permutation by `numpy.random.default_rng(0)` the
first quarter is for the test, the next twelfth for validation, and the rest trains, so
that the test is of content never seen. Pictures of the classes that S-CNN lacks
(exposure between its two levels) are left out of the table of the set `dbcnn`. With
`--also`, a folder of mos.csv and images, 60 of those pictures train too: the best one
of each prompt, best prompts first. They are not of cameras, and good enough to see on
them what a distortion does.
"""

import argparse
import csv
import subprocess
import sys
from pathlib import Path

import numpy as np

from iqa_zoo.registry import model_card
from iqa_zoo.training.folder import write_table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--kinds", default="kadid")
    parser.add_argument("--side", type=int)
    parser.add_argument("--also", type=Path)
    options = parser.parse_args()
    side = [f"--side={options.side}"] if options.side else []
    also = best_of_prompts(options.also) if options.also else []
    photos = [options.photos, *also]
    command = ["distort", *photos, "-o", options.out, "--pseudo-mos=vsi", *side]
    kinds = ["--kinds", options.kinds] if options.kinds != "kadid" else []
    subprocess.run([sys.executable, "-m", "iqa_zoo", *command, *kinds], check=True)
    with (options.out / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    if options.kinds == "dbcnn":
        classes = set(model_card("scnn")["output"]["classes"])
        rows = [r for r in rows if f"{r['distortion']}-{r['level']}" in classes]
    references = {row["reference"] for row in rows}
    only_train = {path.stem for path in also}
    # Folders are named by the picture and its hash.
    parts = {
        reference: "train"
        for reference in references
        if Path(reference).parent.name.rpartition("-")[0] in only_train
    }
    if len(parts) != len(also):
        raise SystemExit(f"{len(also)} pictures were to train only; {len(parts)} do.")
    photos = sorted(references - parts.keys())
    for place, number in enumerate(np.random.default_rng(0).permutation(len(photos))):
        held_out = place < len(photos) / 4
        validates = place < len(photos) / 3
        part = "test" if held_out else "validation" if validates else "train"
        parts[photos[number]] = part
    for row in rows:
        row["split"] = parts[row["reference"]]
    write_table(options.out / "split.csv", rows)
    print(f"{len(rows)} pictures of {len(parts)} photos: {options.out / 'split.csv'}")


def best_of_prompts(folder: Path, count: int = 60) -> list[Path]:
    """The picture of the highest MOS of each of so many prompts, best prompts first."""
    with (folder / "mos.csv").open(newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda r: -float(r["mos"]))
    best: dict[str, Path] = {}
    for row in rows:
        best.setdefault(row["prompt"], folder / "images" / row["image"])
    return list(best.values())[:count]


if __name__ == "__main__":
    main()
