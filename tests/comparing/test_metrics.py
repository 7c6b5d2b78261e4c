"""Metrics of the feature maps of a network: cards, one network, refusals."""

import subprocess
import sys

import pytest

from iqa_zoo import full_reference, registry
from iqa_zoo.comparing import compare, features
from iqa_zoo.comparing.features import feature_maps
from iqa_zoo.comparing.metrics import (
    metric,
    metric_card,
    metric_names,
    network_metrics,
    of_maps,
    pair_models,
)
from iqa_zoo.distortions import distort
from iqa_zoo.errors import ImageError, UnknownNameError, UsageError
from iqa_zoo.full_reference.feature_maps import REVIVED
from iqa_zoo.images import read_image

NAMES = network_metrics()
NETWORK = metric_card("cnn_pyramid")["network"]


def maps(image):
    return feature_maps(image, NETWORK["model"], NETWORK["layers"])


@pytest.fixture(scope="module")
def image(photos):
    return read_image(photos / "chelsea.jpg")[40:217, 80:272]


@pytest.fixture(scope="module")
def blurred(image):
    """Ever more, without the first level, which changes nothing."""
    return [distort(image, "gaussian_blur", level) for level in (2, 3, 4, 5)]


def test_names_and_cards():
    assert set(NAMES) == {"cnn_pyramid", *(f"cnn_{name}" for name in REVIVED)}
    others = {*full_reference.metric_names(), *pair_models()}
    assert set(metric_names()) == {*others, *NAMES}
    for name in NAMES:
        card = metric_card(name)
        assert not card["has_map"] and not card["differentiable"]
        shown = card["network"]
        assert (shown["model"], shown["layers"]) == tuple(NETWORK.values())[:2]
        if "revives" in shown:
            assert name == f"cnn_{shown['revives']}"
            plain = full_reference.metric_card(shown["revives"])
            assert card["direction"] == plain["direction"]
    for ask in (metric, metric_card):
        with pytest.raises(UnknownNameError, match="cnn_ssim"):
            ask("cnn_sim")


def test_the_weights_are_in_the_repository():
    weights = registry.resolve(NETWORK["model"]).weights
    assert weights["kind"] == "own"


def test_identity_range_and_order_of_blur_levels(image, blurred):
    reference, others = maps(image), [maps(picture) for picture in blurred]
    for name in NAMES:
        card = metric_card(name)
        low, high = card["range"]
        assert of_maps(name, reference, reference) == card["identical"]
        found = [of_maps(name, reference, other) for other in others]
        assert all(low <= value <= high for value in found)
        if card["direction"] == "higher_is_better":
            assert card["identical"] > found[0] > found[1] > found[2] > found[3]
        elif card["direction"] == "lower_is_better":
            assert card["identical"] < found[0] < found[1] < found[2] < found[3]
    other = of_maps("cnn_pyramid", others[0], reference)
    assert other == pytest.approx(of_maps("cnn_pyramid", reference, others[0]))


def test_compare_gives_the_same_scores(image, blurred, monkeypatch):
    asked = []

    def counted(*arguments):
        asked.append(arguments)
        return feature_maps(*arguments)

    monkeypatch.setattr("iqa_zoo.comparing.feature_maps", counted)
    names = ["cnn_ssim", "psnr", "cnn_pyramid"]
    found = list(compare(image, blurred[0], names))
    assert len(asked) == 2  # once an image
    for score in found:
        assert score.value == metric(score.metric)(image, blurred[0])
        assert score.direction == metric_card(score.metric)["direction"]


def test_the_least_size_works_and_less_is_refused(image):
    for name in ("cnn_pyramid", "cnn_ssim", "cnn_lmse", "cnn_mse"):
        least = metric_card(name)["least"]
        small = image[:least, : least + 9]
        assert metric(name)(small, small) == metric_card(name)["identical"]
        (score,) = compare(small[1:], small[1:], name)
        assert score.error == "too_small" and f"at least {least}" in score.message
        with pytest.raises(ImageError) as error:
            metric(name)(small[1:], small[1:])
        assert error.value.code == "too_small"


def test_large_images_are_shrunk(image, monkeypatch):
    height, width = image.shape[:2]
    monkeypatch.setattr(features, "MOST_PIXELS", height * width // 4)
    assert maps(image)[0].shape[:2] == (height // 4, width // 4)
    # What is left of the short side is too little.
    (score,) = compare(image, image, "cnn_ssim")
    assert score.error == "too_small" and "11 are needed" in score.message


def test_another_backbone(image, blurred):
    pair = image, blurred[2]
    backbone = {"backbone": "nima-mobilenetv2.clive", "layers": ["block2_out"]}
    other = metric("cnn_pyramid", **backbone)
    assert other(image, image) == 1
    assert 0 < other(*pair) < 1
    assert other(*pair) != metric("cnn_pyramid")(*pair)
    # Fewer layers of the card's network.
    assert metric("cnn_mse", layers=NETWORK["layers"][:1])(*pair) > 0


def test_refusals(image):
    with pytest.raises(UsageError, match="cnn_pyramid"):
        metric("ssim", layers=["block0_out"])
    with pytest.raises(UsageError, match="Name the layers"):
        metric("cnn_ssim", backbone="nima-mobilenetv2")
    with pytest.raises(UnknownNameError, match="block0_out"):
        metric("cnn_ssim", layers=["block0_uot"])(image, image)
    with pytest.raises(UsageError, match="hand-made"):
        metric("cnn_ssim", backbone="piqe", layers=["x"])(image, image)
    with pytest.raises(UsageError, match="one size"):
        metric("cnn_ssim")(image, image[1:])


def test_tensorflow_waits_until_it_is_asked_for():
    program = (
        "import sys, numpy as np, iqa_zoo\n"
        "from iqa_zoo.comparing import metrics\n"
        "for name in metrics.metric_names():\n"
        "    metrics.metric_card(name), metrics.metric(name)\n"
        "image = np.zeros((40, 40, 3), np.uint8)\n"
        "list(iqa_zoo.compare(image, image, ['mse', 'cnn_pyramid']))\n"
        "heavy = {'tensorflow', 'keras', 'torch', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
