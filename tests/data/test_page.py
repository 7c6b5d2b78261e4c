"""The tables on the page about tables are read, and the message there is true."""

import inspect
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from iqa_zoo.cli import main
from iqa_zoo.cli.opinions import COLUMNS
from iqa_zoo.data.manifest import read_labels
from tests.helpers.pictures import smooth

PAGE = (Path(__file__).parents[2] / "docs" / "opinions.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(csv|json|text)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos" / "holiday").mkdir(parents=True)
    for name in ("IMG_0001", "IMG_0002", "IMG_0003", "holiday/IMG_0002"):
        (tmp_path / "photos" / f"{name}.jpg").write_text(name)


def arguments_of(text):
    header = text.partition("\n")[0]
    if "who" in header:
        return {"observer": "who", "mos": "vote"}
    if "one" in header:
        return {"votes": ["one", "two", "three", "four", "five"]}
    return {}


@pytest.mark.parametrize("block", range(len(BLOCKS) - 2))
def test_tables(photos, monkeypatch, block):
    monkeypatch.setattr("iqa_zoo.data.manifest.LEAST_ROWS", 2)
    _, text = BLOCKS[block]
    Path("mos.csv").write_text(text, encoding="utf-8")
    labels = read_labels("mos.csv", "photos", **arguments_of(text))
    assert len(labels.names) >= 2
    assert labels.mos[0] > labels.mos[1]
    assert labels.std is not None


def test_message(photos):
    (_, text), (_, message) = BLOCKS[-2:]
    Path("mos.csv").write_text(text, encoding="utf-8")
    for number, path in enumerate(Path("photos").glob("*.jpg")):
        Image.fromarray(smooth(8, 8 + number)).save(path)
    (line,) = re.findall(r"^iqa-zoo (.*--range.*)$", PAGE, re.MULTILINE)
    done = CliRunner().invoke(main, shlex.split(line))
    assert done.exit_code != 0
    assert done.stderr == message


def test_options_and_arguments():
    cells = [
        re.findall(r"`([^`]*)`", line) for line in re.findall(r"^\|.*", PAGE, re.M)
    ]
    listed = {row[1]: row[0] for row in cells if len(row) > 1}
    known = {name: flags[0] for name, flags, _ in COLUMNS}
    assert listed == known
    read = inspect.signature(read_labels).parameters
    for name, *default in (row[1:] for row in cells if len(row) > 1):
        assert [read[name].default] == (default or [None])
