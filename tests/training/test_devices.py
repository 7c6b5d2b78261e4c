"""One device, two, or two processes: the same weights in the end."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file

import iqa_zoo
from iqa_zoo.errors import UnknownNameError, UsageError
from iqa_zoo.training import checkpoints, devices
from tests.helpers.small import eagerly, make_opinions, packaged, plainly
from tests.training.worker import NETWORK, RECIPE

CLOSE = 1e-5
LONG = 600  # seconds: a busy machine takes its time


@pytest.fixture(scope="module")
def opinions(tmp_path_factory):
    return make_opinions(tmp_path_factory.mktemp("opinions"), 32)


@pytest.fixture(scope="module")
def alone(opinions, tmp_path_factory):
    """The run of one device."""
    out = tmp_path_factory.mktemp("alone") / "run"
    network = packaged(recipe=RECIPE, arguments=NETWORK)
    with network as name, plainly(), eagerly():
        return iqa_zoo.train(*opinions, model=name, out=out, start="random")


def begin(opinions, out, *options, **environment):
    """The same in another process."""
    table, photos = opinions
    options = ["--labels", table, "--images", photos, "-o", out, *options]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.training.worker", *map(str, options)],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process):
    """Its exit status and what it said."""
    try:
        _, said = process.communicate(timeout=LONG)
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail(process.communicate()[1])
    return process.returncode, said


def assert_same(found, wanted):
    one, other = (load_file(run / "weights.safetensors") for run in (found, wanted))
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_allclose(array, other[name], atol=CLOSE, err_msg=name)
    for file in ("split.csv", "seen.txt"):
        assert (found / file).read_bytes() == (wanted / file).read_bytes()
    assert not (found / "unfinished").exists()


def test_two_devices(opinions, alone, tmp_path):
    out = tmp_path / "run"
    process = begin(opinions, out, "--strategy", "mirrored", DEVICES="2")
    status, said = ended(process)
    assert status == 0, said
    assert_same(out, alone)


def begin_workers(opinions, out, **environment):
    """Two processes that train together."""
    free = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    workers = [f"127.0.0.1:{each.getsockname()[1]}" for each in free]
    for each in free:
        each.close()
    return [
        begin(
            opinions,
            out,
            "--save-seconds",
            0,
            TF_CONFIG=json.dumps(
                {
                    "cluster": {"worker": workers},
                    "task": {"type": "worker", "index": index},
                }
            ),
            **environment,
        )
        for index in range(2)
    ]


@pytest.mark.slow
def test_two_workers(opinions, alone, tmp_path):
    out = tmp_path / "run"
    for status, said in map(ended, begin_workers(opinions, out)):
        assert status == 0, said
    assert_same(out, alone)


@pytest.mark.slow
@pytest.mark.crash
@pytest.mark.parametrize("victim", [0, 1], ids=["the first", "the second"])
def test_a_worker_is_killed_and_both_are_started_again(
    opinions, alone, tmp_path, victim
):
    out = tmp_path / "run"
    workers = begin_workers(opinions, out, PAUSE="1")
    while checkpoints.last_number(out / "unfinished" / "checkpoints") < 3:
        for each in workers:
            assert each.poll() is None, each.communicate()[1]
        time.sleep(0.01)
    workers[victim].send_signal(signal.SIGKILL)
    status, said = ended(workers[1 - victim])
    assert status == 3, said
    assert "Another worker was lost. Start the same command again on all" in said
    assert "Traceback" not in said
    assert ended(workers[victim])[0] == -signal.SIGKILL
    assert not (out / "card.toml").exists()
    results = [ended(each) for each in begin_workers(opinions, out)]
    for status, said in results:
        assert status == 0, said
        assert "Going on from step" in said
    assert_same(out, alone)


# --- what is chosen -------------------------------------------------------------------


def test_one_device_where_there_is_no_other(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    for name in ("auto", "one"):
        strategy = devices.strategy_of(name)
        assert strategy is tf.distribute.get_strategy()
        assert devices.is_chief(strategy)
    own = tf.distribute.OneDeviceStrategy("/cpu:0")
    assert devices.strategy_of(own) is own and devices.is_chief(own)


def test_what_cannot_be_had(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(UnknownNameError, match="mirrored"):
        devices.strategy_of("mirored")
    with pytest.raises(UsageError, match="TF_CONFIG"):
        devices.strategy_of("workers")
    with pytest.raises(UsageError, match="no TPU"):
        devices.strategy_of("tpu")


@pytest.mark.parametrize(
    "cluster, kind, index, chief",
    [
        ({"worker": ["a:1", "b:1"]}, "worker", 0, True),
        ({"worker": ["a:1", "b:1"]}, "worker", 1, False),
        ({"chief": ["a:1"], "worker": ["b:1"]}, "chief", 0, True),
        ({"chief": ["a:1"], "worker": ["b:1"]}, "worker", 0, False),
    ],
)
def test_who_writes(cluster, kind, index, chief):
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(cluster), task_type=kind, task_id=index
    )

    class Strategy:
        cluster_resolver = resolver

    assert devices.is_chief(Strategy()) == chief


def test_precision_is_set_back():
    import keras

    with devices.policy("auto") as name:
        assert name == keras.config.dtype_policy().name == "float32"
    with pytest.raises(ZeroDivisionError), devices.policy("mixed_bfloat16") as name:
        assert name == keras.config.dtype_policy().name
        raise ZeroDivisionError
    assert keras.config.dtype_policy().name == "float32"
    with pytest.raises(UnknownNameError, match="mixed_float16"), devices.policy("16"):
        pytest.fail("it was set")
