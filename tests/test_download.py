"""Whatever a server does, a name in the store means the file that a card describes."""

import copy
import errno
import json
import logging
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import iqa_zoo
from iqa_zoo import cards, download, registry, store
from iqa_zoo.errors import MissingWeightsError, OutputError, WeightsError
from iqa_zoo.files import sha256
from tests.helpers.layouts import keras_h5
from tests.helpers.server import content, redirect, serving, stalling
from tests.helpers.small import NAME, packaged

FILE = keras_h5(
    {
        "conv1/kernel": np.arange(54, dtype="f4").reshape(3, 3, 3, 2),
        "dense_1/kernel": np.ones((2, 10), "f4"),
        "dense_1/bias": np.zeros(10, "f4"),
    }
)


@pytest.fixture(scope="module")
def web():
    with serving() as server:
        yield server


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty store, and a network that may be used."""
    monkeypatch.setenv(store.HOME_VARIABLE, str(tmp_path / "home"))
    monkeypatch.delenv(store.OFFLINE_VARIABLE, raising=False)
    monkeypatch.setattr(download, "STALL", 0.3)
    return tmp_path / "home"


def described(url: str, data: bytes = FILE, **more) -> dict:
    """What a card says of a file that is served."""
    said = {
        "kind": "external",
        "file": "published.hdf5",
        "url": url,
        "bytes": len(data),
        "git_blob": store.git_blob(data),
        "converter": "none",
        "licence": "Apache-2.0",
        "where": "the server of this test",
    }
    return {key: value for key, value in (said | more).items() if value is not None}


def held(home) -> list[str]:
    """Every file of the store, hidden ones too."""
    return sorted(str(p.relative_to(home)) for p in home.rglob("*") if p.is_file())


# --- what comes -----------------------------------------------------------------------


@pytest.mark.parametrize("stated", [-1, None], ids=["length", "no length"])
def test_content_and_progress(web, stated, monkeypatch):
    monkeypatch.setattr(download, "CHUNK", 1000)
    # No proxy stands between this machine and itself.
    monkeypatch.setenv("http_proxy", "http://192.0.2.1:9")
    expected, steps = [], []
    found = download.download(
        web.url("/file", content(FILE, length=stated)),
        len(FILE),
        begin=expected.append,
        progress=lambda done, total: steps.append((done, total)),
    )
    assert found == FILE
    assert expected == [len(FILE)]
    total = len(FILE) if stated else None
    assert steps[0] == (1000, total)
    assert steps[-1] == (len(FILE), total)


def test_redirects_on_this_machine(web):
    url = web.url("/a", redirect(web.url("/b", content(FILE)), data=bytes(99)))
    assert download.download(url, len(FILE)) == FILE


def endless(handler):
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(bytes(1 << 16))


def endless_redirect(handler):
    handler.send_response(302)
    handler.send_header("Location", "/file")
    handler.end_headers()
    while True:
        handler.wfile.write(bytes(1 << 16))


def nothing(handler):
    handler.wfile.write(b"")


def no_http(handler):
    handler.wfile.write(b"\x00\x01\x02 this is no HTTP\r\n\r\n")


OTHER = bytes([FILE[0] ^ 1]) + FILE[1:]
BAD = {
    "wrong hash": (content(OTHER), "git_blob .*; expected was"),
    "truncated": (content(FILE[:-9], length=len(FILE)), f"{len(FILE) - 9:,} of "),
    "short": (content(FILE[:-9]), f"{len(FILE) - 9:,} bytes; its card says"),
    "short, no length": (content(FILE[:-9], length=None), "its card says"),
    "empty": (content(b""), "0 bytes"),
    "longer": (content(FILE + b"more"), f"{len(FILE) + 4:,} bytes were offered"),
    "endless": (endless, "git_blob"),
    "404": (content(b"gone", status=404), "404: Not Found"),
    "500": (content(FILE, status=500), "500: Internal Server Error"),
    "to ftp": (redirect("ftp://127.0.0.1/file"), "ftp://127.0.0.1/file is not https"),
    "to file": (redirect("file:///etc/passwd"), "302: .*not allowed"),
    "to data": (redirect("data:,abc"), "302: .*not allowed"),
    "to http": (redirect("http://192.0.2.1/file"), "192.0.2.1/file is not https"),
    "to a lookalike": (redirect("http://127.0.0.1@192.0.2.1/"), "is not https"),
    "to nowhere": (redirect("http://[1"), "broke off"),
    "to itself": (redirect("/"), "302: .*infinite loop"),
    "nothing": (nothing, "broke off"),
    "no HTTP": (no_http, "broke off"),
}


@pytest.mark.parametrize("case", [*BAD, "stall", "stall before a byte"])
@pytest.mark.parametrize("size", ["bytes", "bytes_at_most"])
def test_nothing_bad_gets_a_name(web, home, case, size):
    stalls = {"stall": FILE[:99], "stall before a byte": b""}
    if case in stalls:
        answer, words = stalling(web, stalls[case], len(FILE)), "No data came for 0.3 s"
    else:
        answer, words = BAD[case]
    if size == "bytes_at_most" and case in ("short", "short, no length", "empty"):
        words = "git_blob"  # every smaller size is right, and the hash tells
    # What an endless answer begins with has the right size.
    expected = described(web.url("/", answer), **{"bytes": None, size: len(FILE)})
    with pytest.raises(MissingWeightsError, match=words) as caught:
        store.fetch(expected, "some.tag")
    assert held(home) == []
    text = str(caught.value)
    for part in (
        expected["url"],
        expected["git_blob"],
        str(home / "weights" / "published.hdf5"),
        "iqa-zoo weights add some.tag FILE",
        store.said_size(expected),
    ):
        assert part in text
    # What was there before stays.
    place = home / "weights" / "published.hdf5"
    place.write_bytes(FILE)
    with pytest.raises(MissingWeightsError):
        store.fetch(expected, "some.tag")
    assert held(home) == ["weights/published.hdf5"]
    assert place.read_bytes() == FILE


def test_the_content_of_a_redirect_is_not_read(web):
    web.answers["/file"] = content(FILE)
    assert download.download(web.url("/r", endless_redirect), len(FILE)) == FILE


def test_no_more_than_the_cards_bytes_is_read(web):
    steps = []
    data = download.download(
        web.url("/e", endless), 100_000, progress=lambda done, _: steps.append(done)
    )
    assert len(data) == max(steps) == 100_000


@pytest.mark.parametrize(
    "url",
    [
        "http://192.0.2.1/file",
        "ftp://127.0.0.1/file",
        "file:///etc/passwd",
        "data:,abc",
        "/etc/passwd",
        "http://127.0.0.1.example.org/file",
        "",
    ],
)
def test_only_https_is_fetched(url):
    with pytest.raises(WeightsError, match="is not https"):
        download.download(url, 10)


def test_other_machines_do_not_lead_to_this_one():
    with pytest.raises(WeightsError, match="is not https"):
        download._check_address("http://127.0.0.1/file", "https://example.org/file")
    download._check_address("https://example.com/b", "https://example.org/a")


def test_nobody_listens():
    with serving() as server:
        url = server.url("/file", content(FILE))
    with pytest.raises(WeightsError, match="No connection: Connection refused"):
        download.download(url, 10)


# --- the store ------------------------------------------------------------------------


def test_fetched_once_with_a_notice(web, home, caplog):
    web.asked.clear()
    expected = described(web.url("/once", content(FILE)))
    with caplog.at_level(logging.WARNING, "iqa_zoo"):
        first = store.read_published(expected, "some.tag")
        again = store.read_published(expected, "some.tag")
    (line,) = caplog.messages
    for part in ("Fetching some.tag", expected["url"], "Apache-2.0", "MB"):
        assert part in line
    assert web.asked == ["/once"]
    assert held(home) == ["weights/published.hdf5"]
    assert (
        list(first) == list(again) == ["conv1/kernel", "dense_1/kernel", "dense_1/bias"]
    )
    np.testing.assert_array_equal(first["conv1/kernel"].ravel(), np.arange(54))


@pytest.mark.parametrize("kind", store.HASHES)
@pytest.mark.parametrize("size", ["bytes", "bytes_at_most"])
def test_every_kind_of_hash(web, home, kind, size):
    said = {"git_blob": None, "bytes": None}
    said |= {kind: store.HASHES[kind](FILE), size: len(FILE)}
    store.fetch(described(web.url("/f", content(FILE)), **said), "some.tag")
    said[kind] = said[kind][::-1]
    with pytest.raises(
        MissingWeightsError, match=f"{kind} .*expected was {said[kind]}"
    ):
        store.fetch(described(web.url("/f", content(FILE)), **said), "some.tag")


def test_hashes_are_those_of_their_tools():
    # `git hash-object`, `md5sum`
    assert store.git_blob(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"
    assert store.md5(b"hello\n") == "b1946ac92492d2347c6235b4d2611184"


@pytest.mark.parametrize("value", ["1", "yes"])
def test_offline(web, home, monkeypatch, value):
    monkeypatch.setenv(store.OFFLINE_VARIABLE, value)
    web.asked.clear()
    expected = described(web.url("/off", content(FILE)))
    with pytest.raises(MissingWeightsError, match=store.OFFLINE_VARIABLE) as caught:
        store.read_published(expected, "some.tag")
    place = home / "weights" / "published.hdf5"
    for part in (expected["url"], "weights add some.tag FILE", str(place)):
        assert part in str(caught.value)
    assert web.asked == []
    assert not home.exists()
    # What is there needs no network.
    place.parent.mkdir(parents=True)
    place.write_bytes(FILE)
    assert store.published_bytes(expected, "some.tag") == FILE
    monkeypatch.setenv(store.OFFLINE_VARIABLE, "0")
    store.fetch(expected, "some.tag")
    assert web.asked == ["/off"]


def test_damage_in_the_store_is_not_used(web, home):
    expected = described(web.url("/f", content(FILE)))
    place = store.fetch(expected, "some.tag")
    place.write_bytes(OTHER)
    with pytest.raises(WeightsError, match=r"Run: iqa-zoo weights fetch some\.tag"):
        store.read_published(expected, "some.tag")
    store.fetch(expected, "some.tag")
    assert place.read_bytes() == FILE


def test_too_little_room(web, home, monkeypatch):
    class Usage:
        free = len(FILE) - 1

    monkeypatch.setattr(store.shutil, "disk_usage", lambda _: Usage)
    expected = described(web.url("/f", content(FILE)))
    with pytest.raises(OutputError, match=r"MB left.*MB are needed.*IQA_ZOO_HOME"):
        store.fetch(expected, "some.tag")
    assert held(home) == []


def test_a_store_that_cannot_be_written_is_told_before_fetching(
    web, home, monkeypatch, tmp_path
):
    web.asked.clear()
    expected = described(web.url("/f", content(FILE)))
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda *_: False)
        with pytest.raises(OutputError, match=r"Cannot write to .*IQA_ZOO_HOME"):
            store.fetch(expected, "some.tag")
    (tmp_path / "file").touch()
    monkeypatch.setenv(store.HOME_VARIABLE, str(tmp_path / "file"))
    with pytest.raises(OutputError, match=r"Cannot make .*IQA_ZOO_HOME"):
        store.fetch(expected, "some.tag")
    assert web.asked == []


def test_a_disk_that_fails_while_it_is_written(web, home, monkeypatch):
    def fail(*_):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OutputError, match=r"published\.hdf5.*Read-only"):
        store.fetch(described(web.url("/f", content(FILE))), "some.tag")
    assert held(home) == []


def test_ctrl_c_leaves_nothing(web, home):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.fetch(
            described(web.url("/f", content(FILE))), "some.tag", progress=interrupt
        )
    assert held(home) == []


FETCH = """
import json, sys
from iqa_zoo import store
for expected in json.loads(sys.argv[1]):
    arrays = store.read_published(expected, "some.tag")
    assert len(arrays) == 3
