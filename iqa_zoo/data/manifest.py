"""Tables of opinion scores, checked whole before anything is trained on them."""

import logging
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iqa_zoo.data.columns import is_number
from iqa_zoo.data.rows import check_images, merged, parse_rows, rows_by_image
from iqa_zoo.data.tables import Problem, Table, read_table
from iqa_zoo.errors import OpinionError, UnknownNameError, UsageError
from iqa_zoo.opinions import DIRECTIONS, to_distribution, votes_to_distribution

FloatArray = NDArray[np.float64]

LEAST_ROWS = 10

# Columns whose names may mean something else in a stranger's table.
_UNASKED = ("votes", "reference", "split", "distortion", "level", "pseudo")

_LISTED = 20  # problems that an error spells out; the others are counted

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Images and the opinions about them, row by row in the table's order.

    Attributes:
        names: image names as the table has them.
        paths: the files, in the folder of images.
        mos: float64 (rows,), on `range`; DMOS where `direction` says so.
        std: float64 (rows,), standard deviations of the ratings in units of `range`,
            or None.
        group: for each row the name of what must not be torn apart by a split
            (reference picture, prompt), or None.
        range: the lowest and the highest possible score.
        direction: "higher_is_better" or "lower_is_better".
        range_inferred: `range` was not given but taken from the scores.
        votes: float64 (rows, levels), counts or shares of the ratings, the worst level
            first, the levels spread evenly over `range`, ends included; or None.
        reference: for each row the pristine picture that it was made from, or None.
        split: for each row "train", "validation" or "test", or None.
        distortion: for each row the name of its distortion, or None.
        level: for each row the number of its distortion's level, or None.
        pseudo: the metric that the scores are made of, where they are nobody's opinions
            (see `iqa-zoo distort --pseudo-mos`), or None.
        skipped: rows of the table that were left out because they are bad.
    """

    names: tuple[str, ...]
    paths: tuple[Path, ...]
    mos: FloatArray
    std: FloatArray | None
    group: tuple[str, ...] | None
    range: tuple[float, float]
    direction: str
    range_inferred: bool
    votes: FloatArray | None = None
    reference: tuple[Path, ...] | None = None
    split: tuple[str, ...] | None = None
    distortion: tuple[str, ...] | None = None
    level: tuple[int, ...] | None = None
    pseudo: str | None = None
    skipped: int = 0

    def scores(self, scale: tuple[float, float]) -> FloatArray:
        """float64 (rows,): the opinions on `scale`, high for good."""
        (low, high), (first, last) = scale, self.range
        share = (self.mos - first) / (last - first)
        if self.direction == "lower_is_better":
            share = 1 - share
        return low + share * (high - low)

    def distribution(
        self,
        scale: tuple[float, float] = (1, 10),
        bins: int = 10,
        rows: NDArray[np.int64] | slice = slice(None),
    ) -> FloatArray:
        """float64 (rows, bins): the opinions over bins of `scale`, best last.

        The votes themselves where there are any; else what mean and deviation say.
        """
        if self.votes is not None:
            return votes_to_distribution(self.votes[rows], bins=bins)
        return to_distribution(
            self.mos[rows],
            None if self.std is None else self.std[rows],
            range=self.range,
            direction=self.direction,
            scale=scale,
            bins=bins,
        )


def read_labels(
    path: str | os.PathLike[str],
    images: str | os.PathLike[str],
    *,
    image: str = "image",
    mos: str = "mos",
    std: str | None = "std",
    votes: str | Sequence[str] | None = "votes",
    observer: str | None = None,
    reference: str | None = "reference",
    group: str | None = "group",
    split: str | None = "split",
    distortion: str | None = "distortion",
    level: str | None = "level",
    range: tuple[float, float] | None = None,
    direction: str | None = None,
    skip_bad: bool = False,
    required: Sequence[str] = (),
) -> Labels:
    """Read a table of one row an image, or one a vote, and check every row of it.

    The table is CSV with a header (cells parted by commas, semicolons or tabs), JSON
    lines or a JSON list of objects, in UTF-8. Columns that are not asked for are left
    alone. A column whose default name is given here is used where the table has it; any
    other name must be there. None leaves a column out.

    Args:
        path: the table. A list with the names "image_id" and "label" is idealo's
            layout: an image's name without its suffix, and its votes.
        images: folder of the images. Names in the table are paths within it; where
            there is no file of exactly that name, one is taken that differs only in
            upper and lower case, or has a suffix where the name has none.
        image: column of image names.
        mos: column of scores; with `observer`, of single votes. May be missing where
            there are votes, and is their mean then.
        std: column of the ratings' standard deviations. Taken from the votes where
            there is none.
        votes: column of lists of votes, or columns of one level each; counts or shares,
            the lowest score first.
        observer: column of the people who voted, in a table of one row a vote. The rows
            of an image are merged: their mean, and, where every image has two or more,
            their deviation and, on a scale of whole numbers, their histogram.
        reference: column of the pristine pictures, files in `images` as well.
        group: column of what must not be torn apart by a split. Where there is none,
            the reference is.
        split: column of the side that each row stands on: train, validation or test.
        distortion: column of the names of distortions.
        level: column of the levels of distortions, whole numbers from 0.
        range: lowest and highest possible score. None takes the one that votes and
            scores agree on, or the narrowest of COMMON_RANGES that contains all scores,
            and logs it.
        direction: "higher_is_better" (MOS) or "lower_is_better" (DMOS). None takes the
            latter where the column of scores has "dmos" in its name, and logs it.
        skip_bad: leave rows out that cannot be used, and log them, instead of refusing
            the table. Of rows that contradict each other the first is kept.
        required: arguments whose columns must be there although they have their default
            names.

    Raises:
        OpinionError: the table cannot be read, or rows are unusable. One error lists
            the problems of all rows, each with its line in the file.
        UnknownNameError: a column or a direction of that name does not exist.
        UsageError: `range` cannot be meant, or columns that exclude each other.
    """
    if direction is not None and direction not in DIRECTIONS:
        raise UnknownNameError("direction", direction, DIRECTIONS)
    if range is not None and not _is_range(range):
        raise UsageError(
            f"range {range!r} cannot be meant; give two numbers, the lower one first "
            "(direction says whether high is good)."
        )
    path, folder = Path(path), Path(images)
    if not folder.is_dir():
        raise OpinionError(f"The folder of images {folder} does not exist.")
    table = read_table(path)
    wanted = {
        "image": image,
        "mos": mos,
        "std": std,
        "votes": votes,
        "observer": observer,
        "reference": reference,
        "group": group,
        "split": split,
        "distortion": distortion,
        "level": level,
        "pseudo": "pseudo",
    }
    if not table.header:
        raise OpinionError(_report(path, table, table.problems or [(0, "no rows")]))
    names = _chosen(path, table, wanted, required)
    if direction is None:
        is_dmos = "dmos" in "".join(names.get("mos", ())).lower()
        direction = "lower_is_better" if is_dmos else "higher_is_better"
        if is_dmos:
            _log.info("%s: low scores taken to be good, by their column's name", path)

    problems = list(table.problems)
    rows = parse_rows(table, names, folder, range, problems)
    together = rows_by_image(rows, problems, skip_bad=skip_bad)
    of_rows = len(problems)
    check_images(rows, together, problems, forgive_copies=not skip_bad)
    total = len(table.rows) + len(table.problems)
    if skip_bad:  # an image that is bad with all the votes on it
        bad = {place for place, _ in problems[of_rows:]}
        together = [rows_ for rows_ in together if rows.place[rows_[0]] not in bad]
    count = len(together) if skip_bad or observer else total
    if count < LEAST_ROWS:
        what = ("images" if observer else "rows") + " are left" * skip_bad
        problems.append((0, f"{count} {what}; {LEAST_ROWS} or more are needed"))
    if any(not place for place, _ in problems) or (problems and not skip_bad):
        raise OpinionError(_report(path, table, problems) + _hint(names, problems))
    skipped = total - sum(map(len, together))
    if skipped:
        head = f"{skipped} of {total} rows are left out"
        _log.warning("%s", _report(path, table, problems, head))
    if range is None:
        _log.info("%s: range of scores taken to be %g to %g", path, *rows.range)
    opinions = merged(rows, together)
    votes_worst_first = opinions.votes
    if votes_worst_first is not None and direction == "lower_is_better":
        votes_worst_first = votes_worst_first[:, ::-1]

    first = [members[0] for members in together]

    def column(values: list[Any] | None) -> tuple[Any, ...] | None:
        return tuple(values[row] for row in first) if values is not None else None

    references = column(rows.reference)
    groups = column(rows.group)
    if groups is None and references is not None:
        groups = tuple(file.relative_to(folder).as_posix() for file in references)
    return Labels(
        names=tuple(rows.image[row] for row in first),
        paths=tuple(file for row in first if (file := rows.path[row])),
        mos=opinions.mos,
        std=opinions.std,
        group=groups,
        range=rows.range,
        direction=direction,
        range_inferred=range is None,
        votes=votes_worst_first,
        reference=references,
        split=column(rows.split),
        distortion=column(rows.distortion),
        level=column(rows.level),
        pseudo=rows.pseudo[first[0]] if rows.pseudo else None,
        skipped=skipped,
    )


def _is_range(value: Any) -> bool:
    """Whether it is two finite numbers, the lower one first."""
    try:
        low, high = value
        return bool(-math.inf < low < high < math.inf)
    except (TypeError, ValueError):
        return False


def _chosen(
    path: Path,
    table: Table,
    wanted: Mapping[str, str | Sequence[str] | None],
    required: Sequence[str],
) -> dict[str, list[str]]:
    """The names of the columns that are used, by what they hold."""
    roles: dict[str, list[str]] = {}
    for role, given in wanted.items():
        roles[role] = [given] if isinstance(given, str) else list(given or ())
        if len(roles[role]) > 1 and role != "votes":
            raise UsageError(f"{role} is one column, not {roles[role]}.")
    if not roles["image"]:
        raise UsageError("The column of image names (image) cannot be left out.")
    must = {*required, "observer"}
    optional = {r for r, names in roles.items() if names == [r] and r not in must}
    if table.unit == "entry" and {"image_id", "label"} <= set(table.header):
        idealo = {"image": ["image_id"], "votes": ["label"]}
        roles |= {role: idealo[role] for role in optional & idealo.keys()}
        optional -= idealo.keys()
    asked = {
        name for role, names in roles.items() if role not in optional for name in names
    }
    chosen = {}
    for role, names in roles.items():
        if role in optional and (role not in table.header or role in asked):
            continue  # not there, or there as something else
        if (
            names
            and role not in optional
            and role in ("std", "votes")
            and roles["observer"]
        ):
            raise UsageError(
                f"{role} and observer exclude each other: of single votes {role} is "
                "computed."
            )
        if names:
            chosen[role] = names
    if "votes" in chosen and "votes" in optional and table.rows:
        index = table.header.index("votes")
        if all(is_number(cells[index]) for _, cells in table.rows):
            del chosen["votes"]  # how many there are, not which
    if roles["observer"]:
        chosen = {r: n for r, n in chosen.items() if r not in ("std", "votes")}
    if "image" not in chosen:
        remedy = "Name the column of images (image, --image-column)."
        raise UnknownNameError(f"column of {path}", "image", table.header, remedy)
    if "mos" not in chosen and "votes" not in chosen:
        if not roles["mos"]:
            raise UsageError(f"{path} has no votes; mos cannot be left out.")
        remedy = "Name the column of scores (mos, --mos-column)."
        raise UnknownNameError(f"column of {path}", "mos", table.header, remedy)
    for name in (name for names in chosen.values() for name in names):
        if name not in table.header:
            raise UnknownNameError(f"column of {path}", name, table.header)
        if (count := table.header.count(name)) > 1:
            raise OpinionError(f"{path} has {count} columns {name!r}.")
    return chosen


def _hint(names: Mapping[str, Sequence[str]], problems: Sequence[Problem]) -> str:
    """How to leave out the columns with problems that nobody asked for."""
    blamed = [
        role
        for role in _UNASKED
        if role in names
        and names[role] == [role]
        and any(text.startswith((f"{role} ", f"the {role}'s")) for _, text in problems)
    ]
    return "".join(
        f"\nThe column {role} is used because of its name; {role}=None (an empty name "
        "on the command line) leaves it out."
        for role in blamed
    )


def _report(
    path: Path, table: Table, problems: Sequence[Problem], head: str = "cannot be used"
) -> str:
    listed = [
        f"  {table.unit} {place}: {text}" if place else f"  {text}"
        for place, text in sorted(problems)[:_LISTED]
    ]
    if len(problems) > _LISTED:
        listed.append(f"  and {len(problems) - _LISTED} more")
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return "\n".join([f"{path} {head} ({count}):", *listed])
