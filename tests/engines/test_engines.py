"""Which engine a model gets, and that the engines agree."""

import contextlib
import fnmatch
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from iqa_zoo import engines, registry
from iqa_zoo.engines import convert, make_engine
from iqa_zoo.engines.litert import LiteRT
from iqa_zoo.errors import UnknownNameError, WeightsError
from tests.helpers import tiny

ARRAYS = {"some": np.ones(3, np.float32)}


@pytest.fixture
def built(monkeypatch, tmp_path):
    """Names of the networks that were built, each the tiny one; in a fresh store."""
    content = tiny.litert()
    names = []

    def load_network(name):
        names.append(str(name))
        return tiny.network()

    monkeypatch.setattr(registry, "load_network", load_network)
    monkeypatch.setattr(convert, "to_litert", lambda *_, **__: content)
    monkeypatch.setenv("IQA_ZOO_HOME", str(tmp_path / "store"))
    return names


@pytest.fixture(scope="module")
def images():
    random = np.random.default_rng(5)
    return list(random.integers(0, 256, (40, *tiny.SIZE, 3), np.uint8))


def test_a_litert_file_needs_no_network(built, tmp_path):
    entry = registry.resolve(tiny.make_run(tmp_path / "run"))
    assert isinstance(make_engine(entry, "litert"), LiteRT)
    assert built == []


def test_a_model_without_a_litert_file_is_converted_once(built, tmp_path, images):
    run = tiny.make_run(tmp_path / "run", arrays=ARRAYS)
    first = make_engine(registry.resolve(run)).predict(images)
    second = make_engine(registry.resolve(run)).predict(images)
    assert built == [str(run)]
    assert first.tobytes() == second.tobytes()
    # Another folder with the same content is the same network.
    make_engine(registry.resolve(tiny.make_run(tmp_path / "copy", arrays=ARRAYS)))
    assert len(built) == 1
    # Other arrays, or another input size, are another one.
    other = {"some": np.zeros(3, np.float32)}
    make_engine(registry.resolve(tiny.make_run(tmp_path / "other", arrays=other)))
    make_engine(
        registry.resolve(tiny.make_run(tmp_path / "size", arrays=ARRAYS, size=(16, 16)))
    )
    assert len(built) == 3


def test_a_changed_weight_file_is_refused_though_the_store_has_its_network(
    built, tmp_path
):
    run = tiny.make_run(tmp_path / "run", arrays=ARRAYS)
    make_engine(registry.resolve(run))
    file = run / "weights.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\1")
    with pytest.raises(WeightsError, match="sha256"):
        make_engine(registry.resolve(run))


def test_engines_agree(built, tmp_path, images):
    entry = registry.resolve(tiny.make_run(tmp_path / "run", arrays=ARRAYS))
    found = make_engine(entry, "litert").predict(images)
    other = make_engine(entry, "tensorflow")
    np.testing.assert_allclose(other.predict(images), found, atol=1e-5)
    np.testing.assert_allclose(other.predict(images[:1]), found[:1], atol=1e-5)


def test_tensorflow_multiplies_in_full_precision(built, tmp_path, images):
    import tensorflow as tf

    enabled = tf.config.experimental.tensor_float_32_execution_enabled
    entry = registry.resolve(tiny.make_run(tmp_path / "run", arrays=ARRAYS))
    engine = make_engine(entry, "tensorflow")
    seen = []
    real = engine._run
    engine._run = lambda batch: seen.append(enabled()) or real(batch)
    before = enabled()
    engine.predict(images)
    assert (seen, enabled()) == ([False], before)


@pytest.mark.parametrize("gpu", [True, False])
def test_auto_takes_tensorflow_where_it_has_a_gpu(built, tmp_path, monkeypatch, gpu):
    monkeypatch.setattr(engines, "_gpu_works", lambda: gpu)
    entry = registry.resolve(tiny.make_run(tmp_path / "run"))
    assert isinstance(make_engine(entry, "auto"), LiteRT) is not gpu
    assert isinstance(make_engine(entry, "litert"), LiteRT)


