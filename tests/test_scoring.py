"""Scoring: the same bits for an image whatever is around it, one result an image."""

import io
import itertools
import math
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from iqa_zoo import registry, scoring
from iqa_zoo.cli.score import command
from iqa_zoo.errors import (
    IMAGE_CODES,
    MissingLibraryError,
    UnknownNameError,
    UsageError,
)
from iqa_zoo.images import ON_REQUEST, Limits, decoding, read_image, reading
from iqa_zoo.scoring import Scorer, score
from tests.helpers import tiny


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return tiny.make_run(tmp_path_factory.mktemp("models") / "run")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny.make_photos(tmp_path_factory.mktemp("photos"), 12)


@pytest.fixture(scope="module")
def expected(run, folder):
    return list(score(folder, run))


def bits(results):
    return [(r.value, r.std, r.distribution) for r in results]


def test_a_folder_gives_its_images_in_order(expected, run, folder):
    assert [r.path for r in expected] == [
        os.path.join(folder, f"{n:04}.jpg") for n in range(12)
    ]
    for result in expected:
        assert result.error is result.message is None
        assert result.model == str(run)
        assert result.scale == (1.0, 10.0)
        assert result.direction == "higher_is_better"
        assert 1 <= result.value <= 10
    assert len({r.value for r in expected}) == 12


def test_mean_and_standard_deviation(expected):
    steps = np.arange(1, 11)
    for result in expected:
        assert math.isclose(sum(result.distribution), 1, abs_tol=1e-6)
        mean = np.average(steps, weights=result.distribution)
        spread = np.sqrt(np.average((steps - mean) ** 2, weights=result.distribution))
        assert result.value == pytest.approx(mean, abs=1e-6)
        assert result.std == pytest.approx(spread, abs=1e-6)


def ways_in(path):
    """The name that results have, and every form that the image at `path` can take."""
    data = Path(path).read_bytes()
    pixels = read_image(path)
    pixels.flags.writeable = False
    return (
        (path, path),
        (path, Path(path)),
        ("<bytes>", data),
        ("<bytes>", bytearray(data)),
        ("<bytes>", memoryview(data)),
        ("<array>", pixels),
        ("<array>", Image.fromarray(pixels)),
    )


def test_every_way_in_gives_the_same_bits(expected, run):
    scorer = Scorer(run)
    first = expected[3]
    for name, image in ways_in(first.path):
        results = [scorer(image), *scorer.score(image), *scorer.score([image] * 3)]
        assert bits(results) == bits([first]) * 5
        assert {r.path for r in results} == {name}


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_and_order_change_no_bit(expected, run, folder, threads):
    scorer = Scorer(run, threads=threads)
    assert list(scorer.score(folder)) == expected
    backwards = [r.path for r in expected[::-1]]
    assert list(scorer.score(backwards)) == expected[::-1]
    assert [scorer(r.path) for r in expected[:3]] == expected[:3]


