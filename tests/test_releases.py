"""Zip archives of published releases, and the two converters that take them."""

from io import BytesIO

import numpy as np
import pytest
from scipy.io import savemat

from iqa_zoo import arrays, cards, registry
from iqa_zoo.errors import WeightsError
from iqa_zoo.natural_scene import brisque, niqe
from tests.helpers.layouts import libsvm_files, zipped

RANDOM = np.random.default_rng(0)
FOLDER = "BRISQUE_release/"


@pytest.fixture(scope="module")
def regression():
    return {
        "support_vectors": RANDOM.uniform(-1, 1, (40, 36)),
        "coef": RANDOM.standard_normal(40),
        "rho": np.array([-150.5]),
        "gamma": np.array([0.05]),
        "power": np.ones(1),
        "offset": RANDOM.standard_normal(36),
        "projection": np.diag(RANDOM.uniform(1, 9, 36)),
    }


@pytest.fixture(scope="module")
def release(regression):
    """What is in the authors' archive, programs and all."""
    files = {f"{FOLDER}{name}": data for name, data in libsvm_files(regression).items()}
    return {
        FOLDER: b"",
        **files,
        f"{FOLDER}readme.txt": b"read me\n" * 300,
        f"{FOLDER}svm-predict.exe": RANDOM.bytes(3000) + bytes(3000),
        f"__MACOSX/{FOLDER}._allmodel": b"\0\5\26\7",
    }


def mat(**held) -> bytes:
    file = BytesIO()
    savemat(file, held, do_compression=True)
    return file.getvalue()


PRISTINE = {
    "mu_prisparam": RANDOM.standard_normal((1, 36)),
    "cov_prisparam": np.cov(RANDOM.standard_normal((36, 90))),
}
MODEL = f"niqe_release/{niqe.MODEL_FILE}"


def read(data: bytes, name: str = "release.zip"):
    return arrays.read_arrays(data, name)


@pytest.mark.parametrize("compression", [0, 8])
def test_files_come_by_their_names(release, compression):
    found = read(zipped(release, compression=compression))
    expected = {path.rpartition("/")[2]: data for path, data in release.items() if data}
    assert found.keys() == expected.keys()
    for name, data in expected.items():
        assert found[name].dtype == np.uint8
        assert found[name].tobytes() == data


def test_brisque(release, regression):
    found = brisque.from_release(read(zipped(release)))
    rows = RANDOM.standard_normal((5, 36))
    expected = brisque.predict(rows, regression)
    np.testing.assert_allclose(brisque.predict(rows, found), expected)


def test_niqe():
    data = zipped({MODEL: mat(other=np.arange(9.0), **PRISTINE), "a/niqe.m": b"%" * 50})
    found = niqe.from_release(read(data))
    np.testing.assert_array_equal(found["mean"], PRISTINE["mu_prisparam"][0])
    np.testing.assert_array_equal(found["covariance"], PRISTINE["cov_prisparam"])


@pytest.mark.parametrize("name", ["brisque.live", "niqe.live"])
def test_a_user_adds_the_archive(name, release, tmp_path, monkeypatch):
    monkeypatch.setenv("IQA_ZOO_HOME", str(tmp_path / "store"))
    files = {"brisque.live": release, "niqe.live": {MODEL: mat(**PRISTINE)}}
    weights = cards.measure_cards()[name.partition(".")[0]]["weights"]["live"]
    path = tmp_path / weights["file"]
    path.write_bytes(zipped(files[name]))
    registry.add(name, path)
    image = RANDOM.integers(0, 256, (200, 200, 3), np.uint8)
    assert np.isfinite(registry.load_measure(registry.resolve(name))(image))
    path.write_bytes(zipped({"readme.txt": b"nothing else"}))
    with pytest.raises(WeightsError, match="is missing"):
        registry.add(name, path)


def test_a_flag_of_the_packer_is_no_encryption(release):
    """WinZip and others set bits 1 and 2 where they try harder."""
    data = bytearray(zipped(release))
    expected = read(bytes(data))

    def flagged(bits: int) -> bytes:
        changed = bytearray(data)
        for mark, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
            start = -1
            while (start := changed.find(mark, start + 1)) >= 0:
                changed[start + place] |= bits
        return bytes(changed)

    assert read(flagged(2)).keys() == expected.keys()
    with pytest.raises(WeightsError, match="encrypted"):
        read(flagged(1))


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({}, "it has 0 arrays"),
        ({"../allmodel": b"x"}, "leads out of the archive"),
        ({"/etc/allmodel": b"x"}, "leads out of the archive"),
        ({"a\\allmodel": b"x"}, "leads out of the archive"),
        ({"a/allmodel": b"x", "b/allmodel": b"y"}, "it has 'allmodel' twice"),
        ({"allmodel": bytes(10_000_000)}, "its arrays take"),
        ({str(n): bytes(50_000) for n in range(90)}, "its arrays take"),
        ({"all\nmodel": b"x"}, "no name to print"),
    ],
    ids=["empty", "up", "root", "back", "twice", "bomb", "bombs", "line"],
)
def test_hostile_archives(members, reason):
    with pytest.raises(WeightsError, match=f"release.zip is no zip archive.*{reason}"):
        read(zipped(members))


def test_what_is_no_archive(release):
    data = zipped(release)
    for broken in (b"", b"text" * 20, data[:-1], data[: len(data) // 2], data + b"x"):
        with pytest.raises(WeightsError, match="is no zip archive"):
            read(broken)
    # Damage is told by the checksum.
    place = data.index(b"allmodel") + 300
    with pytest.raises(WeightsError, match="is no zip archive"):
        read(data[:place] + bytes([data[place] ^ 255]) + data[place + 1 :])


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\0\1" * 90, b"SV\n", b"1 2 3\n" * 40]
)
def test_text_that_is_no_libsvm_model(release, content):
    for name in ("allmodel", "allrange"):
        files = read(zipped({**release, f"{FOLDER}{name}": content}))
        with pytest.raises(WeightsError, match="not the files of the authors' release"):
            brisque.from_release(files)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"MATLAB 5.0 MAT-file" * 20,
        mat(mu_prisparam=PRISTINE["mu_prisparam"]),
        mat(**PRISTINE | {"cov_prisparam": np.eye(35)}),
        mat(**PRISTINE | {"cov_prisparam": np.zeros((2000, 2000))}),
        mat(**PRISTINE | {"cov_prisparam": {"a": 1.0}}),
        mat(**PRISTINE | {"mu_prisparam": np.array(["x"] * 36, dtype=object)}),
        mat(**PRISTINE)[:-9],
    ],
    ids=["empty", "text", "alone", "small", "bomb", "struct", "cells", "cut"],
)
def test_other_mat_files(content):
    files = {niqe.MODEL_FILE: np.frombuffer(content, np.uint8)}
    with pytest.raises(
        WeightsError, match=r"modelparameters\.mat is not the release's"
    ):
        niqe.from_release(files)


def test_a_missing_member_is_named(release):
    files = {path: data for path, data in release.items() if "allrange" not in path}
    with pytest.raises(WeightsError, match="allrange is missing"):
        brisque.from_release(read(zipped(files)))
    with pytest.raises(WeightsError, match=r"modelparameters\.mat is missing"):
        niqe.from_release(read(zipped(files)))
