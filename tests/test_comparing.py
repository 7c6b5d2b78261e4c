"""`compare`: which images belong together, and what becomes of the others."""

import logging
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from iqa_zoo import cards, full_reference, registry
from iqa_zoo.comparing import DEFAULT, _Room, checked_metrics, compare, metrics
from iqa_zoo.comparing.maps import as_picture
from iqa_zoo.comparing.metrics import metric, metric_card, metric_names
from iqa_zoo.comparing.pairs import find_pairs
from iqa_zoo.comparing.scores import FIELDS, PairScore, from_row
from iqa_zoo.errors import (
    IMAGE_CODES,
    ImageError,
    OpinionError,
    OutputError,
    UnknownNameError,
    UsageError,
    WeightsError,
)
from iqa_zoo.images import fit_image, read_image
from tests.helpers import tiny
from tests.helpers.formula import formula_pair

REFERENCE, DISTORTED = (image[:64, :80] for image in formula_pair("A"))


def save(path: Path, image: np.ndarray) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return str(path)


@pytest.fixture
def folders(tmp_path):
    for name in ("a.png", "deep/b.png", "c.png", "alone.png", "twice.png", "twice.bmp"):
        save(tmp_path / "ref" / name, REFERENCE)
    for name in ("a.png", "deep/b.bmp", "c.png", "c.bmp", "twice.webp", "new.png"):
        save(tmp_path / "dist" / name, DISTORTED)
    (tmp_path / "dist" / "notes.txt").write_text("no image")
    return tmp_path / "ref", tmp_path / "dist"


def test_arrays_and_files_are_scored_alike(tmp_path):
    files = [
        save(tmp_path / f"{i}.png", p) for i, p in enumerate((REFERENCE, DISTORTED))
    ]
    for pair in ((REFERENCE, DISTORTED), files):
        found = list(compare(*pair))
        assert [score.metric for score in found] == list(DEFAULT)
        for score in found:
            assert score.value == full_reference.metric(score.metric)(
                REFERENCE, DISTORTED
            )
            card = full_reference.metric_card(score.metric)
            assert score.direction == card["direction"]
            assert score.error is None
    assert (found[0].reference, found[0].distorted) == tuple(files)


def test_folders_are_matched_by_name(folders, caplog):
    reference, distorted = folders
    with caplog.at_level(logging.WARNING, "iqa_zoo"):
        found = list(compare(reference, distorted, "psnr"))
    names = [Path(score.distorted).relative_to(distorted).as_posix() for score in found]
    assert names == ["a.png", "c.bmp", "c.png", "deep/b.bmp", "new.png", "twice.webp"]
    whole = dict(zip(names, found, strict=True))
    assert Path(whole["c.bmp"].reference) == reference / "c.png"
    assert Path(whole["deep/b.bmp"].reference) == reference / "deep" / "b.png"
    for name, reason in (
        ("new.png", "no image has this name"),
        ("twice.webp", "one of"),
    ):
        assert whole[name].error == "no_reference" and whole[name].value is None
        assert reason in whole[name].message and str(reference) in whole[name].message
    told = [record.getMessage() for record in caplog.records]
    assert [text.partition(":")[0] for text in told] == [
        "alone.png",
        "twice.bmp",
        "twice.png",
    ]


def test_the_order_is_that_of_the_pairs(tmp_path):
    """However long each takes."""
    random = np.random.default_rng(0)
    pairs = []
    for side in (160, 8, 90, 8, 8, 40):
        images = random.integers(0, 256, (2, side, side, 3), np.uint8)
        pairs.append(tuple(images))
    found = list(compare(iter(pairs), metrics=["mse", "mae"], threads=3))
    for number, pair in enumerate(pairs):
        for score in found[2 * number : 2 * number + 2]:
            assert score.value == full_reference.metric(score.metric)(*pair)


def test_a_table_of_pairs(tmp_path):
    save(tmp_path / "r" / "a.png", REFERENCE)
    save(tmp_path / "d" / "a.png", DISTORTED)
    table = tmp_path / "pairs.csv"
    table.write_text("reference,distorted\nr/a.png,d/a.png\nr/a.png,r/a.png\n")
    first, second = compare(table, metrics="psnr")
    assert Path(first.reference) == tmp_path / "r" / "a.png"
    assert first.value == full_reference.metric("psnr")(REFERENCE, DISTORTED)
    assert second.value == np.inf
    # As `iqa-zoo distort` writes it, and with semicolons.
    table.write_text("image;reference;level\nd/a.png;r/a.png;1\n")
    assert [score.value for score in compare(table, metrics="psnr")] == [first.value]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a,b\n1,2\n", "no column reference"),
        ("reference,distorted\na.png\n", "line 2"),
        ("reference,distorted\na.png,\n", "empty"),
    ],
)
def test_broken_tables(text, reason, tmp_path):
    table = tmp_path / "pairs.csv"
    table.write_text(text)
    with pytest.raises(UsageError, match=reason):
        compare(table)


