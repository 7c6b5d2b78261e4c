"""The formulas over feature maps, on maps of no network."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iqa_zoo.errors import ImageError, UnknownNameError, UsageError
from iqa_zoo.full_reference import CEILING, metric
from iqa_zoo.full_reference.feature_maps import REVIVED, pyramid, revived

# The metric of pixels that each is of one map.
PLAIN = {name: name for name in REVIVED} | {"ssim": "ssim_fullres"}
BEST = {"ssim": 1, "sc": 1, "psnr": CEILING}


def some_maps(seed=0, size=(13, 18)):
    """Maps of two layers, and those of an image that is a little different."""
    random = np.random.default_rng(seed)
    shapes = ((*size, 5), (size[0] - 2, size[1] - 3, 3))
    first = [random.normal(1, 2, shape).astype(np.float32) for shape in shapes]
    second = [
        maps + random.normal(0, 0.5, maps.shape).astype(np.float32) for maps in first
    ]
    return first, second


@settings(deadline=None, max_examples=5)
@given(seed=st.integers(0, 2**32 - 1), height=st.integers(13, 30))
def test_identity_range_and_symmetry(seed, height):
    first, second = some_maps(seed, (height, 18))
    assert pyramid(first, first) == 1
    assert 0 < pyramid(first, second) < 1
    assert pyramid(second, first) == pytest.approx(pyramid(first, second))
    for name in REVIVED:
        assert revived(name, first, first) == BEST.get(name, 0)
        assert revived(name, first, second) != BEST.get(name, 0)


@pytest.mark.parametrize("name", REVIVED)
def test_a_map_within_its_range_is_measured_like_a_grey_image(name):
    random = np.random.default_rng(1)
    first, second = random.uniform(3, 7, (2, 24, 20, 2)).astype(np.float32)
    expected = []
    for channel in range(2):
        low, high = first[..., channel].min(), first[..., channel].max()
        second[..., channel] = second[..., channel].clip(low, high)
        pair = [(maps[..., channel] - low) / (high - low) for maps in (first, second)]
        expected.append(metric(PLAIN[name])(*pair, data_range=1))
    found = revived(name, [first], [second])
    assert found == pytest.approx(np.mean(expected), rel=1e-5)


def test_the_mean_is_taken_over_maps_then_over_layers():
    first, second = some_maps()
    alone = [
        np.mean([
            revived("mae", [one[..., [k]]], [other[..., [k]]])
            for k in range(one.shape[-1])
        ])
        for one, other in zip(first, second, strict=True)
    ]  # fmt: skip
    assert revived("mae", first, second) == pytest.approx(np.mean(alone))


def test_histograms_intersect():
    """By hand: channel 0 in one half of the picture, channel 1 in the other."""
    first = np.zeros((8, 8, 2), np.float32)
    first[:, :4, 0] = first[:, 4:, 1] = 1
    # Mirrored, the whole has the same histogram, and no cell below has.
    assert pyramid([first], [first[:, ::-1]]) == pytest.approx(1 / 1.875)
    # What is negative is no response; where neither has any, both are alike.
    assert pyramid([first - 2], [first * 0]) == 1
    assert pyramid([first], [first * 0]) == 0
    # Twice as much of all is the same histogram.
    assert pyramid([first, first], [2 * first, 3 * first]) == 1


def test_maps_without_a_range_are_left_out():
    first, second = some_maps()
    flat = [np.concatenate([maps, maps[..., :1] * 0 + 4], -1) for maps in first]
    other = [np.concatenate([maps, maps[..., :1]], -1) for maps in second]
    for name in REVIVED:
        assert revived(name, flat, other) == revived(name, first, second)
        assert math.isnan(revived(name, [first[0] * 0], [second[0]]))


def test_infinite_values_count_as_the_ceiling():
    first, second = some_maps()
    first[0] -= first[0].min((0, 1))
    assert revived("sc", first[:1], [first[0] * 0]) == CEILING
    assert revived("psnr", first[:1], first[:1]) == CEILING
    half = [np.concatenate([second[0][..., :2], first[0][..., 2:]], -1)]
    assert revived("psnr", first[:1], half) < CEILING


def test_refusals():
    first, second = some_maps()
    for wrong in ([], first[:1], [maps[:-1] for maps in first], [m[0] for m in first]):
        for function in (pyramid, lambda a, b: revived("mse", a, b)):
            with pytest.raises(UsageError, match="one size"):
                function(first, wrong)
    with pytest.raises(UnknownNameError, match="ssim"):
        revived("sim", first, second)
    for name, least in (("ssim", 11), ("lmse", 3)):
        small = [maps[: least - 1] for maps in first]
        with pytest.raises(ImageError, match=f"{least} are needed") as error:
            revived(name, small, small)
        assert error.value.code == "too_small"
    with pytest.raises(ImageError, match="8 are needed"):
        pyramid([first[0][:7]], [first[0][:7]])


@pytest.mark.parametrize("seed", range(5))
def test_maps_that_share_nothing(seed):
    maps = np.random.default_rng(seed).uniform(0.1, 1, (9, 9, 14)).astype(np.float32)
    first, second = maps.copy(), maps.copy()
    first[..., 7:] = second[..., :7] = 0
    assert 0 <= pyramid([first], [second]) < 1e-9
