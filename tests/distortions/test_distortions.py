"""Every kind at every level: repeatable, stronger by level, and what its name says."""

import numpy as np
import pytest
from scipy import ndimage

from iqa_zoo.distortions import KINDS, LEVELS, distort
from iqa_zoo.distortions.blur import disc, line
from iqa_zoo.distortions.tone import otsu
from iqa_zoo.errors import UnknownNameError, UsageError
from iqa_zoo.images import read_image

# Lighter and darker than the photo, so that their levels do not order its distance.
SIGNED = {"mean_shift", "contrast"}


@pytest.fixture(scope="module")
def crops(photos):
    # Large enough that the patches leave places, and that JPEG 2000 has bytes to save.
    names = ("chelsea", "coffee")
    return [read_image(photos / f"{name}.jpg")[40:296, 90:346] for name in names]


@pytest.mark.parametrize("kind", KINDS)
def test_levels(kind, crops):
    errors = []
    for level in LEVELS:
        before = [crop.copy() for crop in crops]
        damaged = [distort(crop, kind, level) for crop in crops]
        for crop, old, new in zip(crops, before, damaged, strict=True):
            np.testing.assert_array_equal(crop, old)
            assert new.dtype == np.uint8
            assert new.shape == crop.shape
        pairs = zip(crops, damaged, strict=True)
        errors.append(np.mean([(new - 1.0 * old) ** 2 for old, new in pairs]))
    assert errors[-1] > 10
    if kind not in SIGNED:
        assert (np.diff(errors) > 0).all(), errors


@pytest.mark.parametrize("kind", KINDS)
def test_repeats_are_equal(kind, crops):
    corner = crops[0][:64, :80]
    for level in LEVELS:
        first = distort(corner, kind, level, seed=3)
        np.testing.assert_array_equal(
            first, distort(corner.copy(), kind, level, seed=3)
        )


def test_signed_levels(crops):
    means = [distort(crops[0], "mean_shift", level).mean() for level in LEVELS]
    assert (np.diff(means) < 0).all()
    np.testing.assert_array_equal(distort(crops[0], "mean_shift", 3), crops[0])
    steep = [distort(crops[0], "contrast", level) for level in LEVELS]
    assert (np.diff([new.std() for new in steep]) < 0).all()
    # The error follows |strength + 0.2|: at -0.2 the points are on the diagonal.
    errors = np.array([np.square(new - 1.0 * crops[0]).mean() for new in steep])
    strengths = np.abs(np.array(KINDS["contrast"].levels) + 0.2)
    assert (np.diff(errors[[2, 1, 4, 0]]) > 0).all()
    assert (np.diff(strengths[[2, 1, 4, 0]]) > 0).all()
    assert errors[3] == pytest.approx(errors[2], rel=0.02)
    assert strengths[3] == pytest.approx(strengths[2])


def test_kadid_exact(crops):
    """The authors stretch the picture to all of black to white, before and after."""
    dull = crops[0] // 2 + 50
    bright = distort(dull, "mean_shift", 1, kadid_exact=True)
    values = (dull - 1.0 * dull.min()) / np.ptp(dull)
    np.testing.assert_array_equal(bright, np.rint(255 * values))
    assert bright.min() == 0 and bright.max() == 255
    flat = np.full((8, 8, 3), 90, np.uint8)
    assert (distort(flat, "darken", 5, kadid_exact=True) < 90).all()
    with pytest.raises(UsageError, match="dbcnn_blur is no kind of KADID-10k"):
        distort(dull, "dbcnn_blur", 1, kadid_exact=True)


