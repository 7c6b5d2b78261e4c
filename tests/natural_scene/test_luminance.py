"""Grey levels, halving and normalisation, against what MATLAB's functions do."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from iqa_zoo.errors import ImageError, UsageError
from iqa_zoo.natural_scene.luminance import grey_levels, halved, luma, mscn
from tests.helpers.formula import formula_pair

SIDES = st.tuples(st.integers(1, 150), st.integers(1, 700))


def photo(size, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


@pytest.mark.parametrize(
    ("size", "sums"), [("A", (6273085, 6238114)), ("B", (71814012, 71420808))]
)
def test_grey_of_the_formula_images(size, sums):
    assert tuple(int(grey_levels(image).sum()) for image in formula_pair(size)) == sums


@given(SIDES)
@settings(deadline=None, max_examples=10)
def test_grey_is_matlabs(size):
    image = photo(size)
    weights = np.array([0.298936021293775, 0.587043074451121, 0.114020904255103])
    exact = image @ weights
    np.testing.assert_allclose(luma(image), exact, atol=1e-9)
    np.testing.assert_array_equal(grey_levels(image), np.floor(exact + 0.5))
    grey = image[..., 0]
    repeated = np.repeat(grey[..., None], 3, 2)
    np.testing.assert_array_equal(grey_levels(repeated), grey)
    np.testing.assert_array_equal(grey_levels(grey), grey)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((9, 9, 3)),
        np.zeros((9, 9, 4), np.uint8),
        np.zeros(9, np.uint8),
        [[1, 2], [3, 4]],
    ],
)
def test_what_is_no_image_is_refused(image):
    with pytest.raises(UsageError, match="Pass what read_image returns"):
        luma(image)


def test_too_small_names_the_least_size():
    with pytest.raises(ImageError, match="30 x 10 pixels are too few; 20 x 12") as told:
        luma(np.zeros((10, 30), np.uint8), least=(12, 20))
    assert told.value.code == "too_small"


@given(st.integers(8, 150), st.integers(8, 1100))
@settings(deadline=None, max_examples=10)
def test_halved_is_a_filter_of_eight_taps(height, width):
    image = photo((height, width))[..., 0]
    half = np.array([-0.01171875, -0.03515625, 0.11328125, 0.43359375])
    taps = np.concatenate([half, half[::-1]])
    expected = image.astype(float)
    for _ in range(2):
        padded = np.pad(expected, ((3, 4), (0, 0)), "symmetric")
        starts = range(0, len(expected), 2)
        expected = np.array([taps @ padded[k : k + 8] for k in starts]).T
    np.testing.assert_allclose(halved(image), expected, atol=1e-9)


@given(st.integers(1, 9), st.integers(1, 9))
@settings(deadline=None, max_examples=10)
def test_half_of_a_few_pixels(height, width):
    found = halved(photo((height, width))[..., 0])
    assert found.shape == ((height + 1) // 2, (width + 1) // 2)
    assert np.isfinite(found).all()


def test_halved_keeps_a_slope_and_a_flat_image():
    slope = np.tile(np.arange(100.0), (40, 1))
    inside = halved(slope)[4:-4, 4:-4]
    np.testing.assert_allclose(inside, np.tile(np.arange(8.5, 91, 2), (12, 1)))
    np.testing.assert_allclose(halved(np.full((7, 9), 3, np.uint8)), 3)


@given(SIDES, st.sampled_from(["zero", "replicate"]))
@settings(deadline=None, max_examples=10)
def test_mscn_is_its_formula(size, padding):
    grey = photo(size)[..., 0].astype(float)
    place = np.arange(-3, 4)
    window = np.exp(-(place**2) / (2 * (7 / 6) ** 2))
    window /= window.sum()
    mode = {"zero": "constant", "replicate": "nearest"}[padding]

    def smooth(values):
        rows = ndimage.correlate1d(values, window, 0, mode=mode)
        return ndimage.correlate1d(rows, window, 1, mode=mode)

    mean = smooth(grey)
    deviation = np.sqrt(np.abs(smooth(grey**2) - mean**2))
    expected = (grey - mean) / (deviation + 1)
    np.testing.assert_allclose(mscn(grey, padding), expected, atol=1e-8)


def test_a_flat_image_has_no_residue():
    assert not mscn(np.full((80, 600), 77, np.uint8), "replicate").any()


def test_threads_change_nothing():
    grey = photo((90, 1100))[..., 0]
    before = cv2.getNumThreads()
    found = []
    try:
        for threads in (1, 4):
            cv2.setNumThreads(threads)
            found.append((mscn(grey, "zero"), halved(grey)))
    finally:
        cv2.setNumThreads(before)
    for one, four in zip(*found, strict=True):
        np.testing.assert_array_equal(one, four)
