"""What colour profiles do to scores: ignored, and applied as the reader does.

    PYTHONPATH=. python benchmarks/colours.py ../shared/data/clive/images

Every 31st photo of the folder is stored as Display P3 and as Adobe RGB, as a camera
that uses those would have it, and scored with all weight sets that come with the
package. Also counts the photos of the folder that have a profile of their own.
"""

import argparse
import io
from pathlib import Path

import numpy as np
from machine import record
from PIL import Image, ImageCms

import iqa_zoo
from iqa_zoo import cards
from tests.helpers.pictures import ADOBE_RGB, DISPLAY_P3, encoded, rgb_profile

SPACES = {
    "Display P3": rgb_profile(DISPLAY_P3),
    "Adobe RGB": rgb_profile(ADOBE_RGB, 2.2),
}
STEP = 31


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    paths = sorted(path for path in folder.iterdir() if path.is_file())
    with_profile = sum("icc_profile" in Image.open(path).info for path in paths)
    own = [
        f"{name}.{tag}"
        for name, card in cards.all_cards().items()
        for tag, weights in card.get("weights", {}).items()
        if weights["kind"] == "own"
    ]
    scorer = iqa_zoo.Scorer(own)
    chosen = [Image.open(path).convert("RGB") for path in paths[::STEP]]
    plain = _scores(scorer, [encoded(photo, "PNG") for photo in chosen])
    moved = {}
    for space, profile in SPACES.items():
        stored = [_stored(photo, profile) for photo in chosen]
        ways = {
            "ignored": [encoded(photo, "PNG") for photo in stored],
            "applied": [encoded(photo, "PNG", icc_profile=profile) for photo in stored],
        }
        for way, files in ways.items():
            apart = np.abs(_scores(scorer, files) - plain)
            moved[f"{space}, {way}"] = {
                "mean": round(float(apart.mean(0).max()), 4),
                "largest": round(float(apart.max()), 4),
            }
    results = {
        "photos": len(paths),
        "photos_with_a_profile": with_profile,
        "photos_converted": len(chosen),
        "models": own,
        "score_moves_by": moved,
    }
    record("colours.json", results)


def _stored(photo: Image.Image, profile: bytes) -> Image.Image:
    """The photo's colours as numbers of another space."""
    own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    stored = ImageCms.profileToProfile(photo, ImageCms.createProfile("sRGB"), own)
    stored.info.pop("icc_profile", None)
    return stored


def _scores(scorer: iqa_zoo.Scorer, files: list[bytes]) -> np.ndarray:
    """Scores (files, models)."""
    values = [result.value for result in scorer.score(files)]
    return np.reshape(values, (len(files), -1))


if __name__ == "__main__":
    main()
