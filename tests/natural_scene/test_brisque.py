"""BRISQUE against the authors' values, and regressions of one's own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iqa_zoo.errors import ImageError, UsageError, WeightsError
from iqa_zoo.images import read_image
from iqa_zoo.natural_scene import brisque
from iqa_zoo.natural_scene.libsvm import from_libsvm
from tests.helpers.formula import formula_pair
from tests.helpers.layouts import libsvm_files

# What the authors' MATLAB code gives, and how far summing in another order may lead:
# parts of I08 and I19 are flat.
OFFICIAL = {
    "I03": (94.6421, 0.02),
    "I04": (-0.107618, 0.01),
    "I06": (0.992889, 0.15),
    "I08": (5.35827, 0.7),
    "I19": (72.2617, 10),
}
# Of the formula images.
FEATURES = {
    ("A", 0): "2.289 0.161859 0.734 0.145515 0.000366 0.059859 0.722 0.155121 0.000108 "
    "0.063595 0.852 0.126313 0.000743 0.045743 0.734 0.143888 0.000533 0.060559 4.195 "
    "0.40119 1.282 0.226098 0.032311 0.232877 1.042 0.330865 0.006349 0.294751 1.509 "
    "0.034381 0.089496 0.11828 1.234 0.209945 0.040344 0.23439",
    ("A", 1): "2.17 0.276397 0.772 0.071536 0.047178 0.106407 0.773 0.077188 0.044299 "
    "0.107603 0.787 0.068734 0.04542 0.10061 0.756 0.086837 0.043076 0.116132 4.066 "
    "0.383685 1.253 0.21963 0.028734 0.216197 1.07 0.299462 0.008544 0.25917 1.421 "
    "0.035021 0.082567 0.111148 1.201 0.201169 0.036794 0.215987",
    ("B", 0): "3.872 0.367116 1.047 0.061421 0.103724 0.166429 1.073 0.126452 0.070797 "
    "0.195275 1.086 -0.164261 0.213595 0.054944 1.022 0.212283 0.039515 0.247393 3.169 "
    "0.460963 1.088 0.169759 0.082323 0.272698 1.039 0.268122 0.043024 0.33997 1.13 "
    "-0.029077 0.171696 0.140177 1.046 0.191563 0.075647 0.294843",
    ("B", 1): "2.265 0.30345 0.8 0.0792 0.055175 0.125447 0.798 0.086216 0.052044 "
    "0.12823 0.809 0.041641 0.067288 0.103618 0.781 0.098216 0.049698 0.138392 3.431 "
    "0.416538 1.171 0.215022 0.041064 0.245916 1.034 0.291125 0.018722 0.297215 1.286 "
    "0.002271 0.114912 0.116982 1.141 0.198294 0.047775 0.240611",
}
SCORES = {
    ("A", 0): 56.34162379111319,
    ("A", 1): 62.95886288220947,
    ("B", 0): 86.62726578344484,
    ("B", 1): 66.08439886904318,
}


def photo(size, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


@pytest.fixture(scope="module")
def live(imagenet_weights):
    """The authors' model."""
    file = np.load(imagenet_weights / "brisque_live_official_svr.npz")
    low, high = file["range_min"], file["range_max"]
    arrays = {
        "support_vectors": file["support_vectors"],
        "coef": file["coef"],
        "rho": np.atleast_1d(file["rho"]),
        "gamma": np.atleast_1d(file["gamma"]),
        "power": np.ones(1),
        "offset": (low + high) / 2,
        "projection": np.diag(2 / (high - low)),
    }
    return from_libsvm(libsvm_files(arrays))


@pytest.mark.parametrize(("name", "expected"), OFFICIAL.items())
def test_score_is_the_authors(name, expected, live, calibration):
    value, tolerance = expected
    image = read_image(calibration / "dist" / f"{name}.png")
    assert brisque.score(image, live) == pytest.approx(value, abs=tolerance)


