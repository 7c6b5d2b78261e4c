"""The diagnosis: what it finds, what it leaves alone, and what it cannot tell."""

import json
import math

import numpy as np
import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

import iqa_zoo
from iqa_zoo.diagnosis import (
    FLAGS,
    Box,
    Diagnosis,
    Flag,
    annotated,
    diagnose,
    readings,
    thresholds,
    to_data,
)
from iqa_zoo.diagnosis.blur import ratios
from iqa_zoo.diagnosis.card import FILE, read
from iqa_zoo.distortions import distort
from iqa_zoo.errors import CardError, ImageError, UsageError
from iqa_zoo.images import opencv, read_image


@pytest.fixture(scope="module")
def photo(photos):
    return read_image(photos / "coffee.jpg")[:384, :512]


def verdicts(image):
    return {name: flag.verdict for name, flag in diagnose(image).flags.items()}


def with_noise(image, std, seed=0):
    drawn = np.random.default_rng(seed).standard_normal(image.shape) * std
    return np.rint(image + drawn).clip(0, 255).astype(np.uint8)


FOUND = [
    ("blurred", "gaussian_blur", 4),
    ("blurred", "lens_blur", 3),
    ("blurred", "motion_blur", 4),
    ("blurred", "dbcnn_blur", 5),
    ("noisy", "white_noise", 3),
    ("noisy", "white_noise_ycbcr", 3),
    ("noisy", "impulse_noise", 3),
    ("noisy", "multiplicative_noise", 4),
    ("underexposed", "dbcnn_underexposure", 3),
    ("overexposed", "dbcnn_overexposure", 4),
    ("clipped", "dbcnn_overexposure", 4),
    ("low_contrast", "dbcnn_contrast", 3),
    ("blocky", "jpeg", 4),
    ("pixelated", "pixelate", 3),
    ("banded", "quantisation", 3),
]


@pytest.mark.parametrize(("flag", "kind", "level"), FOUND)
def test_faults_are_found(flag, kind, level, photo):
    found = diagnose(distort(photo, kind, level)).flags[flag]
    assert found.verdict == "yes", found
    assert found.score >= 0.5
    assert found.severity in ("slight", "strong")
    assert found.where


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
def test_clean_photos(name, photos):
    found = diagnose(photos / f"{name}.jpg")
    assert not found.faults
    assert found.verdict == "nothing wrong found"
    assert found.path == str(photos / f"{name}.jpg")


@pytest.mark.parametrize("fault", ["blur", "jpeg", "noise"])
def test_example_photos(fault, photos):
    wanted = {"blur": "blurred", "jpeg": "blocky", "noise": "noisy"}[fault]
    for name in ("astronaut", "chelsea"):
        found = diagnose(photos / f"{name}_{fault}.jpg")
        assert wanted in {flag.name for flag in found.faults}


def test_a_cast(photo):
    warm = np.rint((photo * [1.5, 1.0, 0.5]).clip(0, 255)).astype(np.uint8)
    found = diagnose(warm).flags["colour_cast"]
    assert (found.verdict, found.kind) == ("yes", "warm")
    green = np.rint((photo * [0.7, 1.0, 0.7]).clip(0, 255)).astype(np.uint8)
    assert diagnose(green).flags["colour_cast"].kind == "green"
    grey = np.repeat(photo.mean(-1, keepdims=True).astype(np.uint8), 3, axis=2)
    assert diagnose(grey).flags["colour_cast"].verdict == "no"


@pytest.mark.parametrize("blur", [0, 2, 4])
def test_noise_changes_no_verdict_on_blur(blur, photo):
    soft = opencv().GaussianBlur(photo, (0, 0), blur) if blur else photo
    wanted = "yes" if blur else "no"
    for std in (0, 5, 15):
        assert diagnose(with_noise(soft, std)).flags["blurred"].verdict == wanted


def test_blur_is_no_noise(photo):
    for sigma in (1, 2, 4):
        soft = opencv().GaussianBlur(photo, (0, 0), sigma)
        # Rounding to whole levels leaves 0.29.
        assert diagnose(soft).flags["noisy"].value < 0.35


def test_motion_has_a_direction(photo):
    line = np.full((1, 11), 1 / 11)
    for kernel in (line, line.T, np.eye(9) / 9):
        moved = opencv().filter2D(photo, -1, kernel)
        assert diagnose(moved).flags["blurred"].kind == "motion"
    assert diagnose(distort(photo, "lens_blur", 4)).flags["blurred"].kind != "motion"