@pytest.mark.parametrize("devices", ["", "-1"])
def test_a_hidden_gpu_is_no_gpu(monkeypatch, devices):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", devices)
    monkeypatch.setattr(engines.glob, "glob", lambda pattern: [pattern])
    monkeypatch.delattr(engines, "_import_tensorflow")
    assert not engines._gpu_works()


@pytest.mark.parametrize("device", [None, "/dev/nvidia1", "/dev/dxg", "/dev/kfd"])
def test_tensorflow_is_asked_where_the_system_has_a_gpu(monkeypatch, device):
    asked = []

    class TensorFlow:
        class config:
            @staticmethod
            def list_physical_devices(kind):
                return asked.append(kind) or [device]

    def found(pattern):
        return [device] if device and fnmatch.fnmatch(device, pattern) else []

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(engines.glob, "glob", found)
    monkeypatch.setattr(engines, "_import_tensorflow", lambda: TensorFlow)
    assert engines._gpu_works() is bool(device)
    assert asked == ["GPU"] * bool(device)


def test_a_conversion_is_told(built, tmp_path, caplog):
    run = tiny.make_run(tmp_path / "run", arrays=ARRAYS)
    with caplog.at_level(logging.INFO, "iqa_zoo"):
        make_engine(registry.resolve(run))
        make_engine(registry.resolve(run))
    assert caplog.messages == [f"Converting {run} for LiteRT, once."]


def test_networks_are_built_of_32_bits(built, tmp_path, monkeypatch):
    import keras

    policies = []
    monkeypatch.setattr(
        registry,
        "load_network",
        lambda name: (
            policies.append(keras.config.dtype_policy().name) or tiny.network()
        ),
    )
    entry = registry.resolve(tiny.make_run(tmp_path / "run", arrays=ARRAYS))
    keras.config.set_dtype_policy("mixed_float16")
    try:
        for engine in ("litert", "tensorflow"):
            make_engine(entry, engine)
            assert keras.config.dtype_policy().name == "mixed_float16"
    finally:
        keras.config.set_dtype_policy("float32")
    assert policies == ["float32"] * 2


def test_threads_leave_the_rounding_as_it_was(built, tmp_path, images):
    import tensorflow as tf

    enabled = tf.config.experimental.tensor_float_32_execution_enabled
    entry = registry.resolve(tiny.make_run(tmp_path / "run", arrays=ARRAYS))
    engine = make_engine(entry, "tensorflow")
    inside = threading.Barrier(2)
    seen = []

    def run(batch):
        with contextlib.suppress(threading.BrokenBarrierError):
            inside.wait(0.2)  # two would meet here if they could
        seen.append(enabled())
        return np.zeros((len(batch), 10), np.float32)

    engine._run = run
    before = enabled()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(engine.predict, [images[:1]] * 2))
    assert (seen, enabled()) == ([False] * 2, before)
    assert inside.broken


def test_too_little_memory_of_a_gpu_is_a_memory_error(built, tmp_path, images):
    import tensorflow as tf

    entry = registry.resolve(tiny.make_run(tmp_path / "run", arrays=ARRAYS))
    engine = make_engine(entry, "tensorflow")

    def run(batch):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM")

    engine._run = run
    with pytest.raises(MemoryError, match="OOM"):
        engine.predict(images[:1])


def test_unknown_engine(tmp_path):
    entry = registry.resolve(tiny.make_run(tmp_path / "run"))
    with pytest.raises(UnknownNameError, match="litert"):
        make_engine(entry, "lite-rt")


def test_a_model_without_weights_cannot_score():
    entry = registry.resolve("nima-mobilenetv2", weights=None)
    with pytest.raises(WeightsError, match="no trained weights"):
        make_engine(entry)