RANDOM = {
    *("motion_blur", "colour_shift", "white_noise", "white_noise_ycbcr"),
    *("impulse_noise", "multiplicative_noise", "denoise", "jitter"),
    *("non_eccentricity_patch", "colour_block", "dbcnn_noise", "dbcnn_pink_noise"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_matters_where_there_is_chance(kind, crops):
    first, second = (distort(crops[0], kind, 5, seed=seed) for seed in (0, 1))
    assert (first != second).any() == (kind in RANDOM)


def test_noise_has_the_stated_variance():
    grey = np.full((300, 400, 3), 128, np.uint8)
    for kind, level in (("white_noise", 3), ("dbcnn_noise", 2)):
        noise = distort(grey, kind, level) / 255 - 128 / 255
        assert noise.var() == pytest.approx(KINDS[kind].levels[level - 1], rel=0.03)
    speckle = distort(grey, "multiplicative_noise", 5) / 128 - 1
    assert speckle.var() == pytest.approx(0.05, rel=0.03)
    salted = distort(grey, "impulse_noise", 5)
    assert (salted == 0).mean() == pytest.approx(0.015, abs=0.002)
    assert (salted == 255).mean() == pytest.approx(0.015, abs=0.002)


@pytest.mark.parametrize("level", LEVELS)
def test_gaussian_blur_equals_scipy(level, crops):
    sigma = KINDS["gaussian_blur"].levels[level - 1]
    expected = ndimage.gaussian_filter(
        crops[0].astype(float),
        (sigma, sigma, 0),
        mode="nearest",
        radius=int(np.ceil(2 * sigma)),
    )
    found = distort(crops[0], "gaussian_blur", level)
    np.testing.assert_allclose(found, expected, atol=0.51)


@pytest.mark.parametrize("radius", KINDS["lens_blur"].levels)
def test_disc_covers_its_area(radius):
    kernel = disc(radius)
    assert kernel.sum() == pytest.approx(1)
    np.testing.assert_allclose(kernel, kernel[::-1].T)
    # A pixel wholly inside has the disc's area as its share.
    assert 1 / kernel.max() == pytest.approx(np.pi * radius**2, rel=0.02)


def test_line_of_a_length():
    np.testing.assert_allclose(line(1, 0.3), [[1]])
    np.testing.assert_allclose(
        line(5, 0), [[0] * 5, [0] * 5, [0.2] * 5, [0] * 5, [0] * 5]
    )
    np.testing.assert_allclose(line(5, np.pi / 2), line(5, 0).T, atol=1e-12)


def test_otsu_is_the_best_split():
    histogram = np.random.default_rng(0).integers(0, 9, 12)
    values = np.repeat(np.arange(12), histogram)

    def spread(first, second):
        parts = np.split(values, np.searchsorted(values, [first + 1, second + 1]))
        return sum(part.var() * len(part) for part in parts if len(part))

    found = spread(*otsu(histogram, 2))
    best = min(spread(a, b) for a in range(12) for b in range(a + 1, 12))
    assert found == pytest.approx(best)


def test_few_colours(crops):
    colours = {
        tuple(pixel)
        for pixel in distort(crops[0], "colour_quantisation", 5).reshape(-1, 3)
    }
    assert len(colours) <= 8
    assert len(np.unique(distort(crops[0], "quantisation", 5))) <= 8


def test_small_images():
    for side in (1, 3, 17):
        image = np.full((side, side + 1, 3), 90, np.uint8)
        for kind in KINDS:
            if kind == "non_eccentricity_patch":
                with pytest.raises(UsageError, match="48 a side"):
                    distort(image, kind, 1)
            else:
                assert distort(image, kind, 5).shape == image.shape


def test_bad_arguments():
    image = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(UnknownNameError, match="gaussian_blur"):
        distort(image, "gausian_blur", 1)
    for level in (0, 6, 2.5, 1.0, True):
        with pytest.raises(UsageError, match="1 \\(weak\\) to 5"):
            distort(image, "jpeg", level)
    with pytest.raises(UsageError, match="seed is -1"):
        distort(image, "jpeg", 1, seed=-1)
    for wrong in (image[..., 0], image.astype(float), image[:0]):
        with pytest.raises(UsageError, match="read_image returns"):
            distort(wrong, "jpeg", 1)
