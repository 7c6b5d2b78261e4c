"""Opinion tables: what is read, and what is refused in which words."""

import logging
import os
from pathlib import Path

import numpy as np
import pytest

from iqa_zoo.data.manifest import read_labels
from iqa_zoo.errors import OpinionError, UnknownNameError, UsageError

CLIVE = Path(__file__).parents[3] / "shared" / "data" / "clive"


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    (folder / "sub").mkdir(parents=True)
    for i in range(12):
        (folder / f"{i}.jpg").write_text(f"{i}")
    (folder / "sub" / "Photo.JPG").write_text("photo")
    return folder


@pytest.fixture
def table(tmp_path):
    """Writes a table: text, or rows under a header."""

    def write(rows, header="image,mos", encoding="utf-8"):
        path = tmp_path / "mos.csv"
        text = rows if isinstance(rows, str) else "\n".join([header, *rows]) + "\n"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def rows_of(scores):
    return [f"{i}.jpg,{score}" for i, score in enumerate(scores)]


GOOD = rows_of([10, 20, 30.5, 40, 50, 60, 70, 80, 90, 99])


def problems(path, images, **arguments):
    with pytest.raises(OpinionError) as caught:
        read_labels(path, images, **arguments)
    return str(caught.value).splitlines()


def test_a_plain_table(table, images, caplog):
    with caplog.at_level(logging.INFO, "iqa_zoo"):
        labels = read_labels(table(GOOD), images)
    assert labels.names[:2] == ("0.jpg", "1.jpg")
    assert labels.paths[2] == images / "2.jpg"
    np.testing.assert_array_equal(
        labels.mos, [10, 20, 30.5, 40, 50, 60, 70, 80, 90, 99]
    )
    assert labels.mos.dtype == np.float64
    assert labels.std is None
    assert labels.group is None
    assert labels.range == (0, 100)
    assert labels.range_inferred
    assert labels.direction == "higher_is_better"
    assert "0 to 100" in caplog.text
    assert labels.distribution().shape == (10, 10)
    assert labels.distribution((0, 1), 5).shape == (10, 5)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_dialects(table, images, delimiter, encoding, newline):
    lines = ["image,mos,std", *(f"{row},5" for row in GOOD), ""]
    text = newline.join(lines).replace(",", delimiter)
    labels = read_labels(table(text, encoding=encoding), images)
    assert len(labels.names) == 10
    assert labels.std.tolist() == [5] * 10


def test_columns_by_name(table, images):
    rows = [f"{i}.jpg,x,0.3,{i / 20},set {i % 3}" for i in range(10)]
    path = table(rows, "file,std,sd,dmos,scene")
    labels = read_labels(
        path,
        images,
        image="file",
        mos="dmos",
        std="sd",
        group="scene",
        direction="lower_is_better",
    )
    assert labels.std.tolist() == [0.3] * 10
    assert labels.group[:4] == ("set 0", "set 1", "set 2", "set 0")
    assert labels.range == (0, 1)
    mean = labels.distribution() @ np.arange(1, 11)
    np.testing.assert_allclose(mean, 10 - 9 * labels.mos, atol=1e-8)


def test_deviations_can_be_left_out(table, images):
    path = table([f"{row},no number" for row in GOOD], "image,mos,std")
    assert read_labels(path, images, std=None).std is None


def test_quoted_names_and_blank_lines(table, images):
    odd = images / "a, b\nc.jpg"
    odd.write_text("odd")
    path = table([*GOOD, "", '"a, b\nc.jpg",5', "11.jpg,bad"])
    assert problems(path, images)[1:] == ["  line 15: mos 'bad' is not a finite number"]
    path = table([*GOOD, "", '"a, b\nc.jpg",5'])
    assert read_labels(path, images).paths[-1] == odd


