"""The fits against a search of the whole grid, as the authors do it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import gamma

from iqa_zoo.errors import WeightsError
from iqa_zoo.natural_scene.statistics import (
    check_arrays,
    fit_asymmetric,
    fit_symmetric,
    moments,
    wrapped,
)

GRID = np.arange(200, 10001) / 1000
KURTOSIS = gamma(1 / GRID) * gamma(3 / GRID) / gamma(2 / GRID) ** 2


def sums_of(values):
    """The sums of the values alone, without neighbours."""
    return moments(wrapped(np.asarray(values, float)))[0]


def draw(seed, power, lean):
    random = np.random.default_rng(seed)
    values = random.standard_normal((40, 50))
    values = np.sign(values) * np.abs(values) ** power
    return np.where(values > 0, values * lean, values)


@given(st.integers(0, 99), st.floats(0.3, 4), st.floats(0.05, 20))
@settings(deadline=None, max_examples=30)
def test_fits_search_the_whole_grid(seed, power, lean):
    v = draw(seed, power, lean)
    shape, variance = fit_symmetric(sums_of(v))
    square, size = np.mean(v**2), np.mean(np.abs(v))
    assert variance == pytest.approx(square, rel=1e-12)
    assert shape == GRID[np.argmin(np.abs(square / size**2 - KURTOSIS))]

    law = fit_asymmetric(sums_of(v))
    left, right = np.sqrt(np.mean(v[v < 0] ** 2)), np.sqrt(np.mean(v[v > 0] ** 2))
    skew = left / right
    ratio = size**2 / square * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    shape = GRID[np.argmin((1 / KURTOSIS - ratio) ** 2)]
    assert law.shape == shape
    width = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    mean = (right - left) * width * gamma(2 / shape) / gamma(1 / shape)
    np.testing.assert_allclose(
        [law.left, law.right, law.variance_left, law.variance_right, law.mean],
        [left * width, right * width, left**2, right**2, mean],
        rtol=1e-9,
        atol=1e-12,
    )


def test_a_law_is_found_again():
    random = np.random.default_rng(0)
    laplace = random.laplace(0, 3, (500, 800))
    shape, variance = fit_symmetric(sums_of(laplace))
    assert shape == pytest.approx(1, abs=0.02)
    assert variance == pytest.approx(18, rel=0.02)
    law = fit_asymmetric(sums_of(random.standard_normal((500, 800))))
    assert law.shape == pytest.approx(2, abs=0.04)
    assert law.mean == pytest.approx(0, abs=0.01)


@given(st.integers(0, 99), st.floats(0.3, 4), st.floats(0.1, 10), st.floats(0.1, 10))
@settings(deadline=None, max_examples=20)
def test_a_mirrored_and_a_scaled_law(seed, power, lean, factor):
    v = draw(seed, power, lean)
    law = fit_asymmetric(sums_of(v))
    mirrored, scaled = fit_asymmetric(sums_of(-v)), fit_asymmetric(sums_of(factor * v))
    assert mirrored.shape == pytest.approx(law.shape, abs=0.0011)
    assert mirrored.mean == pytest.approx(-law.mean, rel=0.01, abs=1e-3)
    assert mirrored.left == pytest.approx(law.right, rel=1e-2)
    assert scaled.shape == pytest.approx(law.shape, abs=0.0011)
    assert scaled.variance_left == pytest.approx(factor**2 * law.variance_left)


@pytest.mark.parametrize("value", [0.0, 2.0, -2.0])
def test_one_side_or_none(value):
    sums = sums_of(np.full((6, 7), value))
    law = fit_asymmetric(sums)
    shape, variance = fit_symmetric(sums)
    assert np.isfinite([*law, shape, variance]).all()
    assert variance == value**2
    assert np.sign(law.mean) == np.sign(value)
    assert shape == 10


def test_moments_wrap_round_and_add_up():
    values = np.random.default_rng(1).standard_normal((30, 20))
    ring = wrapped(values)
    found = moments(ring)
    for row, shift in zip(found[1:], [(0, 1), (1, 0), (1, 1), (-1, 1)], strict=True):
        product = values * np.roll(values, shift, (0, 1))
        expected = [
            product.size,
            (product < 0).sum(),
            (product > 0).sum(),
            np.abs(product).sum(),
            (product[product < 0] ** 2).sum(),
            (product[product > 0] ** 2).sum(),
        ]
        np.testing.assert_allclose(row, expected, rtol=1e-12)
    parts = moments(ring[:13]) + moments(ring[12:])
    np.testing.assert_allclose(parts, found, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"a": np.ones((3, 2))}, "'b' must have the shape .* and is missing"),
        ({"a": np.ones((3, 2)), "b": np.ones(4)}, "'b' must have the shape .3,."),
        ({"a": np.ones(3), "b": np.ones(3)}, "'a' must have the shape .3, 2."),
        ({"a": np.ones((3, 2)), "b": np.ones(3), "c": np.ones(1)}, "'c' is none of"),
    ],
)
def test_arrays_of_other_weights_are_refused(arrays, told):
    with pytest.raises(WeightsError, match=told):
        check_arrays(arrays, {"a": (-1, 2), "b": (-1,)})
