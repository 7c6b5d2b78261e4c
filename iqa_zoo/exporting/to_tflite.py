"""LiteRT files, for LiteRT itself and for MediaPipe."""

from typing import TYPE_CHECKING, Any

import numpy as np

from iqa_zoo.engines.convert import converted
from iqa_zoo.engines.litert import LiteRT
from iqa_zoo.exporting import metadata
from iqa_zoo.exporting.graphs import Run, Subject
from iqa_zoo.exporting.half import halved
from iqa_zoo.exporting.reduction import TIMES, reduced

if TYPE_CHECKING:
    from iqa_zoo.exporting.int8 import Found


def tflite(
    subject: Subject,
    quantize: str,
    *,
    reduce: bool,
    found: "Found | None" = None,
) -> bytes:
    """A LiteRT file of built-in operators for one photo.

    Its signature `score` takes `image`, or `distorted` and `reference`, RGB 0 to 255,
    (1, height, width, 3), as float32 or, quantised to int8 and not reduced, as uint8,
    and gives the network's outputs by name, float32.

    Args:
        subject: the network.
        quantize: "none", "float16" (weights), "dynamic" (weights of 8 bits) or "int8".
        reduce: whether the input is `reduction.TIMES` as long a side as the network's.
        found: for int8, what `int8.measured` found on photos.

    Raises:
        WeightsError: the network has an operator that is not built into LiteRT.
        OutputError: the folder of temporary files does not take the network.
    """
    height, width = subject.size
    network = subject.network
    if found is not None:
        from iqa_zoo.exporting.int8 import fake_quantised

        network = fake_quantised(network, found, raw=not reduce)
    times = TIMES if reduce else 1

    def prepare(converter: Any) -> None:
        import tensorflow as tf

        if quantize in ("dynamic", "int8"):
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantize == "int8" and not reduce:
            converter.inference_input_type = tf.uint8

    content = converted(
        network,
        (times * height, times * width),
        subject.output,
        before=reduced if reduce else None,
        prepare=prepare,
    )
    return halved(content) if quantize == "float16" else content


def mediapipe(content: bytes, subject: Subject) -> bytes:
    """A LiteRT file with what MediaPipe's ImageClassifier wants to know of it."""
    entry = subject.entry
    weights = entry.weights or {}
    low, high = subject.scale
    better = entry.output.get("direction", "")
    judged = ", ".join(filter(None, [entry.task, f"{low:g} to {high:g}", better]))
    what = {
        "distribution": "the share of opinions at each score",
        "classes": "the probability of each distortion",
        "score": "a score",
    }[subject.output]
    return metadata.classifier(
        content,
        name=entry.label,
        description=f"{entry.card['title']}: {what}; {judged}.",
        licence=weights.get("licence", ""),
        labels=subject.labels,
        output=subject.output,
    )


def runner(content: bytes, given: Subject) -> Run:
    """What runs a LiteRT file."""
    engine = LiteRT(content, given.output, given.entry.name)

    def run(pixels: np.ndarray, threads: int = 1) -> np.ndarray:
        answer: np.ndarray = engine.predict([pixels], threads)[0]
        return answer

    return run
