"""LiteRT files, for LiteRT itself and for MediaPipe."""

from typing import TYPE_CHECKING, Any

from iqa_zoo.engines.convert import converted
from iqa_zoo.engines.litert import LiteRT
from iqa_zoo.exporting import metadata
from iqa_zoo.exporting.graphs import Subject
from iqa_zoo.exporting.reduction import TIMES, reduced

if TYPE_CHECKING:
    import keras


def tflite(
    subject: Subject,
    quantize: str,
    *,
    reduce: bool,
    network: "keras.Model | None" = None,
) -> bytes:
    """A LiteRT file of built-in operators for one photo.

    Its signature `score` takes `image`, RGB 0 to 255, (1, height, width, 3), as float32
    or, quantised to int8, as uint8, and gives the network's outputs by name, float32.

    Args:
        subject: the network.
        quantize: "none", "float16" (weights), "dynamic" (weights of 8 bits) or "int8".
        reduce: whether the input is `reduction.TIMES` as long a side as the network's.
        network: for int8, what `int8.quantised` made of the subject's network.

    Raises:
        WeightsError: the network has an operator that is not built into LiteRT.
        OutputError: the folder of temporary files does not take the network.
    """
    height, width = subject.size
    times = TIMES if reduce else 1

    def prepare(converter: Any) -> None:
        import tensorflow as tf

        if quantize != "none":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantize == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if quantize == "int8" and not reduce:
            converter.inference_input_type = tf.uint8

    return converted(
        network or subject.network,
        (times * height, times * width),
        subject.output,
        before=reduced if reduce else None,
        prepare=prepare,
    )


def mediapipe(content: bytes, subject: Subject) -> bytes:
    """A LiteRT file with what MediaPipe's ImageClassifier wants to know of it."""
    entry = subject.entry
    weights = entry.weights or {}
    low, high = subject.scale
    judged = f"{entry.task}, {low:g} to {high:g}, {entry.output['direction']}"
    shares = "the share of opinions at each score"
    return metadata.classifier(
        content,
        name=entry.name,
        description=(
            f"{entry.card['title']}: "
            f"{shares if subject.output == 'distribution' else 'a score'}; {judged}."
        ),
        licence=weights.get("licence", ""),
        labels=subject.labels,
        output=subject.output,
    )


def engine(content: bytes, subject: Subject) -> LiteRT:
    """What runs such a file."""
    return LiteRT(content, subject.output, subject.entry.name)
