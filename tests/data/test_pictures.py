"""Training sees the pixels that scoring sees."""

import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from iqa_zoo.data.pictures import pictures
from iqa_zoo.images import fit_image, read_image

RULE = {"size": [40, 56], "fit": "stretch", "shrink": "area", "enlarge": "corner"}


def test_pixels_are_those_of_scoring(photos, tmp_path):
    paths = sorted(p for p in photos.rglob("*") if p.suffix in (".jpg", ".png"))[:3]
    odd = tmp_path / os.fsdecode(b"caf\xe9 \n.png")
    noise = np.random.default_rng(0).integers(0, 256, (30, 70), "uint8")
    Image.fromarray(noise).save(odd, format="PNG")  # grey; one axis grows, one shrinks
    paths.append(odd)
    found = list(pictures(paths, RULE))
    assert len(found) == 4
    for path, picture in zip(paths, found, strict=True):
        assert picture.dtype == tf.uint8
        assert picture.shape == (40, 56, 3)
        np.testing.assert_array_equal(picture, fit_image(read_image(path), (40, 56)))
    assert pictures(paths, RULE).element_spec.shape == (40, 56, 3)


def test_a_broken_picture_is_named(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(tf.errors.OpError, match=r"broken\.jpg"):
        list(pictures([tmp_path / "broken.jpg"], RULE))
