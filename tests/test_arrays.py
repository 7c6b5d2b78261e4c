"""Round trips through each layout of weight files, and what is said of broken ones.

Files made to do harm are in `tests/hostile/weights.py`.
"""

import tracemalloc
from io import BytesIO

import h5py
import numpy as np
import pytest
from safetensors.numpy import save

from iqa_zoo import arrays
from iqa_zoo.errors import WeightsError
from tests.helpers.layouts import keras_h5, npz

RANDOM = np.random.default_rng(3)
MANY = {
    "conv1/kernel": RANDOM.normal(size=(3, 3, 3, 4)).astype("<f2"),
    "conv1/bias": RANDOM.normal(size=4).astype("<f4"),
    "bn/moving_mean": RANDOM.normal(size=(1, 4)).astype("<f8"),
    "bn/count": np.array(7, "<i8"),
    "a/steps": np.arange(3, dtype="<i4"),
}


def same(found, held):
    assert list(found) == list(held)
    for name, array in held.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


# --- round trips ----------------------------------------------------------------------


def test_safetensors():
    for name in ("w.safetensors", "/folder.npz/W.SAFETENSORS"):
        found = arrays.read_arrays(save(MANY, {"format": "np"}), name)
        assert found.keys() == MANY.keys()
        same(found, {name: MANY[name] for name in found})


@pytest.mark.parametrize("compressed", [False, True])
def test_npz(compressed):
    # The sum of a compressed file may be larger than the file.
    held = MANY | {"zeros": np.zeros((8, 16), "f4"), "by column": np.asfortranarray(A)}
    same(arrays.read_arrays(npz(compressed=compressed, **held), "w.npz"), held)


A = np.arange(24, dtype="<f4").reshape(2, 3, 4)


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("inside", [None, "model_weights"])
@pytest.mark.parametrize("names", [None, list], ids=["bytes", "str"])
def test_keras_h5(libver, inside, names):
    for suffix in ("h5", "hdf5"):
        data = keras_h5(MANY, libver=libver, inside=inside, names=names)
        same(arrays.read_arrays(data, f"w.{suffix}"), MANY)


def test_keras_h5_with_lists_in_parts():
    """Keras cuts a list of more than 64,512 bytes into attributes with numbers."""
    file = BytesIO(keras_h5(MANY))
    with h5py.File(file, "r+") as root:
        for owner, name in ((root, "layer_names"), (root["conv1"], "weight_names")):
            texts = owner.attrs[name]
            del owner.attrs[name]
            for number, text in enumerate(texts):
                owner.attrs[f"{name}{number}"] = [text]
    same(arrays.read_arrays(file.getvalue(), "w.h5"), MANY)


def test_keras_h5_of_many_layers():
    """So many that the list of their names is a tree of two levels."""
    held = {f"layer{n:03}/kernel": np.full(300, n, "<f4") for n in range(300)}
    same(arrays.read_arrays(keras_h5(held), "w.h5"), held)
    with pytest.raises(WeightsError, match="newer form"):
        arrays.read_arrays(keras_h5(held, libver="latest"), "w.h5")


def test_keras_h5_of_nested_and_of_flat_names():
    file = BytesIO()
    with h5py.File(file, "w") as root:
        root.attrs["layer_names"] = [b"inner/net", b"head"]
        group = root.create_group("inner/net")
        group.attrs["weight_names"] = [b"net/conv/kernel:0", b"deep/est/bias:0"]
        group["net/conv/kernel:0"], group["deep/est/bias:0"] = A, A[0]
        root.create_group("head").attrs["weight_names"] = [b"kernel"]
        root["head/kernel"] = A[1]
    found = arrays.read_arrays(file.getvalue(), "w.h5")
    same(found, {"inner/net/kernel": A, "inner/net/bias": A[0], "head/kernel": A[1]})


@pytest.mark.parametrize("suffix", ["npz", "h5"])
def test_stored_arrays_are_not_copied_beyond_their_size(suffix):
    import tracemalloc

    held = {"conv/kernel": np.ones(1_000_000, "f2")}
    data = npz(**held) if suffix == "npz" else keras_h5(held)
    arrays.read_arrays(keras_h5({"a/b": A}), "w.h5")  # imports
    tracemalloc.start()
    try:
        found = arrays.read_arrays(data, f"w.{suffix}")
        arrays.check_finite(found, "w")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < len(data) + 1_000_000
    assert found["conv/kernel"].nbytes == 2_000_000


# --- errors ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["w.pt", "w.bin", "w", "", "w.npz.gz", "w.keras", ".npy"]
)
def test_other_suffixes(name):
    with pytest.raises(WeightsError, match=r"known are \.safetensors, \.npz, \.h5"):
        arrays.read_arrays(b"", name)


@pytest.mark.parametrize("suffix", ["safetensors", "npz", "h5"])
def test_content_of_another_layout(suffix):
    files = {"safetensors": save(MANY), "npz": npz(**MANY), "h5": keras_h5(MANY)}
    for other, data in (files | {"empty": b"", "text": b"weights" * 9}).items():
        if other != suffix:
            with pytest.raises(WeightsError, match=rf"w\.{suffix} is no .*file"):
                arrays.read_arrays(data, f"w.{suffix}")


@pytest.mark.parametrize("suffix", ["safetensors", "npz", "h5"])
def test_every_truncation(suffix):
    held = {"a/b": A}
    files = {"safetensors": save(held), "npz": npz(**held), "h5": keras_h5(held)}
    data = files[suffix]
    for length in range(0, len(data), 1 + len(data) // 200):
        with pytest.raises(WeightsError):
            arrays.read_arrays(data[:length], f"w.{suffix}")


@pytest.mark.parametrize("dtype", [">f4", "<f4, <i4", "?", "<c8", "S3", "<u2"])
@pytest.mark.parametrize("suffix", ["npz", "h5"])
def test_other_types(suffix, dtype):
    held = {"a/b": np.zeros(3, dtype)}
    data = npz(**held) if suffix == "npz" else keras_h5(held)
    with pytest.raises(WeightsError, match=r"'a/b'(: it is not of| says of itself)"):
        arrays.read_arrays(data, f"w.{suffix}")


def test_check_finite():
    held = {name: array.copy() for name, array in MANY.items()}
    held["big"] = np.ones((700, 1000), "f2").T
    held["none"] = np.empty(0, "f4")
    arrays.check_finite(held, "w.npz")
    held["big"][-1, -1] = np.nan
    with pytest.raises(WeightsError, match=r"w\.npz: the array 'big' .*NaN"):
        arrays.check_finite(held, "w.npz")
    for number in (np.inf, -np.inf):
        held["bn/moving_mean"][0, 2] = number
        with pytest.raises(WeightsError, match="bn/moving_mean"):
            arrays.check_finite(held, "w.npz")


def test_unpacking_takes_no_more_than_the_arrays(tmp_path):
    path = tmp_path / "large.npz"
    random = np.random.default_rng(0).standard_normal((4, 250_000))
    halves = random.astype(np.float16).astype(np.float32)  # they pack to about a half
    np.savez_compressed(path, **{f"part{n}": row for n, row in enumerate(halves)})
    data = path.read_bytes()
    assert len(data) < 0.7 * halves.nbytes
    tracemalloc.start()
    try:
        found = arrays.read_npz(data, path.name)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(found["part3"], halves[3])
    assert peak < halves.nbytes + 500_000
