"""`iqa-zoo web`: what it prepares and serves. The page itself: tests/web."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner

from iqa_zoo import registry
from iqa_zoo.cli import main, web

ROOT = Path(__file__).parents[2]
PINNED = "1.1.0"


def iqa_zoo_web(*args):
    return CliRunner().invoke(main, ["web", *map(str, args)])


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """Stand-ins for npm, which writes small files, and for the export.

    Gives a function that sets what npm does after its work.
    """
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    script = bin_folder / "npm"

    def npm(then: str = "exit 0") -> None:
        writing = "\n".join(
            f"mkdir -p $(dirname {web.PACKAGE}/{name}); echo x > {web.PACKAGE}/{name}"
            for name in web.VENDOR
        )
        script.write_text(f'#!/bin/sh\necho "$@" > ../../args\n{writing}\n{then}\n')
        script.chmod(0o755)

    npm()
    monkeypatch.setenv("PATH", f"{bin_folder}:{os.environ['PATH']}")
    monkeypatch.setattr(web, "_export", lambda _, file: file.write_bytes(b"model"))
    return npm


@pytest.fixture
def pages(tmp_path) -> Path:
    """An empty folder for pages."""
    folder = tmp_path / "pages"
    folder.mkdir()
    return folder


def test_prepares_a_folder(tools, pages):
    result = iqa_zoo_web(pages / "page", "--no-serve")
    assert result.exit_code == 0, result.output
    assert {name for name in os.listdir(pages) if name != "args"} == {"page"}
    page = pages / "page"
    files = {str(p.relative_to(page)) for p in page.rglob("*") if p.is_file()}
    vendor = {f"vendor/{Path(name).name}" for name in web.VENDOR}
    assert files == {"model.json", "model.tflite", *web.PAGE, *vendor}
    model = json.loads((page / "model.json").read_text("utf-8"))
    entry = registry.resolve(registry.default_model())
    assert model["name"] == entry.name
    assert model["quantiles"] == entry.weights["quantiles"]
    assert model["interval"] == entry.weights["interval"]
    assert model["labels"] == [str(number) for number in range(1, 11)]
    assert (pages / "args").read_text().split()[0] == "ci"


def test_what_is_prepared_is_not_touched(tools, pages, monkeypatch):
    iqa_zoo_web(pages / "page", "--no-serve", "-m", "nima-mobilenetv2")
    monkeypatch.setenv("PATH", "")
    again = ("-m", "nima-mobilenetv2.clive")
    for more in ((), again):
        assert iqa_zoo_web(pages / "page", "--no-serve", *more).exit_code == 0
    result = iqa_zoo_web(pages / "page", "--no-serve", "-m", "nima-efficientnet-lite0")
    assert result.exit_code == 2
    assert "was made for nima-mobilenetv2.clive" in result.stderr


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (["full"], 2, "is not empty, and is no page"),
        (["new", "-m", "brisque"], 2, "gives no distribution of marks"),
        (["new", "-m", "nima-vgg16"], 3, "no trained weights yet"),
        (["file/new"], 3, "Cannot make the folder"),
    ],
)
def test_wrong_use_leaves_nothing(tools, pages, args, status, words):
    (pages / "full").mkdir()
    (pages / "full" / "holiday.jpg").write_bytes(b"")
    (pages / "file").write_bytes(b"")
    folder, *more = args
    result = iqa_zoo_web(pages / folder, "--no-serve", *more)
    assert result.exit_code == status, result.output
    assert words in result.stderr
    assert sorted(os.listdir(pages)) == ["file", "full"]


def test_without_npm(tools, pages, monkeypatch):
    monkeypatch.setenv("PATH", str(pages))
    result = iqa_zoo_web(pages / "page", "--no-serve")
    assert result.exit_code == 3
    assert "Install Node.js with npm" in result.stderr
    assert os.listdir(pages) == []


def test_where_npm_fails(tools, pages):
    tools(then="rm ../../args; echo npm error network >&2; exit 1")
    result = iqa_zoo_web(pages / "page", "--no-serve")
    assert result.exit_code == 3
    assert "npm could not fetch" in result.stderr
    assert "npm error network" in result.stderr
    assert "IQA_ZOO_OFFLINE forbids" in result.stderr  # as all tests set it
    assert os.listdir(pages) == []


def test_where_the_export_fails(tools, pages, monkeypatch):
    def full(model, file):
        raise OSError(28, "No space left on device")

    tools(then="rm ../../args")
    monkeypatch.setattr(web, "_export", full)
    result = iqa_zoo_web(pages / "page", "--no-serve")
    assert result.exit_code == 3
    assert "No space left on device" in result.stderr
    assert os.listdir(pages) == []


def test_serves_until_interrupted(tools, pages):
    iqa_zoo_web(pages / "page", "--no-serve")
    with subprocess.Popen(
        [sys.executable, "-m", "iqa_zoo", "web", pages / "page", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        address = server.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
        types = {}
        for name in ("", "app.js", "vendor/vision_bundle.mjs", "model.tflite"):
            with urllib.request.urlopen(address + name, timeout=10) as answer:
                types[name] = answer.headers["Content-Type"]
        wasm = "vendor/vision_wasm_internal.wasm"
        with urllib.request.urlopen(address + wasm, timeout=10) as answer:
            types[wasm] = answer.headers["Content-Type"]
        server.send_signal(signal.SIGINT)
        assert server.wait(10) == 130
        assert "Traceback" not in server.stderr.read()
    assert types == {
        "": "text/html; charset=utf-8",
        "app.js": "text/javascript",
        "vendor/vision_bundle.mjs": "text/javascript",
        "model.tflite": "application/octet-stream",
        wasm: "application/wasm",
    }


def test_a_port_that_is_taken(tools, pages):
    iqa_zoo_web(pages / "page", "--no-serve")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = iqa_zoo_web(pages / "page", "--port", taken.getsockname()[1])
    assert result.exit_code == 2
    assert "Cannot listen on port" in result.stderr


def test_versions_are_pinned():
    source = ROOT / "examples" / "web"
    package = json.loads((source / "package.json").read_text())
    assert package["dependencies"] == {"@mediapipe/tasks-vision": PINNED}
    lock = json.loads((source / "package-lock.json").read_text())
    locked = lock["packages"][web.PACKAGE]
    assert locked["version"] == PINNED
    assert locked["integrity"].startswith("sha512-")


def test_all_of_the_page_is_installed():
    source = ROOT / "examples" / "web"
    there = {p.name for p in source.iterdir() if p.is_file()}
    assert there == {*web.PAGE, "package.json", "package-lock.json", "__init__.py"}
