"""Every published layout in miniature: what is read from it, and what is refused."""

import shutil
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from iqa_zoo.data import datasets
from iqa_zoo.data.datasets.layouts import text_rows
from iqa_zoo.errors import OpinionError, UnknownNameError
from tests.data.datasets.miniatures import MINIATURES, csiq_rows, draw, write

COLUMNS = ("std", "votes", "reference", "distortion", "level", "split", "group")


@pytest.fixture
def built(tmp_path):
    """Makes a miniature; gives its folder and what must be read from it."""

    def build(name):
        folder = tmp_path / name
        folder.mkdir()
        return folder, MINIATURES[name](folder)

    return build


def inner(name, folder):
    """The folder that holds the files: the one given, or the publisher's in it."""
    within = folder / datasets.metadata(name)["folder"]
    return within if within.is_dir() else folder


def refused(name, folder):
    with pytest.raises(OpinionError) as caught:
        datasets.read_dataset(name, folder)
    return str(caught.value)


def replaced(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_all_are_here():
    assert datasets.names() == tuple(sorted(MINIATURES))
    with pytest.raises(UnknownNameError, match="Did you mean kadid10k"):
        datasets.read_dataset("kadid", ".")


@pytest.mark.parametrize("name", MINIATURES)
def test_miniature(name, built):
    folder, expected = built(name)
    labels = datasets.read_dataset(name, folder)
    known, within = datasets.metadata(name), inner(name, folder)
    assert list(labels.names) == expected["names"]
    np.testing.assert_allclose(labels.mos, expected["mos"], rtol=1e-14)
    for path, said in zip(labels.paths, labels.names, strict=True):
        assert path.is_file()
        assert str(path).lower() == str(within / said).lower()
    for column in ("std", "votes"):
        if column in expected:
            found = getattr(labels, column)
            assert found.dtype == np.float64
            np.testing.assert_allclose(found, expected[column], rtol=1e-14)
    if "reference" in expected:
        assert all(path.is_file() for path in labels.reference)
        assert [str(path).lower() for path in labels.reference] == [
            str(within / said).lower() for said in expected["reference"]
        ]
    for column in ("distortion", "level", "split", "group"):
        if column in expected:
            assert list(getattr(labels, column)) == expected[column]
    assert labels.skipped == expected.get("skipped", 0)
    assert labels.range == tuple(known["range"])
    assert labels.direction == known["direction"]
    assert not labels.range_inferred
    # What the metadata promises is what is there, and nothing else.
    present = {column for column in COLUMNS if getattr(labels, column) is not None}
    assert present - {"group"} == set(known["columns"]) - {"group"}
    assert ("group" in present) == bool({"group", "reference"} & set(known["columns"]))
    if labels.votes is not None:
        assert labels.votes.shape == (len(labels.names), known["levels"])


@pytest.mark.parametrize("name", MINIATURES)
def test_each_missing_file_is_named(name, built):
    folder, _ = built(name)
    within = inner(name, folder)
    known = datasets.metadata(name)
    for file in known["files"]:
        paths = [file["path"]] if isinstance(file["path"], str) else file["path"]
        there = [within / path for path in paths if (within / path).exists()]
        for path in there:
            path.rename(within / "elsewhere")
            text = refused(name, folder)
            assert text.splitlines()[0] == f"{within} lacks {' or '.join(paths)}."
            assert known["url"] in text and file["what"] in text
            (within / "elsewhere").rename(path)
    empty = folder / "empty"
    empty.mkdir()
    text = refused(name, empty)
    for file in known["files"]:
        path = file["path"] if isinstance(file["path"], str) else file["path"][0]
        assert path in text.splitlines()[0]


def test_a_folder_that_is_not_there(tmp_path):
    assert "does not exist" in refused("ava", tmp_path / "nowhere")


@pytest.mark.parametrize("name", sorted(set(MINIATURES) - {"ava"}))
def test_missing_pictures_are_named(name, built):
    folder, expected = built(name)
    gone = inner(name, folder) / expected["names"][3]
    if not gone.exists():  # in another case on the disk
        gone = gone.with_name(gone.name.lower())
    gone.unlink()
    text = refused(name, folder)
    said = f"{expected['names'][3]} is missing"
    if name == "live":
        said = "14 pictures"
    elif name == "pipal":
        said = f"Distortion_1 to 4/{gone.name} is missing"
    assert said in text


def test_a_missing_reference_is_named_once(built):
    folder, _ = built("tid2013")
    (folder / "reference_images" / "i25.bmp").unlink()
    text = refused("tid2013", folder)
    assert text.count("reference_images/I25.BMP is missing") == 1


@pytest.mark.parametrize("name", ["kadid10k", "tid2013", "csiq", "siqad", "scid"])
def test_the_wrong_direction_is_refused(name, built, monkeypatch):
    folder, _ = built(name)
    known = dict(datasets.metadata(name))
    turned = {"higher_is_better", "lower_is_better"} - {known["direction"]}
    known["direction"] = turned.pop()
    monkeypatch.setattr("iqa_zoo.data.datasets.reading.metadata", lambda _: known)
    text = refused(name, folder)
    assert "go the other way" in text and known["url"] in text


def test_scores_that_were_turned_round_are_refused(built):
    folder, _ = built("kadid10k")
    table = folder / "kadid10k" / "dmos.csv"
    header, *rows = table.read_text().splitlines()
    turned = []
    for row in rows:
        image, reference, mos, std = row.split(",")
        turned.append(f"{image},{reference},{6 - float(mos)},{std}")
    write(table, [header, *turned])
    assert "scores should go down as the distortion grows" in refused(
        "kadid10k", folder
    )


def test_live_is_checked_by_its_copies_of_references(built):
    from scipy.io import loadmat, savemat

    folder, _ = built("live")
    path = folder / "dmos_realigned.mat"
    arrays = {key: loadmat(path)[key] for key in ("dmos_new", "dmos_std", "orgs")}
    savemat(path, arrays | {"dmos_new": 100 - arrays["dmos_new"]})
    assert "copies of the references" in refused("live", folder)


def test_live_arrays_and_folders_belong_together(built):
    folder, _ = built("live")
    draw(folder / "wn" / "IMG4.BMP")
    text = refused("live", folder)
    assert "15 scores" in text and "16 pictures" in text and "'wn': 4" in text


@pytest.mark.parametrize(
    ("name", "table", "old", "new", "said"),
    [
        ("kadid10k", "kadid10k/dmos.csv", "4.26", "5.5", "I01_01_01.png: score 5.5"),
        ("kadid10k", "kadid10k/dmos.csv", "4.26", "nan", "score nan is not in 1 to 5"),
        ("kadid10k", "kadid10k/dmos.csv", "4.26", "?", "dmos.csv, line 2: '?'"),
        ("kadid10k", "kadid10k/dmos.csv", ",0.1", ",-1", "standard deviation -1"),
        ("kadid10k", "kadid10k/dmos.csv", ",0.1", "", "line 2 has 3 of the 4 cells"),
        ("kadid10k", "kadid10k/dmos.csv", "dmos,var", "dmos,x", "no columns var"),
        ("kadid10k", "kadid10k/dmos.csv", "I01_01_01", "I01_01", "line 2: 'I01_01.png"),
        ("kadid10k", "kadid10k/dmos.csv", "_25_", "_26_", "not those of KADID-10k"),
        ("kadid10k", "kadid10k/dmos.csv", "_25_", "_00_", "there is no kind 0"),
        ("tid2013", "mos_with_names.txt", "_24_", "_00_", "there is no kind 0"),
        ("tid2013", "mos_with_names.txt", "I01_01_1.bmp", "", "line 1 has 1 of the 2"),
        ("eva", "data/votes_filtered.csv", '="0"=', '="11"=', "line 2: '11'"),
        ("koniq10k", "koniq10k_distributions_sets.csv", ",test", ",exam", "'exam'"),
        ("ava", "AVA.txt", " 3 1 0 ", " 0 0 0 ", "score nan is not in 1 to 10"),
        ("siqad", "DMOS_SIQAD.mat", None, b"no such thing", "as a MATLAB file"),
        ("csiq", "csiq.DMOS.xlsx", None, b"no such thing", "as an Excel file"),
        ("scid", "MOS_SCID.txt", None, b"", "name no image"),
        ("scid", "MOS_SCID.txt", "_1_1 ", "_../../x_1 ", "cannot be meant"),
        ("agiqa3k", "data.csv", "AttnGAN_normal_000", "../x", "../x.jpg is missing"),
    ],
)
def test_broken_tables(name, table, old, new, said, built):
    folder, _ = built(name)
    path = folder / table
    if old is None:
        path.write_bytes(new)
    else:
        data = path.read_bytes()
        assert old.encode() in data
        path.write_bytes(data.replace(old.encode(), new.encode()))
    assert said in refused(name, folder)


def test_arrays_of_another_shape_or_name(built):
    from scipy.io import savemat

    folder, _ = built("siqad")
    savemat(folder / "DMOS_SIQAD.mat", {"DMOS": np.ones((20, 49))})
    assert "not 49 rows" in refused("siqad", folder)
    savemat(folder / "DMOS_SIQAD.mat", {"MOS": np.ones((49, 20))})
    assert "has no array DMOS" in refused("siqad", folder)


def test_sheets_without_the_columns(built):
    import openpyxl

    folder, _ = built("spaq")
    path = folder / "Annotations" / "MOS and Image attribute scores.xlsx"
    openpyxl.Workbook().save(path)
    assert "no row with the columns Image name, MOS" in refused("spaq", folder)


def huge_sheet(path, cell, rows):
    """A sheet that says of its last cell that it is `cell`, and has one row there."""
    import openpyxl

    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    number = cell.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    row = f'<row r="{number}"><c r="{cell}"><v>1</v></c></row></sheetData>'
    parts[sheet] = parts[sheet].replace(b"</sheetData>", row.encode())
    assert row.encode() in parts[sheet]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in parts.items():
            file.writestr(name, data)


def test_sheets_with_a_cell_far_away(built, monkeypatch):
    folder, expected = built("spaq")
    path = folder / "Annotations" / "MOS and Image attribute scores.xlsx"
    rows = [("Image name", "MOS"), ("00001.jpg", 50), ("00002.jpg", 60)]
    huge_sheet(path, "XFD1000", rows)
    tracemalloc.start()
    labels = datasets.read_dataset("spaq", folder)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert list(labels.names) == expected["names"][:2]
    assert labels.mos.tolist() == [50, 60]
    assert peak < 50_000_000
    monkeypatch.setattr("iqa_zoo.data.datasets.layouts._MOST_ROWS", 5000)
    huge_sheet(path, "A999999999", rows)
    assert "more than 5000 rows" in refused("spaq", folder)


def test_a_stray_quote(built):
    folder, _ = built("kadid10k")
    table = folder / "kadid10k" / "dmos.csv"
    text = table.read_text()
    table.write_text(text.replace("I01_01_03", '"I01_01_03'))
    assert f"{table} is no table as CSV has it: line " in refused("kadid10k", folder)
    table.write_text(text.replace("I01_01_03", '"I01_01_03') + "x" * 200_000)
    assert f"{table} is no table as CSV has it: line " in refused("kadid10k", folder)


@pytest.mark.parametrize("letter", ["\x85", "\u2028", "\x0c"])
def test_letters_that_part_no_lines(built, letter):
    folder, expected = built("agiqa3k")
    table = folder / "data.csv"
    replaced(table, "a red, round moon", f"a red{letter} round moon")
    labels = datasets.read_dataset("agiqa3k", folder)
    assert list(labels.names) == expected["names"]
    assert f"a red{letter} round moon" in labels.group
    # Nor in a text whose cells are parted by white space.
    assert [*text_rows(table, (str,), ",")][-1] == (expected["names"][-1],)
    assert len([*text_rows(table, (str,), ",")]) == 13


def test_more_problems_than_are_listed(built):
    folder, _ = built("siqad")
    shutil.rmtree(folder / "DistortedImages")
    (folder / "DistortedImages").mkdir()
    text = refused("siqad", folder)
    assert text.count("is missing") == 20 and "and 29 more" in text


def test_koniq_with_the_table_of_counts(built):
    folder, expected = built("koniq10k")
    rows = ["image_name,c1,c2,c3,c4,c5,c_total,MOS,SD,MOS_zscore"]
    for i, name in enumerate(expected["names"]):
        image = name.partition("/")[2]
        rows.append(f'"{image}",0,0,{25 - i},73,7,105,3.83,0.5,{expected["mos"][i]}')
    (folder / "koniq10k_distributions_sets.csv").unlink()
    (folder / "1024x768").rename(folder / "512x384")
    write(folder / "koniq10k_scores_and_distributions.csv", rows)
    labels = datasets.read_dataset("koniq10k", folder)
    assert labels.mos.tolist() == expected["mos"]
    assert labels.votes[2].tolist() == [0, 0, 23, 73, 7]
    assert labels.split is None
    assert labels.names[0] == expected["names"][0].replace("1024x768", "512x384")
    # A copy without the standardised score has the mean of the ratings alone.
    replaced(folder / "koniq10k_scores_and_distributions.csv", "MOS_zscore", "other")
    labels = datasets.read_dataset("koniq10k", folder)
    np.testing.assert_allclose(labels.mos, 25 * 2.83)
    np.testing.assert_array_equal(labels.std, 12.5)


def test_errors_of_means_are_no_deviations_of_ratings(built):
    folder, _ = built("tid2013")
    scores = ["5.51429 I01_01_1.bmp", "5.56757 i01_01_3.bmp", "4.94444 I01_01_5.bmp"]
    write(folder / "mos_with_names.txt", scores)
    write(folder / "mos_std.txt", ["0.13013", "0.16008", "0.14812"])
    labels = datasets.read_dataset("tid2013", folder)
    assert labels.mos.tolist() == [5.51429, 5.56757, 4.94444]
    assert labels.std is None


def test_csiq_with_the_table_as_text(tmp_path):
    rows, expected = csiq_rows(tmp_path)
    write(tmp_path / "csiq.beta.txt", ["\t".join(map(str, row)) for row in rows])
    labels = datasets.read_dataset("csiq", tmp_path)
    assert list(labels.names) == expected["names"]
    assert labels.mos.tolist() == expected["mos"]
    replaced(tmp_path / "csiq.beta.txt", "noise", "dust")
    assert "distortion 'dust'" in refused("csiq", tmp_path)


def test_the_publishers_folder_may_be_given_itself(built):
    folder, _ = built("clive")
    above = datasets.read_dataset("clive", folder)
    itself = datasets.read_dataset("clive", folder / "ChallengeDB_release")
    assert above.paths == itself.paths


def test_names_in_any_case(built):
    folder, expected = built("kadid10k")
    (folder / "kadid10k").rename(folder / "KADID10K")
    (folder / "KADID10K" / "images").rename(folder / "KADID10K" / "Images")
    labels = datasets.read_dataset("kadid10k", folder)
    assert list(labels.names) == expected["names"]
    assert all(path.is_file() for path in labels.paths)


@pytest.mark.parametrize("name", ["clive", "agiqa3k"])
def test_a_table_and_images(name, tmp_path):
    rows = [f"{i}.jpg,{i / 4},0.5,prompt {i % 3}" for i in range(12)]
    for i in range(12):
        draw(tmp_path / "images" / f"{i}.JPG", i)
    write(tmp_path / "mos.csv", ["image,mos,std,prompt", *rows])
    labels = datasets.read_dataset(name, tmp_path)
    assert labels.mos.tolist() == [i / 4 for i in range(12)]
    assert labels.range == ((0, 100) if name == "clive" else (0, 5))
    assert (labels.group is None) == (name == "clive")
    # With the official files beside it, those are taken.
    expected = MINIATURES[name](tmp_path)
    labels = datasets.read_dataset(name, tmp_path)
    assert list(labels.names) == expected["names"]


@pytest.fixture
def files_alone(monkeypatch):
    """Pictures are compared elsewhere; here they are too many for that."""
    monkeypatch.setattr("iqa_zoo.data.leaks.COMPARED_PIXELS", 0)


def test_the_shared_photos(clive, files_alone):
    labels = datasets.read_dataset("clive", clive)
    assert len(labels.names) == 930
    assert labels.names[0] == "100.jpg" and labels.mos[0] == 32.5611
    assert labels.std[0] == 19.1247
    assert labels.range == (0, 100) and not labels.range_inferred


def test_the_shared_generated_pictures(agiqa3k, files_alone):
    labels = datasets.read_dataset("agiqa3k", agiqa3k)
    assert len(labels.names) == 1196
    assert labels.mos[0] == 1.075006252 and labels.group[0] == "a cosmic universe"
    assert len(set(labels.group)) == 120
    assert labels.range == (0, 5)


def test_kinds_of_kadid_have_the_names_of_ours():
    from iqa_zoo.distortions import KINDS

    ours = [name for name, kind in KINDS.items() if kind.family == "kadid"]
    assert datasets.metadata("kadid10k")["distortions"] == ours


@pytest.mark.parametrize("name", MINIATURES)
def test_metadata(name):
    known = datasets.metadata(name)
    required = {"title", "summary", "images", "direction", "range", "columns", "url"}
    optional = {"references", "levels", "distortions", "splits", "notes", "mos_csv"}
    required |= {"terms", "folder", "files", "citation"}
    assert required <= set(known) <= required | optional
    assert known["direction"] in ("higher_is_better", "lower_is_better")
    assert known["range"][0] < known["range"][1]
    assert set(known["columns"]) <= set(COLUMNS)
    assert ("levels" in known) == ("votes" in known["columns"])
    assert ("references" in known) == ("reference" in known["columns"])
    assert ("splits" in known) == ("split" in known["columns"])
    assert known["citation"].startswith("@") and "\\\\" not in known["citation"]
    for file in known["files"]:
        assert file["what"] and set(file) == {"path", "what"}


def test_reading_needs_no_large_library():
    program = (
        "import sys; from iqa_zoo.data import datasets; datasets.names();"
        "[datasets.instructions(name) for name in datasets.names()];"
        "heavy = 'tensorflow keras scipy openpyxl tensorflow_datasets cv2'.split();"
        "sys.exit(', '.join(name for name in heavy if name in sys.modules) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"data.datasets loads {done.stderr}"


def test_every_data_file_is_packaged():
    import configparser

    root = Path(__file__).parents[3]
    settings = configparser.ConfigParser()
    settings.read(root / "setup.cfg", encoding="utf-8")
    package = root / "iqa_zoo"
    packaged = {
        path
        for pattern in settings["options.package_data"]["iqa_zoo"].split()
        for path in package.glob(pattern)
    }
    for name in datasets.names():
        folder = package / "data" / "datasets" / name
        assert {folder / "dataset.toml", folder / "CITATIONS.bib"} <= packaged