"""


def test_two_processes_at_once(web, home):
    rounds = 20
    both = threading.Barrier(2)

    def answer(handler):
        both.wait(30)  # neither gets a byte before the other has asked
        content(FILE)(handler)

    sets = [
        described(web.url(f"/{n}", answer), file=f"{n}.hdf5") for n in range(rounds)
    ]
    web.asked.clear()
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", FETCH, json.dumps(sets)],
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for run in runs:
        _, said = run.communicate(timeout=120)
        assert run.returncode == 0, said
    assert len(web.asked) == 2 * rounds
    assert held(home) == sorted(f"weights/{n}.hdf5" for n in range(rounds))
    for n in range(rounds):
        assert (home / "weights" / f"{n}.hdf5").read_bytes() == FILE


# --- from the server to the network ---------------------------------------------------


def arrays_of(network) -> dict[str, np.ndarray]:
    """What its publisher's file would hold, as LAYER/WEIGHT."""
    return {path: v.numpy() for path, v in registry.variables(network).items()}


def from_layers(arrays):
    """A converter: the arrays' names are those of the network."""
    return {name: arrays[name] for name in (*arrays, "head/bias")}


@pytest.fixture
def small(web, monkeypatch):
    """The small model's name, its network, and its card with an external weight set."""
    from iqa_zoo.models import nima

    monkeypatch.setattr(nima, "from_layers", from_layers, raising=False)
    with packaged():
        network = registry.load_model(NAME, None)
        arrays = arrays_of(network)
        expected = {
            **described(web.url("/small", content(keras_h5(arrays)))),
            "bytes": len(keras_h5(arrays)),
            "git_blob": store.git_blob(keras_h5(arrays)),
            "converter": "iqa_zoo.models.nima:from_layers",
            "task": "aesthetics",
            "data": "none",
            "terms": "none",
            "input": {**cards.all_cards()[NAME]["input"], "size": [16, 16]},
            "arguments": {"dropout": 0.75},
        }
        with packaged(weights={"theirs": expected}):
            yield NAME, network, expected


