"""Values that the authors' code, scikit-image and the formulas of metrics give."""

import csv

import numpy as np
import pytest

from iqa_zoo.full_reference import metric
from iqa_zoo.full_reference.ops import numpy_ops, numpy_sampling
from iqa_zoo.images import read_image
from tests.helpers.formula import formula_pair

# Of another implementation in float64, for the sizes 192 x 256 and 704 x 800.
FORMULA = [
    ("mse", {"grey": True}, 81.23553466796875, 213.10386363636363),
    ("psnr", {}, 24.567668080406225, 21.027241892581955),
    ("psnr", {"grey": True}, 29.033343176560503, 24.844890371943382),
    ("nae", {}, 0.05703238518209143, 0.09126789908353818),
    ("sc", {}, 1.0278141859823129, 1.036775651346849),
    ("lmse", {}, 7.04543669443787, 1.159262453408819),
    ("uqi", {}, 0.9218109641046314, 0.8173107054541757),
    ("ssim", {}, 0.9036687163273542, 0.9609519008316059),
    ("ssim_fullres", {}, 0.9036687163273542, 0.7803622928698172),
    ("ms_ssim", {}, 0.9726986807829501, 0.9513790110097566),
    ("gmsd", {}, 0.026501249407101645, 0.037577275907046334),
    ("nlpd", {}, 0.2012012520875189, 0.26752834182706575),
    ("mdsi", {}, 0.32833708102239356, 0.24838375356231288),
]
# Of the five pairs of TID2013: of the authors' MATLAB code where it has more than four
# decimals, else of another implementation in float64 that agrees with it.
PAIRS = ("I03", "I04", "I06", "I08", "I19")
AUTHORS = [
    ("psnr", {}, (21.113634, 20.987196, 27.013871, 23.300255, 21.618650), 5e-7),
    ("mse", {"grey": True},
     (385.852605, 0.381755, 0.296585, 274.714935, 325.049301), 1e-6),
    ("nae", {}, (0.134054, 0.004148, 0.002156, 0.019346, 0.102513), 6e-7),
    ("sc", {}, (1.026447, 1.004632, 1.000532, 1.020825, 1.001737), 6e-7),
    ("lmse", {}, (1.004472, 0.015670, 0.002204, 0.103947, 0.972495), 6e-7),
    ("uqi", {}, (0.081858, 0.992061, 0.967024, 0.966141, 0.407857), 1e-6),
    ("ssim", {}, (0.642299, 0.999351, 0.999679, 0.964488, 0.761702), 1e-6),
    ("ssim_fullres", {}, (0.699337, 0.997753, 0.998908, 0.966901, 0.651877), 1e-6),
    ("ms_ssim", {}, (0.669979, 0.999634, 0.999823, 0.956527, 0.841789), 1e-6),
    ("ms_ssim_sum", {}, (0.67331, 0.99963, 0.99982, 0.95657, 0.84618), 6e-6),
    ("mdsi", {}, (0.486269, 0.397198, 0.201322, 0.403834, 0.455812), 1e-6),
    ("ms_gmsd", {}, (0.23051, 0.00035, 0.00025, 0.13379, 0.20202), 6e-6),
    ("ms_gmsdc", {}, (0.22899, 0.13984, 0.05050, 0.12847, 0.19942), 6e-6),
]  # fmt: skip
EXACT = [  # within 1e-5 of the value
    ("gmsd", (0.220347639470143, 0.0005220585050504579, 0.0004482814810014102,
              0.134631933046914, 0.204996493556054)),
    ("nlpd", (0.561610096893874, 0.019534798560102, 0.015915631543598,
              0.302802106557736, 0.432604962261603)),
]  # fmt: skip


@pytest.fixture(scope="module")
def formula():
    return {size: formula_pair(size) for size in "AB"}


@pytest.fixture(scope="module")
def pairs(calibration):
    return [
        [read_image(calibration / side / f"{name}.png") for side in ("ref", "dist")]
        for name in PAIRS
    ]


@pytest.mark.parametrize(("name", "arguments", "small", "large"), FORMULA)
def test_formula_images(formula, name, arguments, small, large):
    found = [metric(name)(*formula[size], **arguments) for size in "AB"]
    assert found == pytest.approx([small, large], rel=2e-6, abs=5e-7)


@pytest.mark.parametrize(("name", "arguments", "values", "tolerance"), AUTHORS)
def test_pairs(pairs, name, arguments, values, tolerance):
    found = [metric(name)(*pair, **arguments) for pair in pairs]
    assert found == pytest.approx(values, rel=1e-7, abs=tolerance)


@pytest.mark.parametrize(("name", "values"), EXACT)
def test_pairs_of_official_code(pairs, name, values):
    found = [metric(name)(*pair) for pair in pairs]
    assert found == pytest.approx(values, rel=1e-5)


