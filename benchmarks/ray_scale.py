"""Ray against one machine: each row once, and what it costs.

    python benchmarks/ray_scale.py ../shared/data/clive/images

As many photos as asked for are made of those in the folder: these, and parts of them
shifted by a few pixels, in a folder that is removed in the end.

1. All are scored with Ray while, half-way, a worker process is killed. The rows are
   compared with those of `iqa_zoo.score`.
2. The photos are dealt out over rounds. In each, `iqa_zoo.score` and Ray score the same
   ones on the same cores, one after the other, and the overhead is that of the medians.
   Ray is started for each run; its start-up is told by itself, and its rate is that
   from the first tenth of the photos on, when all actors are at work.
3. Rates at one actor, two and more.
"""

import argparse
import os
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq
from machine import record
from PIL import Image

import iqa_zoo
from iqa_zoo import ray, registry
from iqa_zoo.ray.cluster import connected
from iqa_zoo.results import LISTS
from iqa_zoo.threads import cores

MILLION = 1_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default=registry.default_model())
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        paths = make_photos(options.folder, work / "photos", options.images)
        results = {
            "model": options.model,
            "images": len(paths),
            "rounds": options.rounds,
            "mean_kilobytes": round(
                statistics.mean(os.path.getsize(path) for path in paths) / 1000
            ),
            "killed": killed(paths, options.model, work / "killed"),
            "overhead": overhead(paths, options.model, options.rounds, work),
        }
        part = paths[:: options.rounds]
        counts = sorted({1, 2, cores(), 2 * cores()})
        results["actors"] = {
            str(count): with_ray(part, options.model, work / f"actors-{count}", count)
            for count in counts
        }
    rate = results["actors"][str(cores())]["images_per_second"]
    results["million"] = {
        "core_hours": round(MILLION / (rate / cores()) / 3600, 1),
        "hours_here": round(MILLION / rate / 3600, 1),
    }
    record("ray_scale.json", results)


def make_photos(source: Path, folder: Path, count: int) -> list[str]:
    """The names of `count` photos, first those of `source` and then parts of them."""
    folder.mkdir()
    originals = sorted(path for path in source.iterdir() if path.is_file())
    names = []
    for number in range(count):
        turn, place = divmod(number, len(originals))
        original = originals[place]
        name = folder / f"{turn}-{original.name}"
        if turn == 0:
            name.symlink_to(original.resolve())
        else:
            with Image.open(original) as photo:
                part = (8 * turn, 4 * turn, photo.width - 4 * turn, photo.height)
                photo.convert("RGB").crop(part).save(name, "JPEG", quality=90)
        names.append(str(name))
    return names


def killed(paths: list[str], model: str, out: Path) -> dict:
    """What a run gives in which a worker is killed half-way."""
    victims: list[int] = []

    def kill(report: ray.Report) -> None:
        if not victims and report.images >= len(paths) / 2:
            victims.append(workers()[0])
            os.kill(victims[0], signal.SIGKILL)
            tell(f"killed worker {victims[0]} after {report.images} images")

    report = ray.score(paths, out, model, progress=kill)
    rows = pq.read_table(out).to_pylist()
    for row in rows:
        row |= {name: row[name] and tuple(row[name]) for name in LISTS}
    found = {row["path"]: iqa_zoo.ImageScore(**row) for row in rows}
    wanted = {one.path: one for one in iqa_zoo.score(paths, model)}
    told = {
        "workers_killed": len(victims),
        "rows": len(rows),
        "images_with_one_row": len(found) if len(found) == len(rows) else None,
        "equal_to_one_machine": sum(wanted[path] == one for path, one in found.items()),
        "images": len(wanted),
        "startup_seconds": round(report.startup, 1),
    }
    tell(told)
    if not (victims and len(rows) == len(found) and found == wanted):
        raise SystemExit("Not every image has the one row that it should have.")
    return told


def workers() -> list[int]:
    """The processes that score, as far as they are of this process's Ray."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and is_worker(entry):
                found.append(int(entry.name))
        except OSError:  # it has ended since
            pass
    return found


def is_worker(entry: Path) -> bool:
    if not (entry / "cmdline").read_bytes().startswith(b"ray::MapWorker"):
        return False
    parent = entry
    while parent.name not in ("0", "1"):
        if int(parent.name) == os.getpid():
            return True
        fields = (parent / "stat").read_text().rpartition(")")[2].split()
        parent = Path("/proc") / fields[1]
    return False


def overhead(paths: list[str], model: str, rounds: int, work: Path) -> dict:
    """Rates of one process and of Ray on the same cores, turn and turn about."""
    alone, with_actors, startups = [], [], []
    for turn in range(rounds):
        part = paths[turn::rounds]
        start = time.perf_counter()
        count = sum(one.value is not None for one in iqa_zoo.score(part, model))
        alone.append(count / (time.perf_counter() - start))
        tell(f"iqa_zoo.score: {alone[-1]:.2f} images/s")
        told = with_ray(part, model, work / f"overhead-{turn}", cores())
        with_actors.append(told["images_per_second"])
        startups.append(told["startup_seconds"])
    rates = [statistics.median(alone), statistics.median(with_actors)]
    return {
        "iqa_zoo.score": round(rates[0], 2),
        "ray": round(rates[1], 2),
        "overhead": round(rates[0] / rates[1] - 1, 3),
        "startup_seconds": statistics.median(startups),
    }


def with_ray(paths: list[str], model: str, out: Path, actors: int) -> dict:
    """Start-up, and the rate from the first tenth of the photos on."""
    seen: list[tuple[int, float]] = []

    def see(report: ray.Report) -> None:
        seen.append((report.images, time.perf_counter()))

    begun = time.perf_counter()
    # More actors than cores need a Ray that counts more of these.
    with connected(processors=max(actors, cores())):
        started = time.perf_counter() - begun
        report = ray.score(paths, out, model, actors=actors, progress=see)
    first = next(i for i, (images, _) in enumerate(seen) if images >= len(paths) / 10)
    images, seconds = (b - a for a, b in zip(seen[first], seen[-1], strict=True))
    told = {
        "startup_seconds": round(started + report.startup, 1),
        "images_per_second": round(images / seconds, 2),
    }
    tell(f"{actors} actors: {told}")
    return told


def tell(what: object) -> None:
    print(what, file=sys.stderr)


if __name__ == "__main__":
    main()