def test_what_stands_for_no_pairs(tmp_path, folders):
    photo = save(tmp_path / "a.png", REFERENCE)
    for arguments in ((photo,), (folders[0],), (REFERENCE,), (photo, folders[0])):
        with pytest.raises(UsageError):
            compare(*arguments)
    for given in ([photo], [(photo,)], 3):
        with pytest.raises(UsageError):
            list(compare(given))
    with pytest.raises(OpinionError):
        compare(tmp_path / "no.csv")


def test_wrong_arguments():
    for wrong in ({"metrics": "psrn"}, {"resize": "larger"}, {"also_read": "gif"}):
        with pytest.raises(UnknownNameError):
            compare(REFERENCE, DISTORTED, **wrong)
    for wrong in ({"metrics": []}, {"threads": 0}, {"value_range": (1, 0)}):
        with pytest.raises(UsageError):
            compare(REFERENCE, DISTORTED, **wrong)


def test_names_of_metrics():
    assert checked_metrics(None) == DEFAULT
    assert checked_metrics("all") == metric_names()
    assert checked_metrics(["mse", "psnr", "mse"]) == ("mse", "psnr")


class Middle:
    """In an engine's place: how bright the reference is, beyond the scale if white."""

    batch = 1

    def predict(self, images, threads=1):
        (image,) = images
        assert image.shape[2] == 6
        found = image[..., 3:].mean() / 254 - image[..., :3].mean() / 2550
        return np.full((1, 1), found, np.float32)


@pytest.fixture
def pair_run(tmp_path, monkeypatch):
    """A run of a network that compares."""
    monkeypatch.setattr(metrics, "make_engine", lambda entry: Middle())
    size = {"size": (64, 64), "least": 32}
    return tiny.make_run(tmp_path / "run", model="wadiqam-fr", content=b"none", **size)


def test_networks_that_compare(pair_run):
    (score,) = compare(REFERENCE, DISTORTED, pair_run)
    expected = REFERENCE.mean() / 254 - DISTORTED.mean() / 2550
    assert score.metric == str(pair_run)
    assert score.value == pytest.approx(expected, abs=1e-6)
    assert score.direction == "higher_is_better" and score.error is None
    assert metric(str(pair_run))(REFERENCE, DISTORTED) == score.value
    assert metric_card(str(pair_run))["range"] == [0, 1]
    white = np.full((40, 40, 3), 255, np.uint8)
    scores = list(compare(white, 0 * white, [pair_run, "psnr"]))
    assert scores[0].value == 1 and scores[1].value == pytest.approx(0)  # on the scale
    small, fine = compare(white[:31], white[:31], [pair_run, "mse"])
    assert small.error == "too_small" and "at least 32" in small.message
    assert fine.value == 0
    with pytest.raises(ImageError, match="at least 32"):
        metric(str(pair_run))(white[:31], white[:31])
    with pytest.raises(UsageError, match="one size"):
        metric(str(pair_run))(white, white[:33])


def test_networks_that_compare_have_names(pair_run, monkeypatch):
    card = registry.resolve(str(pair_run)).card
    assert "cnniqa" not in metric_names()
    monkeypatch.setattr(cards, "known_cards", lambda: {"some-fr": card})
    assert "some-fr" in metric_names()
    without = {key: card[key] for key in card if key != "default_weights"}
    monkeypatch.setattr(cards, "known_cards", lambda: {"some-fr": without})
    assert "some-fr" not in metric_names()


def test_networks_of_one_photo_do_not_compare(tmp_path):
    run = tiny.make_run(tmp_path / "run", content=b"none")
    with pytest.raises(UsageError, match="judges one photo"):
        compare(REFERENCE, DISTORTED, run)
    with pytest.raises(WeightsError, match="no trained weights"):
        compare(REFERENCE, DISTORTED, "asna")


def test_pairs_that_fail_end_nothing(tmp_path):
    photo = save(tmp_path / "a.png", REFERENCE)
    (tmp_path / "empty.png").touch()
    pairs = [
        (photo, tmp_path / "no.png"),
        (tmp_path / "empty.png", photo),
        (REFERENCE, DISTORTED[:, :70]),
        (REFERENCE, REFERENCE.astype(float)),
        (REFERENCE[:3], DISTORTED[:3]),
        (REFERENCE, DISTORTED),
    ]
    found = list(compare(pairs, metrics="ssim"))
    codes = [score.error for score in found]
    assert codes == [
        *("not_found", "empty", "different_sizes", "not_an_image", "too_small", None)
    ]
    assert set(codes[:-1]) <= set(IMAGE_CODES)
    assert "70 x 64" in found[2].message and "80 x 64" in found[2].message
    assert "at least 11" in found[4].message


