"""One network as a file for phones, browsers or servers, compared before it is kept."""

import contextlib
import json
import logging
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from iqa_zoo.errors import ExportError, OutputError, UnknownNameError, UsageError
from iqa_zoo.exporting import parity, report, samples
from iqa_zoo.exporting.graphs import Made, Subject, subject
from iqa_zoo.files import sync_folder, write_bytes
from iqa_zoo.images import fit_by

if TYPE_CHECKING:
    from iqa_zoo.exporting.int8 import Found

logger = logging.getLogger("iqa_zoo")

TARGETS = ("savedmodel", "tflite", "mediapipe", "onnx")
QUANTIZATIONS = tuple(parity.BOUNDS)
#: What a target is taken to be where only the file's name is given.
SUFFIXES = {".tflite": "tflite", ".onnx": "onnx"}
#: So many photos at least set the ranges of int8.
CALIBRATION = 32

_Path = str | os.PathLike[str]
_Watch = Callable[[Iterable[Any], int], Iterable[Any]]


def export(
    model: _Path | None,
    file: _Path,
    *,
    to: str | None = None,
    quantize: str = "none",
    calibrate: _Path | None = None,
    size: Sequence[int] | None = None,
    reduce: bool | None = None,
    photos: _Path | None = None,
    watch: _Watch = lambda photos, total: photos,
) -> dict[str, Any]:
    """Write a network as a file, beside it a report of how far it is from the network.

    The file takes raw RGB, 0 to 255: normalisation is inside. It is compared with the
    network on 200 photos and more first; where it is further off than
    `iqa_zoo.exporting.parity.BOUNDS` allows, there is no file.

    Args:
        model: a name or a run's folder; None for the default model.
        file: a new file, or for a SavedModel a new folder. FILE.report.json and
            FILE.report.html are written beside it.
        to: "tflite": a LiteRT file of built-in operators for one photo; "mediapipe":
            one that MediaPipe's ImageClassifier takes as it is; "savedmodel";
            "onnx" (the extra `onnx`). None for what the name's suffix says.
        quantize: "none", or for the first two "float16" (weights of 16 bits),
            "dynamic" (weights of 8 bits) or "int8" (all of 8 bits).
        calibrate: for int8, a folder of 32 photos or more, like those that the file
            will see.
        size: height and width of the network's input; None for the card's. The file
            has this size and no other, also of a network that the library runs on
            photos in their own size.
        reduce: whether the file takes pictures `reduction.TIMES` as long a side and
            reduces them itself, so that a client that stretches photos with point
            samples gets the library's score; None for MediaPipe only.
        photos: a folder of 200 photos or more to compare on; None for four packaged
            ones under the distortions of KADID-10k.
        watch: is given the photos that are compared and their number, and gives them
            back, so that someone can be shown how far it is.

    Returns:
        The report: what is in FILE.report.json.

    Raises:
        UsageError: arguments that do not go together; the file is there already.
        WeightsError: the network has an operator that the target lacks.
        ExportError: the file would be further off than is allowed; or the network
            compares two pictures, and the target takes one.
        MissingLibraryError: ONNX's libraries are not installed.
        OutputError: the disk does not take the file; nothing is left of it.
    """
    target = _target(to, file)
    path = Path(file)
    _check(target, path, quantize, calibrate, reduce)
    if target == "onnx":
        from iqa_zoo.exporting.to_onnx import check_libraries

        check_libraries()
    given = subject(model, size)
    if given.is_pair:
        _check_pair(given.entry.name, target, quantize, reduce)
    reduce = target == "mediapipe" if reduce is None else reduce
    chosen = samples.photos(photos)
    ranges = None
    if calibrate is not None:
        from iqa_zoo.exporting.int8 import measured

        names = samples.enough(calibrate, CALIBRATION, "calibrate")
        logger.info("Finding the ranges for 8 bits on photos of %s.", calibrate)
        spread = samples.readable(names[:: len(names) // CALIBRATION], CALIBRATION)
        ranges = measured(
            given.network, (fit_by(given.rule, pixels) for pixels in spread)
        )
    with _making(given, target, path, quantize, reduce, ranges) as made:
        found = report.report(given, made, target, quantize, reduce, chosen, watch)
        _keep(path, made, found)
    return found


def _target(to: str | None, file: _Path) -> str:
    known = SUFFIXES.get(Path(file).suffix.lower())
    if to is None and known is None:
        raise UsageError(
            f"{os.fspath(file)} does not say what it is to be; name it *.tflite or "
            f"*.onnx, or give to: {', '.join(TARGETS)}."
        )
    if to not in (None, *TARGETS):
        raise UnknownNameError("target", str(to), TARGETS)
    return str(to or known)


def _check(
    target: str,
    path: Path,
    quantize: str,
    calibrate: _Path | None,
    reduce: bool | None,
) -> None:
    """Raise UsageError for what does not go together, before anything is built."""
    if quantize not in QUANTIZATIONS:
        raise UnknownNameError("quantization", quantize, QUANTIZATIONS)
    is_litert = target in ("tflite", "mediapipe")
    if quantize != "none" and not is_litert:
        raise UsageError(
            f"quantize {quantize} is for tflite and mediapipe; {target} has 32 bits."
        )
    if reduce and not is_litert:
        raise UsageError(
            f"reduce is for tflite and mediapipe; a {target} is given photos of the "
            "network's size."
        )
    if (quantize == "int8") != (calibrate is not None):
        raise UsageError(
            "quantize int8 needs calibrate, a folder of real photos like those that "
            "the file will see."
            if calibrate is None
            else f"calibrate is for int8; quantize is {quantize}."
        )
    for name in (path, *_reports(path)):
        if name.exists() or name.is_symlink():
            raise UsageError(f"{name} is there already; name another, or remove it.")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}; make it first.")
    if not os.access(folder, os.W_OK):
        raise OutputError(f"Cannot write to the folder {folder}; name another one.")


def _check_pair(name: str, target: str, quantize: str, reduce: bool | None) -> None:
    """Raise ExportError for what is not offered of a network with two inputs."""
    wanted = {
        target: target != "tflite",
        "8 bits (int8)": quantize == "int8",
        "a reduction": bool(reduce),
    }
    for what, asked in wanted.items():
        if asked:
            raise ExportError(
                f"{name} compares a picture with its reference; of such networks there "
                f"is no export to {what}. Export it to tflite, without reduction, in "
                "32 or 16 bits or with weights of 8."
            )


@contextlib.contextmanager
def _making(
    given: Subject,
    target: str,
    path: Path,
    quantize: str,
    reduce: bool,
    ranges: "Found | None",
) -> Iterator[Made]:
    """What is to be written; a SavedModel in a folder beside it that goes away."""
    if target == "savedmodel":
        from iqa_zoo.exporting.to_savedmodel import (
            FILES,
            PIXELS,
            savedmodel,
            signatures,
        )

        part = path.with_name(f".{path.name[:50]}.{secrets.token_hex(8)}.part")
        try:
            savedmodel(given, part)
            functions = signatures(part)

            def run(pixels: np.ndarray, threads: int = 0) -> np.ndarray:
                image = pixels[np.newaxis].astype(np.float32)
                found: np.ndarray = functions[PIXELS](image=image)[given.output].numpy()
                return found[0].reshape(-1)

            yield Made(part, given.size, run, files=functions[FILES])
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return
    if target == "onnx":
        from iqa_zoo.exporting.to_onnx import onnx, runner

        content = onnx(given)
        yield Made(content, given.size, runner(content, given.output))
        return

    from iqa_zoo.exporting import to_tflite
    from iqa_zoo.exporting.reduction import TIMES

    plain = None
    if reduce:
        bare = to_tflite.tflite(given, quantize, reduce=False, found=ranges)
        plain = to_tflite.runner(bare, given)
    content = to_tflite.tflite(given, quantize, reduce=reduce, found=ranges)
    operators = parity.operators(content)
    if target == "mediapipe":
        content = to_tflite.mediapipe(content, given)
    times = TIMES if reduce else 1
    height, width = given.size
    size = (times * height, times * width)
    run = to_tflite.runner(content, given)
    yield Made(content, size, run, operators=operators, plain=plain)


def _keep(path: Path, made: Made, found: dict[str, Any]) -> None:
    """Give the file and its reports their names; all of them, or none."""
    page, data = _reports(path)
    text = json.dumps(found, indent=1, allow_nan=False)
    try:
        write_bytes(data, f"{text}\n".encode())
        write_bytes(page, report.page(found).encode("utf-8", "backslashreplace"))
        if isinstance(made.content, bytes):
            write_bytes(path, made.content)
        else:
            _keep_folder(made.content, path)
    except BaseException:
        for name in (page, data):
            with contextlib.suppress(OSError):
                name.unlink()
        raise


def _keep_folder(part: Path, path: Path) -> None:
    try:
        for name in (part, *part.rglob("*")):
            if name.is_dir():
                sync_folder(name)
                continue
            with open(name, "r+b") as file:  # Windows flushes none that is only read
                os.fsync(file.fileno())
        os.rename(part, path)
    except OSError as error:
        raise OutputError(f"Cannot write {path}: {error.strerror}.") from error
    sync_folder(path.absolute().parent)


def _reports(path: Path) -> tuple[Path, Path]:
    """The names of the page and of the data beside a file."""
    return Path(f"{path}.report.html"), Path(f"{path}.report.json")
