"""What MediaPipe reads of a file, read again."""

import io
import zipfile

import flatbuffers
import numpy as np
import pytest
from flatbuffers import number_types as kinds
from flatbuffers.table import Table

from iqa_zoo.engines.litert import LiteRT
from iqa_zoo.exporting import metadata
from tests.helpers import tiny

pytestmark = pytest.mark.export

LABELS = [str(score) for score in range(1, 11)]


@pytest.fixture(scope="module")
def content():
    return metadata.classifier(
        tiny.litert(),
        name="nima-tiny",
        description="Shares of opinions é",
        licence="Apache-2.0",
        labels=LABELS,
        output="distribution",
    )


class Read:
    """A table of a flat buffer, its fields by number (see metadata_schema.fbs)."""

    def __init__(self, data, place):
        self.table = Table(data, place)

    def _at(self, number):
        offset = self.table.Offset(4 + 2 * number)
        return offset and offset + self.table.Pos

    def text(self, number):
        return self.table.String(self._at(number)).decode()

    def sub(self, number):
        return Read(self.table.Bytes, self.table.Indirect(self._at(number)))

    def byte(self, number):
        return self.table.Get(kinds.Uint8Flags, self._at(number))

    def _vector(self, number):
        offset = self._at(number) - self.table.Pos
        return self.table.Vector(offset), self.table.VectorLen(offset)

    def floats(self, number):
        start, count = self._vector(number)
        return [self.table.Get(kinds.Float32Flags, start + 4 * n) for n in range(count)]

    def tables(self, number):
        start, count = self._vector(number)
        places = [self.table.Indirect(start + 4 * n) for n in range(count)]
        return [Read(self.table.Bytes, place) for place in places]


@pytest.fixture(scope="module")
def model(content):
    from tensorflow.lite.tools import flatbuffer_utils

    held = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    (number,) = [
        entry.buffer for entry in held.metadata if entry.name == b"TFLITE_METADATA"
    ]
    data = bytes(held.buffers[number].data)
    assert data[4:8] == b"M001"
    return Read(data, flatbuffers.encode.Get(flatbuffers.packer.uoffset, data, 0))


def test_the_model(model):
    assert model.text(0) == "nima-tiny"
    assert model.text(1) == "Shares of opinions é"
    assert model.text(2) == "1"
    assert model.text(5) == "Apache-2.0"
    assert model.text(7) == "1.0.0"


def test_the_input_is_left_as_it_is(model):
    (graph,) = model.tables(3)
    (image,) = graph.tables(2)
    assert image.text(0) == "image"
    assert image.sub(3).byte(0) == 2  # ImageProperties
    assert image.sub(3).sub(1).byte(0) == 1  # RGB
    (unit,) = image.tables(4)
    assert unit.byte(0) == 1  # NormalizationOptions
    assert unit.sub(1).floats(0) == [0.0] and unit.sub(1).floats(1) == [1.0]
    assert image.sub(5).floats(0) == [255.0] and image.sub(5).floats(1) == [0.0]


def test_the_output_has_labels(model, content):
    (graph,) = model.tables(3)
    (shares,) = graph.tables(3)
    assert shares.text(0) == "distribution"
    assert shares.sub(3).byte(0) == 1  # FeatureProperties
    (file,) = shares.tables(6)
    assert file.byte(2) == 2  # TENSOR_AXIS_LABELS
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [file.text(0)]
        assert archive.read(file.text(0)).decode().split() == LABELS


def test_the_network_is_untouched(content):
    images = np.random.default_rng(1).integers(0, 256, (4, *tiny.SIZE, 3), np.uint8)
    found = [
        LiteRT(file, "distribution", "tiny").predict(images)
        for file in (tiny.litert(), content)
    ]
    np.testing.assert_array_equal(*found)


def test_the_same_bytes_at_any_time(content):
    again = metadata.classifier(
        tiny.litert(),
        name="nima-tiny",
        description="Shares of opinions é",
        licence="Apache-2.0",
        labels=LABELS,
        output="distribution",
    )
    assert again == content
