"""The cached trunk: the same numbers as the whole network, computed once."""

import os

import keras
import numpy as np
import pytest
from PIL import Image

from iqa_zoo import registry
from iqa_zoo.engines.litert import LiteRT
from iqa_zoo.errors import ImageError, OutputError, UnknownNameError, WeightsError
from iqa_zoo.images import fit_image, read_image
from iqa_zoo.training import trunk
from tests.helpers.small import SIZE, make_opinions, packaged


@pytest.fixture(scope="module")
def network():
    with packaged() as name:
        keras.utils.set_random_seed(1)
        yield registry.load_model(name, None)


@pytest.fixture(scope="module")
def rule():
    with packaged() as name:
        return registry.model_card(name)["input"]


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    _, photos = make_opinions(tmp_path_factory.mktemp("opinions"), 11)
    return sorted(photos.iterdir())


@pytest.fixture(scope="module")
def pixels(paths):
    return np.stack([fit_image(read_image(path), SIZE) for path in paths])


def ask(network, x):
    return network.predict_on_batch(x.astype("float32"))


def test_parts_share_weights_and_make_the_whole(network, pixels):
    low, high = trunk.below(network, "low_out"), trunk.above(network, "low_out")
    found = ask(high, ask(low, pixels))
    np.testing.assert_allclose(found, ask(network, pixels), atol=1e-6)
    assert high.trainable_weights[-1] is network.trainable_weights[-1]
    pooled = trunk.above(network, "low_out", "pool")
    assert pooled.output_shape == (None, 8)


def test_none_is_the_whole(network, pixels):
    assert trunk.below(network, "none") is None
    np.testing.assert_array_equal(
        ask(trunk.above(network, "none"), pixels), ask(network, pixels)
    )


@pytest.mark.parametrize("part", [trunk.below, trunk.above])
def test_unknown_layer(network, part):
    with pytest.raises(UnknownNameError, match="low_out"):
        part(network, "low_outt")


def test_cached_trunk_answers_as_the_network(network, paths, pixels, rule, tmp_path):
    low, high = trunk.below(network, "low_out"), trunk.above(network, "low_out")
    inputs = trunk.cached_inputs(low, paths, rule, tmp_path, mirror=True)
    assert inputs.shape == (len(paths), 2, SIZE[0] // 2, SIZE[1] // 2, 4)
    assert inputs.dtype == np.float16
    for view, seen in ((0, pixels), (1, pixels[:, :, ::-1])):
        found = ask(high, inputs[:, view])
        np.testing.assert_allclose(found, ask(network, seen), atol=1e-3)
    one = trunk.cached_inputs(low, paths, rule, tmp_path, mirror=False)
    np.testing.assert_array_equal(one[:, 0], inputs[:, 0])
    assert one.shape[1] == 1


def test_without_a_trunk_the_pictures_themselves(paths, pixels, rule, tmp_path):
    inputs = trunk.cached_inputs(None, paths, rule, tmp_path, mirror=True)
    assert inputs.dtype == np.uint8
    np.testing.assert_array_equal(inputs[:, 0], pixels)
    assert inputs.shape[1] == 1  # they are mirrored when they are drawn


def test_computed_once_for_the_same_content(
    network, paths, rule, tmp_path, monkeypatch
):
    low = trunk.below(network, "low_out")
    first = trunk.cached_inputs(low, paths, rule, tmp_path, mirror=False)
    monkeypatch.setattr(trunk, "_compute", lambda *_: pytest.fail("computed again"))
    again = trunk.below(network, "low_out")
    second = trunk.cached_inputs(again, paths, rule, tmp_path, mirror=False)
    np.testing.assert_array_equal(first, second)


def test_computed_anew_for_other_content(network, paths, rule, tmp_path):
    def file(layer="low_out", paths=paths, **changes):
        part = trunk.below(network, layer)
        trunk.cached_inputs(part, paths, rule | changes, tmp_path, mirror=False)
        return len(os.listdir(tmp_path))

    assert file() == file() == 1
    assert file(paths=paths[::-1]) == 2
    assert file(size=[16, 16]) == 3
    # The same variables, but another layer's answer.
    assert file("low_bn") == 4
    kernel = network.get_layer("low_conv").kernel
    before = kernel.numpy()
    kernel.assign(before * 2)
    try:
        assert file() == 5
    finally:
        kernel.assign(before)
    assert file() == 5
    picture = paths[0].read_bytes()
    try:
        Image.new("RGB", (30, 30)).save(paths[0])
        assert file() == 6
    finally:
        paths[0].write_bytes(picture)


def test_a_picture_that_cannot_be_read_is_named(network, paths, rule, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(paths[0].read_bytes()[:200])
    with pytest.raises(ImageError, match=r"bad\.png") as caught:
        trunk.cached_inputs(
            trunk.below(network, "low_out"),
            [*paths[:3], bad],
            rule,
            tmp_path / "cache",
            mirror=False,
        )
    assert caught.value.code == "truncated"
    assert os.listdir(tmp_path / "cache") == []


def test_cache_that_cannot_be_written(network, paths, rule, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file"):
        trunk.cached_inputs(None, paths, rule, tmp_path / "file", mirror=False)


def test_many_pictures_by_litert(network, paths, rule, tmp_path, monkeypatch):
    low = trunk.below(network, "low_out")
    by_keras = trunk.cached_inputs(low, paths, rule, tmp_path, mirror=True)
    made = []
    monkeypatch.setattr(trunk, "LiteRT", lambda *how: made.append(how) or LiteRT(*how))
    monkeypatch.setattr(trunk, "WORTH_CONVERTING", len(paths))
    by_litert = trunk.cached_inputs(low, paths, rule, tmp_path, mirror=True)
    assert len(made) == 1
    np.testing.assert_allclose(by_litert, by_keras, rtol=2e-3, atol=1e-4)


def test_keras_prepares_what_litert_cannot(
    network, paths, rule, tmp_path, monkeypatch, caplog
):
    low = trunk.below(network, "low_out")
    by_keras = trunk.cached_inputs(low, paths, rule, tmp_path, mirror=True)

    def refused(*how):
        raise WeightsError("no such operator")

    monkeypatch.setattr(trunk, "converted", refused)
    monkeypatch.setattr(trunk, "WORTH_CONVERTING", len(paths))
    found = trunk.cached_inputs(low, paths, rule, tmp_path / "other", mirror=True)
    np.testing.assert_array_equal(found, by_keras)
    assert "no such operator" in caplog.text