def test_names_in_subfolders_and_in_another_case(table, images):
    path = table([*GOOD, "sub/photo.jpg,5", "11.JPG,7"])
    labels = read_labels(path, images)
    assert labels.names[-2:] == ("sub/photo.jpg", "11.JPG")
    # A file system that ignores case finds the file under the table's own name.
    assert os.path.samefile(labels.paths[-2], images / "sub" / "Photo.JPG")
    assert os.path.samefile(labels.paths[-1], images / "11.jpg")


def test_a_name_that_fits_several_files(table, images):
    (images / "P.jpg").write_text("P")
    (images / "p.JPG").write_text("p")
    if (images / "P.JPG").exists():
        pytest.skip("this file system ignores case")
    assert problems(table([*GOOD, "p.jpg,5"]), images)[1:] == [
        "  line 12: image 'p.jpg' could be any of ['P.jpg', 'p.JPG']"
    ]


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0, 1], (0, 1)),
        ([1, 5], (1, 5)),
        ([0.2, 4.4], (0, 5)),
        ([1, 9.7], (1, 10)),
        ([0.99, 9.7], (0, 10)),
        ([3.42, 92.4], (0, 100)),
    ],
)
def test_the_narrowest_common_range_is_taken(table, images, scores, expected):
    rows = rows_of(scores * 5)
    assert read_labels(table(rows), images).range == expected


def test_a_declared_range_holds(table, images):
    labels = read_labels(table(GOOD), images, range=(0, 200))
    assert labels.range == (0, 200)
    assert not labels.range_inferred
    assert problems(table(GOOD), images, range=(20, 95))[1:] == [
        "  line 2: mos 10 is outside 20 to 95",
        "  line 11: mos 99 is outside 20 to 95",
    ]


def test_no_common_range(table, images):
    path = table(rows_of([-3, 111] * 5))
    (problem,) = problems(path, images)[1:]
    assert "from -3 to 111" in problem
    assert read_labels(path, images, range=(-5, 120)).range == (-5, 120)


def test_all_problems_come_at_once_in_order(table, images):
    rows = [f"{row},1" for row in GOOD]
    rows[1] = "none.jpg,5,1"
    rows[2] = "2.jpg,nan,-1"
    rows[3] = "3.jpg,,1"
    rows[4] = "../4.jpg,5,1"
    rows[5] = f"{images}/5.jpg,5,1"
    rows[6] = " ,5,1"
    rows[7] = "7.jpg,5"
    rows[8] = "0.jpg,4_0,1"
    rows[9] = "./8.jpg,inf,x"
    rows.append("8.jpg,3,1")
    path = table(rows, "image,mos,std")
    assert problems(path, images) == [
        f"{path} cannot be used (13 problems):",
        f"  line 3: image 'none.jpg' is not in {images}",
        "  line 4: mos 'nan' is not a finite number",
        "  line 4: std -1 is negative",
        "  line 5: mos is empty",
        f"  line 6: image '../4.jpg' is not inside {images}",
        f"  line 7: image '{images}/5.jpg' is not inside {images}",
        "  line 8: the image's name is empty",
        "  line 9: 2 cells where the header has 3",
        "  line 10: image '0.jpg' is already in line 2",
        "  line 10: mos '4_0' is not a finite number",
        "  line 11: mos 'inf' is not a finite number",
        "  line 11: std 'x' is not a finite number",
        "  line 12: image '8.jpg' is already in line 11",
    ]


def test_one_file_under_two_names(table, images):
    rows = [*GOOD, "sub/photo.jpg,5", "sub/Photo.JPG,5"]
    assert problems(table(rows), images)[1:] == [
        "  line 13: image 'sub/Photo.JPG' is already in line 12"
    ]


def test_many_problems_are_counted(table, images):
    listed = problems(table(rows_of(["x"] * 12) * 3), images)
    assert listed[0].endswith("(60 problems):")
    assert len(listed) == 22
    assert listed[-1] == "  and 40 more"


