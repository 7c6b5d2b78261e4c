"""Technical measures: known values, what noise does to them, what they refuse."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iqa_zoo.errors import UsageError
from iqa_zoo.images import opencv, read_image
from iqa_zoo.technical import (
    blockiness,
    colourfulness,
    contrast,
    exposure,
    noise,
    planes,
    sharpness,
)
from tests.helpers.formula import SIZES, formula_pair

MEASURES = {
    module.__name__.rpartition(".")[2]: module.measure
    for module in (blockiness, colourfulness, contrast, exposure, noise, sharpness)
}


@pytest.fixture(scope="module")
def pairs():
    return {size: formula_pair(size) for size in SIZES}


# The sums of their values, and those of their grey levels.
SUMS = {
    "A": ((18827450, 18725499), (6273085, 6238114)),
    "B": ((215450515, 214276070), (71814012, 71420808)),
}


@pytest.mark.parametrize("name", SUMS)
def test_formula_pictures(name, pairs):
    for image, total, greys in zip(pairs[name], *SUMS[name], strict=True):
        assert image.sum(dtype=int) == total
        assert planes.grey(image).sum(dtype=float) == greys
    assert pairs["A"][0][100, 150].tolist() == [210, 86, 37]
    assert pairs["A"][1][100, 150].tolist() == [187, 78, 64]


# Of A and its distorted one, then of B and its; independent programs gave them.
KNOWN = {
    sharpness.measure: (
        *(2.821671219645664, 2.6762342652175133),
        *(3.509023315643336, 2.938020408872739),
    ),
    sharpness.laplacian_variance: (
        *(121.08532816828792, 908.5944960137011),
        *(2107.361687658605, 964.9093542159429),
    ),
    sharpness.perceptual_blur: (
        *(0.3828588296223237, 0.2802830386815414),
        *(0.23039162354196344, 0.24951049536414198),
    ),
    noise.measure: (
        *(0.3572551319886802, 6.568799075081981),
        *(0.39716390070493823, 6.569698781409483),
    ),
    noise.immerkaer: (
        *(0.34959569538898894, 6.640006878818037),
        *(4.067046839123572, 6.6039574160558105),
    ),
    colourfulness.measure: (
        *(88.84151900417886, 76.10859639778971),
        *(87.1405452708722, 67.26463118266587),
    ),
    blockiness.wang: (
        *(7.810184557794372, 9.495098653533688),
        *(8.207667697255886, 9.459130268838095),
    ),
}


@pytest.mark.parametrize("measure", KNOWN, ids=lambda m: f"{m.__module__}.{m.__name__}")
def test_known_values(measure, pairs):
    images = [*pairs["A"], *pairs["B"]]
    found = [measure(image) for image in images]
    assert found == pytest.approx(KNOWN[measure], rel=1e-5)


def scene(seed, height=160, width=200):
    """A picture with edges, slopes and fine texture."""
    random = np.random.default_rng(seed)
    i, j = np.mgrid[:height, :width]
    plane = 90 + 60 * ((i // 23 + j // 31) % 2) + 30 * np.sin(i / 9) * np.cos(j / 13)
    plane = plane + 8 * random.standard_normal((height, width)) * (j > width // 2)
    tint = random.uniform(0.7, 1, 3)
    return np.rint(plane[..., None] * tint).clip(0, 255).astype(np.uint8)


def with_noise(image, std, seed=0):
    shape = (*image.shape[:2], 1)[: image.ndim]  # the same in all channels
    drawn = np.random.default_rng(seed).standard_normal(shape) * std
    return np.rint(image + drawn).clip(0, 255).astype(np.uint8)


def blurred(image, sigma):
    return opencv().GaussianBlur(image, (0, 0), sigma)


@pytest.fixture(scope="module")
def photo(photos):
    return read_image(photos / "chelsea.jpg")


def test_noise_does_not_make_sharp(photo):
    """Where other measures take a blurred and noisy photo for sharper than a clean."""
    hazy = with_noise(blurred(photo, 2), 15)
    assert sharpness.laplacian_variance(hazy) > sharpness.laplacian_variance(photo)
    assert sharpness.perceptual_blur(hazy) < sharpness.perceptual_blur(photo)
    clean, soft = sharpness.measure(photo), sharpness.measure(blurred(photo, 2))
    assert sharpness.measure(hazy) == pytest.approx(soft, abs=0.15)
    assert sharpness.measure(hazy) < (clean + soft) / 2


def test_sharpness_falls_with_blur(photo):
    ratios = [sharpness.measure(photo)]
    ratios += [sharpness.measure(blurred(photo, sigma)) for sigma in (0.7, 1, 2, 4)]
    assert (np.diff(ratios) < 0).all()


@pytest.mark.parametrize("sigma", [1, 2, 3])
def test_edge_blur_is_that_of_an_edge(sigma):
    step = np.full((128, 128), 60, np.uint8)
    step[:, 64:] = 190
    ratio = sharpness.measure(blurred(step, sigma), noise_std=0)
    assert sharpness.edge_blur(ratio) == pytest.approx(sigma, rel=0.03)
    assert sharpness.edge_blur(2) == sharpness.edge_blur(3.5) == 0
    assert sharpness.edge_blur(1) == math.inf


@pytest.mark.parametrize("std", [2, 5, 10, 20])
def test_noise_is_measured(std):
    flat = np.full((192, 192), 120, np.uint8)
    assert noise.measure(with_noise(flat, std)) == pytest.approx(std, rel=0.08)


def test_noise_of_channels():
    random = np.random.default_rng(1)
    stds = np.array([3, 6, 12])
    image = 128 + random.standard_normal((192, 192, 3)) * stds
    image = np.rint(image).astype(np.uint8)
    assert noise.channels(image) == pytest.approx(stds, rel=0.08)
    weights = np.array(planes.LUMA)
    expected = math.sqrt((weights**2) @ (stds**2))
    assert noise.measure(image) == pytest.approx(expected, rel=0.08)


def test_blur_is_no_noise(photo):
    assert noise.measure(blurred(photo, 2)) < noise.measure(photo)


def test_exposure():
    photo = scene(3)
    middle = exposure.measure(photo)
    assert exposure.measure(photo // 4) < middle
    assert exposure.measure(255 - photo // 6) < middle
    half = np.zeros((64, 64, 3), np.uint8)
    half[:32, :, 0] = 255
    found = exposure.statistics(half)
    assert (found.shadows, found.highlights) == (0.5, 0.5)
    assert (found.dark, found.light) == (0, pytest.approx(76 / 255))
    assert found.mean == pytest.approx(38 / 255)


def test_noise_moves_no_quantile():
    flat = np.full((128, 128), 80, np.uint8)
    clean, noisy = map(exposure.statistics, (flat, with_noise(flat, 12)))
    assert noisy.dark == pytest.approx(clean.dark, abs=0.03)
    assert noisy.light == pytest.approx(clean.light, abs=0.03)


def test_contrast():
    half = np.full((64, 64), 55, np.uint8)
    half[:, 32:] = 157
    assert contrast.measure(half) == pytest.approx(0.2)
    assert contrast.tone_range(half) == pytest.approx(0.4)
    assert contrast.michelson(half) == pytest.approx(102 / 212)
    assert contrast.michelson(np.zeros((8, 8), np.uint8)) == 0
    noisy = with_noise(half, 15)
    assert contrast.measure(noisy, noise_std=15) == pytest.approx(0.2, rel=0.02)


def test_colourfulness_without_noise():
    random = np.random.default_rng(0)
    grey = np.full((256, 256, 3), 128)
    noisy = np.rint(grey + 10 * random.standard_normal(grey.shape)).astype(np.uint8)
    assert colourfulness.measure(grey.astype(np.uint8)) == 0
    assert colourfulness.measure(noisy) > 15
    assert colourfulness.measure(noisy, noise_std=(10, 10, 10)) < 4


@pytest.mark.parametrize("offset", [(0, 0), (3, 0), (0, 5), (7, 1)])
def test_blocks_are_found_wherever_the_grid_begins(photo, offset):
    cv2 = opencv()
    _, data = cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, 10])
    blocky = cv2.imdecode(data, cv2.IMREAD_COLOR)[offset[0] :, offset[1] :]
    assert blockiness.measure(blocky) > 1.3
    assert blockiness.measure(photo[offset[0] :, offset[1] :]) < 1.1


FLAT = {
    "blockiness": math.nan,
    "colourfulness": 0,
    "contrast": 0,
    "exposure": 1 - abs(2 * 90 / 255 - 1),
    "noise": 0,
    "sharpness": math.nan,
}


@pytest.mark.parametrize("name", MEASURES)
def test_a_flat_image(name):
    flat = np.full((64, 64, 3), 90, np.uint8)
    assert MEASURES[name](flat) == pytest.approx(FLAT[name], nan_ok=True)


def test_what_cannot_be_measured_is_nan():
    white = np.full((64, 64, 3), 255, np.uint8)
    assert math.isnan(noise.measure(white))
    assert math.isnan(sharpness.measure(white))
    assert math.isnan(blockiness.wang(white))
    assert sharpness.perceptual_blur(white) == 1


@pytest.mark.parametrize("name", MEASURES)
@settings(deadline=None, max_examples=5)
@given(seed=st.integers(0, 99))
def test_an_image_is_measured_as_it_is(name, seed):
    image = scene(seed)
    before = image.copy()
    image.flags.writeable = False
    value = MEASURES[name](image)
    assert isinstance(value, float)
    np.testing.assert_array_equal(image, before)
    # Turned over it has the same statistics but for where blocks begin and end.
    turned = MEASURES[name](image[:, ::-1])
    assert value == pytest.approx(turned, rel=0.15, abs=0.02)
    if name != "colourfulness":
        plane = planes.grey(image).astype(np.uint8)
        assert MEASURES[name](np.stack([plane] * 3, -1)) == MEASURES[name](plane)


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize(
    "image",
    [
        np.zeros((64, 64, 3), np.float32),
        np.zeros((64, 64, 4), np.uint8),
        np.zeros((2, 64, 64, 3), np.uint8),
        np.zeros((0, 64, 3), np.uint8),
    ],
    ids=["float", "four channels", "a batch", "empty"],
)
def test_what_is_no_image(name, image):
    with pytest.raises(UsageError, match="cannot be measured"):
        MEASURES[name](image)


def test_what_is_too_small_or_grey():
    tiny = np.zeros((31, 64, 3), np.uint8)
    for name in ("noise", "sharpness", "blockiness"):
        with pytest.raises(UsageError, match=r"64 x 31 pixels .* needs 32 a side"):
            MEASURES[name](tiny)
    with pytest.raises(UsageError, match="no colours"):
        colourfulness.measure(tiny[..., 0])
