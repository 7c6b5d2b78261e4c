"""`iqa_zoo.export`: what it writes, what its report says, and wrong use of it."""

import errno
import json
import os
import re
import sys

import numpy as np
import pytest

import iqa_zoo
from iqa_zoo import registry
from iqa_zoo.engines.litert import LiteRT
from iqa_zoo.errors import (
    ExportError,
    MissingLibraryError,
    OutputError,
    UnknownNameError,
    UsageError,
    WeightsError,
)
from iqa_zoo.exporting import export as exporting
from iqa_zoo.exporting import graphs, parity, samples, to_savedmodel, to_tflite
from iqa_zoo.files import sha256
from iqa_zoo.images import fit_by, read_image
from tests.crash.faults import ERRORS, failing
from tests.helpers import tiny
from tests.helpers.small import SIZE

pytestmark = pytest.mark.export

VALUES = np.arange(1, 11)


def names_in(folder):
    return sorted(os.listdir(folder))


@pytest.fixture(scope="module")
def exported(run, photos, tmp_path_factory):
    """A file's name and what `export` gave; the photos that were watched are 16."""
    file = tmp_path_factory.mktemp("exported") / "a<b.tflite"
    seen = []

    def watch(pixels, total):
        seen.append(total)
        return pixels

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(samples, "LEAST", 16)
        found = iqa_zoo.export(run, file, photos=photos, watch=watch)
    assert seen == [16]
    return file, found


@pytest.fixture
def quick(exported, monkeypatch):
    """The conversion is done already."""
    content = exported[0].read_bytes()
    monkeypatch.setattr(to_tflite, "tflite", lambda *_, **__: content)


def test_a_file_and_its_report(run, exported):
    file, found = exported
    assert names_in(file.parent) == [
        "a<b.tflite",
        "a<b.tflite.report.html",
        "a<b.tflite.report.json",
    ]
    said = json.loads(file.with_name(f"{file.name}.report.json").read_text())
    assert said == found

    content = file.read_bytes()
    assert (found["bytes"], found["sha256"]) == (len(content), sha256(content))
    assert found["model"] == run.name and found["to"] == "tflite"
    assert found["input"]["shape"] == [1, *SIZE, 3]
    assert found["input"]["dtype"] == "float32"
    assert found["output"] == {
        "name": "distribution",
        "labels": [str(n) for n in range(1, 11)],
        "scale": [1, 10],
    }
    assert found["operators"]["CONV_2D"] == 2
    assert set(found["latency_ms"]) == {"1", "2"}
    assert all(value > 0 for value in found["latency_ms"].values())
    assert found["versions"]["iqa_zoo"] == iqa_zoo.__version__
    assert "reading" not in found


def test_the_reports_figures_are_true(run, exported, photos):
    """And the file's scores those that the library gives for the photos."""
    file, found = exported
    engine = LiteRT(file.read_bytes(), "distribution", "app")
    network = registry.load_network(str(run), size=SIZE)
    rule = registry.resolve(str(run)).input
    pairs = []
    for score in iqa_zoo.score(photos, run):
        pixels = fit_by(rule, read_image(score.path))[np.newaxis]
        wanted = network(pixels.astype(np.float32), training=False).numpy()
        answers = wanted[0], engine.predict(pixels)[0]
        pairs.append([float(shares @ VALUES) for shares in answers])
        assert pairs[-1] == pytest.approx([score.value] * 2, abs=1e-3)
    said = found["parity"]
    assert said["photos"] == 16
    np.testing.assert_allclose(said["scores"], pairs, atol=2e-5)
    apart = np.abs(np.subtract(*np.transpose(pairs)))
    assert said["max"] == pytest.approx(apart.max(), abs=1e-5)
    assert said["mean"] == pytest.approx(apart.mean(), abs=1e-5)
    assert said["bound"]["max"] == pytest.approx(9e-4)
    ranks = np.argsort(np.argsort(pairs, 0), 0)
    assert said["srocc"] == pytest.approx(np.corrcoef(ranks.T)[0, 1], abs=1e-9)


def test_the_page(exported):
    file, found = exported
    page = file.with_name(f"{file.name}.report.html").read_text()
    assert "CONV_2D" in page and found["sha256"] in page
    assert f"{found['bytes']:,}" in page and "data:image/png;base64," in page
    assert "$" not in re.sub(r"base64,[^\"]+", "", page)
    assert not re.search(r"(src|href)=.?https?:", page) and "<script" not in page


