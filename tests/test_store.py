"""The store, and every way in which a weight file can be wrong."""

import logging
import os

import numpy as np
import pytest
from safetensors.numpy import save

from iqa_zoo import cards, store
from iqa_zoo.errors import OutputError, UnknownNameError, UsageError, WeightsError
from iqa_zoo.files import sha256

ARRAYS = {
    "a/kernel": np.arange(6, dtype=np.float16).reshape(2, 3),
    "a/bias": np.zeros(3, np.float16),
}


def described(data: bytes, **more) -> dict:
    """What a card says of these bytes."""
    said = {"bytes": len(data), "sha256": sha256(data), "dtype": "float16", "arrays": 2}
    return said | more


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv(store.HOME_VARIABLE, str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def small_backbone(monkeypatch, tmp_path):
    """A backbone `tiny` with an ImageNet file of a few bytes; gives that file."""
    path = tmp_path / "as-published.npz"
    np.savez(path, **{"00/kernel": np.ones(3)})
    data = path.read_bytes()
    expected = {
        "file": "tiny.npz",
        "bytes": len(data),
        "sha256": sha256(data),
        "where": "nowhere",
    }
    monkeypatch.setattr(
        cards, "backbone_cards", lambda: {"tiny": {"weights": {"imagenet": expected}}}
    )
    return path


# --- where it is ----------------------------------------------------------------------


def test_home(monkeypatch, tmp_path):
    monkeypatch.setenv(store.HOME_VARIABLE, str(tmp_path / "there"))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert store.home() == tmp_path / "there"
    monkeypatch.delenv(store.HOME_VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert store.home() == tmp_path / "xdg" / "iqa_zoo"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr("sys.platform", "linux")
    assert store.home() == tmp_path / ".cache" / "iqa_zoo"
    monkeypatch.setattr("sys.platform", "darwin")
    assert store.home() == tmp_path / "Library" / "Caches" / "iqa_zoo"


def test_no_home(monkeypatch):
    monkeypatch.delenv(store.HOME_VARIABLE)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)

    def homeless(path):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("pathlib.Path.expanduser", homeless)
    with pytest.raises(OutputError, match=store.HOME_VARIABLE):
        store.home()
    assert store.cached("a.bin", lambda: b"content") == b"content"


# --- files checked against their cards ------------------------------------------------


def test_reads_what_the_card_describes(tmp_path):
    path = tmp_path / "w.safetensors"
    data = save(ARRAYS)
    path.write_bytes(data)
    assert store.read_checked(path, described(data)) == data
    arrays = store.read_arrays(path, described(data))
    assert arrays.keys() == ARRAYS.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, ARRAYS[name])


def test_every_changed_byte_and_every_truncation_is_caught(tmp_path):
    path = tmp_path / "w.safetensors"
    data = save(ARRAYS)
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(WeightsError, match=r"w\.safetensors has sha256"):
            store.read_arrays(path, described(data))
        path.write_bytes(data[:place])
        with pytest.raises(WeightsError, match=rf"has {place} bytes.*{len(data)}"):
            store.read_arrays(path, described(data))
    path.write_bytes(data + b"\0")
    with pytest.raises(WeightsError, match=f"{len(data) + 1} bytes"):
        store.read_arrays(path, described(data))


def test_a_file_of_another_size_is_not_read(tmp_path, monkeypatch):
    path = tmp_path / "w.safetensors"
    path.write_bytes(bytes(1000))
    monkeypatch.setattr("pathlib.Path.open", pytest.fail)
    with pytest.raises(WeightsError, match="1,000 bytes"):
        store.read_checked(path, described(b"abc"))


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(WeightsError, match=r"no\.safetensors: No such file"):
        store.read_checked(tmp_path / "no.safetensors", described(b""))
    with pytest.raises(WeightsError, match=str(tmp_path)):
        store.read_checked(tmp_path, described(b"", bytes=tmp_path.stat().st_size))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    expected = {"bytes_at_most": 9, "md5": store.md5(b"")}
    with pytest.raises(WeightsError, match="pipe: it is no file"):
        store.read_checked(tmp_path / "pipe", expected)


@pytest.mark.parametrize("kind", store.HASHES)
def test_every_kind_of_hash_at_most_so_many_bytes(tmp_path, kind):
    path = tmp_path / "w"
    expected = {"bytes_at_most": 4, kind: store.HASHES[kind](b"abc")}
    path.write_bytes(b"abc")
    assert store.read_checked(path, expected) == b"abc"
    path.write_bytes(b"abd")
    with pytest.raises(WeightsError, match=f"w has {kind} "):
        store.read_checked(path, expected)
    path.write_bytes(b"abcde")
    with pytest.raises(WeightsError, match="5 bytes; its card says at most 4"):
        store.read_checked(path, expected)


def test_every_hash_of_a_card_counts(tmp_path):
    path = tmp_path / "w"
    path.write_bytes(b"abc")
    right = {kind: store.HASHES[kind](b"abc") for kind in store.HASHES}
    store.read_checked(path, {"bytes": 3, **right})
    for kind in right:
        wrong = right | {kind: right[kind][::-1]}
        with pytest.raises(WeightsError, match=kind):
            store.read_checked(path, {"bytes": 3, **wrong})


