"""What is known of an exported file, as JSON can say it and as a page."""

import base64
import html
import importlib.metadata
import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from PIL import Image

from iqa_zoo.distortions import distort
from iqa_zoo.evaluation import plots
from iqa_zoo.exporting import parity, samples
from iqa_zoo.exporting.graphs import Made, Run, Subject
from iqa_zoo.exporting.stretching import stretch
from iqa_zoo.files import sha256
from iqa_zoo.images import fit_by
from iqa_zoo.threads import cores, machine

#: Of a network that judges photos in their own size.
NATIVE = (
    "stretched to that size; the library judges them in their own, and gives other "
    "scores"
)
_LIBRARIES = {"onnx": ("onnx", "tf2onnx", "onnxruntime"), "savedmodel": ()}


def report(
    given: Subject,
    made: Made,
    target: str,
    quantize: str,
    reduce: bool,
    photos: samples.Photos,
    watch: Callable[[Iterable[Any], int], Iterable[Any]],
) -> dict[str, Any]:
    """All that is known of a file, from running it.

    Args:
        given: the network.
        made: the file.
        target: what it is.
        quantize: as of `export`.
        reduce: likewise.
        photos: those that it is compared on.
        watch: as of `export`.

    Raises:
        ExportError: it is further off than is allowed.
    """
    entry = given.entry
    low, high = given.scale
    is_litert = made.operators is not None
    stretched = reduce or target == "mediapipe"
    content = made.content if isinstance(made.content, bytes) else None
    found: dict[str, Any] = {
        "model": entry.label,
        "title": entry.card["title"],
        "task": entry.task,
        "direction": entry.output.get("direction"),
        "weights_sha256": (entry.weights or {}).get("sha256"),
        "to": target,
        "quantize": quantize,
        "reduces": reduce,
        "bytes": _bytes(made.content),
        "sha256": sha256(content) if content else None,
        "input": {
            "name": " and ".join(given.inputs),
            "shape": [1 if is_litert else None, *made.size, 3],
            "dtype": "uint8" if quantize == "int8" and not reduce else "float32",
            "channels": "rgb",
            "range": [0, 255],
        },
        "output": {"name": given.output, "labels": given.labels, "scale": [low, high]},
        "photos": "packaged" if photos.folder is None else "a folder",
        "native": given.rule["fit"] == "native",
    }

    def inputs() -> Iterator[np.ndarray]:
        for pixels in watch(photos.images, photos.count):
            if given.is_pair:
                # Pictures that are damaged, and what they were before that.
                both = distort(pixels, "jpeg", 3), pixels
                yield np.concatenate([fit_by(given.rule, x) for x in both], axis=-1)
            elif stretched:
                yield stretch(pixels, *made.size)
            else:
                yield fit_by(given.rule, pixels)

    def score(run: Run) -> parity.Answer:
        return lambda pixels: given.score(run(pixels, cores()))

    network = in_tensorflow(given, made.size, reduce)
    found["parity"] = parity.compare(
        inputs(), score(network), score(made.run), quantize, high - low
    )
    parity.check(found["parity"], entry.name, quantize)
    if stretched or made.files is not None:
        found["reading"] = _reading(given, made, stretched, reduce, photos.folder)
    if content:
        found["latency_ms"] = parity.latency(_on_black(made.run, given, made.size))
    if made.plain:
        found["latency_ms_without_reduction"] = parity.latency(
            _on_black(made.plain, given, given.size)
        )
    if made.operators:
        found["operators"] = made.operators
    found["machine"] = machine()
    libraries = ("iqa_zoo", "keras", *_LIBRARIES.get(target, ("ai-edge-litert",)))
    found["versions"] = {name: importlib.metadata.version(name) for name in libraries}
    return found


def _bytes(content: bytes | Path) -> int:
    if isinstance(content, bytes):
        return len(content)
    return sum(file.stat().st_size for file in content.rglob("*") if file.is_file())


def in_tensorflow(given: Subject, size: tuple[int, int], reduce: bool) -> Run:
    """The network in TensorFlow, with the reduction before it or without."""
    import tensorflow as tf

    from iqa_zoo.engines.convert import answers, pictures
    from iqa_zoo.exporting.reduction import reduced

    image = tf.TensorSpec((1, *size, 3 * len(given.inputs)), tf.float32)

    @tf.function(input_signature=[image], autograph=False)
    def answer(image: tf.Tensor) -> tf.Tensor:
        pixels = reduced(image) if reduce else image
        parts = pictures(given.network, pixels)
        return answers(given.network, parts, given.output)[given.output]

    def run(pixels: np.ndarray, threads: int = 0) -> np.ndarray:
        found: np.ndarray = answer(pixels[np.newaxis].astype(np.float32)).numpy()[0]
        return found

    return run