def test_load_model_fetches_checks_and_fills(small):
    name, network, _ = small
    found = registry.load_model(f"{name}.theirs")
    assert found.get_layer("dropout").rate == 0.75
    known = registry.variables(network)
    for path, variable in registry.variables(found).items():
        np.testing.assert_array_equal(variable, known[path])


def test_a_weight_set_has_its_own_task_and_input(small):
    name, _, _ = small
    entry = registry.resolve(f"{name}.theirs")
    assert (entry.task, entry.input["size"]) == ("aesthetics", [16, 16])
    assert registry.resolve(name, None).task == "quality"
    assert name in registry.list_models(task="aesthetics")
    assert entry.litert_bytes() is None
    assert entry.seen() == frozenset()


def test_a_name_without_tag_says_which_tags_there_are(small):
    name, _, _ = small
    with pytest.raises(WeightsError, match=rf"{name}\.theirs \(aesthetics\)"):
        registry.load_model(name)
    registry.load_model(name, None)


def served(web, expected, arrays) -> None:
    """Serve other arrays, and let the card describe them."""
    data = keras_h5(arrays)
    web.answers["/small"] = content(data)
    expected |= {"bytes": len(data), "git_blob": store.git_blob(data)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("nan", r"theirs.*NaN"),
        ("missing", r"theirs lacks the array 'head/bias'"),
        ("extra", r"theirs has an extra array more/kernel"),
        ("shape", r"theirs: head/bias has shape"),
    ],
)
def test_right_hash_wrong_arrays(web, small, change, words):
    name, network, expected = small
    arrays = arrays_of(network)
    if change == "nan":
        arrays["head/kernel"][3, 3] = np.nan
    elif change == "missing":
        del arrays["head/bias"]
    elif change == "extra":
        arrays["more/kernel"] = np.ones(3, "f4")
    else:
        arrays["head/bias"] = np.ones((1, 10), "f4")
    served(web, expected, arrays)
    with pytest.raises(WeightsError, match=words):
        registry.load_model(f"{name}.theirs")


