"""The metadata by which MediaPipe takes a LiteRT file as an image classifier.

Written with the library of flat buffers alone: the writers that MediaPipe's packages
bring cannot be imported in their current versions. Tables and the numbers of their
fields are those of `metadata_schema.fbs` (MediaPipe, version 1.5.0 of the schema).
"""

import io
import zipfile
from collections.abc import Callable, Sequence

from iqa_zoo.errors import UsageError

#: The name under which a LiteRT file holds this metadata.
METADATA = "TFLITE_METADATA"
LABELS = "labels.txt"
_IDENTIFIER = b"M001"
# The oldest reader that knows all that is written here.
_PARSER = "1.0.0"

# Numbers of fields, and of the members of enumerations and unions.
_MODEL = {
    "name": 0,
    "description": 1,
    "version": 2,
    "graphs": 3,
    "licence": 5,
    "parser": 7,
}
_GRAPH = {"inputs": 2, "outputs": 3}
_TENSOR = {
    "name": 0,
    "description": 1,
    "content": 3,
    "units": 4,
    "stats": 5,
    "files": 6,
}
_IMAGE_PROPERTIES, _FEATURE_PROPERTIES, _RGB = 2, 1, 1
_NORMALISATION, _AXIS_LABELS = 1, 2


def classifier(
    content: bytes,
    *,
    name: str,
    description: str,
    licence: str,
    labels: Sequence[str],
    output: str,
) -> bytes:
    """A LiteRT file with what MediaPipe's ImageClassifier wants to know of it.

    Args:
        content: the file; one input (1, height, width, 3) that takes RGB, 0 to 255, and
            one output (1, labels).
        name: of the model.
        description: what it judges.
        licence: of its weights.
        labels: of the output's numbers, in their order.
        output: the output's name.

    Returns:
        The file, a ZIP archive with the labels behind it.

    Raises:
        UsageError: the file has several outputs.
    """
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    outputs = len(model.subgraphs[0].outputs)
    if outputs != 1:
        raise UsageError(
            f"{name} has {outputs} outputs; MediaPipe's ImageClassifier takes files "
            "with one. Export it to tflite."
        )
    held = schema.BufferT()
    held.data = list(_metadata(name, description, licence, output))
    entry = schema.MetadataT()
    entry.name, entry.buffer = METADATA, len(model.buffers)
    model.buffers.append(held)
    model.metadata = [*(model.metadata or []), entry]
    file = io.BytesIO(bytes(flatbuffer_utils.convert_object_to_bytearray(model)))
    file.seek(0, io.SEEK_END)
    with zipfile.ZipFile(file, "a") as archive:
        # The same labels make the same bytes at any time.
        archive.writestr(zipfile.ZipInfo(LABELS), "".join(f"{x}\n" for x in labels))
    return file.getvalue()


def _metadata(name: str, description: str, licence: str, output: str) -> bytes:
    import flatbuffers

    b = flatbuffers.Builder(1024)

    def table(size: int, fields: Sequence[tuple[Callable[..., None], int, int]]) -> int:
        b.StartObject(size)
        for add, number, value in fields:
            add(number, value, 0)
        return int(b.EndObject())

    def offsets(values: Sequence[int]) -> int:
        b.StartVector(4, len(values), 4)
        for value in reversed(values):
            b.PrependUOffsetTRelative(value)
        return int(b.EndVector())

    def floats(*values: float) -> int:
        b.StartVector(4, len(values), 4)
        for value in reversed(values):
            b.PrependFloat32(value)
        return int(b.EndVector())

    at, small = b.PrependUOffsetTRelativeSlot, b.PrependUint8Slot
    byte = b.PrependInt8Slot

    def content(kind: int, properties: int) -> int:
        return table(3, [(small, 0, kind), (at, 1, properties)])

    def range_of(most: float) -> int:
        return table(2, [(at, 0, floats(most)), (at, 1, floats(0.0))])

    # The network normalises its input itself: what comes in is left as it is.
    options = table(2, [(at, 0, floats(0.0)), (at, 1, floats(1.0))])
    unit = table(2, [(small, 0, _NORMALISATION), (at, 1, options)])
    rgb = content(_IMAGE_PROPERTIES, table(2, [(byte, 0, _RGB)]))
    image = table(
        7,
        [
            (at, _TENSOR["name"], b.CreateString("image")),
            (at, _TENSOR["description"], b.CreateString("RGB, 0 to 255")),
            (at, _TENSOR["content"], rgb),
            (at, _TENSOR["units"], offsets([unit])),
            (at, _TENSOR["stats"], range_of(255.0)),
        ],
    )
    file = table(
        5,
        [
            (at, 0, b.CreateString(LABELS)),
            (at, 1, b.CreateString("What each number of the output stands for")),
            (byte, 2, _AXIS_LABELS),
        ],
    )
    feature = content(_FEATURE_PROPERTIES, table(0, []))
    shares = table(
        7,
        [
            (at, _TENSOR["name"], b.CreateString(output)),
            (at, _TENSOR["description"], b.CreateString(description)),
            (at, _TENSOR["content"], feature),
            (at, _TENSOR["stats"], range_of(1.0)),
            (at, _TENSOR["files"], offsets([file])),
        ],
    )
    graph = table(
        9,
        [
            (at, _GRAPH["inputs"], offsets([image])),
            (at, _GRAPH["outputs"], offsets([shares])),
        ],
    )
    model = table(
        8,
        [
            (at, _MODEL["name"], b.CreateString(name)),
            (at, _MODEL["description"], b.CreateString(description)),
            (at, _MODEL["version"], b.CreateString("1")),
            (at, _MODEL["graphs"], offsets([graph])),
            (at, _MODEL["licence"], b.CreateString(licence)),
            (at, _MODEL["parser"], b.CreateString(_PARSER)),
        ],
    )
    b.Finish(model, file_identifier=_IDENTIFIER)
    return bytes(b.Output())
