"""NIQE against the authors' values, and pristine models of one's own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iqa_zoo.errors import ImageError, UsageError, WeightsError
from iqa_zoo.images import read_image
from iqa_zoo.natural_scene import niqe
from tests.helpers.formula import formula_pair

# What the authors' MATLAB code gives. Parts of I08 and I19 are flat.
OFFICIAL = {
    "I03": 15.7536293917814,
    "I04": 3.65492152353770,
    "I06": 3.23547743716998,
    "I08": 3.18403333858339,
    "I19": 8.63519663862637,
}
FORMULA = {
    ("A", 0): 19.94006680049323,
    ("A", 1): 17.944679424962036,
    ("B", 0): 13.415072173250792,
    ("B", 1): 13.002354845895495,
}


def photo(size, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


@pytest.fixture(scope="module")
def live(imagenet_weights):
    """The authors' pristine model."""
    return dict(np.load(imagenet_weights / "niqe_pristine.npz"))


@pytest.fixture(scope="module")
def own():
    return niqe.fit(photo((480, 576), seed) for seed in range(3))


@pytest.mark.parametrize(("name", "expected"), OFFICIAL.items())
def test_score_is_the_authors(name, expected, live, calibration):
    image = read_image(calibration / "dist" / f"{name}.png")
    assert niqe.score(image, live) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(("size", "which"), FORMULA)
def test_scores_of_the_formula_images(size, which, live):
    found = niqe.score(formula_pair(size)[which], live)
    assert found == pytest.approx(FORMULA[size, which], rel=1e-6)


@given(st.integers(96, 200), st.integers(192, 300), st.integers(0, 9))
@settings(deadline=None, max_examples=5)
def test_scores_are_finite_and_repeatable(own, height, width, seed):
    image = photo((height, width), seed)
    found = niqe.score(image, own)
    assert 0 <= found < np.inf
    image.flags.writeable = False
    assert niqe.score(image, own) == found
    # What is beyond the last whole block is cut off.
    cut = image[: height // 96 * 96, : width // 96 * 96]
    assert niqe.score(cut, own) == found
    grey = image[..., 1]
    assert niqe.score(np.repeat(grey[..., None], 3, 2), own) == niqe.score(grey, own)


def test_what_cannot_be_judged(own):
    with pytest.raises(ImageError, match="192 x 96 are needed") as told:
        niqe.score(photo((191, 191)), own)
    assert told.value.code == "too_small"
    for level in (0, 128, 255):
        with pytest.raises(ImageError, match="0 of 4 blocks have") as told:
            niqe.score(np.full((200, 200, 3), level, np.uint8), own)
        assert told.value.code == "non_finite"


def test_flat_blocks_are_left_out(own):
    image = photo((192, 288))
    image[:110, :110] = 90
    rows = niqe.features(image)
    assert np.isnan(rows[0]).all()
    assert np.isfinite(rows[1:]).all()
    assert np.isfinite(niqe.score(image, own))


def test_fit_takes_the_sharp_blocks_of_each_photo(own):
    assert own["mean"].shape == (36,)
    np.testing.assert_array_equal(own["covariance"], own["covariance"].T)
    sharp, dull = photo((480, 576), 9), photo((480, 480), 8)
    dull[:, 200:] = 128 + dull[:, 200:] // 4
    model = niqe.fit([sharp, dull])
    # The two first columns of blocks; the third has 8 sharp columns of pixels.
    rows = niqe.features(dull).reshape(5, 5, 36)[:, :2].reshape(-1, 36)
    rows = np.concatenate([niqe.features(sharp), rows])
    np.testing.assert_allclose(model["mean"], rows.mean(0))
    np.testing.assert_allclose(model["covariance"], np.cov(rows, rowvar=False))


def test_too_few_blocks():
    with pytest.raises(UsageError, match="of 1 images are too few"):
        niqe.fit([photo((300, 300))])
    with pytest.raises(UsageError, match="0 sharp blocks of 0 images"):
        niqe.fit([])


def test_other_arrays_are_refused(own):
    with pytest.raises(WeightsError, match="'covariance' must have"):
        niqe.score(photo((200, 200)), {**own, "covariance": np.eye(35)})