def test_for_mediapipe(run, few, tmp_path):
    found = iqa_zoo.export(run, tmp_path / "m.tflite", to="mediapipe", photos=few)
    times = 4
    assert found["reduces"]
    assert found["input"]["shape"] == [1, times * SIZE[0], times * SIZE[1], 3]
    assert found["reading"]["photos"] == 16
    assert found["reading"]["mean"] <= found["reading"]["max"]
    assert found["reading"]["without_reduction"]["photos"] == 16
    assert found["latency_ms_without_reduction"]["1"] > 0
    content = (tmp_path / "m.tflite").read_bytes()
    assert b"TFLITE_METADATA" in content
    engine = LiteRT(content, "distribution", "m")
    white = np.full(found["input"]["shape"], 255, np.uint8)
    network = registry.load_network(str(run), size=SIZE)
    wanted = network(np.full((1, *SIZE, 3), 255, np.float32), training=False)
    np.testing.assert_allclose(engine.predict(white), wanted, atol=1e-4)


@pytest.mark.slow
def test_int8(run, few, tmp_path):
    found = iqa_zoo.export(
        run,
        tmp_path / "i.tflite",
        quantize="int8",
        calibrate=few,
        photos=few,
    )
    assert found["input"]["dtype"] == "uint8"
    assert found["parity"]["mean"] <= found["parity"]["bound"]["mean"]


def test_savedmodel(run, few, tmp_path):
    found = iqa_zoo.export(run, tmp_path / "served", to="savedmodel", photos=few)
    assert names_in(tmp_path) == [
        "served",
        "served.report.html",
        "served.report.json",
    ]
    assert (tmp_path / "served" / "saved_model.pb").is_file()
    assert found["bytes"] == sum(
        path.stat().st_size for path in tmp_path.glob("served/**/*") if path.is_file()
    )
    assert found["input"]["shape"] == [None, *SIZE, 3]
    assert found["reading"]["max"] < 0.1
    functions = to_savedmodel.signatures(tmp_path / "served")
    assert "score_files" in functions


def test_onnx(run, few, tmp_path):
    pytest.importorskip("tf2onnx")
    found = iqa_zoo.export(run, tmp_path / "m.onnx", photos=few)
    assert found["to"] == "onnx"
    assert {"onnx", "onnxruntime", "tf2onnx"} <= set(found["versions"])


def test_size(run):
    given = graphs.subject(run, (16, 40))
    assert given.network.input_shape == (None, 16, 40, 3)
    assert given.size == (16, 40) and given.rule["size"] == [16, 40]
    with pytest.raises(UsageError, match=r"size is 3x40; .* takes 4 pixels"):
        graphs.subject(run, (3, 40))


def test_the_packaged_photos_are_more_than_200():
    from itertools import islice

    chosen = samples.photos(None)
    assert chosen.count == 204 and chosen.folder is None
    first = list(islice(chosen.images, 3))
    assert all(pixels.dtype == np.uint8 and pixels.ndim == 3 for pixels in first)
    assert not np.array_equal(first[0], first[1])


def test_the_packaged_photos_in_many_sizes():
    sizes = [pixels.shape[:2] for pixels in samples.sizes(None)]
    assert sizes == [(height, width) for width, height in samples.SIZES]


# Wrong use. Nothing is built before it is known to be sound.


@pytest.fixture
def unbuilt(monkeypatch):
    def fail(*_):
        raise AssertionError("a network was built")

    monkeypatch.setattr(exporting, "subject", fail)


