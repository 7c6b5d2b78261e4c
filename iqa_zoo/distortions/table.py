"""The table of a set of distorted pictures: one row a picture."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from iqa_zoo.distortions import KINDS
from iqa_zoo.distortions.chains import Chain, chain_name, chain_of
from iqa_zoo.distortions.pseudo import POWERS, pseudo_mos
from iqa_zoo.errors import OutputError, UsageError
from iqa_zoo.files import sha256, write_bytes

MANIFEST, REFERENCE = "manifest.csv", "reference.png"
#: Of the manifest. `mse` is the mean squared error to the reference, over all values of
#: 0 to 255; nobody's opinion.
COLUMNS = ("image", "reference", "distortion", "level", "seed", "mse")

Row = dict[str, Any]

_FOLDER = re.compile(r"[\w.-]{0,50}-[0-9a-f]{12}")  # of a photo
_NAME = re.compile(r"([^/]+)/([^/]+)-(\d+)\.png")  # of a picture


def columns(metric: str | None) -> tuple[str, ...]:
    """The columns of a set's table.

    With a metric there are also `mos`, the pseudo-MOS; `pseudo`, the metric's name,
    which says that it is one; and the metric's score under its name.
    """
    return (*COLUMNS, "mos", "pseudo", metric) if metric else COLUMNS


def make_row(
    folder: str, chain: Chain, seed: int, mse: float, metric: str | None, score: float
) -> Row:
    """The row of a picture.

    The distortion of a chain of two or more is its name, its level the highest.

    Args:
        folder: of the photo, in the set's.
        chain, seed: what was done to it.
        mse: mean squared error to the reference.
        metric: what the pseudo-MOS is taken from; None: there is none.
        score: the metric's.
    """
    cells: tuple[Any, ...] = (
        picture_name(folder, chain, seed),
        f"{folder}/{REFERENCE}",
        chain[0][0] if len(chain) == 1 else chain_name(chain),
        max(level for _, level in chain),
        seed,
        mse,
    )
    if metric:
        cells += pseudo_mos(metric, score), metric, score
    return dict(zip(columns(metric), cells, strict=True))


def picture_name(folder: str, chain: Chain, seed: int) -> str:
    """A picture's name in the set's folder."""
    return f"{folder}/{chain_name(chain)}-{seed}.png"


def read_manifest(out: Path) -> list[Row]:
    """The rows of the pictures that are still there; none where there is no manifest.

    Raises:
        UsageError: the file is no manifest of a set.
        OutputError: it cannot be read.
    """
    path = out / MANIFEST
    known = [set(columns(metric)) for metric in (None, *POWERS)]
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        reader = csv.DictReader(io.StringIO(text), strict=True)
        if text and set(reader.fieldnames or ()) not in known:
            raise ValueError(f"its columns are not {', '.join(COLUMNS)}")
        rows = [_checked(row) for row in reader]
    except (ValueError, TypeError, KeyError, csv.Error) as error:
        raise UsageError(
            f"{path} is no table of distorted pictures ({error}). Name another folder."
        ) from error
    except OSError as error:
        raise OutputError(f"Cannot read {path}: {error.strerror or error}.") from error
    return [row for row in rows if (out / row["image"]).exists()]


def _checked(row: dict[str, str]) -> Row:
    """A row with its numbers, made again from what tells the rest of it.

    Raises:
        ValueError: it is not one that `write_manifest` writes.
    """
    metric = row.get("pseudo")
    name = _NAME.fullmatch(row["image"] or "")
    if name and _FOLDER.fullmatch(name[1]):
        chain, seed = _chain_of(name[2]), int(name[3])
        score = float(row[metric]) if metric else 1.0
        if chain:
            made = make_row(name[1], chain, seed, float(row["mse"]), metric, score)
            if {key: str(value) for key, value in made.items()} == row:
                return made
    raise ValueError(f"no row of a set: {repr(list(row.values()))[:200]}")


def _chain_of(name: str) -> Chain:
    try:
        return chain_of(name)
    except ValueError:
        return ()


def write_manifest(out: Path, rows: Iterable[Row], metric: str | None = None) -> int:
    """Write the table of a set, one row a picture, whatever the order of `rows`.

    A table with pseudo-MOS is one of opinions, in which no picture stands twice: of
    pictures with the same pixels only the first has a row.

    Args:
        out: the set's folder.
        rows: rows of `make_row`; with a metric all have its score.
        metric: what the pseudo-MOS is taken from, if there is one.

    Returns:
        How many pictures have no row.

    Raises:
        OutputError: it cannot be written.
    """
    unique = sorted({row["image"]: row for row in rows}.values(), key=_place)
    kept = list(_distinct(out, unique)) if metric else unique
    text = io.StringIO()
    writer = csv.DictWriter(text, columns(metric), lineterminator="\n")
    writer.writeheader()
    writer.writerows(kept)
    write_bytes(out / MANIFEST, text.getvalue().encode())
    return len(unique) - len(kept)


_ORDER = {kind: number for number, kind in enumerate(KINDS)}


def _place(row: Row) -> tuple[Any, ...]:
    """By the photo; chains of one first, in the order of the kinds."""
    name = _NAME.fullmatch(row["image"])
    steps = chain_of(name[2]) if name else ()
    chain = [(_ORDER[kind], level) for kind, level in steps]
    return row["reference"], len(chain), chain, row["seed"]


def _distinct(out: Path, rows: Iterable[Row]) -> Iterator[Row]:
    """The rows without those whose file is byte for byte that of an earlier one.

    Of equal files the error to the reference is equal; only such files are read.
    """
    rows = list(rows)
    errors = Counter(row["mse"] for row in rows)
    seen = set()
    for row in rows:
        if errors[row["mse"]] > 1:
            content = sha256((out / row["image"]).read_bytes())
            if content in seen:
                continue
            seen.add(content)
        yield row
