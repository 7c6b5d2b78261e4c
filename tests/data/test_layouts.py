"""The layouts that opinions come in, each read into the same `Labels`."""

import csv
import json
import logging
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iqa_zoo.data.manifest import read_labels
from iqa_zoo.data.sources import as_labels
from iqa_zoo.errors import OpinionError, UnknownNameError, UsageError
from iqa_zoo.opinions import bin_values, mean_and_std


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    for number in range(20):
        (folder / f"{number}.jpg").write_text(f"{number}")
    return folder


RECORDS = [
    {
        "image": f"{n}.jpg",
        "mos": 1 + n / 3,
        "std": 0.25 * (n % 3),
        "group": f"g{n // 2}",
    }
    for n in range(12)
]


def as_cells(delimiter):
    def write(records, path):
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, records[0], delimiter=delimiter)
            writer.writeheader()
            writer.writerows(records)

    return write


def as_decimal_commas(records, path):
    as_cells(";")(records, path)
    text = path.read_text(encoding="utf-8").replace(".jpg", "#").replace(".", ",")
    path.write_text(text.replace("#", ".jpg"), encoding="utf-8")


def as_json_lines(records, path):
    path.write_text("\n".join(map(json.dumps, records)) + "\n\n", encoding="utf-8")


def as_json_list(records, path):
    path.write_text(json.dumps(records, indent=2), encoding="utf-8")


WRITERS = {
    "CSV": as_cells(","),
    "TSV": as_cells("\t"),
    "semicolons": as_cells(";"),
    "decimal commas": as_decimal_commas,
    "JSON lines": as_json_lines,
    "JSON list": as_json_list,
}


@pytest.mark.parametrize("form", WRITERS)
def test_formats(folder, tmp_path, form):
    path = tmp_path / "table"
    WRITERS[form](RECORDS, path)
    labels = read_labels(path, folder)
    assert labels.names == tuple(record["image"] for record in RECORDS)
    assert labels.paths == tuple(folder / name for name in labels.names)
    assert labels.mos.tolist() == [record["mos"] for record in RECORDS]
    assert labels.std.tolist() == [record["std"] for record in RECORDS]
    assert labels.group == tuple(record["group"] for record in RECORDS)
    assert labels.range == (1, 5)


@given(
    scores=st.lists(st.floats(0, 100, allow_subnormal=False), min_size=12, max_size=12),
    names=st.lists(st.text(min_size=1, max_size=20), min_size=12, max_size=12),
    form=st.sampled_from(["CSV", "TSV", "semicolons", "JSON lines", "JSON list"]),
)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_text_and_number_comes_back(folder, tmp_path, scores, names, form):
    groups = [name.replace("\0", "") + "." for name in names]
    records = [
        {"image": f"{n}.jpg", "mos": scores[n], "group": groups[n]} for n in range(12)
    ]
    path = tmp_path / "table"
    WRITERS[form](records, path)
    labels = read_labels(path, folder, range=(0, 100))
    assert labels.mos.tolist() == scores
    assert list(labels.group) == [group.strip() for group in groups]


@pytest.mark.parametrize("form", ["CSV", "JSON lines"])
def test_one_group_however_it_is_written(folder, tmp_path, form):
    path = tmp_path / "mos.csv"
    groups = (" g0", "g0 ", "g0") if form == "CSV" else (1, 1.0, "1")
    WRITERS[form]([{**r, "group": groups[n % 3]} for n, r in enumerate(RECORDS)], path)
    assert set(read_labels(path, folder).group) == {str(groups[2])}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("before", ["sep={}\n", "SEP={}\r\n", "\n", " \r\n{0}{0}\n"])
def test_lines_before_the_header(folder, tmp_path, delimiter, before):
    path = tmp_path / "mos.csv"
    as_cells(delimiter)(RECORDS, path)
    path.write_text(before.format(delimiter) + path.read_text())
    labels = read_labels(path, folder)
    assert labels.mos.tolist() == [record["mos"] for record in RECORDS]
    path.write_text(path.read_text() + delimiter.join(["0.jpg", "x", "1", "g"]))
    place = 14 + before.count("\n")
    with pytest.raises(OpinionError, match=f"line {place}: mos 'x' is not"):
        read_labels(path, folder)


# --- votes ----------------------------------------------------------------------------

COUNTS = np.random.default_rng(2).integers(0, 30, (12, 5))


def histogram_records(**more):
    return [
        {"image": f"{n}.jpg", **{f"c{i}": int(c) for i, c in enumerate(row)}, **more}
        for n, row in enumerate(COUNTS)
    ]


LISTS = {
    "JSON": lambda row: json.dumps(row.tolist()),
    "spaces": lambda row: " ".join(map(str, row)),
    "NumPy": lambda row: str(row),
    "bars": lambda row: "|".join(map(str, row)),
}


