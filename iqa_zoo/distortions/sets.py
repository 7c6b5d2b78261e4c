"""Distorted pictures in a folder, and the table of what each of them is.

A file's name says all that its content depends on: the photo (its name, and the first
digits of the SHA-256 of its pixels), the kind, the level and the seed. So what is there
already need not be made again, and nothing else ever gets that name.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from iqa_zoo.distortions import KINDS, LEVELS, distort
from iqa_zoo.errors import ImageError, IqaError, OutputError, UsageError
from iqa_zoo.files import sha256, write_bytes
from iqa_zoo.images import out_of_memory, read_image

MANIFEST, REFERENCE = "manifest.csv", "reference.png"
#: Of the manifest. `mse` is the mean squared error to the reference, over all values of
#: 0 to 255; nobody's opinion.
COLUMNS = ("image", "reference", "distortion", "level", "seed", "mse")

Row = dict[str, Any]

_FOLDER = re.compile(r"[\w.-]{0,50}-[0-9a-f]{12}")  # of a photo


def place_pictures(
    photo: str, out: Path, kinds: Sequence[str], levels: Sequence[int], seed: int = 0
) -> Iterator[Row | IqaError]:
    """Make the distorted pictures of one photo, and its own copy beside them.

    Args:
        photo: a file's name.
        out: the set's folder; it gets a folder for the photo, with PNG files.
        kinds, levels, seed: as `distort` takes them.

    Yields:
        A row of the manifest for each picture, made now or there already; or in place
        of it the reason why there is none: an ImageError once for a photo that cannot
        be read, a UsageError once for each kind that the photo is too small for.

    Raises:
        OutputError: a picture cannot be written.
    """
    try:
        pixels = read_image(photo)
        # Names that all systems and tables take.
        stem = re.sub(r"[^\w.-]", "_", Path(photo).stem)[:50]
        size = "x".join(map(str, pixels.shape)).encode()
        folder = f"{stem}-{sha256(size + pixels.tobytes())[:12]}"
        kept = _kept(out / folder / REFERENCE, pixels.shape)
        if kept is None or not np.array_equal(kept, pixels):
            _write_png(out / folder / REFERENCE, pixels)
        for kind in kinds:
            try:
                for level in levels:
                    yield _place(pixels, out, folder, kind, level, seed)
            except UsageError as error:
                yield UsageError(f"{photo}: {kind}: {error}")
    except ImageError as error:
        yield error
    except MemoryError:
        yield out_of_memory(photo)


def _place(
    pixels: NDArray[np.uint8], out: Path, folder: str, kind: str, level: int, seed: int
) -> Row:
    name = f"{folder}/{kind}-{level}-{seed}.png"
    damaged = _kept(out / name, pixels.shape)
    if damaged is None:
        damaged = distort(pixels, kind, level, seed=seed)
        _write_png(out / name, damaged)
    mse = np.mean(np.square(np.subtract(damaged, pixels, dtype=np.float32)))
    cells = (name, f"{folder}/{REFERENCE}", kind, level, seed, round(float(mse), 4))
    return dict(zip(COLUMNS, cells, strict=True))


def _kept(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
    """The picture that is there; None where none is, or a damaged or another one."""
    try:
        pixels = read_image(path)
    except ImageError:
        return None
    return pixels if pixels.shape == shape else None


def read_manifest(out: Path) -> list[Row]:
    """The rows of the pictures that are still there; none where there is no manifest.

    Raises:
        UsageError: the file is no manifest of a set.
        OutputError: it cannot be read.
    """
    path = out / MANIFEST
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        reader = csv.DictReader(io.StringIO(text), strict=True)
        if text and set(reader.fieldnames or ()) != set(COLUMNS):
            raise ValueError(f"its columns are not {', '.join(COLUMNS)}")
        rows: list[Row] = list(reader)
        for row in rows:
            if not _is_of_a_set(row):
                raise ValueError(f"no row of a set: {repr(list(row.values()))[:200]}")
            row |= {key: int(row[key]) for key in ("level", "seed")}
    except (ValueError, TypeError, csv.Error) as error:
        raise UsageError(
            f"{path} is no table of distorted pictures ({error}). Name another folder."
        ) from error
    except OSError as error:
        raise OutputError(f"Cannot read {path}: {error.strerror or error}.") from error
    return [row for row in rows if (out / row["image"]).exists()]


def _is_of_a_set(row: Row) -> bool:
    """Whether a row is one that `write_manifest` writes."""
    if row.keys() != set(COLUMNS) or row["distortion"] not in KINDS:
        return False
    kind, level, seed = (row[key] for key in ("distortion", "level", "seed"))
    folder = row["image"].partition("/")[0]
    return bool(
        int(level) in LEVELS
        and int(seed) >= 0
        and _FOLDER.fullmatch(folder)
        and row["image"] == f"{folder}/{kind}-{level}-{seed}.png"
        and row["reference"] == f"{folder}/{REFERENCE}"
    )


def write_manifest(out: Path, rows: Iterable[Row]) -> None:
    """Write the table of a set, one row a picture, whatever the order of `rows`.

    Raises:
        OutputError: it cannot be written.
    """
    place = {kind: number for number, kind in enumerate(KINDS)}
    unique = {row["image"]: row for row in rows}
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        sorted(
            unique.values(),
            key=lambda row: (
                row["reference"],
                place[row["distortion"]],
                row["level"],
                row["seed"],
            ),
        )
    )
    write_bytes(out / MANIFEST, text.getvalue().encode())


def _write_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    file = io.BytesIO()
    PillowImage.fromarray(pixels).save(file, "PNG")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"Cannot make the folder {path.parent}: {error.strerror or error}."
        ) from error
    write_bytes(path, file.getvalue())