def _reading(
    given: Subject,
    made: Made,
    stretched: bool,
    reduce: bool,
    photos: str | os.PathLike[str] | None,
) -> dict[str, Any]:
    """How far the file's scores of photos are from the library's, which reads them."""
    library = in_tensorflow(given, given.size, False)
    mine, theirs, bare = [], [], []
    for pixels in samples.sizes(photos):
        mine.append(given.score(library(fit_by(given.rule, pixels), 0)))
        if not stretched:
            theirs.append(given.score(_of_file(made.files, pixels, given.output)))
            continue
        theirs.append(given.score(made.run(stretch(pixels, *made.size), cores())))
        if reduce:
            bare.append(given.score(library(stretch(pixels, *given.size), 0)))
    found = {
        "by": "MediaPipe's stretching" if stretched else "the signature score_files",
        **parity.differences(mine, theirs),
    }
    if bare:
        found["without_reduction"] = parity.differences(mine, bare)
    return found


def _of_file(function: Any, pixels: np.ndarray, output: str) -> np.ndarray:
    """What a SavedModel's signature answers to a PNG of these pixels."""
    import tensorflow as tf

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    answer = function(image_bytes=tf.constant([file.getvalue()]))
    found: np.ndarray = answer[output].numpy()
    return found.reshape(-1)


def _on_black(run: Run, given: Subject, size: tuple[int, int]) -> Any:
    black = np.zeros((*size, 3 * len(given.inputs)), np.uint8)
    return lambda threads: run(black, threads)


def page(found: Mapping[str, Any]) -> str:
    """The report as one HTML file that needs no other: no network, no script."""
    template = resources.files("iqa_zoo.exporting").joinpath("report.html")
    parts = found["parity"]
    facts = [
        f"{found['title']}, {found['quantize']} quantization"
        if found["quantize"] != "none"
        else found["title"],
        f"for {found['to']}",
        f"{found['bytes'] / 1e6:.1f} MB",
    ]
    picture = base64.b64encode(plots.differences(parts["scores"])).decode()
    return Template(template.read_text("utf-8")).substitute(
        title=_safe(found["model"]),
        facts=_safe("; ".join(facts) + "."),
        figures=_table(lines(found)),
        plot=f"data:image/png;base64,{picture}",
        plot_text=_safe(
            f"Differences of the file's scores from the network's on {parts['photos']} "
            f"photos: the largest is {parts['max']:.2g}."
        ),
        file=_table(_file(found)),
        operators=_table(list(found.get("operators", {}).items())),
    )


def lines(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was measured, a line each: the page's table, and what the command prints."""
    parts = found["parity"]
    bound = parts["bound"]

    def figure(key: str, form: str, word: str) -> str:
        allowed = f" ({word} {bound[key]:.3g} allowed)" if key in bound else ""
        return f"{parts[key]:{form}}{allowed}"

    said = [
        ("photos compared", str(parts["photos"])),
        ("largest difference", figure("max", ".2g", "up to")),
        ("mean difference", figure("mean", ".2g", "up to")),
        ("SROCC with the network", figure("srocc", ".5f", "down to")),
    ]
    if "reading" in found:
        reading = found["reading"]
        said.append(
            (
                f"read by {reading['by']}",
                f"mean {reading['mean']:.2g}, largest {reading['max']:.2g} from the "
                f"library's on {reading['photos']} photos",
            )
        )
        if "without_reduction" in reading:
            bare = reading["without_reduction"]
            said.append(
                (
                    "without the reduction",
                    f"mean {bare['mean']:.2g}, largest {bare['max']:.2g}",
                )
            )
    for key, head in (
        ("latency_ms", "a photo takes"),
        ("latency_ms_without_reduction", "without the reduction"),
    ):
        if key in found:
            one, two = found[key]["1"], found[key]["2"]
            said.append((head, f"{one:.1f} ms on one thread, {two:.1f} ms on two"))
    if found["native"]:
        said.append(("its photos", NATIVE))
    said.append(("on", found["machine"]))
    return said


def _file(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    source = found["input"]
    shape = " x ".join("any" if n is None else str(n) for n in source["shape"])
    labels = found["output"]["labels"]
    said = f"{labels[0]} to {labels[-1]}" if len(labels) > 1 else labels[0]
    versions = [f"{name} {number}" for name, number in found["versions"].items()]
    return [
        ("input", f"{source['name']}: {shape}, {source['dtype']}, RGB, 0 to 255"),
        *([("its photos", NATIVE)] if found["native"] else []),
        ("output", f"{found['output']['name']}: {said}"),
        ("bytes", f"{found['bytes']:,}"),
        ("SHA-256", found["sha256"] or "of a folder, none"),
        ("SHA-256 of the weights", found["weights_sha256"] or "not on the card"),
        ("made with", ", ".join(versions)),
    ]


def _table(rows: Any) -> str:
    return "".join(
        f'<tr><th scope="row">{_safe(head)}</th><td>{_safe(cell)}</td></tr>'
        for head, cell in rows
    )


def _safe(text: object) -> str:
    return html.escape(str(text))