@pytest.mark.parametrize(("size", "which"), FEATURES)
def test_features_of_the_formula_images(size, which):
    found = brisque.features(formula_pair(size)[which])
    expected = [float(number) for number in FEATURES[size, which].split()]
    np.testing.assert_allclose(found, expected, rtol=0, atol=5.1e-7)


@pytest.mark.parametrize(("size", "which"), SCORES)
def test_scores_of_the_formula_images(size, which, live):
    found = brisque.score(formula_pair(size)[which], live)
    assert found == pytest.approx(SCORES[size, which], abs=1e-4)


@given(st.integers(14, 90), st.integers(14, 90), st.integers(0, 9))
@settings(deadline=None, max_examples=15)
def test_features_are_finite_and_repeatable(height, width, seed):
    image = photo((height, width), seed)
    found = brisque.features(image)
    assert found.shape == (36,)
    assert np.isfinite(found).all()
    image.flags.writeable = False
    np.testing.assert_array_equal(brisque.features(image), found)
    grey = image[..., 1]
    np.testing.assert_array_equal(
        brisque.features(np.repeat(grey[..., None], 3, 2)), brisque.features(grey)
    )


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_flat_photo_has_a_score(level):
    rows = np.random.default_rng(0).standard_normal((20, 36))
    arrays = brisque.fit(rows, rows[:, 0])
    flat = np.full((64, 80, 3), level, np.uint8)
    assert np.isfinite(brisque.features(flat)).all()
    assert np.isfinite(brisque.score(flat, arrays))


def test_too_small():
    brisque.features(photo((14, 14)))
    with pytest.raises(ImageError, match="14 x 14 are needed") as told:
        brisque.features(photo((40, 13)))
    assert told.value.code == "too_small"


def test_fit_learns_and_left_out_photos_choose():
    random = np.random.default_rng(2)
    rows = random.standard_normal((240, 36)) * random.uniform(0.01, 9, 36)
    mos = 50 + 9 * np.tanh(rows[:, 0] / rows[:, 0].std()) + random.standard_normal(240)
    arrays = brisque.fit(rows[:200], mos[:200])
    answers = brisque.predict(rows[200:], arrays)
    error = np.sqrt(np.mean((answers - mos[200:]) ** 2))
    assert error < 0.6 * mos[200:].std()
    # A shift of the opinions, and another unit, change nothing else.
    moved = brisque.fit(rows[:200] * 8 + 3, mos[:200] + 7)
    again = brisque.predict(rows[200:] * 8 + 3, moved)
    np.testing.assert_allclose(again, answers + 7, atol=1e-6)


def test_the_error_left_out_is_that_of_leaving_out(caplog):
    random = np.random.default_rng(3)
    rows, mos = random.standard_normal((30, 36)), random.standard_normal(30)
    with caplog.at_level("INFO", "iqa_zoo"):
        arrays = brisque.fit(rows, mos, gamma=0.02, ridge=0.5)
    z, mirrored = np.split(arrays["support_vectors"], 2)
    distances = [np.linalg.norm(z[:, None] - each, axis=-1) for each in (z, mirrored)]
    kernel = np.exp(-np.sqrt(0.02) * np.array(distances)).mean(0)
    centred, errors = mos - mos.mean(), []
    for i in range(30):
        others = np.arange(30) != i
        inner = kernel[np.ix_(others, others)] + 0.5 * np.eye(29)
        answer = kernel[i, others] @ np.linalg.solve(inner, centred[others])
        errors.append(centred[i] - answer)
    told = float(caplog.messages[-1].partition("fitted to by ")[2].split()[0])
    assert told == pytest.approx(np.sqrt(np.mean(np.square(errors))), abs=5e-4)