@pytest.mark.parametrize("form", LISTS)
def test_lists_of_votes(folder, tmp_path, form):
    path = tmp_path / "mos.csv"
    rows = [{"image": f"{n}.jpg", "votes": LISTS[form](COUNTS[n])} for n in range(12)]
    as_cells(",")(rows, path)
    check_votes(read_labels(path, folder))


def test_lists_in_json(folder, tmp_path):
    path = tmp_path / "mos.jsonl"
    rows = [{"image": f"{n}.jpg", "h": COUNTS[n].tolist()} for n in range(12)]
    as_json_lines(rows, path)
    check_votes(read_labels(path, folder, votes="h"))


@pytest.mark.parametrize("form", WRITERS)
def test_a_column_a_level(folder, tmp_path, form):
    path = tmp_path / "mos.csv"
    WRITERS[form](histogram_records(), path)
    check_votes(read_labels(path, folder, votes=["c0", "c1", "c2", "c3", "c4"]))


@pytest.mark.parametrize("delimiter", ["\t", ";"])
@pytest.mark.parametrize("form", ["{} {}", "{}|{}", "[{}  {}]"])
def test_lists_of_votes_with_decimal_commas(folder, tmp_path, delimiter, form):
    path = tmp_path / "mos.tsv"
    rows = [
        {"image": f"{n}.jpg", "votes": form.format(f"0,{n + 1:02}", "1,5")}
        for n in range(12)
    ]
    as_cells(delimiter)(rows, path)
    labels = read_labels(path, folder)
    np.testing.assert_array_equal(
        labels.votes, [[(n + 1) / 100, 1.5] for n in range(12)]
    )


@pytest.mark.parametrize(
    "form", ["0,1,5,{}", "[0, 1, 5, {}]", "0 ,1 ,5 ,{}", "0,1 5,{}"]
)
def test_commas_part_votes_where_nothing_else_does(folder, tmp_path, form):
    path = tmp_path / "mos.tsv"
    rows = [{"image": f"{n}.jpg", "votes": form.format(n)} for n in range(12)]
    as_cells("\t")(rows, path)
    labels = read_labels(path, folder)
    expected = [[0, 1, 5, n] for n in range(12)]
    if form == "0,1 5,{}":
        expected = [[0.1, float(f"5.{n}")] for n in range(12)]
    np.testing.assert_array_equal(labels.votes, expected)


def check_votes(labels):
    np.testing.assert_array_equal(labels.votes, COUNTS)
    assert labels.range == (1, 5)
    assert labels.range_inferred
    shares = COUNTS / COUNTS.sum(axis=1, keepdims=True)
    mos = shares @ np.arange(1, 6)
    np.testing.assert_allclose(labels.mos, mos)
    variance = (shares * (np.arange(1, 6) - mos[:, None]) ** 2).sum(axis=1)
    np.testing.assert_allclose(labels.std, np.sqrt(variance))
    np.testing.assert_allclose(labels.distribution((1, 5), 5), shares)
    mean, _ = mean_and_std(labels.distribution())
    np.testing.assert_allclose((mean - 1) / 9, (mos - 1) / 4)


def test_votes_of_dmos_are_turned_round(folder, tmp_path):
    path = tmp_path / "mos.csv"
    as_cells(",")(histogram_records(), path)
    names = ["c0", "c1", "c2", "c3", "c4"]
    up = read_labels(path, folder, votes=names, range=(0, 100))
    down = read_labels(
        path, folder, votes=names, range=(0, 100), direction="lower_is_better"
    )
    np.testing.assert_array_equal(down.votes, up.votes[:, ::-1])
    np.testing.assert_allclose(down.mos, up.mos)
    np.testing.assert_allclose(
        down.distribution((0, 1), 5), up.distribution((0, 1), 5)[:, ::-1]
    )


@pytest.mark.parametrize(("low", "high"), [(1, 5), (0, 4), (0, 100)])
def test_scores_beside_votes_say_the_range(folder, tmp_path, low, high):
    shares = COUNTS / COUNTS.sum(axis=1, keepdims=True)
    mos = shares @ bin_values((low, high), 5)
    rows = [
        {"image": f"{n}.jpg", "mos": mos[n], "votes": " ".join(map(str, shares[n]))}
        for n in range(12)
    ]
    path = tmp_path / "mos.csv"
    as_cells(",")(rows, path)
    labels = read_labels(path, folder)
    assert labels.range == (low, high)
    np.testing.assert_array_equal(labels.mos, mos)
    np.testing.assert_allclose(labels.votes, shares)


