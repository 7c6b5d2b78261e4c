"""`iqa-zoo export`: its arguments, what it prints and how it ends."""

import os

import pytest
from click.testing import CliRunner

from iqa_zoo.cli import export as command
from iqa_zoo.cli import main
from iqa_zoo.errors import ExportError
from iqa_zoo.exporting import export as exporting

FOUND = {
    "model": "m",
    "native": False,
    "bytes": 1234567,
    "parity": {
        "photos": 204,
        "max": 0.00012,
        "mean": 0.00001,
        "srocc": 1.0,
        "bound": {"max": 0.0009},
    },
    "reading": {
        "by": "MediaPipe's stretching",
        "photos": 12,
        "mean": 0.01,
        "max": 0.03,
        "without_reduction": {"photos": 12, "mean": 0.4, "max": 1.1},
    },
    "latency_ms": {"1": 40.04, "2": 25.0},
    "machine": "A processor, 2 cores",
}


def export(*words):
    return CliRunner().invoke(main, ["export", *map(str, words)])


@pytest.fixture
def calls(monkeypatch):
    """What `iqa_zoo.export` was given, which writes nothing here."""
    given = []

    def fake(model, file, **more):
        del more["watch"]
        given.append((model, file, more))
        return FOUND

    monkeypatch.setattr(exporting, "export", fake)
    return given


def test_what_it_prints(calls):
    done = export("m", "-o", "app.tflite", "--to", "mediapipe")
    assert done.exit_code == 0, done.output
    rows = dict(line.split("  ", 1) for line in done.stdout.splitlines())
    rows = {head: text.strip() for head, text in rows.items()}
    assert rows["bytes"] == "1,234,567"
    assert rows["photos compared"] == "204"
    assert rows["largest difference"] == "0.00012 (up to 0.0009 allowed)"
    assert rows["SROCC with the network"] == "1.00000"
    assert rows["a photo takes"] == "40.0 ms on one thread, 25.0 ms on two"
    assert rows["on"] == "A processor, 2 cores"
    assert "mean 0.01, largest 0.03" in rows["read by MediaPipe's stretching"]
    assert done.stderr.splitlines()[-1].endswith(
        "wrote app.tflite; what was measured is in app.tflite.report.html"
    )


def test_arguments_are_those_of_the_function(calls, tmp_path):
    assert export("m", "-o", "a.tflite").exit_code == 0
    words = ["--to", "tflite", "--quantize", "int8", "--calibrate", tmp_path]
    words += ["--size", "96X128", "--no-reduce", "--photos", tmp_path]
    assert export("m", "-o", "b", *words).exit_code == 0
    nothing = dict.fromkeys(("to", "calibrate", "size", "reduce", "photos"))
    assert calls == [
        ("m", "a.tflite", {**nothing, "quantize": "none"}),
        (
            "m",
            "b",
            {
                "to": "tflite",
                "quantize": "int8",
                "calibrate": str(tmp_path),
                "size": (96, 128),
                "reduce": False,
                "photos": str(tmp_path),
            },
        ),
    ]


@pytest.mark.parametrize("size", ["96", "96x", "0x96", "96x96x3", "-1x5", "axb"])
def test_a_size_that_is_none(calls, size):
    done = export("m", "-o", "a.tflite", f"--size={size}")
    assert done.exit_code == 2 and "HEIGHTxWIDTH" in done.stderr
    assert calls == []


WRONG = {
    "no file": (["m"], "--out"),
    "an unknown target": (["m", "-o", "a", "--to", "coreml"], "coreml"),
    "an unknown quantization": (["m", "-o", "a", "--quantize", "int4"], "int4"),
    "no such folder": (["m", "-o", "a", "--photos", "no"], "no"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_words(calls, case):
    words, said = WRONG[case]
    done = export(*words)
    assert done.exit_code == 2 and said in done.stderr
    assert calls == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sharpness", "-o", "m.tflite"], "is a hand-made measure"),
        (["nima-mobilenetv2", "-o", "m"], "does not say what it is to be"),
        (["nima-mobilenetv", "-o", "m.tflite"], "nima-mobilenetv2"),
        (["nima-mobilenetv2", "-o", "no/m.tflite"], "There is no folder"),
        (["nima-mobilenetv2", "-o", "m.tflite", "--quantize", "int8"], "calibrate"),
        (["nima-mobilenetv2", "-o", "m.onnx", "--quantize", "float16"], "32 bits"),
    ],
    ids=["measure", "no suffix", "no such model", "no folder", "no photos", "ONNX"],
)
def test_wrong_use(tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    done = export(*words)
    assert done.exit_code == 2, done.output
    assert said in done.stderr and "Traceback" not in done.output
    assert done.stdout == "" and os.listdir(tmp_path) == []


def test_a_file_that_would_be_too_far_off(monkeypatch):
    def fail(*_, **__):
        raise ExportError("m does not answer as the network does.")

    monkeypatch.setattr(exporting, "export", fail)
    done = export("m", "-o", "a.tflite")
    assert done.exit_code == 3
    assert "does not answer as the network does" in done.stderr
    assert done.stdout == ""


def test_choices_are_those_of_the_function():
    choices = {
        option.name: option.type.choices
        for option in command.command.params
        if hasattr(option.type, "choices")
    }
    assert tuple(choices["to"]) == exporting.TARGETS
    assert tuple(choices["quantize"]) == exporting.QUANTIZATIONS