@settings(deadline=None, max_examples=20)
@given(st.lists(st.floats(-3, 3), min_size=6, max_size=6))
def test_ratios_are_those_of_all_directions(numbers):
    a, b = np.array(numbers[:3]), np.array(numbers[3:])
    near = np.outer(a[:2], a[:2]) + np.eye(2) * (0.1 + a[2] ** 2)
    far = np.outer(b[:2], b[:2]) + np.eye(2) * (0.1 + b[2] ** 2)
    angles = np.linspace(0, np.pi, 2001)
    ways = np.stack([np.cos(angles), np.sin(angles)])
    along = np.einsum("in,ij,jn->n", ways, near, ways)
    along /= np.einsum("in,ij,jn->n", ways, far, ways)
    assert ratios(near, far) == pytest.approx((along.min(), along.max()), rel=1e-3)


UNKNOWN = {
    "flat": (np.full((128, 128, 3), 120, np.uint8), {"blurred", "blocky", "pixelated"}),
    "white": (np.full((128, 128, 3), 255, np.uint8), {"blurred", "noisy", "banded"}),
    "tiny": (np.full((63, 400, 3), 120, np.uint8), set(FLAGS)),
    "noise": (
        with_noise(np.full((128, 128, 3), 120, np.uint8), 30),
        {"blurred"},
    ),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_cannot_be_told(name):
    image, unknown = UNKNOWN[name]
    found = diagnose(image)
    assert unknown <= {flag.name for flag in found.unknown}
    for flag in found.unknown:
        assert flag.evidence
        assert flag.score is flag.value is flag.severity is None
        assert not flag.where
    if name == "tiny":
        assert found.verdict == "cannot tell"


def test_faults_that_hide_others(photo):
    merged = verdicts(distort(photo, "pixelate", 4))
    hidden = {name for name, verdict in merged.items() if verdict == "cannot tell"}
    assert hidden == {"blurred", "noisy"}
    torn = verdicts(distort(photo, "dbcnn_jpeg", 5))
    assert (torn["blocky"], torn["pixelated"]) == ("yes", "cannot tell")
    assert verdicts(distort(photo, "quantisation", 5))["noisy"] == "cannot tell"


def test_where(photo):
    half = photo.copy()
    half[:, 256:] = 255
    (box,) = diagnose(half).flags["clipped"].where
    assert box == Box(256, 0, 512, 384)
    (everywhere,) = diagnose(distort(photo, "white_noise", 5)).flags["noisy"].where
    assert everywhere == Box(0, 0, 512, 384)
    soft = distort(photo, "gaussian_blur", 5)
    for left, top, right, bottom in diagnose(soft).flags["blurred"].where:
        assert 0 <= left < right <= 512
        assert 0 <= top < bottom <= 384


@pytest.mark.parametrize("shape", [(64, 64), (65, 5000), (1500, 2100), (70, 67)])
def test_any_size(shape):
    random = np.random.default_rng(0)
    small = random.integers(0, 256, (shape[0] // 8 + 1, shape[1] // 8 + 1, 3), np.uint8)
    image = opencv().resize(small, shape[::-1], interpolation=opencv().INTER_CUBIC)
    found = diagnose(image)
    assert (found.height, found.width) == shape
    assert set(found.flags) == set(FLAGS)
    for flag in found.flags.values():
        assert flag.verdict in ("yes", "no", "cannot tell")
        assert flag.value is None or math.isfinite(flag.value)
        assert flag.score is None or 0 <= flag.score <= 1


def test_a_large_photo_is_judged_as_it_looks(photo):
    cv2 = opencv()
    large = cv2.resize(photo, None, fx=5, fy=5, interpolation=cv2.INTER_CUBIC)
    assert diagnose(photo).flags["blurred"].verdict == "no"
    assert diagnose(large[:1500, :1400]).flags["blurred"].verdict == "yes"
    detailed = np.tile(photo, (4, 4, 1))
    assert diagnose(detailed).flags["blurred"].verdict == "no"


def test_all_forms_of_an_image_are_the_same(photos, photo):
    path = photos / "chelsea_noise.jpg"
    one = diagnose(path)
    assert diagnose(path.read_bytes()).flags == one.flags
    assert diagnose(read_image(path)).flags == one.flags
    assert iqa_zoo.diagnose is diagnose
    assert diagnose(photo).path == "<array>"
    assert diagnose(photo, path="mine").path == "mine"
    before = photo.copy()
    first, again = diagnose(photo), diagnose(photo)
    assert first == again
    np.testing.assert_array_equal(photo, before)


def test_the_number_of_opencvs_threads_does_not_matter(photo):
    cv2 = opencv()
    threads = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        one = readings(photo)
        cv2.setNumThreads(3)
        three = readings(photo)
    finally:
        cv2.setNumThreads(threads)
    for name in FLAGS:
        assert one[name][:3] == three[name][:3]


def test_what_is_no_image(tmp_path):
    with pytest.raises(ImageError) as error:
        diagnose(tmp_path / "none.jpg")
    assert error.value.code == "not_found"
    with pytest.raises(UsageError):
        diagnose(np.zeros((100, 100, 3)))


def test_in_words_and_as_data(photo):
    bad = diagnose(distort(distort(photo, "motion_blur", 5), "dbcnn_contrast", 4))
    assert "blurred (motion)" in bad.verdict
    assert "low contrast" in bad.verdict
    scores = [flag.score for flag in bad.faults]
    assert scores == sorted(scores, reverse=True)
    data = json.loads(json.dumps(to_data(bad)))
    assert data["verdict"] == bad.verdict
    assert data["flags"]["blurred"]["kind"] == "motion"
    assert set(data["flags"]) == set(FLAGS)


# Each flag when it is slight, and when it is strong and of the kind that it can be of.
WORDS = {
    "blurred": ("slightly blurred", "motion", "blurred (motion)"),
    "noisy": ("slightly noisy", None, "noisy"),
    "underexposed": ("slightly underexposed", None, "underexposed"),
    "overexposed": ("slightly overexposed", None, "overexposed"),
    "clipped": ("slightly clipped", None, "clipped"),
    "low_contrast": ("slightly low contrast", None, "low contrast"),
    "colour_cast": ("slight colour cast", "warm", "colour cast (warm)"),
    "blocky": ("slightly blocky", None, "blocky"),
    "pixelated": ("slightly pixelated", None, "pixelated"),
    "banded": ("slightly banded", None, "banded"),
}


@pytest.mark.parametrize("name", FLAGS)
def test_every_flag_in_words(name):
    slightly, kind, strongly = WORDS[name]
    for severity, of_kind, words in (
        ("slight", None, slightly),
        ("strong", kind, strongly),
    ):
        flag = Flag(name, "yes", severity, 0.6, 1.0, of_kind, "")
        assert Diagnosis("", 1, 1, {name: flag}).verdict == words


def test_the_drawing(photo):
    half = photo.copy()
    half[:, 256:] = 255
    found = diagnose(half)
    picture = np.asarray(annotated(half, found))
    assert picture.shape[1] == 512
    head = picture.shape[0] - 384
    assert head > 0
    changed = (picture[head:] != half).any(-1)
    assert changed.any() and changed.mean() < 0.1
    small = annotated(np.full((64, 64, 3), 255, np.uint8), found)
    assert small.width == 320


def test_the_card():
    card = thresholds()
    assert tuple(card) == FLAGS
    for threshold in card.values():
        assert threshold.score(threshold.usual) == 0
        assert threshold.score(threshold.slight) == 0.5
        assert threshold.score(threshold.strong) == 1
        beyond = 2 * threshold.strong - threshold.slight
        assert threshold.score(beyond) == 1
        assert 0.9 <= threshold.precision <= 1
        assert 0.9 <= threshold.recall <= 1
        assert 0 <= threshold.false_flags <= 0.05


TABLE = {
    **{"measure": "x", "usual": 1, "slight": 2, "strong": 3, "matching": ["jpeg"]},
    **{"precision": 1, "recall": 1, "false_flags": 0},
}


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ({"flags": {"a": {**TABLE, "more": 1}}}, "more"),
        ({"flags": {"a": {**TABLE, "usual": "x"}}}, r"a\.usual is 'x'"),
        ({"flags": {"a": {**TABLE, "strong": 1.5}}}, "go up or down"),
        ({"flags": {"a": 3}}, "a has 3"),
        ({"flag": {}}, "allowed are"),
    ],
)
def test_a_wrong_card(card, message, tmp_path):
    file = tmp_path / "card.toml"
    file.write_text(tomli_w.dumps(card))
    with pytest.raises(CardError, match=message):
        read(file)
    file.write_text("[flags")
    with pytest.raises(CardError, match="cannot be read as TOML"):
        read(file)
    assert FILE.exists()