def test_too_few_rows(table, images):
    assert problems(table(GOOD[:9]), images)[1:] == ["  9 rows; 10 or more are needed"]
    assert problems(table([]), images)[1:] == ["  0 rows; 10 or more are needed"]


def test_an_empty_group(table, images):
    path = table([*(f"{row},a" for row in GOOD), "11.jpg,5, "], "image,mos,scene")
    assert problems(path, images, group="scene")[1:] == ["  line 12: scene is empty"]


def test_a_name_with_a_suffix_is_no_other_file(table, images):
    (images / "zz.jpg.png").write_text("zz")
    (images / "yy").mkdir()
    (images / "yy.png").write_text("yy")
    assert problems(table([*GOOD, "zz.jpg,5"]), images)[1:] == [
        f"  line 12: image 'zz.jpg' is not in {images}"
    ]
    labels = read_labels(table([*GOOD, "zz.jpg.png,5", "yy,5"]), images)
    assert labels.paths[-1] == images / "yy.png"


@pytest.mark.parametrize("name", ["a\0b.jpg", "x" * 195 + ".jpg", "sub", ".", "/"])
def test_names_that_no_image_has(table, images, name):
    (problem,) = problems(table([*GOOD, f"{name},5"]), images)[1:]
    assert repr(name) in problem


def test_unknown_columns_get_near_names(table, images):
    path = table(GOOD, "image,moss")
    with pytest.raises(UnknownNameError, match="Did you mean moss"):
        read_labels(path, images)
    with pytest.raises(UnknownNameError, match="'deviation'"):
        read_labels(path, images, mos="moss", std="deviation")
    with pytest.raises(UnknownNameError, match="'scene'"):
        read_labels(path, images, mos="moss", group="scene")


def test_a_column_that_is_there_twice(table, images):
    path = table([f"{row},1" for row in GOOD], "image,mos,mos")
    with pytest.raises(OpinionError, match="2 columns 'mos'"):
        read_labels(path, images)


def test_wrong_arguments(table, images):
    with pytest.raises(UnknownNameError, match="lower_is_better"):
        read_labels(table(GOOD), images, direction="lower")
    for wrong in ((100, 0), (0, np.nan), (0, np.inf), ("1", "5"), (1, 2, 3), 5):
        with pytest.raises(UsageError, match="cannot be meant"):
            read_labels(table(GOOD), images, range=wrong)
    with pytest.raises(UsageError, match=r"mos is one column, not \['a', 'b'\]"):
        read_labels(table(GOOD), images, mos=["a", "b"])


def test_unreadable_tables(table, images, tmp_path):
    with pytest.raises(OpinionError, match=r"no\.csv: No such file"):
        read_labels(tmp_path / "no.csv", images)
    with pytest.raises(OpinionError, match="Cannot read"):
        read_labels(images, images)
    with pytest.raises(OpinionError, match=r"folder of images .* does not exist"):
        read_labels(table(GOOD), tmp_path / "none")
    with pytest.raises(OpinionError, match="is empty"):
        read_labels(table("\n\n"), images)
    with pytest.raises(OpinionError, match=r"not UTF-8 text .* at byte 10"):
        read_labels(table("image,mos\n\xe4.jpg,5\n", encoding="latin-1"), images)
    with pytest.raises(OpinionError, match="not a CSV table: line 2"):
        read_labels(table('image,mos\n"a"b.jpg,5\n'), images)


def test_live_in_the_wild():
    if not CLIVE.is_dir():
        pytest.skip("LIVE In the Wild is not here")
    labels = read_labels(CLIVE / "mos.csv", CLIVE / "images")
    assert len(labels.names) == 930
    assert labels.range == (0, 100)
    shares = labels.distribution()
    values = np.arange(1, 11)
    np.testing.assert_allclose(shares @ values, 1 + 0.09 * labels.mos, atol=1e-8)
    variance = shares @ values**2 - (shares @ values) ** 2
    np.testing.assert_allclose(np.sqrt(variance), 0.09 * labels.std, atol=1e-6)
