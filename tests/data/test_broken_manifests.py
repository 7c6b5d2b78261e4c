"""Every kind of broken table gets an error of its own that names the row."""

import json
import logging

import numpy as np
import pytest
from PIL import Image

from iqa_zoo.data.manifest import read_labels
from iqa_zoo.errors import OpinionError, UnknownNameError, UsageError
from tests.helpers.pictures import encoded


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures 0.png to 14.png, and some that repeat the first ones."""
    folder = tmp_path_factory.mktemp("images")
    random = np.random.default_rng(3)
    for number in range(15):
        pixels = random.integers(0, 256, (8, 9 + number % 2, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    first = folder / "0.png"
    (folder / "copy of 0.png").write_bytes(first.read_bytes())
    (folder / "0 as.bmp").write_bytes(encoded(Image.open(first), "BMP"))
    (folder / "damaged.png").write_bytes(first.read_bytes()[:-30])
    for name in ("one.bmp", "ONE.png"):
        (folder / name).write_text(name)
    return folder


HEADER = "image,mos,std,votes,scene,reference,side,level,who"


def good(row):
    """A row of a table that is in order; its line in the file is `row` + 2."""
    return {
        "image": f"{row}.png",
        "mos": f"{1 + row % 5}",
        "std": "0.5",
        "votes": {0: "4 1 0 0 0", 4: "0 0 0 1 4"}.get(row % 5, "1 1 1 1 1"),
        "scene": f"scene {row // 2}",
        "reference": "14.png",
        "side": "train" if row < 8 else "test",
        "level": f"{row % 3}",
        "who": f"observer {row}",
    }


def table(path, *changed, rows=12, more=()):
    """A table where row -> {column: cell} is changed, and lines are added."""
    cells = [good(row) for row in range(rows)]
    for row, changes in changed:
        cells[row] |= changes
    lines = [HEADER, *(",".join(row.values()) for row in cells), *more]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


PLAIN = {"votes": None, "reference": None, "level": None}
VOTES = {**PLAIN, "votes": "votes"}
SIDES = {**PLAIN, "group": "scene", "split": "side"}

# What is wrong; arguments; changes, or a whole file; and what the error says.
# fmt: off
BROKEN = {
    "missing file": (PLAIN, [(3, {"image": "no.png"})],
        "line 5: image 'no.png' is not in "),
    "empty name": (PLAIN, [(3, {"image": ""})],
        "line 5: the image's name is empty"),
    "outside the folder": (PLAIN, [(3, {"image": "../3.png"})],
        "line 5: image '../3.png' is not inside "),
    "several files": (PLAIN, [(3, {"image": "one"})],
        "line 5: image 'one' could be any of ['ONE.png', 'one.bmp']"),
    "image twice": (PLAIN, [(3, {"image": "./1.png"})],
        "line 5: image './1.png' is already in line 3"),
    "content twice": (PLAIN, [(5, {"image": "copy of 0.png"})],
        "line 7: image 'copy of 0.png' has the content of '0.png' in line 2"),
    "pixels twice": (PLAIN, [(5, {"image": "0 as.bmp"})],
        "line 7: image '0 as.bmp' has the pixels of '0.png' in line 2"),
    "NaN": (PLAIN, [(4, {"mos": "nan"})],
        "line 6: mos 'nan' is not a finite number"),
    "infinite": (PLAIN, [(4, {"std": "-inf"})],
        "line 6: std '-inf' is not a finite number"),
    "no number": (PLAIN, [(4, {"mos": "good"})],
        "line 6: mos 'good' is not a finite number"),
    "a slip that Python reads": (PLAIN, [(4, {"mos": "1_5"})],
        "line 6: mos '1_5' is not a finite number"),
    "empty score": (PLAIN, [(4, {"mos": " "})],
        "line 6: mos is empty"),
    "out of range": ({**PLAIN, "range": (1, 5)}, [(4, {"mos": "5.5"})],
        "line 6: mos 5.5 is outside 1 to 5"),
    "on no scale": (PLAIN, [(4, {"mos": "-999"})],
        "mos goes from -999 to 5, which is on no common scale"),
    "negative deviation": (PLAIN, [(4, {"std": "-0.1"})],
        "line 6: std -0.1 is negative"),
    "deviation of another scale": (PLAIN, [(4, {"std": "18"})],
        "line 6: std 18 is more than scores from 1 to 5 can have"),
    "negative vote": (VOTES, [(6, {"votes": "1 -2 5 1 1"})],
        "line 8: votes has the negative vote -2"),
    "no vote": (VOTES, [(6, {"votes": "[0; 0; 0; 0; 0]"})],
        "line 8: votes has the sum 0"),
    "too few levels": (VOTES, [(6, {"votes": "1 2 3"})],
        "line 8: votes has 3 votes where most rows have 5"),
    "one level": (VOTES, [(6, {"votes": "7"})],
        "line 8: votes has 1 votes; 2 levels or more are needed"),
    "a vote that is no number": (VOTES, [(6, {"votes": "1 1 x 1 1"})],
        "line 8: votes has 'x', which is not a finite number"),
    "no votes at all": (VOTES, [(6, {"votes": ""})],
        "line 8: votes is empty"),
    "votes the wrong way round": (VOTES,
        [(row, {"votes": f"{row % 5} 0 0 0 {4 - row % 5}"}) for row in range(12)],
        "votes and scores go in opposite directions"),
    "empty group": (SIDES, [(2, {"scene": ""})],
        "line 4: scene is empty"),
    "group on two sides": (SIDES, [(9, {"scene": "scene 1"})],
        "line 11: scene 'scene 1' is in test here and in train in line 4"),
    "reference on two sides": ({**PLAIN, "reference": "reference", "split": "side"},
        [(row, {"reference": "13.png"}) for row in range(7)],
        "line 10: reference '14.png' is in test here and in train in line 9"),
    "missing reference": ({**PLAIN, "reference": "reference"},
        [(2, {"reference": "pristine.png"})],
        "line 4: reference 'pristine.png' is not in "),
    "no reference": ({**PLAIN, "reference": "reference"}, [(2, {"reference": ""})],
        "line 4: the reference's name is empty"),
    "unknown side": (SIDES, [(2, {"side": "holdout"})],
        "line 4: side 'holdout' is none of train, validation and test"),
    "empty side": (SIDES, [(2, {"side": ""})],
        "line 4: side is empty"),
    "level that is no number": ({**PLAIN, "level": "level"}, [(2, {"level": "high"})],
        "line 4: level 'high' is not 0, 1, 2, ..."),
    "half a level": ({**PLAIN, "level": "level"}, [(2, {"level": "1.5"})],
        "line 4: level '1.5' is not 0, 1, 2, ..."),
    "too many cells": (PLAIN, [(2, {"scene": "red, green"})],
        "line 4: 10 cells where the header has 9"),
    "an observer twice": ({**PLAIN, "std": None, "observer": "who"},
        [(5, {"image": "1.png", "who": "observer 1"})],
        "line 7: 'observer 1' has judged this image in line 3"),
    "votes that disagree on the group": (
        {**PLAIN, "std": None, "observer": "who", "group": "scene"},
        [(5, {"image": "0.png"})],
        "line 7: scene 'scene 2' is 'scene 0' for this image in line 2"),
    "no observer": ({**PLAIN, "std": None, "observer": "who"}, [(5, {"who": ""})],
        "line 7: who is empty"),
}
# fmt: on
# The last of these has too many bad rows to go on without them.
NOT_A_MATTER_OF_ROWS = {
    *("on no scale", "votes the wrong way round", "reference on two sides")
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_rows(folder, tmp_path, kind):
    arguments, changes, message = BROKEN[kind]
    path = table(tmp_path / "mos.csv", *changes)
    with pytest.raises(OpinionError) as caught:
        read_labels(path, folder, **arguments)
    head, *problems = str(caught.value).splitlines()
    assert head.startswith(f"{path} cannot be used")
    assert any(problem.startswith(f"  {message}") for problem in problems), problems


@pytest.mark.parametrize("arguments", [PLAIN, VOTES, SIDES])
def test_the_table_itself_is_in_order(folder, tmp_path, arguments):
    labels = read_labels(table(tmp_path / "mos.csv"), folder, **arguments)
    assert len(labels.names) == 12
    assert labels.skipped == 0


def test_every_kind_has_words_of_its_own():
    assert len(BROKEN) >= 24
    messages = [message for *_, message in BROKEN.values()]
    assert len(set(messages)) == len(messages)


@pytest.mark.parametrize("kind", BROKEN)
def test_bad_rows_can_be_left_out(folder, tmp_path, caplog, kind):
    arguments, changes, message = BROKEN[kind]
    path = table(tmp_path / "mos.csv", *changes)
    arguments = {**arguments, "skip_bad": True}
    if kind in NOT_A_MATTER_OF_ROWS:
        with pytest.raises(OpinionError) as caught:
            read_labels(path, folder, **arguments)
        assert message in str(caught.value)
        return
    with caplog.at_level(logging.WARNING, "iqa_zoo"):
        labels = read_labels(path, folder, **arguments)
    assert labels.skipped == 1
    assert len(labels.names) == 11
    assert "1 of 12 rows are left out" in caplog.text
    assert message in caplog.text
    assert np.isfinite(labels.mos).all()


# --- whole files ----------------------------------------------------------------------


def entries(*changed, rows=12):
    found = [{"image": f"{row}.png", "mos": row % 5 + 1} for row in range(rows)]
    for row, value in changed:
        found[row] = value
    return found


def lines(*changed):
    return "\n".join(
        value if isinstance(value, str) else json.dumps(value)
        for value in entries(*changed)
    )


# fmt: off
FILES = {
    "invalid JSON": (lines((2, '{"image": "2.png", "mos": 3')),
        "  line 3: not a JSON object (Expecting"),
    "no object": (lines((2, '["2.png", 3]')),
        "  line 3: not a JSON object (it is "),
    "two values": (lines((2, '{"image": "2.png", "mos": 3, "mos": 4}')),
        "  line 3: not a JSON object (it has two values of one name)"),
    "null": (lines((2, {"image": "2.png", "mos": None})),
        "  line 3: mos is empty"),
    "a missing value": (lines((2, {"image": "2.png"})),
        "  line 3: mos is empty"),
    "JSON's NaN": (lines((2, {"image": "2.png", "mos": float("nan")})),
        "  line 3: mos 'NaN' is not a finite number"),
    "true": (lines((2, {"image": "2.png", "mos": True})),
        "  line 3: mos 'true' is not a finite number"),
    "endless lists": (lines((2, "[" * 100_000)),
        "  line 3: not a JSON object (lists within lists without end)"),
    "an entry that is no object": (json.dumps(entries((2, 7))),
        "  entry 3: not a JSON object (it is '7')"),
    "an entry's score": (json.dumps(entries((2, {"image": "2.png", "mos": "x"}))),
        "  entry 3: mos 'x' is not a finite number"),
    "a list that is cut off": (json.dumps(entries())[:-5],
        "mos.txt is not JSON: "),
    "an empty list": ("[]",
        "  no rows"),
    "nothing": ("\n \n,,\n",
        "mos.txt is empty; its first line must name the columns"),
    "a header alone": ("image,mos\n",
        "  0 rows; 10 or more are needed"),
    "a header alone, of votes": ("image,votes\n",
        "  0 rows; 10 or more are needed"),
    "a long name": ("image,mos\n" + "x" * 5000 + ".png,1\n",
        "  line 2: image '" + "x" * 120 + " ... " + "x" * 56 + ".png' is not in "),
    "a long number": ("image,mos\n0.png," + "x" * 5000 + "\n",
        "  line 2: mos '" + "x" * 120 + " ... " + "x" * 60 + "' is not a finite"),
    "too few rows": ("image,mos\n" + "".join(f"{i}.png,{i}\n" for i in range(9)),
        "  9 rows; 10 or more are needed"),
    "a column twice": ("image,mos,mos\n0.png,1,2\n",
        "has 2 columns 'mos'"),
    "a torn quote": ('image,mos\n"0.png,1\n',
        "mos.txt is not a CSV table: line 2: "),
    "idealo's votes": (json.dumps(
        [{"image_id": str(i), "label": [1] * (9 if i == 3 else 10)} for i in range(12)]
        ), "  entry 4: label has 9 votes where most rows have 10"),
    "only bad votes": (json.dumps(
        [{"image": f"{i}.png", "votes": [0, 0]} for i in range(12)]
        ), "  entry 12: votes has the sum 0"),
    "idealo's image": (json.dumps(
        [{"image_id": str(i + 4), "label": [1] * 10} for i in range(12)]
        ), "  entry 12: image '15' is not in "),
}
# fmt: on


@pytest.mark.parametrize("kind", FILES)
def test_broken_files(folder, tmp_path, kind):
    text, message = FILES[kind]
    path = tmp_path / "mos.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(OpinionError) as caught:
        read_labels(path, folder)
    assert message in str(caught.value)


def test_a_binary_file(folder):
    with pytest.raises(OpinionError, match="is not UTF-8 text"):
        read_labels(folder / "0.png", folder)


# --- leaving out ----------------------------------------------------------------------


def test_all_kinds_come_at_once(folder, tmp_path):
    changes = [
        (1, {"image": "no.png"}),
        (2, {"mos": "x"}),
        (3, {"std": "-1"}),
        (4, {"image": "copy of 0.png"}),
        (5, {"scene": "scene 4", "side": "dev"}),
    ]
    path = table(tmp_path / "mos.csv", *changes)
    with pytest.raises(OpinionError) as caught:
        read_labels(path, folder, **SIDES)
    head, *problems = str(caught.value).splitlines()
    assert head.endswith("(6 problems):")
    assert [problem.split(":")[0] for problem in problems] == [
        *("  line 3", "  line 4", "  line 5", "  line 6", "  line 10", "  line 11")
    ]


def test_columns_that_nobody_asked_for_can_be_left_out(folder, tmp_path):
    path = table(tmp_path / "mos.csv", (2, {"level": "high"}), (3, {"reference": ""}))
    with pytest.raises(OpinionError) as caught:
        read_labels(path, folder)
    *_, reference, level = str(caught.value).splitlines()
    assert reference.startswith("The column reference is used because of its name")
    assert "level=None (an empty name on the command line) leaves it out" in level
    labels = read_labels(path, folder, reference=None, level=None)
    assert labels.level is labels.reference is None


def test_too_few_remain(folder, tmp_path):
    path = table(tmp_path / "mos.csv", *((row, {"mos": ""}) for row in (1, 4, 7)))
    with pytest.raises(OpinionError) as caught:
        read_labels(path, folder, skip_bad=True, **PLAIN)
    assert "  9 rows are left; 10 or more are needed" in str(caught.value)
    assert "  line 6: mos is empty" in str(caught.value)


def test_the_first_of_two_rows_is_kept(folder, tmp_path):
    path = table(tmp_path / "mos.csv", (5, {"image": "1.png", "mos": "4"}))
    labels = read_labels(path, folder, skip_bad=True, **PLAIN)
    assert labels.names == tuple(f"{row}.png" for row in range(12) if row != 5)
    assert labels.mos[1] == 2


def test_of_two_rows_the_one_that_is_in_order_is_kept(folder, tmp_path):
    changes = [(1, {"mos": "x"}), (5, {"image": "1.png", "mos": "4"})]
    path = table(tmp_path / "mos.csv", *changes)
    labels = read_labels(path, folder, skip_bad=True, **PLAIN)
    assert labels.skipped == 1
    assert labels.mos[labels.names.index("1.png")] == 4


def test_what_is_left_out_says_nothing_of_the_range(folder, tmp_path):
    changes = [(3, {"image": "no.png", "mos": "88"}), (4, {"scene": "", "mos": "-9"})]
    path = table(tmp_path / "mos.csv", *changes)
    labels = read_labels(path, folder, skip_bad=True, **SIDES)
    assert labels.skipped == 2
    assert labels.range == (1, 5)


def test_damaged_pictures_are_left_to_those_who_read_them(folder, tmp_path, caplog):
    path = table(tmp_path / "mos.csv", (5, {"image": "damaged.png"}))
    with caplog.at_level(logging.INFO, "iqa_zoo"):
        assert len(read_labels(path, folder, **PLAIN).names) == 12
    assert "1 images cannot be read and were not compared" in caplog.text


# --- copies ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """201 files and their table; the last two are equal."""
    folder = tmp_path_factory.mktemp("many")
    for number in range(201):
        (folder / f"{number}.jpg").write_text(str(min(number, 199)).rjust(4))
    return folder


def write_many(path, count, split=None):
    rows = [
        f"{n}.jpg,{n % 5}" + (f",{split(n)}" if split else "")
        for n in range(201 - count, 201)
    ]
    path.write_text("\n".join(["image,mos" + ",split" * bool(split), *rows]))
    return path


def test_few_copies_are_warned_of(many, tmp_path, caplog):
    path = write_many(tmp_path / "mos.csv", 201)
    assert len(read_labels(path, many).names) == 201
    assert "line 202: image '200.jpg' has the content of '199.jpg'" in caplog.text
    assert read_labels(path, many, skip_bad=True).skipped == 1


def test_copies_are_no_longer_few(many, tmp_path):
    path = write_many(tmp_path / "mos.csv", 199)
    with pytest.raises(OpinionError, match=r"line 200: image .* has the content"):
        read_labels(path, many)


def test_copies_on_two_sides_are_a_leak(many, tmp_path):
    path = write_many(
        tmp_path / "mos.csv", 201, lambda n: "test" if n == 200 else "train"
    )
    with pytest.raises(OpinionError, match=r"line 202: image .* has the content"):
        read_labels(path, many)


def test_what_is_not_compared_is_said(folder, tmp_path, caplog, monkeypatch):
    path = table(tmp_path / "mos.csv", (5, {"image": "0 as.bmp"}))
    monkeypatch.setattr("iqa_zoo.data.leaks.COMPARED_PIXELS", 100_000)
    assert len(read_labels(path, folder, **PLAIN).names) == 12
    assert "12 images were compared as files only" in caplog.text


# --- arguments ------------------------------------------------------------------------


def test_columns_that_exclude_each_other(folder, tmp_path):
    path = table(tmp_path / "mos.csv")
    for wrong in ({"std": "level"}, {"votes": ["mos", "std"]}):
        with pytest.raises(UsageError, match="observer exclude each other"):
            read_labels(path, folder, observer="who", **wrong)


def test_a_table_without_scores(folder, tmp_path):
    path = tmp_path / "mos.csv"
    path.write_text("image,moss\n0.png,3\n")
    with pytest.raises(UnknownNameError, match="Did you mean moss"):
        read_labels(path, folder)
    with pytest.raises(UsageError, match="mos cannot be left out"):
        read_labels(path, folder, mos=None)
    with pytest.raises(UsageError, match=r"image names .* cannot be left out"):
        read_labels(path, folder, image=None)
    path.write_text("picture,mos\n0.png,3\n")
    with pytest.raises(UnknownNameError, match="'image'"):
        read_labels(path, folder)
