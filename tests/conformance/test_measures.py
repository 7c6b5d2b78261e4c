"""What holds for every hand-made measure and every weight set that comes with it.

Everything is asked of the cards: a new measure is tested without a new line here.
"""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import iqa_zoo
from iqa_zoo import cards
from iqa_zoo.images import read_image

MEASURES = [
    f"{name}.{tag}" if tag else name
    for name, card in cards.measure_cards().items()
    for tag, weights in card.get("weights", {None: {"kind": "own"}}).items()
    if weights["kind"] == "own"
]
PHOTO = "examples/photos/chelsea.jpg"


@pytest.fixture(scope="module", params=MEASURES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def scorer(name):
    return iqa_zoo.Scorer(name)


def test_one_score_from_path_bytes_and_array(name, scorer):
    pixels = read_image(PHOTO)
    pixels.flags.writeable = False
    with open(PHOTO, "rb") as file:
        sources = [PHOTO, file.read(), pixels]
    values = {scorer(source).value for source in sources}
    values.add(iqa_zoo.load_model(name).score(pixels))
    assert len(values) == 1
    assert np.isfinite(values.pop())


def test_the_score_depends_on_the_image_alone(scorer, tmp_path):
    random = np.random.default_rng(3)
    sizes = ((240, 320), (321, 241), (200, 200))
    images = [random.integers(0, 256, (*size, 3), np.uint8) for size in sizes] * 3
    alone = [scorer(image).value for image in images]
    assert [result.value for result in scorer.score(images)] == alone
    again = [result.value for result in scorer.score(images[::-1])][::-1]
    assert again == alone


def test_the_scale_holds_and_grey_is_grey(name, scorer, tmp_path):
    output = iqa_zoo.model_card(name)["output"]
    grey = read_image(PHOTO)[..., 1]
    Image.fromarray(grey).save(tmp_path / "grey.png")
    result = scorer(tmp_path / "grey.png")
    assert result.value == scorer(np.repeat(grey[..., None], 3, axis=2)).value
    assert (result.std, result.distribution) == (None, None)
    assert result.direction == output["direction"]
    if "scale" in output:
        low, high = output["scale"]
        assert low <= result.value <= high


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_flat_picture_gets_a_score_or_a_code(scorer, level):
    result = scorer(np.full((256, 256, 3), level, np.uint8))
    if result.error:
        assert result.error == "non_finite"
    else:
        assert np.isfinite(result.value)


def test_the_least_size_works_and_less_is_refused(name, scorer):
    least = iqa_zoo.model_card(name)["input"]["least"]
    random = np.random.default_rng(4)
    image = random.integers(0, 256, (least, 2 * least, 3), np.uint8)
    assert np.isfinite(scorer(image).value)
    if least > 1:
        small = scorer(image[1:])
        assert small.error == "too_small"
        assert f"{least} a side" in small.message


def test_scoring_imports_no_tensorflow():
    script = (
        "import sys, iqa_zoo\n"
        f"for name in {MEASURES}:\n"
        f"    assert iqa_zoo.Scorer(name)({PHOTO!r}).error is None, name\n"
        "assert not {'tensorflow', 'keras', 'torch', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