WRONG = {
    "no suffix that is known": ("m.bin", {}, r"m\.bin does not say what it is to be"),
    "an unknown target": ("m.tflite", {"to": "coreml"}, "coreml"),
    "unknown quantization": ("m.tflite", {"quantize": "int4"}, "int4"),
    "onnx in 8 bits": ("m.onnx", {"quantize": "int8"}, "onnx has 32 bits"),
    "onnx in 16 bits": ("m.onnx", {"quantize": "float16"}, "onnx has 32 bits"),
    "a SavedModel of 8-bit weights": (
        "m",
        {"to": "savedmodel", "quantize": "dynamic"},
        "savedmodel has 32 bits",
    ),
    "reduction in ONNX": ("m.onnx", {"reduce": True}, "reduce is for tflite"),
    "int8 without photos": ("m.tflite", {"quantize": "int8"}, "needs calibrate"),
    "photos without int8": ("m.tflite", {"calibrate": "."}, "calibrate is for int8"),
    "no folder": ("no/m.tflite", {}, r"There is no folder .*no; make it first"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_use(unbuilt, tmp_path, case):
    name, more, match = WRONG[case]
    with pytest.raises(UsageError, match=match):
        iqa_zoo.export("nima-mobilenetv2", tmp_path / name, **more)
    assert names_in(tmp_path) == []


def test_names_that_are_near(unbuilt, tmp_path):
    with pytest.raises(UnknownNameError, match="tflite"):
        iqa_zoo.export("nima-mobilenetv2", tmp_path / "m", to="tflit")


@pytest.mark.parametrize("there", ["m.tflite", "m.tflite.report.html"])
@pytest.mark.parametrize("kind", ["file", "folder", "link to nothing"])
def test_what_is_there_already_is_left(unbuilt, tmp_path, there, kind):
    path = tmp_path / there
    if kind == "file":
        path.write_bytes(b"old")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("nowhere")
    with pytest.raises(UsageError, match=rf"{re.escape(there)} is there already"):
        iqa_zoo.export("nima-mobilenetv2", tmp_path / "m.tflite")
    assert names_in(tmp_path) == [there]
    assert kind != "file" or path.read_bytes() == b"old"


@pytest.mark.parametrize("to", exporting.TARGETS)
@pytest.mark.parametrize("name", ["sharpness", "niqe"])
def test_a_measure_has_no_network(tmp_path, name, to):
    with pytest.raises(UsageError, match=f"{name}.* is a hand-made measure"):
        iqa_zoo.export(name, tmp_path / "m", to=to)
    assert names_in(tmp_path) == []


def test_a_fusion_has_no_network_of_its_own(tmp_path, monkeypatch, entry):
    from dataclasses import replace

    fused = replace(entry, card={**entry.card, "measure": "a", "network": "b"})
    monkeypatch.setattr(registry, "resolve", lambda *_: fused)
    with pytest.raises(UsageError, match="is a fusion"):
        graphs.subject("fused", None)


def test_a_model_without_weights(tmp_path):
    with pytest.raises(WeightsError, match="has no trained weights"):
        iqa_zoo.export("nima-vgg16-gap", tmp_path / "m.tflite")
    assert names_in(tmp_path) == []


def test_too_few_photos(run, tmp_path, monkeypatch):
    photos = tiny.make_photos(tmp_path / "photos", 5)
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(UsageError, match=r"has 5 images; photos takes .* 200"):
        iqa_zoo.export(run, out / "m.tflite", photos=photos)
    with pytest.raises(UsageError, match=r"has 5 images; calibrate takes .* 32"):
        iqa_zoo.export(run, out / "m.tflite", quantize="int8", calibrate=photos)
    # Names alone are no photos.
    for path in photos.iterdir():
        path.write_bytes(b"no photo")
    monkeypatch.setattr(samples, "LEAST", 5)
    monkeypatch.setattr(exporting, "CALIBRATION", 5)
    with pytest.raises(UsageError, match="Only 0 of 5 images can be read; 5 are need"):
        iqa_zoo.export(run, out / "m.tflite", quantize="int8", calibrate=photos)
    with pytest.raises(UsageError, match="Only 0 of 5 images can be read; 5 are need"):
        iqa_zoo.export(run, out / "m.tflite", photos=photos)
    assert names_in(out) == []


def test_without_the_extra_for_onnx(unbuilt, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(MissingLibraryError, match=r"pip install 'iqa_zoo\[onnx\]'"):
        iqa_zoo.export("nima-mobilenetv2", tmp_path / "m.onnx")
    assert names_in(tmp_path) == []


def odd_subject(entry):
    """A network with an operator that LiteRT has only through TensorFlow."""
    import keras
    import tensorflow as tf

    image = keras.Input((*SIZE, 3), name="image")
    x = keras.layers.Lambda(tf.math.special.bessel_j0)(image)
    x = keras.layers.GlobalAveragePooling2D()(x)
    shares = keras.layers.Dense(10, "softmax")(x)
    return graphs.Subject(entry, keras.Model(image, shares, name="odd"), SIZE)


def test_an_operator_that_litert_lacks_is_named(entry, few, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "subject", lambda *_: odd_subject(entry))
    with pytest.raises(WeightsError, match="it lacks the operators BesselJ0"):
        iqa_zoo.export("odd", tmp_path / "m.tflite", photos=few)
    assert names_in(tmp_path) == []


@pytest.mark.parametrize(
    "to", ["tflite", pytest.param("savedmodel", marks=pytest.mark.slow)]
)
def test_a_file_too_far_off_is_not_kept(run, few, quick, tmp_path, monkeypatch, to):
    monkeypatch.setattr(parity, "BOUNDS", {"none": {"max": -1.0}})
    with pytest.raises(ExportError, match=r"largest difference .* above -9") as caught:
        iqa_zoo.export(run, tmp_path / "m", to=to, photos=few)
    assert "No file was written" in str(caught.value)
    assert names_in(tmp_path) == []


def test_numbers_that_are_none(run, few, quick, tmp_path, monkeypatch):
    real = LiteRT.predict
    monkeypatch.setattr(LiteRT, "predict", lambda *args: real(*args) * np.nan)
    with pytest.raises(ExportError, match="nan"):
        iqa_zoo.export(run, tmp_path / "m.tflite", photos=few)
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("to", ["tflite", "savedmodel"])
def test_interrupted_half_way(run, few, quick, tmp_path, to):
    def watch(photos, total):
        for number, photo in enumerate(photos):
            if number == 3:
                raise KeyboardInterrupt
            yield photo

    with pytest.raises(KeyboardInterrupt):
        iqa_zoo.export(run, tmp_path / "m", to=to, photos=few, watch=watch)
    assert names_in(tmp_path) == []


def test_photos_that_all_score_alike(run, few, quick, tmp_path):
    """They have no rank correlation, and JSON no word for that."""
    photos = tiny.make_photos(tmp_path / "photos", 1)
    (first,) = photos.iterdir()
    for number in range(15):
        (photos / f"{number}.jpg").write_bytes(first.read_bytes())
    found = iqa_zoo.export(run, tmp_path / "m.tflite", photos=photos)
    assert found["parity"]["photos"] == 16
    said = json.loads((tmp_path / "m.tflite.report.json").read_text())
    assert said["parity"]["srocc"] in (0, 1, None)


# Disks.


def kept(path, report, is_folder):
    """What `export` does with what it has made."""
    content = b"content" * 100
    if is_folder:
        content = path.with_name(".part")
        (content / "variables").mkdir(parents=True)
        for name in ("saved_model.pb", "variables/variables.index"):
            (content / name).write_bytes(b"served")
    made = graphs.Made(content, SIZE, lambda *_: None)
    return lambda: exporting._keep(path, made, report)


@pytest.mark.parametrize("is_folder", [False, True], ids=["file", "SavedModel"])
@pytest.mark.parametrize("number", ERRORS, ids=errno.errorcode.get)
def test_every_write_may_fail(exported, tmp_path, monkeypatch, is_folder, number):
    """Then there is nothing of it, as there was before."""
    monkeypatch.setattr(exporting.report, "page", lambda _: "page " * 5000)
    for n in range(1, 100):
        folder = tmp_path / str(n)
        folder.mkdir()
        keep = kept(folder / "m", exported[1], is_folder)
        with failing(folder, n, number) as calls:
            try:
                keep()
            except OutputError as error:
                assert os.strerror(number) in str(error)
                said = True
            else:
                said = False
        failed = next((call for call in calls if call.failed), None)
        names = {name for name in names_in(folder) if name != ".part"}
        whole = {"m", "m.report.html", "m.report.json"}
        # Once all is there, what flushes the folder may fail.
        assert names == (set() if said else whole), (failed, names)
        if failed is None:
            break
    assert n > 10


def test_a_full_disk_while_a_savedmodel_is_written(run, few, tmp_path):
    from tests.crash import disks

    with disks.small_disk(tmp_path / "disk") as disk:
        with (
            disks.full(disk, left=16 << 10),
            pytest.raises(OutputError, match="Cannot write"),
        ):
            iqa_zoo.export(run, disk / "served", to="savedmodel", photos=few)
        assert names_in(disk) == []


def test_a_full_disk_when_a_file_is_written(run, few, quick, tmp_path):
    from tests.crash import disks

    with disks.small_disk(tmp_path / "disk") as disk:
        with disks.full(disk), pytest.raises(OutputError, match="No space left"):
            iqa_zoo.export(run, disk / "m.tflite", photos=few)
        assert names_in(disk) == []
