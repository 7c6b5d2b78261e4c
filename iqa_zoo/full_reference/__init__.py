"""Measures of how far a distorted image is from its reference, which need no training.

One file a metric, or a family of them; a function of a reference and a distorted image
each, for NumPy arrays and for TensorFlow's tensors (see `ops`). Beside it lies a card
of the metric's name, which says what its numbers mean.
"""

import importlib
import inspect
import math
import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from iqa_zoo.cards.schema import Optional, check
from iqa_zoo.errors import CardError, UnknownNameError, UsageError

FOLDER = Path(__file__).parent

DIRECTIONS = ("higher_is_better", "lower_is_better", "nearest_is_best")
_NUMBER = (int, float, str)  # infinity is written "inf"

#: What a metric's card has.
SCHEMA = {
    "title": str,
    "function": str,  # module:function, in this package
    "paper": {"title": str, "authors": str, "venue": str, "year": int},
    "range": [_NUMBER, _NUMBER],  # the lowest and the highest score
    "direction": DIRECTIONS,  # "nearest_is_best": to `identical`, from both sides
    "identical": _NUMBER,  # the score of an image and itself
    "least": int,  # pixels a side
    "colour": str,  # what becomes of colours
    "symmetric": bool,  # whether the two images may change places
    "differentiable": bool,  # whether `loss` gives a loss
    "has_map": bool,  # whether `return_map=True` gives one
    "notes": Optional([str]),
    # Of a metric of feature maps: whose, and which traditional metric is taken of them.
    "network": Optional({"model": str, "layers": [str], "revives": Optional(str)}),
}

#: Decibels: a ceiling where scores of identical images, which are infinite, are
#: averaged.
CEILING = 100.0


def metric_names() -> tuple[str, ...]:
    """The names of all metrics, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


@cache
def metric_card(name: str) -> Mapping[str, Any]:
    """What a metric's card says, with the keys of `SCHEMA`; bounds are floats.

    Raises:
        UnknownNameError: no metric of that name.
        CardError: the card breaks the schema.
    """
    if name not in metric_names():
        raise UnknownNameError("metric", name, metric_names())
    return read_metric_card(FOLDER / f"{name}.toml")


def read_metric_card(path: Path) -> Mapping[str, Any]:
    """The card in a file, checked against `SCHEMA`; bounds are floats.

    Raises:
        CardError: it cannot be read, or breaks the schema.
    """
    try:
        card = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CardError(f"Cannot read the card {path}: {error}.") from error
    check(card, SCHEMA, str(path), "")
    card["range"] = [float(bound) for bound in card["range"]]
    card["identical"] = float(card["identical"])
    return card


def metric(name: str) -> Callable[..., Any]:
    """The function of a metric.

    Args:
        name: one of `metric_names()`.

    Returns:
        `function(reference, distorted, *, data_range=255, ...)`; see `ops.apply` for
        what it takes and gives.

    Raises:
        UnknownNameError: no metric of that name.
    """
    module, _, function = metric_card(name)["function"].partition(":")
    found: Callable[..., Any] = getattr(
        importlib.import_module(f"{__name__}.{module}"), function
    )
    return found


def loss(name: str, **arguments: Any) -> Callable[[Any, Any], Any]:
    """What to minimise to make images alike in the sense of a metric.

    The distance of the score from that of identical images: 1 - SSIM, GMSD. PSNR, which
    has no finite best, is negated, and of an error that is never quite 0. Grey is only
    rounded where `luma_rounding=True` asks for it, with the gradient of unrounded grey.

    Args:
        name: a metric whose card says that it is differentiable.
        **arguments: of the metric's function, such as `data_range=1`.

    Returns:
        A loss for `keras.Model.compile`: a function of the true and the predicted
        images that gives float32 (batch,).

    Raises:
        UnknownNameError: no metric of that name.
        UsageError: it cannot be a loss, or has no such argument.
    """
    card = metric_card(name)
    if not card["differentiable"]:
        able = [n for n in metric_names() if metric_card(n)["differentiable"]]
        raise UsageError(
            f"{name} has no useful gradient. Losses are: {', '.join(able)}."
        )
    function = metric(name)
    known = inspect.signature(function).parameters
    _check_arguments(name, known, arguments)
    if "luma_rounding" in known:
        arguments = {"luma_rounding": False, **arguments}
    best = card["identical"]
    if "epsilon" in known:  # PSNR's
        arguments = {"epsilon": 1e-8, **arguments}

    def value(y_true: Any, y_pred: Any) -> Any:
        import tensorflow as tf

        scores = function(
            tf.convert_to_tensor(y_true), tf.convert_to_tensor(y_pred), **arguments
        )
        if card["direction"] == "nearest_is_best":
            return tf.abs(scores - best)
        if card["direction"] == "lower_is_better":
            return scores
        return best - scores if math.isfinite(best) else -scores

    value.__name__ = f"{name}_loss"
    return value


def streaming(name: str, **arguments: Any) -> Any:
    """A `keras.metrics.Metric` that averages a metric over the images of all batches.

    Infinite scores (PSNR of identical images) count as `CEILING`.

    Raises:
        UnknownNameError: no metric of that name.
        UsageError: the metric has no such argument.
    """
    function = metric(name)
    _check_arguments(name, inspect.signature(function).parameters, arguments)
    import keras
    import tensorflow as tf

    def scores(y_true: Any, y_pred: Any) -> Any:
        found = function(
            tf.convert_to_tensor(y_true), tf.convert_to_tensor(y_pred), **arguments
        )
        return tf.where(tf.math.is_inf(found), CEILING, found)

    return keras.metrics.MeanMetricWrapper(scores, name=name, dtype="float32")


def _check_arguments(
    name: str, known: Mapping[str, Any], arguments: Mapping[str, Any]
) -> None:
    for unknown in arguments.keys() - set(known) | arguments.keys() & {"return_map"}:
        able = [key for key in list(known)[2:] if key != "return_map"]
        raise UsageError(
            f"{name} has no argument {unknown!r} here. It has: {', '.join(able)}."
        )
