"""The one conversion of a Keras network to a LiteRT file."""

import logging
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from iqa_zoo.engines.litert import PAIR, SIGNATURE, LiteRT
from iqa_zoo.errors import OutputError, WeightsError
from iqa_zoo.opinions import mean_and_std

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

# Of shares, and of scores in units of their scale, between float32 sums in another
# order.
TOLERANCE = 1e-4


def to_litert(
    network: "keras.Model",
    size: tuple[int, int],
    *,
    output: str = "distribution",
    scale: tuple[float, float] = (1, 10),
) -> bytes:
    """A float32 LiteRT file of built-in operators only, for one image of a fixed size.

    Its signature `score` takes `image`, float32 RGB 0..255 (1, height, width, 3), or
    `distorted` and `reference`, both such, and gives `output`, float32 (1, n).

    Args:
        network: `image`, or both, float32 (batch, height, width, 3) in, (batch, n) out.
        size: height and width in pixels.
        output: the name that the output gets, or that of one of several.
        scale: the scores that the first and the last bin of a distribution stand for.

    Raises:
        WeightsError: LiteRT lacks an operator of the network; or the file's answers are
            not finite, or not the network's: a share or a mean score is off by more
            than 1e-4. This is checked on pictures of noise every time, since the
            converter does not.
        OutputError: the system's folder of temporary files, through which the network
            goes, does not take it.
    """
    content = converted(network, size, output)
    _check(network, content, size, output, scale)
    return content


def converted(
    network: "keras.Model",
    size: tuple[int | None, int | None],
    output: str,
    *,
    before: "Callable[[tf.Tensor], tf.Tensor] | None" = None,
    prepare: Callable[[Any], None] | None = None,
) -> bytes:
    """As `to_litert`, for a network with outputs of any shape, and not compared.

    Args:
        network: as there; its input may have any number of channels.
        size: height and width of the file's input in pixels; None for any, which the
            interpreter is told each time.
        output: the name that the output gets, where the network has one alone; several
            keep their own.
        before: what is done to the input before the network gets it.
        prepare: is given the `tf.lite.TFLiteConverter` to set it.

    Raises:
        WeightsError: the network has an operator that is not built into LiteRT.
        OutputError: as of `to_litert`.
    """
    import tensorflow as tf
    from keras.export import ExportArchive

    def run(*given: "tf.Tensor") -> dict[str, "tf.Tensor"]:
        images = [before(image) for image in given] if before else list(given)
        return answers(network, images if len(images) > 1 else images[0], output)

    specs = [
        tf.TensorSpec((1, *size, each.shape[-1]), name=name)
        for name, each in zip(input_names(network), network.inputs, strict=True)
    ]
    try:
        with tempfile.TemporaryDirectory() as folder, quiet():
            archive = ExportArchive()
            archive.track(network)
            archive.add_endpoint(SIGNATURE, run, input_signature=specs)
            archive.write_out(folder, verbose=False)
            converter = tf.lite.TFLiteConverter.from_saved_model(
                folder, signature_keys=[SIGNATURE]
            )
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
            if prepare:
                prepare(converter)
            content: bytes = converter.convert()
    except writing_errors() as error:
        raise OutputError(
            f"Cannot convert {network.name} in the folder of temporary files, which "
            f"TMPDIR moves: {error}."
        ) from error
    except MemoryError:
        raise
    # The kinds of the converter are its own.
    except Exception as error:
        raise WeightsError(
            f"{network.name} cannot be converted for LiteRT ({_reason(error)}). The "
            "engine tensorflow runs it."
        ) from error
    return content


def input_names(network: "keras.Model") -> list[str]:
    """What a file calls the inputs of a network."""
    return [each.name for each in network.inputs] if _is_pair(network) else ["image"]


def _is_pair(network: "keras.Model") -> bool:
    return len(network.inputs) == len(PAIR)


def pictures(network: "keras.Model", images: Any) -> Any:
    """What a network is given: the images, or, of pairs, both out of their channels."""
    if not _is_pair(network):
        return images
    halves = dict(zip(PAIR, (images[..., :3], images[..., 3:]), strict=True))
    return [halves[name] for name in input_names(network)]


def main_output(network: "keras.Model", output: str) -> Any:
    """The symbolic output of that name, or the only one."""
    found = network.output
    return found[output] if isinstance(found, dict) else network.outputs[0]


def answers(network: "keras.Model", image: Any, output: str) -> dict[str, Any]:
    """A network's outputs by name; one alone is called `output`.

    Args:
        network: of one input, or of two.
        image: what it is given; of two a list, in the order of `input_names`.
        output: the name of one output alone.
    """
    if isinstance(network.input, dict) and isinstance(image, list):
        image = dict(zip(input_names(network), image, strict=True))
    found = network(image, training=False)
    if isinstance(found, dict):
        return found
    if isinstance(found, list | tuple):
        return dict(zip(network.output_names, found, strict=True))
    return {output: found}


def writing_errors() -> tuple[type[Exception], ...]:
    """What Python and TensorFlow raise where a disk does not take a SavedModel."""
    import tensorflow as tf

    return (
        OSError,
        tf.errors.FailedPreconditionError,
        tf.errors.PermissionDeniedError,
        tf.errors.ResourceExhaustedError,
        tf.errors.UnknownError,
    )


def _reason(error: Exception) -> str:
    """Why there is no file: the operators that LiteRT lacks, or what was said."""
    text = " ".join(str(error).split())
    missing = re.findall(r"(?:Flex|Custom) ops: ([\w, ]+?) Details", text)
    if missing:
        return f"it lacks the operators {', '.join(dict.fromkeys(missing))}"
    return text[:300]


def _check(
    network: "keras.Model",
    content: bytes,
    size: tuple[int, int],
    output: str,
    scale: tuple[float, float],
) -> None:
    from iqa_zoo.engines.tensorflow import TensorFlow

    random = np.random.default_rng(0)
    channels = 3 * len(network.inputs)
    fine = random.integers(0, 256, (3, *size, channels), np.uint8)
    # Dark, full and bright: a network that answers all alike would prove nothing.
    images = [fine[0] // 4, fine[1], 255 - fine[2] // 4]
    expected = TensorFlow(network, size, output).predict(images)
    found = LiteRT(content, output, network.name).predict(images)
    check_answers(network.name, found, expected, output, scale)


def check_answers(
    name: str,
    found: np.ndarray,
    expected: np.ndarray,
    output: str,
    scale: Sequence[float] | None,
) -> None:
    """Raise WeightsError where a file's answers, (photos, n), are not its network's.

    Args:
        name: of the network.
        found: the file's answers.
        expected: the network's.
        output: what they are; of a "distribution" mean scores are compared too.
        scale: of a distribution, the scores of its first and its last bin.
    """
    apart = np.abs(found - expected).max()
    if output == "distribution" and scale is not None:
        means = [mean_and_std(shares, scale)[0] for shares in (found, expected)]
        apart = max(apart, np.abs(means[0] - means[1]).max())
    if not apart <= TOLERANCE:  # NaN is not
        raise WeightsError(
            f"The LiteRT file made of {name} does not answer as the network "
            f"does (by {apart:.2g}; allowed {TOLERANCE}). Check the weights for NaN, "
            "or score with the engine tensorflow."
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Without the hundred lines that exporting and converting log."""
    loggers = [logging.getLogger(name) for name in ("absl", "tensorflow")]
    levels = [logger.level for logger in loggers]
    handlers = logging.root.handlers[:]  # absl adds one, for all that others log
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        logging.root.handlers[:] = handlers
