"""The measure of sharpness: what raises it and what does not."""

import cv2
import numpy as np
import pytest

from iqa_zoo.evaluation.baselines import sharpness
from iqa_zoo.images import read_image


@pytest.fixture(scope="module")
def photo(photos):
    return read_image(photos / "chelsea.jpg")


def noisy(pixels, sigma):
    noise = np.random.default_rng(0).normal(size=pixels.shape[:2])[..., None]
    return np.clip(pixels + sigma * noise, 0, 255).astype(np.uint8)


def test_blur_lowers_it_and_noise_does_not_raise_it(photo):
    blurred = [photo, *(cv2.GaussianBlur(photo, (0, 0), s) for s in (1, 2, 4))]
    clean = [sharpness(each) for each in blurred]
    assert clean == sorted(clean, reverse=True)
    assert clean[0] > 1.3 * clean[2]
    assert clean[-1] < 1.3
    for each, before in zip(blurred, clean, strict=True):
        assert sharpness(noisy(each, 10)) == pytest.approx(before, rel=0.1)


def test_large_photos_are_judged_as_they_are_looked_at(photo):
    large = cv2.resize(photo, None, fx=6, fy=6, interpolation=cv2.INTER_CUBIC)
    assert max(large.shape) > 2000
    unshrunk = cv2.resize(photo, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    assert sharpness(large) == pytest.approx(sharpness(unshrunk), rel=0.3)


@pytest.mark.parametrize("size", [(1, 1), (1, 600), (15, 17), (3000, 2), (40, 40)])
def test_any_size_without_edges_is_1(size):
    grey = np.full((*size, 3), 90, np.uint8)
    assert sharpness(grey) == 1


def test_nothing_but_noise_is_1():
    noise = np.random.default_rng(0).normal(128, 20, (200, 200, 1))
    assert sharpness(np.repeat(noise, 3, 2).astype(np.uint8)) == 1