def test_rounding_the_grey_matters(pairs):
    assert metric("nlpd")(*pairs[1], luma_rounding=False) == pytest.approx(
        0.01387, abs=5e-6
    )


def test_the_published_ms_ssim_is_the_weighted_mean(pairs, calibration):
    with open(calibration / "results_official.csv", newline="") as file:
        rows = {row.pop("metric"): row for row in csv.DictReader(file)}
    found = [metric("ms_ssim_sum")(*pair) for pair in pairs]
    assert found == pytest.approx([float(rows["ms_ssim"][p]) for p in PAIRS], abs=6e-5)


def random_pair(seed, largest=120):
    """Random sides, grey or colour; noise on noise that is smooth."""
    random = np.random.default_rng(seed)
    height, width = random.integers(32, largest + 1, 2)
    shape = (height, width, 3) if seed % 2 else (height, width)
    coarse = random.uniform(0, 255, (8, 8, *shape[2:]))
    index = np.ix_(np.arange(height) * 8 // height, np.arange(width) * 8 // width)
    clean = coarse[index] + random.normal(0, 5, shape)
    damaged = clean + random.normal(0, random.uniform(1, 40), shape)
    return [np.rint(image.clip(0, 255)).astype(np.uint8) for image in (clean, damaged)]


def _agree_with_scikit_image(seed, largest):
    metrics = pytest.importorskip("skimage.metrics")
    clean, damaged = random_pair(seed, largest)
    for name, theirs in [
        ("mse", metrics.mean_squared_error),
        ("psnr", metrics.peak_signal_noise_ratio),
    ]:
        assert metric(name)(clean, damaged) == pytest.approx(theirs(clean, damaged))
    grey = [numpy_ops.luma(np.atleast_3d(image)) for image in (clean, damaged)]
    score, whole = metrics.structural_similarity(
        *grey,
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    ours, plane = metric("ssim_fullres")(clean, damaged, return_map=True)
    assert ours == pytest.approx(score, abs=1e-5)
    assert plane == pytest.approx(whole[5:-5, 5:-5], abs=1e-3)


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_scikit_image(seed):
    _agree_with_scikit_image(seed, 120)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(50))
def test_agrees_with_scikit_image_up_to_1024(seed):
    _agree_with_scikit_image(seed, 1024)


def test_grey_of_every_colour_is_matlabs():
    levels = np.arange(256, dtype=np.uint8)
    colours = np.empty((256, 256, 3), np.uint8)
    colours[..., 1], colours[..., 2] = levels[:, None], levels
    for red in range(0, 256, 17):
        colours[..., 0] = red
        exact = (
            0.298936021293775 * red
            + 0.587043074451121 * levels[:, None].astype(float)
            + 0.114020904255103 * levels
        )
        np.testing.assert_array_equal(numpy_ops.luma(colours), np.floor(exact + 0.5))


@pytest.mark.parametrize("padding", ["zero", "symmetric"])
def test_shrinking_averages_around_every_third_pixel(padding):
    image = np.random.default_rng(0).integers(0, 256, (640, 643), np.uint8)
    found = numpy_ops.downsampled(image, padding)
    assert found.shape == (214, 215)  # half of 5 is rounded up: by 3
    mode = {"zero": "constant", "symmetric": "symmetric"}[padding]
    around = np.pad(image.astype(float), 3, mode)
    for i, j in [(0, 0), (0, 214), (213, 0), (213, 214), (100, 37)]:
        window = around[3 * i + 2 : 3 * i + 5, 3 * j + 2 : 3 * j + 5]
        assert found[i, j] == pytest.approx(window.mean(), rel=1e-6)


def test_resizing_by_half_has_matlabs_taps():
    index, weights = numpy_sampling.resize_taps(20, 10, "bicubic")
    half = [-0.01171875, -0.03515625, 0.11328125, 0.43359375]
    np.testing.assert_allclose(weights, [half + half[::-1]] * 10, atol=1e-15)
    np.testing.assert_array_equal(index[3], np.arange(3, 11))
    np.testing.assert_array_equal(index[0], [2, 1, 0, 0, 1, 2, 3, 4])


def test_resizing_keeps_a_ramp_where_borders_are_far():
    ramp = np.add.outer(np.arange(40.0), 2 * np.arange(60.0))
    rows, columns = (np.arange(n) * 0.5 - 0.25 for n in (80, 120))
    for method in ("bicubic", "bilinear"):
        larger = numpy_ops.imresize(ramp, 80, 120, method)
        inside = np.add.outer(rows, 2 * columns)[8:-8, 8:-8]
        np.testing.assert_allclose(larger[8:-8, 8:-8], inside, atol=1e-4)
