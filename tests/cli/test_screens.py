"""Screens: drawn by code, each once, the same every time."""

import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import ImageFont

from iqa_zoo.cli import main
from iqa_zoo.errors import UsageError
from iqa_zoo.images import read_image
from iqa_zoo.screens import drawing, screen

SMALL = (640, 400)


def iqa_zoo(*args):
    result = CliRunner().invoke(main, [str(arg) for arg in args])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_the_same_every_time_and_none_twice():
    first = [screen(number, size=SMALL) for number in range(12)]
    assert all(each.shape == (400, 640, 3) and each.dtype == np.uint8 for each in first)
    others = screen(0, seed=1, size=SMALL), screen(0, size=(640, 401))
    contents = {each.tobytes() for each in (*first, *others)}
    assert len(contents) == 14
    for number in (0, 7):
        assert np.array_equal(screen(number, size=SMALL), first[number])


@pytest.mark.slow
def test_many(tmp_path):
    contents = set()
    for number in range(150):
        pixels = screen(number, size=SMALL)
        contents.add(pixels.tobytes())
        # Flat in places, as screens are, and with letters' edges.
        grey = pixels.mean(-1)
        assert np.mean(np.diff(grey, axis=1) == 0) > 0.1
        assert np.mean(np.abs(np.diff(grey, axis=1)) > 40) > 0.002
    assert len(contents) == 150


def test_too_small():
    with pytest.raises(UsageError, match="needs 640 x 400"):
        screen(0, size=(639, 400))


def test_without_the_fonts_of_others(monkeypatch):
    monkeypatch.setattr(drawing.importlib.util, "find_spec", lambda name: None)
    drawing.font.cache_clear()
    assert drawing.font("mono", 12).getname() == ImageFont.load_default(12).getname()
    drawing.font.cache_clear()


def test_command(tmp_path):
    out = tmp_path / "screens"
    run = ("screens", "-o", out, "--size", "640x400", "--seed", 4)
    result = iqa_zoo(*run, 3)
    assert result.exit_code == 0 and f"3 screens in {out}" in result.stderr
    files = sorted(out.iterdir())
    assert [path.name for path in files] == [
        f"screen-1-4-0000{number}-640x400.png" for number in range(3)
    ]
    assert np.array_equal(read_image(files[2]), screen(2, seed=4, size=SMALL))
    times = [path.stat().st_mtime_ns for path in files]
    content = files[1].read_bytes()
    files[1].write_bytes(content[:99])
    assert iqa_zoo(*run, 4).exit_code == 0
    assert files[1].read_bytes() == content and len(list(out.iterdir())) == 4
    assert [files[n].stat().st_mtime_ns == times[n] for n in (0, 1, 2)] == [1, 0, 1]


def test_wrong_use(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for arguments, status, said in (
        ((0, "-o", tmp_path / "out"), 2, "0"),
        ((2,), 2, "--out"),
        ((2, "-o", tmp_path / "out", "--size", "big"), 2, "'big' cannot be meant"),
        ((2, "-o", tmp_path / "out", "--size", "64x64"), 2, "too small to draw"),
        ((2, "-o", tmp_path / "file"), 3, "a file has that name"),
    ):
        result = iqa_zoo("screens", *arguments)
        assert result.exit_code == status and said in result.stderr
    assert not (tmp_path / "out").exists()


def test_interrupted(tmp_path, monkeypatch):
    def stop(number, **_):
        raise KeyboardInterrupt

    monkeypatch.setattr("iqa_zoo.screens.screen", stop)
    result = iqa_zoo("screens", 2, "-o", tmp_path / "out")
    assert result.exit_code == 130 and "draws the rest" in result.stderr


def test_imports_no_tensorflow(tmp_path):
    program = (
        "import sys\n"
        "from iqa_zoo.cli import main\n"
        "try:\n"
        "    main(['screens', '1', '-o', sys.argv[1], '--size', '640x400'])\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        "loaded = {'tensorflow', 'keras', 'matplotlib'} & sys.modules.keys()\n"
        "sys.exit(', '.join(loaded) or 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
