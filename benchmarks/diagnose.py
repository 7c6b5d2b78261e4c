"""How often `iqa_zoo.diagnose` is right on photos that its thresholds never saw.

    python benchmarks/diagnose.py ../shared/data

kodim19 to 24 under every distortion; the same photos clean, smaller, and in quarters;
well-rated photos of LIVE In the Wild, and its worst; blur under noise; and the time of
one photo on one core.
"""

import argparse
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from diagnose_cases import (
    CLEAN,
    LEVELS,
    MATCHING,
    Case,
    all_kinds,
    clean,
    clive,
    damaged,
    is_clipped,
    kodak,
    truth,
)
from diagnose_thresholds import BEST
from machine import record

from iqa_zoo import diagnose
from iqa_zoo.diagnosis import FLAGS, Diagnosis
from iqa_zoo.images import Pixels, opencv, read_image

HELD_OUT = range(19, 25)
BLURS, NOISES = (0, 2, 4), (5, 10, 15)  # sigma in pixels, and in grey levels
TIMED = 640, 480
RUNS = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path, help="the folder of kodak and clive")
    shared = parser.parse_args().shared
    photos = {f"kodim{n:02d}": kodak(shared, n) for n in HELD_OUT}
    found = [
        (case, diagnose(case.image))
        for name, photo in photos.items()
        for case in (*clean(name, photo), *damaged(name, photo, all_kinds()))
    ]
    record(
        "diagnose.json",
        {
            "photos": list(photos),
            "levels": list(LEVELS),
            "flags": {flag: figures(flag, found) for flag in FLAGS},
            "motion": motion(found),
            "clean": {
                "pristine": share([pair for pair in found if pair[0].kind == CLEAN]),
                "well_rated": share(undamaged(clive(shared, BEST, best=True)[1::2])),
                "worst": share(undamaged(clive(shared, BEST // 2, best=False))),
            },
            "blur_under_noise": blur_under_noise(photos),
            "speed": speed(next(iter(photos.values()))),
        },
    )


def figures(flag: str, found: list[tuple[Case, Diagnosis]]) -> dict:
    """Precision and recall of a flag, and what it was raised on."""
    right = wrong = missed = 0
    raised: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for case, diagnosis in found:
        said = diagnosis.flags[flag].verdict == "yes"
        true = truth(flag, case.kind, case.was_clipped)
        raised[case.kind][str(case.level)].append(said)
        right += said and true is True
        wrong += said and true is False
        missed += not said and true is True
    shares = {
        kind: {level: round(float(np.mean(s)), 3) for level, s in levels.items()}
        for kind, levels in raised.items()
    }
    return {
        "precision": round(right / max(right + wrong, 1), 4),
        "recall": round(right / (right + missed), 4),
        "matching": {kind: shares[kind] for kind in MATCHING[flag]},
        "also": {
            kind: levels
            for kind, levels in shares.items()
            if any(levels.values()) and kind not in MATCHING[flag]
        },
    }


def motion(found: list[tuple[Case, Diagnosis]]) -> dict:
    """How often blur that was found is told to be of the right sort."""
    counts: Counter[tuple[bool, bool]] = Counter()
    for case, diagnosis in found:
        flag = diagnosis.flags["blurred"]
        if case.kind in MATCHING["blurred"] and flag.verdict == "yes":
            counts[case.kind == "motion_blur", flag.kind == "motion"] += 1
    right = counts[True, True]
    return {
        "precision": round(right / max(right + counts[False, True], 1), 4),
        "recall": round(right / max(right + counts[True, False], 1), 4),
    }


def undamaged(paths: list[Path]) -> list[tuple[Case, Diagnosis]]:
    """Photos as they are, with their diagnoses."""
    images = ((path.name, read_image(path)) for path in paths)
    return [
        (Case(name, CLEAN, 0, is_clipped(image), image), diagnose(image))
        for name, image in images
    ]


def share(found: list[tuple[Case, Diagnosis]]) -> dict:
    """The share of clean photos that each flag was raised on, and of false flags.

    A photo that is clipped as it comes is no false flag.
    """
    count = len(found)
    raised, false, faulty, unknown = Counter(), 0, 0, 0
    for case, diagnosis in found:
        flags = {flag.name for flag in diagnosis.faults}
        raised.update(flags)
        wrong = {f for f in flags if truth(f, CLEAN, case.was_clipped) is False}
        false += len(wrong)
        faulty += bool(wrong)
        unknown += len(diagnosis.unknown)
    return {
        "photos": count,
        "clipped_as_they_come": sum(case.was_clipped for case, _ in found),
        "false_flags": round(false / (count * len(FLAGS)), 4),
        "any_false": round(faulty / count, 4),
        "cannot_tell": round(unknown / (count * len(FLAGS)), 4),
        "raised": {flag: round(raised[flag] / count, 4) for flag in FLAGS},
    }


def blur_under_noise(photos: dict[str, Pixels]) -> dict:
    """How many verdicts on blur change when noise is added."""
    changed = [
        f"{name}, blur {blur}, noise {noise} {'grey' if grey else 'in colour'}"
        for name, photo in photos.items()
        for blur in BLURS
        for noise, grey, before, after in verdicts(photo, blur)
        if before != after
    ]
    pairs = len(photos) * len(BLURS) * len(NOISES) * 2
    return {"pairs": pairs, "changed": len(changed), "which": changed}


def verdicts(photo: Pixels, blur: int) -> Iterator[tuple[int, bool, str, str]]:
    """Noise, whether it is the same in all channels, and both verdicts."""
    cv2 = opencv()
    random = np.random.default_rng(blur)
    soft = cv2.GaussianBlur(photo, (0, 0), blur) if blur else photo
    before = diagnose(soft).flags["blurred"].verdict
    for noise in NOISES:
        for grey in (False, True):
            drawn = random.standard_normal((*photo.shape[:2], 1 if grey else 3))
            noisy = np.rint((soft + noise * drawn).clip(0, 255)).astype(np.uint8)
            yield noise, grey, before, diagnose(noisy).flags["blurred"].verdict


def speed(photo: Pixels) -> dict:
    """Photos a second at 640 x 480, on one core, from pixels to diagnosis."""
    cv2 = opencv()
    cv2.setNumThreads(1)
    frame = cv2.resize(photo, TIMED, interpolation=cv2.INTER_AREA)
    wall, processor = [], []
    for _ in range(RUNS):
        start, begun = time.perf_counter(), time.process_time()
        diagnose(frame)
        wall.append(time.perf_counter() - start)
        processor.append(time.process_time() - begun)
    seconds, busy = statistics.median(wall), statistics.median(processor)
    return {
        "size": list(TIMED),
        "milliseconds": round(1000 * seconds, 2),
        "processor_milliseconds": round(1000 * busy, 2),
        # Of a core that nothing else runs on.
        "frames_per_second": round(1 / busy, 1),
    }


if __name__ == "__main__":
    main()