def test_the_engine_follows_the_file_and_the_sets_own_input(web, small, monkeypatch):
    from iqa_zoo import engines
    from iqa_zoo.engines import convert

    name, network, expected = small
    asked = []

    def to_litert(network, size, **_):
        asked.append(size)
        return b"content"

    monkeypatch.setattr(convert, "to_litert", to_litert)
    monkeypatch.setattr(engines, "LiteRT", lambda content, *_: content)
    for _ in range(2):
        entry = registry.resolve(f"{name}.theirs")
        assert engines.make_engine(entry, "litert") == b"content"
    assert asked == [(16, 16)]
    # Another file under the same name is another network.
    arrays = arrays_of(network)
    arrays["head/bias"] += 1
    served(web, expected, arrays)
    store.published_file(expected).unlink()
    engines.make_engine(registry.resolve(f"{name}.theirs"), "litert")
    assert len(asked) == 2


@pytest.mark.slow
def test_idealos_layout_scores_as_idealos_code_does(web, idealo):
    """From a served file of its layout to the scores of five photos, through LiteRT."""
    import keras
    from PIL import Image

    keras.utils.set_random_seed(3)
    trunk = keras.applications.MobileNet(
        (224, 224, 3), include_top=False, pooling="avg", weights=None
    )
    for layer in trunk.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    sharp = keras.initializers.RandomNormal(stddev=3)
    shares = keras.layers.Dense(10, "softmax", kernel_initializer=sharp)
    network = keras.Model(trunk.input, shares(trunk.output))
    photos = sorted(idealo.glob("*.jpg"))
    pixels = [
        np.asarray(Image.open(photo).resize((224, 224), Image.Resampling.NEAREST))
        for photo in photos
    ]
    image = keras.applications.mobilenet.preprocess_input(np.stack(pixels, dtype="f4"))
    network(image, training=True)
    expected = np.asarray(network(image, training=False)) @ np.arange(1, 11)
    assert np.ptp(expected) > 1

    arrays = {}
    for layer in network.layers:
        deep = "depthwise_" * isinstance(layer, keras.layers.DepthwiseConv2D)
        for weight in layer.weights:
            arrays[f"{layer.name}/{deep}{weight.name}"] = weight.numpy()
    data = keras_h5(arrays)
    card = copy.deepcopy(dict(cards.all_cards()["nima-mobilenet"]))
    for weights in card["weights"].values():
        weights |= {
            "url": web.url(f"/{weights['file']}", content(data)),
            "git_blob": store.git_blob(data),
        }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cards, "all_cards", lambda: {"nima-mobilenet": card})
        for tag in card["weights"]:
            results = list(iqa_zoo.score(photos, f"nima-mobilenet.{tag}"))
            found = [result.value for result in results]
            np.testing.assert_allclose(found, expected, atol=1e-3)


