"""Networks that are run tile by tile answer as they do on whole photos."""

import os
import subprocess
import sys

import numpy as np
import pytest

from iqa_zoo import registry
from iqa_zoo.engines import make_engine
from iqa_zoo.engines.tiled import Tiled, framed_tiles, mosaics
from iqa_zoo.errors import WeightsError
from tests.helpers import native

CELL = native.CELL
#: Smaller than a tile, as large, larger one way, and several tiles with a rest.
SIZES = ((17, 16), native.TILE, (30, 100), (131, 90))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The folders of runs of the small networks, by name."""
    folder = tmp_path_factory.mktemp("runs")
    with native.packaged(*native.KINDS):
        yield {name: native.make_run(folder / name, name) for name in native.KINDS}


def pictures(name, sizes=SIZES):
    random = np.random.default_rng(2)
    channels = 6 if name == "small-pair" else 3
    return [random.integers(0, 256, (*size, channels), np.uint8) for size in sizes]


def whole(run, picture):
    """Score and map of a whole picture, by Keras."""
    network = registry.load_network(run)
    x = picture[None].astype(np.float32)
    given = x
    if len(network.inputs) == 2:
        given = {"distorted": x[..., :3], "reference": x[..., 3:]}
    found = network(given, training=False)
    if not isinstance(found, dict):
        import keras

        place = registry.resolve(run).output["map"]
        output = network.get_layer(place).output
        map_ = keras.Model(network.input, output)(given, training=False)
        found = {"score": found, "map": map_}
    return np.asarray(found["score"])[0], np.asarray(found["map"])[0, ..., 0]


@pytest.mark.export
@pytest.mark.parametrize("name", native.KINDS)
@pytest.mark.parametrize("engine", ["litert", "tensorflow"])
def test_tiled_is_whole(runs, name, engine):
    tiled = make_engine(registry.resolve(runs[name]), engine)
    assert isinstance(tiled, Tiled) and tiled.cell == CELL
    images = pictures(name)
    scores = tiled.predict(images)
    assert scores.shape == (len(images), 1) and scores.dtype == np.float32
    assert np.ptp(scores) > 1e-3  # it tells them apart
    for image, score in zip(images, scores, strict=True):
        expected, places = whole(runs[name], image)
        np.testing.assert_allclose(score, expected, atol=1e-4)
        found = tiled.map(image, 2)
        assert found.shape == (image.shape[0] // CELL, image.shape[1] // CELL)
        np.testing.assert_allclose(found, places, atol=1e-4)
    again = tiled.predict(images[::-1], threads=2)[::-1]
    assert again.tobytes() == scores.tobytes()


@pytest.mark.export
@pytest.mark.parametrize("name", native.KINDS)
def test_kept_files_need_no_network(runs, name, monkeypatch):
    image = pictures(name)[-1]
    first = make_engine(registry.resolve(runs[name]), "litert").predict([image])
    monkeypatch.delattr(registry, "load_network")
    second = make_engine(registry.resolve(runs[name]), "litert").predict([image])
    assert first.tobytes() == second.tobytes()


@pytest.mark.export
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs Linux")
def test_kept_files_need_no_tensorflow(tmp_path):
    """And a photo of a megapixel goes through in little memory."""
    run = native.make_run(tmp_path / "run", "cnniqa")
    make_engine(registry.resolve(run), "litert")
    program = (
        "import sys, numpy as np, iqa_zoo;"
        "image = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), np.uint8);"
        f"(score,) = iqa_zoo.score(image, {run!r}, threads=1);"
        "assert 0 <= score.value <= 1, score;"
        "assert not {'tensorflow', 'keras'} & {*sys.modules};"
        "status = open('/proc/self/status').read();"
        "print(status.split('VmHWM:')[1].split()[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 500_000  # kilobytes


@pytest.mark.export
def test_a_part_with_nan_is_refused(runs, monkeypatch):
    import keras

    def load(name):
        network = native.patches()
        dense = next(x for x in network.layers if isinstance(x, keras.layers.Dense))
        dense.bias.assign(np.full(2, np.nan))
        return network

    monkeypatch.setattr(registry, "load_network", load)
    monkeypatch.setattr("iqa_zoo.store.cached", lambda key, make: make())
    with pytest.raises(WeightsError, match="NaN"):
        make_engine(registry.resolve(runs["small-patches"]), "litert")


def test_mosaics_hold_every_square_once():
    random = np.random.default_rng(0)
    image = random.integers(1, 256, (3 * CELL, 5 * CELL, 3), np.uint8)
    for tile in ((CELL, 4 * CELL), (2 * CELL, 3 * CELL)):
        found = []
        for part in mosaics(image, CELL, tile):
            assert part.shape == (*tile, 3)
            found += [
                part[top : top + CELL, left : left + CELL]
                for top in range(0, tile[0], CELL)
                for left in range(0, tile[1], CELL)
            ]
        wanted = [
            image[top : top + CELL, left : left + CELL]
            for top in range(0, 3 * CELL, CELL)
            for left in range(0, 5 * CELL, CELL)
        ]
        assert len(found) >= len(wanted)
        for square, expected in zip(found, wanted, strict=False):
            np.testing.assert_array_equal(square, expected)
        assert not any(square.any() for square in found[len(wanted) :])


@pytest.mark.parametrize("count", [(1, 1), (3, 4), (7, 5)])
def test_framed_tiles_cover_the_image(count):
    random = np.random.default_rng(1)
    size = tuple(n * CELL for n in count)
    image = random.integers(1, 256, (*size, 3), np.uint8)
    framed = np.pad(image, ((CELL, CELL), (CELL, CELL), (0, 0)), "symmetric")
    seen = np.zeros(count, int)
    shapes = set()
    for top, left, part in framed_tiles(image, CELL, native.TILE, CELL):
        shapes.add(part.shape)
        rows, columns = (n // CELL - 2 for n in part.shape[:2])
        seen[top : top + rows, left : left + columns] += 1
        there = framed[
            top * CELL : (top + rows + 2) * CELL,
            left * CELL : (left + columns + 2) * CELL,
        ]
        np.testing.assert_array_equal(part[: there.shape[0], : there.shape[1]], there)
    assert (seen == 1).all() and len(shapes) == 1
    assert all(
        n <= most + 2 * CELL for n, most in zip(shapes.pop(), native.TILE, strict=False)
    )