@pytest.mark.parametrize(
    ("rows", "mos", "arguments", "told"),
    [
        (np.ones((20, 35)), np.ones(20), {}, "do not fit"),
        (np.ones((20, 36)), np.ones(19), {}, "do not fit"),
        (np.ones((9, 36)), np.ones(9), {}, "10 photos or more"),
        (np.full((20, 36), np.nan), np.ones(20), {}, "not finite"),
        (np.ones((20, 36)), np.ones(20), {"gamma": 0}, "gamma is 0"),
        (np.ones((20, 36)), np.ones(20), {"ridge": np.nan}, "ridge is nan"),
    ],
)
def test_bad_fits_are_refused(rows, mos, arguments, told):
    with pytest.raises(UsageError, match=told):
        brisque.fit(rows, mos, **arguments)


def test_a_mirror_image_gets_the_same_score(photos):
    random = np.random.default_rng(6)
    rows = random.uniform(0.1, 1, (40, 36))
    arrays = brisque.fit(rows, rows @ random.standard_normal(36))
    image = read_image(photos / "coffee.jpg")[:200, :300]
    found = [brisque.score(each, arrays) for each in (image, image[:, ::-1])]
    assert found[0] == pytest.approx(found[1], rel=1e-3)


def test_features_that_never_vary():
    rows = np.random.default_rng(4).standard_normal((20, 36))
    rows[:, 5] = 1
    arrays = brisque.fit(rows, np.zeros(20))
    np.testing.assert_allclose(brisque.predict(rows, arrays), 0, atol=1e-12)


@pytest.fixture(scope="module")
def arrays():
    random = np.random.default_rng(5)
    vectors = random.uniform(-1, 1, (12, 36))
    vectors[3, 4] = 0  # which libsvm does not write
    return {
        "support_vectors": vectors,
        "coef": random.standard_normal(12),
        "rho": np.array([-150.5]),
        "gamma": np.array([0.05]),
        "power": np.ones(1),
        "offset": random.standard_normal(36),
        "projection": np.diag(random.uniform(1, 9, 36)),
    }


def test_libsvm_files_come_back(arrays):
    files = libsvm_files(arrays)
    assert b"1:" in files["allmodel"]
    found = from_libsvm(files)
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-12, atol=1e-12)


def test_the_files_of_a_release(arrays):
    files = libsvm_files(arrays)
    unpacked = {name: np.frombuffer(data, np.uint8) for name, data in files.items()}
    found = brisque.from_release({**unpacked, "readme.txt": np.zeros(3, np.uint8)})
    rows = np.random.default_rng(7).standard_normal((5, 36))
    expected = brisque.predict(rows, arrays)
    np.testing.assert_allclose(brisque.predict(rows, found), expected)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("allmodel", b"rbf", b"linear"),
        ("allmodel", b"epsilon_svr", b"c_svc"),
        ("allmodel", b"total_sv 12", b"total_sv 13"),
        ("allmodel", b"\nSV\n", b"\n"),
        ("allmodel", b" 36:", b" 37:"),
        ("allmodel", b" 1:", b" 0:"),
        ("allmodel", b"rho ", b"rho nan "),
        ("allmodel", b"gamma", b"gama"),
        ("allrange", b"-1 1", b"0 1"),
        ("allrange", b"\n36 ", b"\n"),
        ("allrange", b"\n36 ", b"\n35 "),
        ("allrange", b"x", b"\xff\xfe"),
        ("allrange", b"x\n", b""),
    ],
)
def test_other_files_are_refused(file, old, new, arrays):
    files = libsvm_files(arrays)
    assert old in files[file]
    files[file] = files[file].replace(old, new, 1)
    with pytest.raises(WeightsError, match="not the files of the authors' release"):
        from_libsvm(files)


def test_a_missing_file_is_named(arrays):
    files = libsvm_files(arrays)
    with pytest.raises(WeightsError, match="allrange is missing"):
        from_libsvm({"allmodel": files["allmodel"]})
    for name in files:
        with pytest.raises(WeightsError, match="not the files"):
            from_libsvm({**files, name: b""})


def test_other_arrays_are_refused(arrays):
    with pytest.raises(WeightsError, match="'coef' must have"):
        brisque.predict(np.ones((1, 36)), {**arrays, "coef": arrays["coef"][1:]})