# --- files that users add -------------------------------------------------------------


def add(name, data, tmp_path):
    file = tmp_path / "downloaded"
    file.write_bytes(data)
    return registry.add(name, file)


def test_add_in_place_of_fetching(web, small, tmp_path, home, monkeypatch):
    name, network, _ = small
    data = keras_h5(arrays_of(network))
    monkeypatch.setenv(store.OFFLINE_VARIABLE, "1")
    with pytest.raises(WeightsError, match="expected was"):
        add(f"{name}.theirs", data[:-1] + b"?", tmp_path)
    assert held(home) == []
    place = add(f"{name}.theirs", data, tmp_path)
    assert place.read_bytes() == data
    registry.load_model(f"{name}.theirs")


def test_a_file_without_a_hash_is_tried_and_its_hash_noted(small, tmp_path, home):
    name, network, expected = small
    full = f"{name}.theirs"
    arrays = arrays_of(network)
    for key in ("url", "git_blob", "bytes"):
        del expected[key]
    expected |= {"unhashed": "made by everyone", "bytes_at_most": 100_000}
    with pytest.raises(MissingWeightsError, match="must be added by hand") as caught:
        registry.load_model(full)
    assert expected["where"] in str(caught.value)
    assert f"weights add {full} FILE" in str(caught.value)

    bad = {
        "no weight file": b"odd",
        "too large": bytes(100_001),
        "another network": FILE,
        "NaN": keras_h5(arrays | {"head/kernel": np.full((8, 10), np.nan, "f4")}),
    }
    for what, data in bad.items():
        with pytest.raises(WeightsError):
            add(full, data, tmp_path)
        assert held(home) == [], what

    data = keras_h5(arrays)
    place = add(full, data, tmp_path)
    assert held(home) == ["weights/published.hdf5", "weights/published.hdf5.sha256"]
    note = place.with_name("published.hdf5.sha256")
    assert note.read_text().strip() == sha256(data)
    registry.load_model(full)

    place.write_bytes(data[:-1] + b"?")
    with pytest.raises(WeightsError, match=rf"sha256.*weights add {full}"):
        registry.load_model(full)
    place.write_bytes(data)
    note.unlink()
    with pytest.raises(WeightsError, match="add the file again"):
        registry.load_model(full)


def test_a_backbones_file_without_a_hash_must_fit_the_network(
    tmp_path, home, monkeypatch
):
    from iqa_zoo.models import nima

    monkeypatch.setattr(nima, "from_layers", from_layers, raising=False)
    expected = {
        "file": "b.hdf5",
        "bytes_at_most": 100_000,
        "unhashed": "made by everyone",
        "converter": "iqa_zoo.models.nima:from_layers",
        "licence": "Apache-2.0",
        "where": "nowhere",
    }
    backbone = {"title": "B", "weights": {"imagenet": expected}}
    monkeypatch.setattr(cards, "backbone_cards", lambda: {"b": backbone})
    with packaged(backbone="b"):
        network = registry.load_model(NAME, None)
        arrays = arrays_of(network)
        arrays["low_bn/beta"] = np.zeros(5, "f4")
        with pytest.raises(WeightsError, match=r"low_bn/beta has shape"):
            add("b.imagenet", keras_h5(arrays), tmp_path)
        assert held(home) == []
        add("b.imagenet", keras_h5(arrays_of(network)), tmp_path)
        found = registry.load_model(NAME, "imagenet")
        for path, variable in registry.variables(network).items():
            np.testing.assert_array_equal(variable, registry.variables(found)[path])


def test_a_server_that_drips_is_left(web):
    def drip(handler):
        content(b"", length=len(FILE))(handler)
        while not web.over.wait(0.05):
            handler.wfile.write(b"x")
            handler.wfile.flush()

    with pytest.raises(WeightsError, match="Fewer than 1,000 bytes a second"):
        download.download(web.url("/", drip), len(FILE), stall=0.3)
