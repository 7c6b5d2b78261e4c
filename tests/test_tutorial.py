"""The commands of docs/app.md, as they stand there and in their order."""

import csv
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from PIL import Image

from iqa_zoo.cli import main, web
from iqa_zoo.distortions import distort
from iqa_zoo.images import read_image

PAGE = Path(__file__).parent.parent / "docs" / "app.md"
# Opinions as people might have them of a photo, and of it under a kind and a level.
ORIGINAL = 4.6
MADE = {
    ("gaussian_blur", 2): 3.1,
    ("gaussian_blur", 4): 1.6,
    ("jpeg", 2): 3.6,
    ("jpeg", 4): 1.9,
    ("white_noise", 4): 2.2,
}


def commands() -> dict[str, list[str]]:
    """The words of each command of the page, by its verb."""
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    words = [shlex.split(line) for line in lines]
    assert all(first == "iqa-zoo" for first, *_ in words)
    return {verb: rest for _, verb, *rest in words}


def test_the_program_understands_each_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("photos", "run"):
        Path(folder).mkdir()
    for file in ("mos.csv", "run/split.csv"):
        Path(file).touch()
    found = commands()
    assert list(found) == ["train", "evaluate", "export", "web"]
    context = click.Context(main)
    for verb, words in found.items():
        command = main.get_command(context, verb)
        assert command.make_context(verb, list(words)).params


def make_set(folder: Path, photos: Path) -> None:
    """What the page starts from: mos.csv, and 24 pictures that it names."""
    (folder / "photos").mkdir()
    rows = []
    for name in ("astronaut", "chelsea", "coffee", "rocket"):
        photo = read_image(photos / f"{name}.jpg")
        made = {f"{name}.jpg": (photo, ORIGINAL)}
        for (kind, level), opinion in MADE.items():
            picture = distort(photo, kind, level)
            made[f"{name}-{kind}-{level}.jpg"] = (picture, opinion)
        for file, (pixels, opinion) in made.items():
            Image.fromarray(pixels).save(folder / "photos" / file, quality=95)
            rows.append((file, opinion))
    with open(folder / "mos.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("image", "mos"), *rows])


@pytest.fixture(scope="module")
def done(tmp_path_factory, photos) -> tuple[Path, dict[str, str]]:
    """The folder in which all commands were given but the last, and what they print."""
    folder = tmp_path_factory.mktemp("afternoon")
    make_set(folder, photos)
    printed = {}
    for verb, words in commands().items():
        if verb == "web":
            break
        ended = subprocess.run(
            [sys.executable, "-m", "iqa_zoo", verb, *words],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        printed[verb] = ended.stdout
    return folder, printed


@pytest.mark.slow
@pytest.mark.weights
@pytest.mark.export
def test_from_opinions_to_a_file(done):
    folder, printed = done
    assert {"train", "test"} <= first_words(printed["train"])
    compared = {"run", "nima-mobilenetv2.clive", "sharpness", "constant"}
    assert compared <= first_words(printed["evaluate"])
    assert (folder / "report" / "report.html").is_file()
    assert (folder / "model.tflite").read_bytes()[4:8] == b"TFL3"
    report = json.loads((folder / "model.tflite.report.json").read_text("utf-8"))
    assert report["model"] == "run"
    assert report["to"] == "mediapipe"
    assert report["parity"]["photos"] >= 200
    assert f"{report['bytes']:,}" in printed["export"]
    assert (folder / "model.tflite.report.html").is_file()


def first_words(text: str) -> set[str]:
    return {line.split(" ")[0] for line in text.splitlines()}


@pytest.mark.slow
@pytest.mark.weights
@pytest.mark.export
@pytest.mark.skipif(not shutil.which("npm"), reason="needs npm")
def test_to_a_page(done, monkeypatch):
    folder, _ = done
    monkeypatch.chdir(folder)
    monkeypatch.delenv("IQA_ZOO_OFFLINE")
    asked = []

    def export(model: str, file: Path) -> None:
        # What it would export is what the command before it has written.
        asked.append(model)
        shutil.copy(folder / "model.tflite", file)

    monkeypatch.setattr(web, "_export", export)
    ended = CliRunner().invoke(main, ["web", *commands()["web"], "--no-serve"])
    assert ended.exit_code == 0, ended.output
    assert asked == ["run"]
    assert web.is_prepared(folder / "page")
    model = json.loads((folder / "page" / "model.json").read_text("utf-8"))
    assert model["name"] == "run"
    assert len(model["labels"]) == 10
    assert "24 images" in model["quantiles"]["set"]
