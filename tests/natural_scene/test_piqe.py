"""PIQE against MATLAB's values, and its masks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iqa_zoo.distortions import distort
from iqa_zoo.errors import ImageError
from iqa_zoo.images import read_image
from iqa_zoo.natural_scene import piqe
from tests.helpers.formula import formula_pair

# What MATLAB's function gives, and to four digits what it is.
OFFICIAL = {
    "I03": (100, 100),
    "I04": (21.62, 21.6244),
    "I06": (35.86, 35.8645),
    "I08": (41.15, 41.1475),
    "I19": (76.95, 76.9485),
}
FORMULA = {
    ("A", 0): 71.80772498538343,
    ("A", 1): 6.306946471242364,
    ("B", 0): 44.028975894442226,
    ("B", 1): 8.559047409483089,
}


def photo(size, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


@pytest.mark.parametrize(("name", "expected"), OFFICIAL.items())
def test_score_is_matlabs(name, expected, calibration):
    printed, exact = expected
    found = piqe.score(read_image(calibration / "dist" / f"{name}.png"))
    assert found == pytest.approx(printed, abs=0.01)
    assert found == pytest.approx(exact, abs=0.0001)


@pytest.mark.parametrize(("size", "which"), FORMULA)
def test_scores_of_the_formula_images(size, which):
    found = piqe.score(formula_pair(size)[which])
    assert found == pytest.approx(FORMULA[size, which], abs=1e-8)


@given(st.integers(16, 90), st.integers(16, 90), st.integers(0, 9))
@settings(deadline=None, max_examples=15)
def test_scores_are_finite_and_repeatable(height, width, seed):
    image = photo((height, width), seed)
    found = piqe.score(image)
    assert 0 < found < np.inf
    image.flags.writeable = False
    assert piqe.score(image) == found
    grey = image[..., 1]
    assert piqe.score(np.repeat(grey[..., None], 3, 2)) == piqe.score(grey)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_flat_photo_gets_100(level):
    assert piqe.score(np.full((50, 60, 3), level, np.uint8)) == 100


def test_too_small():
    with pytest.raises(ImageError, match="16 x 16 are needed") as told:
        piqe.score(photo((15, 40)))
    assert told.value.code == "too_small"


def test_masks_tell_where(photos):
    image = read_image(photos / "coffee.jpg")[:250, :330]
    noisy, compressed = image.copy(), image.copy()
    noisy[:, :160] = distort(image, "white_noise", 4)[:, :160]
    compressed[:, :160] = distort(image, "jpeg", 5)[:, :160]
    clean, noise, blocks = map(piqe.maps, (image, noisy, compressed))
    for found in (clean, noise, blocks):
        for mask in (found.active, found.artifacts, found.noise):
            assert mask.shape == (250, 330)
            assert mask.dtype == bool
        assert not (found.artifacts & ~found.active).any()
        assert not (found.noise & ~found.active).any()
    assert noise.score == piqe.score(noisy)
    np.testing.assert_array_equal(noise.noise[:, 192:], clean.noise[:, 192:])
    assert noise.noise[:, :144].mean() > clean.noise[:, :144].mean()
    assert blocks.artifacts[:, :144].mean() > 2 * clean.artifacts[:, :144].mean()


def test_the_score_is_that_of_the_masks():
    image = photo((64, 96))
    image[:, 48:] //= 9
    found = piqe.maps(image)
    blocks = found.active[::16, ::16]
    assert blocks.shape == (4, 6)
    assert found.score >= 100 / (1 + blocks.sum())