def test_a_number_of_votes_is_no_histogram(folder, tmp_path):
    path = tmp_path / "mos.csv"
    as_cells(",")(
        [{**record, "votes": 25 + n} for n, record in enumerate(RECORDS)], path
    )
    assert read_labels(path, folder).votes is None


def test_idealo(folder, tmp_path):
    path = tmp_path / "labels.json"
    counts = np.random.default_rng(5).integers(1, 40, (12, 10))
    as_json_list(
        [{"image_id": f"{n}", "label": counts[n].tolist()} for n in range(12)], path
    )
    labels = read_labels(path, folder)
    assert labels.names[:2] == ("0", "1")
    assert labels.paths[1] == folder / "1.jpg"
    np.testing.assert_array_equal(labels.votes, counts)
    assert labels.range == (1, 10)
    np.testing.assert_allclose(labels.distribution().sum(axis=1), 1)


# --- one row a vote -------------------------------------------------------------------


def vote_records(votes):
    """Observer after observer, as an experiment's log has it."""
    return [
        {"file": f"{n}.jpg", "who": who, "score": float(vote), "group": f"g{n % 4}"}
        for who, column in enumerate(votes.T)
        for n, vote in enumerate(column)
    ]


def test_one_row_a_vote(folder, tmp_path):
    votes = np.random.default_rng(6).integers(1, 6, (12, 7))
    path = tmp_path / "votes.tsv"
    as_cells("\t")(vote_records(votes), path)
    labels = read_labels(path, folder, image="file", mos="score", observer="who")
    assert labels.names == tuple(f"{n}.jpg" for n in range(12))
    assert labels.range == (1, 5)
    np.testing.assert_allclose(labels.mos, votes.mean(axis=1))
    np.testing.assert_allclose(labels.std, votes.std(axis=1))
    counts = [np.bincount(row, minlength=6)[1:] for row in votes]
    np.testing.assert_array_equal(labels.votes, counts)
    assert labels.group == tuple(f"g{n % 4}" for n in range(12))


def test_votes_between_levels_are_no_histogram(folder, tmp_path):
    votes = np.random.default_rng(6).uniform(1, 5, (12, 7))
    path = tmp_path / "votes.csv"
    as_cells(",")(vote_records(votes), path)
    labels = read_labels(path, folder, image="file", mos="score", observer="who")
    np.testing.assert_allclose(labels.std, votes.std(axis=1))
    assert labels.votes is None


def test_single_votes_say_nothing_of_deviations(folder, tmp_path):
    path = tmp_path / "votes.csv"
    as_cells(",")(vote_records(np.arange(12).reshape(12, 1) % 6), path)
    labels = read_labels(path, folder, image="file", mos="score", observer="who")
    assert labels.mos.tolist() == [n % 6 for n in range(12)]
    assert labels.std is None
    assert labels.votes is None


def test_bad_votes_are_left_out_alone(folder, tmp_path):
    votes = np.random.default_rng(6).integers(1, 6, (12, 7))
    records = vote_records(votes)
    records[3]["score"] = ""  # image 3, the first observer
    records[12 * 6 + 5]["who"] = "0"  # image 5: the first observer again
    path = tmp_path / "votes.csv"
    as_cells(",")(records, path)
    arguments = {"image": "file", "mos": "score", "observer": "who"}
    with pytest.raises(OpinionError, match=r"2 problems"):
        read_labels(path, folder, **arguments)
    labels = read_labels(path, folder, skip_bad=True, **arguments)
    assert labels.skipped == 2
    assert len(labels.names) == 12
    mos = dict(zip(labels.names, labels.mos, strict=True))
    assert mos["3.jpg"] == pytest.approx(votes[3, 1:].mean())
    assert mos["5.jpg"] == pytest.approx(votes[5, :6].mean())
    assert labels.votes.sum() == 12 * 7 - 2


@pytest.mark.parametrize("wrong", ["a copy", "a group on two sides"])
def test_bad_images_are_left_out_with_all_their_votes(folder, tmp_path, wrong):
    votes = np.random.default_rng(6).integers(1, 6, (12, 7))
    records = [
        {**record, "split": "test" if int(record["group"][1:]) == 3 else "train"}
        for record in vote_records(votes)
    ]
    copy = tmp_path / "photos" / "copy.jpg"
    shutil.copytree(folder, copy.parent)
    copy.write_bytes((folder / "0.jpg").read_bytes())
    for record in records:
        if record["file"] == "5.jpg" and wrong == "a copy":
            record["file"] = copy.name
        elif record["file"] == "5.jpg":
            record["split"] = "test"  # and 1.jpg, of its group, trains
    path = tmp_path / "votes.csv"
    as_cells(",")(records, path)
    columns = {"image": "file", "mos": "score", "observer": "who"}
    labels = read_labels(path, copy.parent, skip_bad=True, **columns)
    assert labels.names == tuple(f"{n}.jpg" for n in range(12) if n != 5)
    assert labels.skipped == 7
    assert labels.votes.sum() == 11 * 7