def fifty(clive):
    paths = itertools.islice(sorted(clive.rglob("*.*")), None)
    photos = [p for p in paths if p.suffix.lower() in {".jpg", ".jpeg", ".bmp", ".png"}]
    return [str(p) for p in photos[:: max(1, len(photos) // 50)][:50]]


@pytest.mark.parametrize(
    "model", ["tiny", pytest.param(None, marks=pytest.mark.weights)]
)
def test_fifty_photos(clive, run, model):
    if model is None and not registry.list_models(has_weights=True):
        pytest.skip("no weights are shipped")
    paths = fifty(clive)
    assert len(paths) == 50
    scorer = Scorer(run if model else None)
    together = list(scorer.score(paths))
    assert not any(r.error for r in together)
    shuffled = np.random.default_rng(0).permutation(50)
    for threads in (1, 3):
        other = Scorer(scorer.models, threads=threads)
        results = list(other.score(paths[n] for n in shuffled))
        assert bits(results) == bits([together[n] for n in shuffled])
    for path, result in zip(paths, together, strict=True):
        for name, image in ways_in(path)[2::3]:  # bytes and array, all cores
            assert scorer(image).path == name
            assert bits([scorer(image)]) == bits([result])
    if model is None:
        tensorflow = Scorer(engine="tensorflow").score(paths)
        for result, other in zip(together, tensorflow, strict=True):
            assert other.value == pytest.approx(result.value, abs=1e-4)
            assert other.distribution == pytest.approx(result.distribution, abs=1e-4)


class BatchEngine:
    """An engine that wants three images at once and answers with their brightness."""

    batch = 3

    def __init__(self):
        self.sizes = []

    def predict(self, images, threads=1):
        self.sizes.append(len(images))
        low = np.array([image.mean() / 255 for image in images], np.float32)
        return np.stack([1 - low, *[0 * low] * 8, low], axis=1)


def test_batches_and_single_images_go_together(monkeypatch, run, folder, tmp_path):
    engine = BatchEngine()
    real = scoring.make_engine
    small = tiny.make_run(tmp_path / "batch", size=(8, 8))
    monkeypatch.setattr(
        scoring,
        "make_engine",
        lambda entry, name: engine if entry.name == str(small) else real(entry, name),
    )
    paths = sorted(folder.iterdir())
    paths[4] = folder / "missing.jpg"
    results = list(Scorer([run, small, run]).score(paths))
    assert [r.model for r in results] == [str(run), str(small), str(run)] * 12
    assert [r.path for r in results[::3]] == [str(p) for p in paths]
    assert results[0::3] == results[2::3] == list(score(paths, run))
    assert [r.error for r in results[1::3]] == [None] * 4 + ["not_found"] + [None] * 7
    values = [r.value for r in results[1::3] if r.value]
    assert values == sorted(values)  # from dark to bright
    assert engine.sizes == [3, 2, 3, 3]
    first, second, third = Scorer([run, small, run])(paths[0])
    assert [first, second, third] == results[:3]


def test_models_share_one_reading_and_one_resizing(monkeypatch, run, folder, tmp_path):
    other = tiny.make_run(tmp_path / "other", size=(16, 16), content=None, least=4)
    calls = []
    monkeypatch.setattr(scoring, "make_engine", lambda entry, name: BatchEngine())
    for owner, name in ((decoding.Encoded, "pixels"), (reading, "fit_by")):
        real = getattr(owner, name)
        monkeypatch.setattr(
            owner,
            name,
            lambda *a, _name=name, _real=real, **k: (
                calls.append(_name) or _real(*a, **k)
            ),
        )
    list(score(folder, [run, other, run, other]))
    assert calls.count("pixels") == 12
    assert calls.count("fit_by") == 24


def test_what_cannot_be_scored_is_a_row(run, folder, tmp_path):
    (tmp_path / "text.jpg").write_text("no image")
    (tmp_path / "empty.png").touch()
    Image.new("RGB", (3, 900)).save(tmp_path / "thin.png")
    photo = folder / "0000.jpg"
    sources = [photo, *sorted(tmp_path.iterdir()), "missing.jpg", b"", photo]
    results = list(score(sources, run))
    assert [r.error for r in results] == [
        None,
        "empty",
        "unknown_format",
        "too_small",
        "not_found",
        "empty",
        None,
    ]
    for result in results[1:-1]:
        assert result.error in IMAGE_CODES
        assert "\n" not in result.message
        empty = (result.value, result.std, result.distribution, result.scale)
        assert empty == (None,) * 4
    for result in results[1:-2]:
        assert result.message.startswith(f"{result.path}: ")
    assert bits(results[:1]) == bits(results[-1:])


class Tensor:
    """What tensors of TensorFlow and PyTorch have in common."""

    def __init__(self, array):
        self.array = array
        self.ndim = array.ndim

    def __array__(self, dtype=None, copy=None):
        return self.array

    def __iter__(self):
        return map(Tensor, self.array)


class Elsewhere(Tensor):
    def __array__(self, dtype=None, copy=None):
        raise TypeError("can't convert cuda:0 device type tensor to numpy")


def test_what_is_no_image_is_a_row_among_others(run, folder):
    photo = str(folder / "0000.jpg")
    bad = [
        np.zeros((40, 40, 3), np.float32),
        np.zeros((2, 40, 40, 3), np.uint8),
        np.zeros((40, 40, 2), np.uint8),
        Elsewhere(np.zeros((40, 40, 3), np.uint8)),
        None,
        7,
        ["a.jpg", "b.jpg"],
    ]
    results = list(score([photo, *bad, photo], run))
    assert [r.error for r in results] == [None, *["not_an_image"] * len(bad), None]
    assert [r.error for r in score(bad[:1], run)] == ["not_an_image"]
    assert "value_range" in results[1].message
    assert "cuda:0" in results[4].message
    assert "NoneType" in results[5].message and "path" in results[5].message


@pytest.mark.parametrize("bad", [np.zeros((9, 9, 3)), np.zeros((9, 9, 2), np.uint8)])
def test_one_image_that_is_none_is_wrong_use(run, bad):
    for begin in (Scorer(run), lambda image: list(score(image, run))):
        with pytest.raises(UsageError):
            begin(bad)


@pytest.mark.parametrize("nothing", [None, 7, 0.5, object()])
def test_what_can_be_given_is_named(run, nothing):
    with pytest.raises(UsageError, match=r"cannot be scored. Give a path.*iterable"):
        list(score(nothing, run))


def test_values_of_black_and_white(run, folder, expected):
    pixels = [read_image(r.path) for r in expected[:3]]
    for scale in (1, 1000):
        floats = [p.astype(np.float32) / 255 * scale for p in pixels]
        scorer = Scorer(run, value_range=(0, scale))
        assert bits(scorer.score(floats)) == bits(expected[:3])
        assert bits([scorer(floats[0])]) == bits(
            score(floats[0], run, value_range=(0, scale))
        )
        assert bits(scorer.score(r.path for r in expected)) == bits(expected)
    with pytest.raises(UsageError, match="value_range"):
        score(floats, run, value_range=(1, 0))


def test_tensors_and_arrays_of_names(run, expected):
    paths = np.array([r.path for r in expected])
    assert list(score(paths, run)) == expected
    pixels = np.stack([read_image(r.path) for r in expected])
    for images in (pixels, Tensor(pixels), list(map(Tensor, pixels))):
        assert bits(score(images, run)) == bits(expected)
    assert bits(score(Tensor(pixels[2]), run)) == bits(expected[2:3])


def test_open_files(run, expected):
    path = expected[2].path
    with open(path, "rb") as file:
        assert list(score(file, run)) == expected[2:3]
    with open(path, "rb") as file, open(path, encoding="latin-1") as text:
        unnamed = io.BytesIO(Path(path).read_bytes())
        with open(path, "rb") as closed:
            pass
        results = list(score([file, unnamed, text, closed], run))
    assert [r.error for r in results] == [None, None, "not_an_image", "unreadable"]
    assert [r.path for r in results] == [path, "<bytes>", path, path]
    assert bits(results[:2]) == bits(expected[2:3]) * 2
    assert "binary" in results[2].message


@pytest.mark.parametrize("where", ["Photo", "fit_by", "predict"])
@pytest.mark.parametrize("batch", [1, 3])
def test_too_little_memory_is_a_row(monkeypatch, run, folder, where, batch):
    engine = BatchEngine()
    engine.batch = batch
    monkeypatch.setattr(scoring, "make_engine", lambda entry, name: engine)
    owner = {"Photo": scoring, "fit_by": reading, "predict": engine}[where]
    real = getattr(owner, where)
    turns = itertools.count()

    def fail_at_first(*arguments, **options):
        if next(turns) == 0:
            raise MemoryError
        return real(*arguments, **options)

    monkeypatch.setattr(owner, where, fail_at_first)
    results = list(score(folder, run, threads=1))
    lost = batch if where == "predict" else 1
    assert [r.error for r in results] == ["out_of_memory"] * lost + [None] * (12 - lost)


def test_a_failure_to_resize_is_a_row(monkeypatch, run, folder):
    import cv2

    def fail(image, *arguments, **options):
        raise cv2.error("(-215) no reason")

    monkeypatch.setattr(cv2, "resize", fail)
    results = list(score(folder, run))
    assert {r.error for r in results} == {"corrupt"}
    assert "no reason" in results[0].message


def test_a_missing_library_ends_the_run(monkeypatch, run, folder):
    def fail(rule, image):
        raise MissingLibraryError("OpenCV does not load")

    monkeypatch.setattr(reading, "fit_by", fail)
    with pytest.raises(MissingLibraryError):
        list(score(folder, run))
    assert not workers()


def test_limits(run, folder):
    (result,) = score(folder / "0000.jpg", run, limits=Limits(pixels=1000))
    assert result.error == "too_many_pixels"


def test_formats_on_request(run, folder, tmp_path):
    path = tmp_path / "photo.jp2"
    Image.open(folder / "0003.jpg").save(path)
    (refused,) = score(path, run)
    assert refused.error == "refused_format"
    (read,) = score(path, run, also_read="jpeg2000")
    assert read.value == Scorer(run, also_read=["jpeg2000"])(path).value
    with pytest.raises(UnknownNameError, match="jpeg2000"):
        score(path, run, also_read="jp2")
    (option,) = [p for p in command.params if p.name == "also_read"]
    assert set(option.type.choices) == set(ON_REQUEST)
    done = CliRunner().invoke(
        command, [str(path), "-m", str(run), "--also-read", "jpeg2000"]
    )
    assert "1 scored" in done.output


@pytest.mark.parametrize("answer", [np.nan, np.inf])
def test_an_answer_that_is_no_number_is_a_failure(monkeypatch, run, folder, answer):
    engine = BatchEngine()
    engine.predict = lambda images, threads: np.full((len(images), 10), answer)
    monkeypatch.setattr(scoring, "make_engine", lambda entry, name: engine)
    results = list(score(folder, run))
    assert {r.error for r in results} == {"non_finite"}
    assert {r.value for r in results} == {None}


def test_a_mean_never_leaves_the_scale(monkeypatch, run, folder):
    engine = BatchEngine()
    over = np.float32([[0] * 9 + [1 + 1e-6]])
    engine.predict = lambda images, threads: np.repeat(over, len(images), axis=0)
    monkeypatch.setattr(scoring, "make_engine", lambda entry, name: engine)
    assert {r.value for r in score(folder, run)} == {10.0}


def native_run(folder, model):
    """A run of a model, without a network that works."""
    return tiny.make_run(folder, model=model, size=(64, 64), least=32, content=b"none")


@pytest.mark.parametrize(("answer", "value"), [(0.25, 0.25), (-0.5, 0.0), (1.5, 1.0)])
def test_a_networks_score_is_brought_to_the_scale(
    monkeypatch, tmp_path, folder, answer, value
):
    run = native_run(tmp_path / "run", "cnniqa")
    shapes = set()

    class Engine:
        batch = 1

        def predict(self, images, threads=1):
            shapes.update(image.shape for image in images)
            return np.full((len(images), 1), answer, np.float32)

    monkeypatch.setattr(scoring, "make_engine", lambda entry, name: Engine())
    for result in score(folder, run):
        assert (result.value, result.scale) == (value, (0, 1))
        assert result.direction == "higher_is_better"
        assert result.std is result.distribution is None
    assert shapes == {(60, 80, 3)}  # the photos' own


@pytest.mark.parametrize(
    ("model", "said"),
    [("wadiqam-fr", r"iqa-zoo compare .* -m "), ("scnn", "name_distortion")],
)
def test_what_gives_no_score_of_one_photo_says_what_to_use(tmp_path, model, said):
    run = native_run(tmp_path / "run", model)
    with pytest.raises(UsageError, match=said):
        score("photo.jpg", run)


def workers():
    return [t for t in threading.enumerate() if t.name.startswith("iqa_zoo")]


def test_images_are_taken_as_they_are_needed(run, folder):
    taken = itertools.count()
    endless = (folder / "0000.jpg" for _ in taken)
    results = score(endless, run, threads=2)
    for _ in range(30):
        next(results)
    assert next(taken) <= 50
    results.close()
    assert not workers()


def test_no_thread_stays(run, folder):
    results = score(folder, run)
    next(results)
    assert workers()
    del results
    assert not workers()
    assert len(list(score(folder, run))) == 12
    assert not workers()


def test_an_error_of_the_caller_ends_the_threads(run, folder):
    def images():
        yield folder / "0000.jpg"
        yield folder / "0001.jpg"
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        list(score(images(), run))
    assert not workers()


def test_a_score_waits_for_no_further_name(run, folder, expected):
    names = queue.Queue()
    results = Scorer(run).score(iter(names.get, None), live=True)
    for wanted in expected:  # each is here before the next one is named
        names.put(wanted.path)
        assert next(results) == wanted
    names.put("missing.jpg")
    assert next(results).error == "not_found"
    names.put(None)
    assert list(results) == []
    assert not workers()


def test_a_live_run_hands_on_errors_and_ends(run, folder):
    def images():
        yield folder / "0000.jpg"
        raise KeyError("mine")

    results = Scorer(run).score(images(), live=True)
    assert next(results).value
    with pytest.raises(KeyError, match="mine"):
        next(results)
    endless = Scorer(run, threads=2).score(itertools.repeat(folder), live=True)
    for _ in range(30):
        next(endless)
    endless.close()
    for thread in workers():
        thread.join(9)
    assert not workers()


def test_nothing_to_score(run, tmp_path):
    assert list(score([], run)) == list(score(tmp_path, run)) == []


def test_an_array_that_is_no_image_is_wrong_use(run):
    with pytest.raises(UsageError, match="shape"):
        Scorer(run)(np.zeros((2, 3, 4, 5), np.uint8))


def test_wrong_use_is_told_before_anything_is_scored(run):
    with pytest.raises(UnknownNameError, match="nima"):
        score([], "nima-mobilenetv3")
    with pytest.raises(UnknownNameError, match="auto"):
        score([], run, engine="autom")
    with pytest.raises(UsageError, match="threads"):
        score([], run, threads=0)
    with pytest.raises(UsageError, match="No model"):
        score([], [])


def test_the_default_model(monkeypatch, run, folder):
    monkeypatch.setattr(registry, "default_model", lambda: str(run))
    scorer = Scorer()
    assert scorer.models == (str(run),)
    assert scorer(folder / "0000.jpg").value


def test_scoring_imports_no_tensorflow_and_says_nothing(run, folder):
    program = (
        "import sys, iqa_zoo\n"
        "assert 'tensorflow' not in sys.modules\n"
        f"result, = iqa_zoo.score({str(folder / '0003.jpg')!r}, {str(run)!r})\n"
        "assert result.value, result\n"
        "heavy = {'tensorflow', 'keras', 'scipy', 'click', 'tqdm', 'pandas'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
