"""`iqa-zoo compare`: its table, its files and how it ends."""

import csv
import io
import json
import math
import re

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from iqa_zoo import compare
from iqa_zoo.cli import main
from iqa_zoo.comparing.metrics import metric_names
from iqa_zoo.comparing.scores import FIELDS, from_row
from iqa_zoo.images import read_image
from tests.helpers.formula import formula_pair

REFERENCE, DISTORTED = (image[:64, :80] for image in formula_pair("A"))


def iqa_zoo(*args):
    """The result of a command line, with an error that is none of ours raised."""
    result = CliRunner().invoke(main, ["compare", *map(str, args)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def save(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return str(path)


@pytest.fixture
def pair(tmp_path):
    images = (("ref", REFERENCE), ("dist", DISTORTED))
    return tuple(save(tmp_path / name / "a.png", image) for name, image in images)


@pytest.fixture
def folders(tmp_path, pair):
    for name in ("b.png", "c.png"):
        save(tmp_path / "ref" / name, REFERENCE)
        save(tmp_path / "dist" / name, REFERENCE)
    return tmp_path / "ref", tmp_path / "dist"


def test_two_images(pair):
    result = iqa_zoo(*pair, "-m", "psnr", "-m", "gmsd")
    head, line = result.stdout.splitlines()
    assert head.split() == ["psnr", "↑", "gmsd", "↓", "image"]
    values = [score.value for score in compare(*pair, ["psnr", "gmsd"])]
    assert line.split() == [*(f"{value:#.5g}" for value in values), pair[1]]
    assert re.fullmatch(r"iqa-zoo: 1 pair compared, [\d.]+ pairs/s\n", result.stderr)
    assert result.exit_code == 0


def test_all_metrics(tmp_path):
    images = [
        save(tmp_path / f"{n}.png", image) for n, image in enumerate(formula_pair("A"))
    ]
    result = iqa_zoo(*images, "-m", "all", "--format", "jsonl")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert tuple(row["metric"] for row in rows) == metric_names()
    assert all(row["error"] is None for row in rows) and result.exit_code == 0


def test_folders_and_a_name_without_a_partner(folders):
    save(folders[0] / "lost.png", REFERENCE)
    result = iqa_zoo(*folders, "-m", "mse")
    assert len(result.stdout.splitlines()) == 4
    assert f"lost.png: no image of this name in {folders[1]}" in result.stderr
    assert result.exit_code == 0
    save(folders[1] / "new.png", REFERENCE)
    result = iqa_zoo(*folders, "-m", "mse")
    assert re.search(r" - .*new\.png  \(no_reference: .*\)", result.stdout)
    assert "3 pairs compared, 1 failed (1 no_reference)" in result.stderr
    assert result.exit_code == 1


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_rows(folders, form):
    result = iqa_zoo(*folders, "-m", "psnr", "-m", "ssim", "--format", form)
    lines = result.stdout.splitlines()
    if form == "csv":
        assert lines[0] == ",".join(FIELDS)
        found = list(map(from_row, csv.DictReader(io.StringIO(result.stdout))))
    else:
        # Infinity as a number that all readers of JSON take.
        assert "Infinity" not in result.stdout
        found = [from_row(json.loads(line)) for line in lines]
    assert found == list(compare(*folders, ["psnr", "ssim"]))
    assert math.isinf(found[2].value)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_resume(folders, tmp_path, form):
    out = tmp_path / f"scores.{form}"
    command = (*folders, "-m", "psnr", "-m", "ssim", "-o", out)
    assert iqa_zoo(*command).exit_code == 0
    whole = out.read_bytes()
    assert iqa_zoo(*command).exit_code == 2  # it holds something
    for end in (len(whole) - 5, len(whole) // 2, 3):
        out.write_bytes(whole[:end])
        result = iqa_zoo(*command, "--resume")
        assert out.read_bytes() == whole and result.exit_code == 0
    again = iqa_zoo(*command, "--resume").stderr
    assert again.endswith("3 pairs compared, 3 of them earlier\n")
    # More metrics add rows; another command's file is left alone.
    iqa_zoo(*command, "-m", "mse", "--resume")
    assert out.read_bytes().startswith(whole) and len(out.read_bytes()) > len(whole)
    other = tmp_path / "other.csv"
    other.write_text("path,model\n")
    result = iqa_zoo(*folders, "-o", other, "--resume")
    assert result.exit_code == 2 and "cannot be resumed" in result.stderr
    assert other.read_text() == "path,model\n"
    assert iqa_zoo(*folders, "-m", "mse", "-o", other, "--overwrite").exit_code == 0
    assert len(other.read_text().splitlines()) == 4


def test_different_sizes(pair, tmp_path):
    small = save(tmp_path / "small.png", DISTORTED[:50])
    result = iqa_zoo(pair[0], small, "-m", "mse")
    assert "80 x 50" in result.stdout and "80 x 64" in result.stdout
    assert result.exit_code == 1
    result = iqa_zoo(pair[0], small, "-m", "mse", "--resize", "smaller")
    assert result.exit_code == 0


def test_maps(pair, tmp_path):
    maps = tmp_path / "maps"
    assert iqa_zoo(*pair, "-m", "gmsd", "-m", "vifp", "--map", maps).exit_code == 0
    (file,) = maps.iterdir()
    assert file.name == "a.png-gmsd.png"
    assert read_image(file).shape == (32, 40, 3)
    (tmp_path / "taken").touch()
    assert iqa_zoo(*pair, "--map", tmp_path / "taken").exit_code == 3


def test_a_table_of_pairs(pair, tmp_path):
    table = tmp_path / "pairs.csv"
    table.write_text("reference,distorted\nref/a.png,dist/a.png\n")
    assert iqa_zoo(table, "-m", "mse").stdout == iqa_zoo(*pair, "-m", "mse").stdout
    table.write_text("reference,distorted\n")
    assert iqa_zoo(table).exit_code == 1  # there was no pair


def test_wrong_use(pair, folders, tmp_path):
    for arguments, hint in (
        ((*pair, "-m", "simm"), "ssim"),
        ((pair[0], folders[1]), "two folders"),
        ((pair[0],), "table of pairs"),
        ((tmp_path / "no.csv",), "no.csv"),
        ((*pair, "-o", tmp_path / "scores.txt"), ".csv"),
        ((*pair, "--resume"), "--out"),
        ((*pair, "--video"), "--video"),
    ):
        result = iqa_zoo(*arguments)
        assert result.exit_code == 2 and hint in result.stderr


def test_too_small_for_some(tmp_path):
    image = np.zeros((8, 9, 3), np.uint8)
    files = [save(tmp_path / f"{name}.png", image) for name in "ab"]
    result = iqa_zoo(*files, "-m", "mse", "-m", "ssim")
    assert re.search(r" 0\.0000  +-  .*b\.png  \(too_small: .*11 a side", result.stdout)
    assert result.exit_code == 1


def test_help_and_list():
    assert "out of scope" in iqa_zoo("--help").stdout
    lines = iqa_zoo("--list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(metric_names())