@pytest.mark.parametrize(
    ("rule", "size"),
    [("reference", (64, 80)), ("distorted", (90, 70)), ("smaller", (64, 70))],
)
def test_different_sizes_by_a_rule(rule, size):
    larger = formula_pair("A")[1][:90, :70]
    (score,) = compare(REFERENCE, larger, "mse", resize=rule)
    expected = full_reference.metric("mse")(
        fit_image(REFERENCE, size), fit_image(larger, size)
    )
    assert score.value == expected


def test_maps(folders, tmp_path):
    out = tmp_path / "maps"
    names = ["gmsd", "mse", "vifp", "ssim"]
    list(compare(*folders, names, maps=out))
    files = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.png"))
    with_maps = [n for n in names if full_reference.metric_card(n)["has_map"]]
    assert "gmsd" in with_maps and "vifp" not in with_maps
    expected = [
        f"{name}-{metric}.png"
        for name in ("a.png", "c.bmp", "c.png", "deep/b.bmp")
        for metric in with_maps
    ]
    assert files == sorted(expected)
    pictures = [read_image(out / f"a.png-{n}.png")[..., 0] for n in ("gmsd", "mse")]
    _, plane = full_reference.metric("gmsd")(REFERENCE, DISTORTED, return_map=True)
    assert np.array_equal(pictures[0], np.rint(255 * plane.clip(0, 1)))
    apart = np.square(REFERENCE.astype(float) - DISTORTED).mean(-1)
    assert np.abs(pictures[1] - 255 * (1 - apart / apart.max())).max() < 1


def test_maps_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        list(compare(REFERENCE, DISTORTED, "gmsd", maps=tmp_path / "file"))


def test_maps_of_like_names_lie_beside_each_other(tmp_path):
    pairs = [(REFERENCE, DISTORTED), (DISTORTED, REFERENCE)]
    list(compare(pairs, metrics="gmsd", maps=tmp_path))
    assert len(list(tmp_path.iterdir())) == 2
    table = tmp_path / "t" / "pairs.csv"
    for name in ("a.png", "t/a.png"):
        save(tmp_path / name, REFERENCE)
    table.write_text("ref,dist\na.png,../a.png\na.png,a.png\n")
    names = [pair.name for pair in find_pairs(table)]
    assert names == ["a.png", "a.png-2"]


def test_pictures_of_maps():
    values = np.float32([[-0.5, 0, 0.5, 1, 1.5]])
    assert as_picture(values, 1).tolist() == [[0, 0, 128, 255, 255]]
    errors = np.float32([[0, 1, 4]])
    assert as_picture(errors, 0).tolist() == [[255, 191, 0]]
    assert as_picture(errors * 0, 0).tolist() == [[255, 255, 255]]


def test_large_pairs_wait_for_each_other():
    room, most, now = _Room(), [], []
    lock = threading.Lock()

    def work(pixels):
        with room.taken(pixels):
            with lock:
                now.append(pixels)
                most.append(sum(now))
            threading.Event().wait(0.01)
            with lock:
                now.remove(pixels)

    sizes = [room.LIMIT // 2] * 5 + [3 * room.LIMIT] + [room.LIMIT // 4] * 6
    threads = [threading.Thread(target=work, args=(size,)) for size in sizes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == len(sizes)
    assert sorted(set(most) - {3 * room.LIMIT})[-1] <= room.LIMIT


def test_rows_lead_back():
    score = PairScore("", "b", "psnr", float("inf"), "higher_is_better")
    row = {name: getattr(score, name) for name in FIELDS}
    assert from_row(row) == score
    text = {name: "" if cell is None else str(cell) for name, cell in row.items()}
    assert from_row(text) == score
    for change in ({"value": "high"}, {"value": None}, {"error": "empty"}, {"x": 1}):
        with pytest.raises(ValueError):
            from_row({**row, **change})


def test_no_tensorflow(tmp_path):
    import subprocess

    program = (
        "import sys, numpy, iqa_zoo;"
        "image = numpy.zeros((176, 176, 3), 'uint8');"
        "found = list(iqa_zoo.compare(image, image));"
        "assert all(score.error is None for score in found), found;"
        "heavy = {'tensorflow', 'keras', 'matplotlib'} & {*sys.modules};"
        "sys.exit(' '.join(heavy) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
