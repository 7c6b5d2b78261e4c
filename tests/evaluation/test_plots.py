"""Diagrams: files that can be read, of what they were given."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from iqa_zoo.errors import OutputError, UsageError
from iqa_zoo.evaluation import plots


def drawn(path):
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        pixels = np.asarray(picture.convert("RGB"))
    assert min(pixels.shape[:2]) > 500
    assert tuple(pixels[0, 0]) == (255, 255, 255)
    return pixels


def reddish(pixels):
    """How many pixels have the colour of the curve."""
    wanted = [int(plots.ORANGE[i : i + 2], 16) for i in (1, 3, 5)]
    return int((np.abs(pixels.astype(int) - wanted).max(-1) < 20).sum())


def test_scatter(tmp_path):
    random = np.random.default_rng(0)
    x = random.normal(size=100)
    figures = {"srocc": 0.8, "srocc_low": 0.7, "srocc_high": 0.9, "rmse": 3.0}
    for name, title, said in (
        ("a", "model", figures),
        ("b", "$x_1 \udcff\n", None),
    ):
        plots.scatter(tmp_path / name, x + 1, x, title=title, figures=said)
    with_text, without = drawn(tmp_path / "a"), drawn(tmp_path / "b")
    assert reddish(with_text) > 1000
    assert (with_text != without).any()


@pytest.mark.parametrize("n", [2, 3, 5_000])
def test_few_and_many_dots(tmp_path, n):
    x = np.linspace(0, 1, n)
    plots.scatter(tmp_path / "s.png", x, x, title="")
    assert reddish(drawn(tmp_path / "s.png")) > 1000


def test_scatter_of_a_constant_and_of_nothing(tmp_path):
    plots.scatter(tmp_path / "s.png", [1, 2, 3], [5, 5, 5], title="constant")
    drawn(tmp_path / "s.png")
    with pytest.raises(UsageError):
        plots.scatter(tmp_path / "t.png", [1], [1], title="")
    assert not (tmp_path / "t.png").exists()
    with pytest.raises(OutputError):
        plots.scatter(tmp_path / "no" / "s.png", [1, 2], [1, 2], title="")


def test_history(tmp_path):
    rows = [
        {"stage": "head", "epoch": "1", "loss": "0.5", "validation_srocc": ""},
        {"stage": "all", "epoch": "1", "loss": "0.4", "validation_srocc": "0.7"},
        {"stage": "all", "epoch": "2", "loss": "0.3", "validation_srocc": "0.75"},
    ]
    plots.history(tmp_path / "a.png", rows)
    plots.history(
        tmp_path / "b.png", [{k: r[k] for k in ("stage", "loss")} for r in rows]
    )
    plots.history(tmp_path / "c.png", rows[:1])
    assert reddish(drawn(tmp_path / "a.png")) > reddish(drawn(tmp_path / "b.png"))
    drawn(tmp_path / "c.png")


def test_learning_curve(tmp_path):
    points = [
        {"labels": n, "srocc": s, "low": s - 0.1, "high": s + 0.1}
        for n, s in ((744, 0.8), (50, 0.5), (200, 0.7))
    ]
    plots.learning_curve(tmp_path / "a.png", points)
    plots.learning_curve(tmp_path / "b.png", points[::-1])
    plots.learning_curve(tmp_path / "c.png", points[:1])
    np.testing.assert_array_equal(drawn(tmp_path / "a.png"), drawn(tmp_path / "b.png"))
    drawn(tmp_path / "c.png")


def test_drawing_changes_nothing_for_others():
    program = (
        "import sys; from iqa_zoo.evaluation import plots;"
        "assert 'matplotlib' not in sys.modules, 'at import';"
        "plots._axes('', 'x', 'y');"
        "assert 'matplotlib' in sys.modules, 'never';"
        "assert 'matplotlib.pyplot' not in sys.modules, 'pyplot'"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