# --- the other columns ----------------------------------------------------------------


def test_columns_of_the_default_names_are_taken(folder, tmp_path):
    records = [
        {
            "image": f"{n}.jpg",
            "mos": n,
            "reference": f"{12 + n // 4}.JPG",
            "split": ("Training", "val", "test")[n // 4],
            "distortion": "blur",
            "level": f"{n % 4}.0",
        }
        for n in range(12)
    ]
    path = tmp_path / "mos.csv"
    as_cells(",")(records, path)
    labels = read_labels(path, folder)
    assert labels.reference == tuple(folder / f"{12 + n // 4}.jpg" for n in range(12))
    assert labels.group == tuple(f"{12 + n // 4}.jpg" for n in range(12))
    assert labels.split == ("train",) * 4 + ("validation",) * 4 + ("test",) * 4
    assert labels.distortion == ("blur",) * 12
    assert labels.level == (0, 1, 2, 3) * 3
    # A name that is given to one column takes it from another.
    by_name = read_labels(path, folder, group="reference", split=None, level=None)
    assert by_name.reference is by_name.split is by_name.level is None
    assert by_name.group == tuple(f"{12 + n // 4}.JPG" for n in range(12))


def test_direction(folder, tmp_path, caplog):
    records = [{"image": f"{n}.jpg", "DMOS_new": n, "mos": n} for n in range(12)]
    path = tmp_path / "mos.csv"
    as_cells(",")(records, path)
    assert read_labels(path, folder).direction == "higher_is_better"
    with caplog.at_level(logging.INFO, "iqa_zoo"):
        assert read_labels(path, folder, mos="DMOS_new").direction == "lower_is_better"
    assert "low scores taken to be good" in caplog.text
    declared = read_labels(path, folder, mos="DMOS_new", direction="higher_is_better")
    assert declared.direction == "higher_is_better"


def test_empty_rows_of_spreadsheets_are_no_rows(folder, tmp_path):
    path = tmp_path / "mos.csv"
    as_cells(",")(RECORDS, path)
    with path.open("a") as file:
        file.write(",,,\n , ,,\n")
    assert len(read_labels(path, folder).names) == 12


def test_columns_that_must_be_there(folder, tmp_path):
    path = tmp_path / "mos.csv"
    as_cells(",")([{**r, "Group": r["group"], "votes": 9} for r in RECORDS], path)
    path.write_text(path.read_text().replace(",group,", ",scene,"))
    assert read_labels(path, folder, group="group").group is None
    for role in ("group", "level", "reference"):
        with pytest.raises(UnknownNameError, match=f"No column .* {role!r}"):
            read_labels(path, folder, required=[role])
    with pytest.raises(UnknownNameError, match="'observer'"):
        read_labels(path, folder, observer="observer")
    with pytest.raises(OpinionError, match="votes has 1 votes"):
        read_labels(path, folder, votes="votes", required=["votes"])
    with pytest.raises(UsageError, match="std and observer exclude each other"):
        read_labels(path, folder, observer="scene", required=["std"])
    path = tmp_path / "labels.json"
    as_json_list([{"image_id": f"{n}", "label": [1, 2]} for n in range(12)], path)
    with pytest.raises(UnknownNameError, match="'image'"):
        read_labels(path, folder, required=["image"])


# --- where labels come from -----------------------------------------------------------


def test_labels_as_they_are(folder, tmp_path):
    path = tmp_path / "mos.csv"
    as_cells(",")(RECORDS, path)
    labels = as_labels(path, folder, std=None)
    assert labels.std is None
    assert as_labels(labels) is labels


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((None,), "Give either"),
        (("mos.csv", None, "dataset"), "Give either"),
        (("mos.csv",), "Name the folder of the images"),
        ((None, None, "live"), "Name the folder of live"),
        ((None, "photos", "live", "data"), "images cannot change a known dataset"),
        (("mos.csv", "photos", None, "data"), "data_dir goes with a dataset"),
    ],
)
def test_where_labels_cannot_come_from(arguments, words):
    names = ("labels", "images", "dataset", "data_dir")
    with pytest.raises(UsageError, match=words):
        as_labels(**dict(zip(names, arguments, strict=False)))


def test_unknown_arguments_and_data_sets(tmp_path):
    with pytest.raises(UnknownNameError, match="Did you mean group"):
        as_labels("mos.csv", tmp_path, groups="scene")
    with pytest.raises(UnknownNameError, match="koniq10k"):
        as_labels(None, dataset="koniq", data_dir=tmp_path)
