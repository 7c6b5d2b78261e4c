"""What holds for every metric: identity, symmetry, range, clear refusals, cards."""

import inspect
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iqa_zoo import full_reference
from iqa_zoo.errors import CardError, ImageError, UnknownNameError, UsageError
from iqa_zoo.full_reference import metric, metric_card, metric_names
from iqa_zoo.full_reference.ops import numpy_filters

NAMES = metric_names()


def pair(name, seed=0, more=(9, 16), colour=True):
    """A clean and a damaged image, uint8, a little larger than the metric asks for."""
    random = np.random.default_rng(seed)
    side = max(metric_card(name)["least"], 32)
    shape = (side + more[0], side + more[1], 3)[: 2 + colour]
    coarse = random.uniform(0, 255, (6, 7, 3)[: 2 + colour])
    index = np.ix_(
        *(np.arange(n) * m // n for n, m in zip(shape, (6, 7), strict=False))
    )
    clean = coarse[index] + random.normal(0, 8, shape)
    damaged = clean + random.normal(0, 20, shape)
    return [np.rint(image.clip(0, 255)).astype(np.uint8) for image in (clean, damaged)]


seeds = st.integers(0, 2**32 - 1)
sizes = st.tuples(st.integers(0, 17), st.integers(0, 17))


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=4)
@given(seed=seeds, more=sizes, colour=st.booleans())
def test_identity_range_and_symmetry(name, seed, more, colour):
    card, function = metric_card(name), metric(name)
    clean, damaged = pair(name, seed, more, colour)
    assert function(clean, clean) == card["identical"]
    score = function(clean, damaged)
    assert card["range"][0] <= score <= card["range"][1]
    assert score != card["identical"]
    if card["symmetric"]:
        assert function(damaged, clean) == pytest.approx(score, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_is_its_images_in_any_order(name):
    pairs = [pair(name, seed) for seed in range(3)]
    clean, damaged = map(np.stack, zip(*pairs, strict=True))
    function = metric(name)
    scores = function(clean, damaged)
    assert isinstance(scores, np.ndarray) and scores.shape == (3,)
    alone = [function(*pair) for pair in pairs]
    assert all(isinstance(score, float) for score in alone)
    np.testing.assert_array_equal(scores, alone)
    np.testing.assert_array_equal(function(clean[::-1], damaged[::-1]), scores[::-1])


@pytest.mark.parametrize("name", NAMES)
def test_uint8_and_float_are_the_same_image(name):
    function, images = metric(name), pair(name)
    score = function(*images)
    for dtype, white in [(np.float32, 255), (np.float64, 1), (np.float32, 1)]:
        same = [(image / (255 / white)).astype(dtype) for image in images]
        assert function(*same, data_range=white) == pytest.approx(score, rel=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_images_are_left_alone_and_may_be_read_only_or_turned(name):
    function = metric(name)
    clean, damaged = pair(name)
    before = clean.copy()
    score = function(clean, damaged)
    np.testing.assert_array_equal(clean, before)
    clean.flags.writeable = False
    assert function(clean, damaged) == score
    turned = [np.asfortranarray(image) for image in (clean, damaged)]
    assert function(*turned) == score


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("level", [0, 90, 255])
def test_flat_images_have_scores(name, level):
    clean, _ = pair(name)
    flat = np.full_like(clean, level)
    assert metric(name)(flat, flat) == metric_card(name)["identical"]
    for images in [(flat, clean), (clean, flat), (flat, 255 - flat)]:
        assert not np.isnan(metric(name)(*images))


@pytest.mark.parametrize("name", NAMES)
def test_grey_planes_of_one_channel_are_grey_images(name):
    images = pair(name, colour=False)
    score = metric(name)(*images)
    assert metric(name)(*(image[..., None] for image in images)) == score


@pytest.mark.parametrize("name", NAMES)
def test_maps(name):
    function = metric(name)
    has_map = "return_map" in inspect.signature(function).parameters
    assert has_map == metric_card(name)["has_map"]
    if has_map:
        images = pair(name)
        score, plane = function(*images, return_map=True)
        assert score == function(*images)
        assert plane.ndim == 2 and plane.dtype == np.float32
        assert np.isfinite(plane).all() and np.ptp(plane) > 0
        batch = [np.stack([image] * 2) for image in images]
        scores, planes = function(*batch, return_map=True)
        np.testing.assert_array_equal(scores, [score] * 2)
        np.testing.assert_array_equal(planes, [plane] * 2)


@pytest.mark.parametrize("name", NAMES)
def test_strips_change_nothing(name, monkeypatch):
    images, function = pair(name, more=(70, 3)), metric(name)
    monkeypatch.setattr(numpy_filters, "STRIP", 1 << 30)
    whole = function(*images)
    monkeypatch.setattr(numpy_filters, "STRIP", 1)
    assert function(*images) == pytest.approx(whole, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_refuses_what_is_no_pair_of_images(name):
    function = metric(name)
    clean, damaged = pair(name)
    least = metric_card(name)["least"]
    with pytest.raises(UsageError, match=f"{name}.*one size"):
        function(clean, damaged[:, 1:])
    with pytest.raises(UsageError, match="one size"):
        function(clean, damaged[..., 0])
    with pytest.raises(ImageError, match="1 or 3 channels"):
        function(clean[..., :2], damaged[..., :2])
    with pytest.raises(ImageError, match="1 or 3 channels"):
        function(clean[0, 0], damaged[0, 0])
    with pytest.raises(ImageError, match="uint8") as error:
        function(clean.astype(int), damaged.astype(int))
    assert error.value.code == "not_an_image"
    with pytest.raises(ImageError, match="at least") as error:
        function(clean[: least - 1], damaged[: least - 1])
    assert error.value.code == "too_small"
    assert f"{least} x {least}" in str(error.value)


@pytest.mark.parametrize("name", NAMES)
def test_refuses_values_that_are_no_brightness(name):
    function = metric(name)
    clean, damaged = (image / 255 for image in pair(name))
    for bad in (np.nan, np.inf):
        damaged[3, 4, 1] = bad
        with pytest.raises(ImageError, match="NaN") as error:
            function(clean, damaged, data_range=1)
        assert error.value.code == "non_finite"
    for bad in (-0.1, 1.1):
        damaged[3, 4, 1] = bad
        with pytest.raises(ImageError, match="outside 0 to 1"):
            function(clean, damaged, data_range=1)
    for bad in (0, -1, np.nan, np.inf):
        with pytest.raises(UsageError, match="data_range"):
            function(clean, clean, data_range=bad)


def test_unknown_names_get_the_nearest():
    for ask in (metric, metric_card, full_reference.loss, full_reference.streaming):
        with pytest.raises(UnknownNameError, match="ms_ssim"):
            ask("msssim")


def test_a_card_with_an_unknown_key_is_refused(tmp_path, monkeypatch):
    text = (full_reference.FOLDER / "gmsd.toml").read_text()
    (tmp_path / "gmsd.toml").write_text(f"colours = 3\n{text}")
    monkeypatch.setattr(full_reference, "FOLDER", tmp_path)
    metric_card.cache_clear()
    with pytest.raises(CardError, match="unknown key colours"):
        metric_card("gmsd")
    monkeypatch.undo()
    metric_card.cache_clear()
    assert metric_card("gmsd")["least"] == 4


def test_arrays_never_load_tensorflow():
    program = (
        "import sys, numpy as np\n"
        "from iqa_zoo.full_reference import metric, metric_names\n"
        "image = np.zeros((180, 180, 3), np.uint8)\n"
        "for name in metric_names(): metric(name)(image, image)\n"
        "heavy = {'tensorflow', 'keras', 'torch', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
