"""FSIM, FSIMc, VSI, VIFp and VIF: known values, and what they do at the edge."""

import csv

import numpy as np
import pytest

from iqa_zoo.full_reference import metric
from iqa_zoo.full_reference.fsim import weighted_mean
from iqa_zoo.full_reference.ops import numpy_ops
from iqa_zoo.images import read_image
from tests.helpers.formula import formula_pair

NAMES = ("fsim", "fsimc", "vsi", "vifp", "vif")
PAIRS = ("I03", "I04", "I06", "I08", "I19")

# Of other code that follows the authors'; ../shared/design/test_vectors.json.
FORMULA = {
    "fsim": (0.9495017874288989, 0.9829746180602864),
    "fsimc": (0.9386885246304753, 0.980513286709043),
    "vsi": (0.9741164490351804, 0.9878339761086644),
    "vifp": (0.49337351765831, 0.3850118020458934),
}
# Likewise, of the calibration pairs.
CALIBRATION = {
    "fsim": (0.697293, 0.999820, 0.999910, 0.958617, 0.829764),
    "fsimc": (0.689033, 0.970190, 0.992677, 0.957496, 0.822028),
    "vsi": (0.924424, 0.949691, 0.987606, 0.953862, 0.927203),
    "vifp": (0.070086, 0.971347, 0.978038, 0.926510, 0.201911),
    "vif": (0.017229, 0.989072, 0.992438, 0.910289, 0.174511),
}
# The row of the authors' results that each is, and how far it may be off: half of the
# last digit, or what their printed digits are worth.
OFFICIAL = {"vif": ("vif", 0.00005), "fsimc": ("fsim", 0.001)}


@pytest.mark.parametrize("name", FORMULA)
def test_formula_images(name):
    for size, expected in zip("AB", FORMULA[name], strict=True):
        assert metric(name)(*formula_pair(size)) == pytest.approx(expected, abs=2e-6)


@pytest.fixture(scope="module")
def pairs(calibration):
    return [
        tuple(
            read_image(calibration / side / f"{name}.png") for side in ("ref", "dist")
        )
        for name in PAIRS
    ]


@pytest.mark.parametrize("name", NAMES)
def test_calibration_pairs(name, pairs, calibration):
    found = [metric(name)(*pair) for pair in pairs]
    assert found == pytest.approx(CALIBRATION[name], abs=2e-6)
    if name in OFFICIAL:
        row, tolerance = OFFICIAL[name]
        with open(calibration / "results_official.csv", newline="") as file:
            rows = {row["metric"]: row for row in csv.DictReader(file)}
        expected = [float(rows[row][pair]) for pair in PAIRS]
        assert found == pytest.approx(expected, abs=tolerance)


def test_unrounded_grey(pairs):
    found = [metric("vifp")(*pair, luma_rounding=False) for pair in pairs[:3]]
    assert found == pytest.approx((0.070627, 0.983126, 0.989128), abs=2e-6)


@pytest.fixture(scope="module")
def small():
    """A pair of odd sides, large enough for all."""
    return tuple(image[:129, :151] for image in formula_pair("A"))


@pytest.mark.parametrize("name", NAMES)
def test_identical_images(name, small):
    flat = np.full_like(small[0], 77)
    for image in (*small, flat, np.zeros_like(flat), np.full_like(flat, 255)):
        assert metric(name)(image, image) == 1


@pytest.mark.parametrize("name", NAMES)
def test_flat_images(name, small):
    image = small[0]
    flat = np.full_like(image, 77)
    for pair in ((flat, image), (image, flat), (flat, np.full_like(flat, 90))):
        assert 0 <= metric(name)(*pair) < 1


def test_more_contrast_is_more_information(small):
    image = small[0].astype(np.float32) / 4 + 64
    assert metric("vifp")(image, (image - 64) * 2 + 64) > 1


def test_negative_bases_have_the_real_part_of_their_power():
    """Colours that change places make one of FSIMc's likenesses negative."""
    i, j = np.mgrid[:64, :64]
    first = np.zeros((64, 64, 3), np.uint8)
    first[..., 0] = 127 + 120 * np.sin(i / 5)
    first[..., 2] = 127 + 120 * np.cos(j / 7)
    second = np.ascontiguousarray(first[..., ::-1])
    for name in ("fsimc", "vsi"):
        score, plane = metric(name)(first, second, return_map=True)
        assert np.isfinite(plane).all() and 0 < score < 1


def test_weights_of_nothing_are_equal():
    plane = np.float32([[0.25, 0.75]])
    assert weighted_mean(numpy_ops, plane, plane * 0) == pytest.approx(0.5)