def header(text: bytes, body: bytes = b"") -> bytes:
    return len(text).to_bytes(8, "little") + text + body


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04 a zip archive",
        b"\x80\x04\x95 a pickle",
        b"\xff" * 8 + b"{}",
        header(b"not json"),
        header(b'{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,9]}}', bytes(4)),
        header(b'{"a":{"dtype":"F16","shape":[9],"data_offsets":[0,4]}}', bytes(4)),
        header(b'{"a":{"dtype":"X99","shape":[2],"data_offsets":[0,4]}}', bytes(4)),
        header(b'{"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}', bytes(4)),
        header(b'{"a":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}}', bytes(4)),
        header(b'{"a":{"dtype":"F16","shape":[-1],"data_offsets":[0,4]}}', bytes(4)),
        header(b'{"a":[]}'),
        header(b"[]"),
    ],
    ids=[
        *("empty", "zip", "pickle", "huge header", "no JSON", "too long", "shape lies"),
        *("no dtype", "BF16", "F8", "negative", "no table", "a list"),
    ],
)
def test_hostile_content_behind_a_right_hash(tmp_path, data):
    path = tmp_path / "w.safetensors"
    path.write_bytes(data)
    with pytest.raises(WeightsError, match=r"w\.safetensors"):
        store.read_arrays(path, described(data, arrays=1))


def test_number_and_dtype_of_arrays(tmp_path):
    path = tmp_path / "w.safetensors"
    data = save(ARRAYS)
    path.write_bytes(data)
    with pytest.raises(WeightsError, match=r"has 2 arrays; its card says 3"):
        store.read_arrays(path, described(data, arrays=3))
    with pytest.raises(WeightsError, match=r"array a/\w+ is float16.*float32"):
        store.read_arrays(path, described(data, dtype="float32"))
    data = save(ARRAYS | {"a/bias": np.zeros(3, np.float64)})
    path.write_bytes(data)
    with pytest.raises(WeightsError, match=r"array a/bias is float64.*float16"):
        store.read_arrays(path, described(data))


# --- ImageNet files -------------------------------------------------------------------


def test_add_and_read(home, small_backbone):
    with pytest.raises(WeightsError, match=r"weights add tiny\.imagenet"):
        store.read_imagenet("tiny")
    place = store.add("tiny.imagenet", small_backbone)
    assert place == home / "weights" / "tiny.npz"
    assert place.read_bytes() == small_backbone.read_bytes()
    assert store.add("tiny.imagenet", str(small_backbone)) == place
    np.testing.assert_array_equal(store.read_imagenet("tiny")["00/kernel"], np.ones(3))


@pytest.mark.parametrize("damage", ["hash", "size", "missing"])
def test_add_refuses_another_file(home, small_backbone, damage):
    data = small_backbone.read_bytes()
    if damage == "missing":
        small_backbone.unlink()
    else:
        small_backbone.write_bytes(data[:-1] + (b"?" if damage == "hash" else b""))
    with pytest.raises(WeightsError, match=r"as-published\.npz"):
        store.add("tiny.imagenet", small_backbone)
    assert not home.exists()


def test_damage_in_the_store_is_found(home, small_backbone):
    place = store.add("tiny.imagenet", small_backbone)
    data = bytearray(place.read_bytes())
    data[40] ^= 1
    place.write_bytes(data)
    with pytest.raises(WeightsError, match=r"tiny\.npz has sha256"):
        store.read_imagenet("tiny")


def test_add_unknown_names(home, small_backbone):
    with pytest.raises(UnknownNameError, match="Did you mean tiny"):
        store.add("tinny.imagenet", small_backbone)
    for name in ("tiny", "tiny.clive", ""):
        with pytest.raises(UsageError, match=r"tiny\.imagenet"):
            store.add(name, small_backbone)


# --- what is computed once ------------------------------------------------------------


def test_cached_computes_once(home):
    assert store.cached("a.bin", lambda: b"content") == b"content"
    assert store.cached("a.bin", lambda: pytest.fail("again")) == b"content"
    assert store.cached("b.bin", lambda: b"other") == b"other"
    assert store.cached("empty.bin", lambda: b"") == b""


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "folder"])
def test_cached_survives_damage(home, damage):
    store.cached("a.bin", lambda: b"content")
    path = home / "cache" / "a.bin"
    data = path.read_bytes()
    if damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes({"flip": data[:-1] + b"?", "cut": data[:-1]}.get(damage, b""))
    assert store.cached("a.bin", lambda: b"anew") == b"anew"
    if damage != "folder":
        assert store.cached("a.bin", lambda: pytest.fail("again")) == b"anew"


def test_cached_without_a_store_to_write_to(monkeypatch, tmp_path, caplog):
    (tmp_path / "file").touch()
    monkeypatch.setenv(store.HOME_VARIABLE, str(tmp_path / "file"))
    with caplog.at_level(logging.WARNING, "iqa_zoo"):
        assert store.cached("a.bin", lambda: b"content") == b"content"
    assert "a.bin" in caplog.text


def test_cached_keys(home):
    for key in ("", "a/b", "../a", "a b", "..\\a", "a\n"):
        with pytest.raises(UsageError, match="key"):
            store.cached(key, lambda: b"")
    assert not home.exists()
