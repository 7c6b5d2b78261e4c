"""From a model's name, or a run's folder, to its card, its files and its network."""

import fnmatch
import importlib
import inspect
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iqa_zoo import cards, store
from iqa_zoo.errors import CardError, UnknownNameError, UsageError, WeightsError

if TYPE_CHECKING:
    import keras
    import numpy as np


@dataclass(frozen=True)
class Entry:
    """One model with one weight set, found but not loaded.

    Attributes:
        name: `family-backbone.tag`, or the run folder's path as given.
        card: the model's card.
        tag: the weight set's name on the card; None where none was asked for.
        folder: where the files of the weight set are.
    """

    name: str
    card: Mapping[str, Any]
    tag: str | None
    folder: Path

    @property
    def weights(self) -> Mapping[str, Any] | None:
        """The card's table of the weight set, or None."""
        return self.card["weights"][self.tag] if self.tag else None

    @property
    def input(self) -> Mapping[str, Any]:
        """How a photo becomes the input: size, fit, shrink, enlarge, least."""
        return (self.weights or {}).get("input", self.card["input"])

    @property
    def task(self) -> str:
        """What is judged, "quality" or "aesthetics"."""
        task: str = (self.weights or {}).get("task", self.card["task"])
        return task

    @property
    def output(self) -> Mapping[str, Any]:
        """Kind, scale, bins and direction of the output."""
        return self.card["output"]

    def arrays(self) -> "dict[str, np.ndarray]":
        """The weight set's arrays by variable path, checked against the card."""
        if self.weights is None:
            raise WeightsError(f"{self.name} has no trained weights.")
        return store.read_arrays(self.folder / self.weights["file"], self.weights)

    def litert_bytes(self) -> bytes | None:
        """The weight set's LiteRT file, checked; None where the card names none."""
        if self.weights is None or "litert" not in self.weights:
            return None
        expected = self.weights["litert"]
        return store.read_checked(self.folder / expected["file"], expected)

    def seen(self) -> frozenset[str]:
        """Fingerprints (`files.fingerprint`) of the images it was trained on."""
        if self.weights is None or "seen" not in self.weights:
            return frozenset()
        expected = self.weights["seen"]
        data = store.read_checked(self.folder / expected["file"], expected)
        return frozenset(data.decode("ascii").split())


def list_models(
    pattern: str = "*", *, task: str | None = None, has_weights: bool | None = None
) -> list[str]:
    """Names of the packaged models, sorted.

    Args:
        pattern: shell wildcards over the name, say ``"nima-*"``.
        task: only models of this task, "quality" or "aesthetics".
        has_weights: only models with (True) or without (False) trained weights.
    """
    return [
        name
        for name, card in cards.all_cards().items()
        if fnmatch.fnmatchcase(name, pattern)
        and task in (None, card["task"])
        and has_weights in (None, bool(card.get("weights")))
    ]


def model_card(name: str | os.PathLike[str]) -> dict[str, Any]:
    """The card of a model or of a run's folder, as a plain dict with the TOML's keys.

    Raises:
        UnknownNameError: no model of that name; the message gives the nearest ones.
    """
    import copy

    return copy.deepcopy(dict(resolve(name, weights=None).card))


def default_model() -> str:
    """Name of the model, with its tag, that is used where none is named.

    Raises:
        WeightsError: no card is preferred, or the preferred one has no weights.
    """
    for name, card in cards.all_cards().items():
        if card.get("preferred") and "default_weights" in card:
            return f"{name}.{card['default_weights']}"
    raise WeightsError(
        "No model is the default one. Name one with trained weights: "
        f"{', '.join(list_models(has_weights=True)) or 'there is none'}."
    )


def resolve(name: str | os.PathLike[str], weights: str | None = "default") -> Entry:
    """Find a model by name, by name and tag, or by the folder of a run.

    Args:
        name: `nima-mobilenetv2`, `nima-mobilenetv2.clive`, or a folder with
            `card.toml`.
        weights: a tag, "default" for the one in the name or else the card's default,
            or None for no weight set.

    Raises:
        UnknownNameError: no such model or weight set.
        WeightsError: the model has no trained weights.
    """
    text = os.fspath(name)
    known = cards.all_cards()
    base, tag = text, None
    if text not in known and "." in text and text.rpartition(".")[0] in known:
        base, _, tag = text.rpartition(".")
    if base in known:
        card, folder = known[base], store.own_folder()
    elif (Path(text) / "card.toml").is_file():
        card, folder = cards.read_card(Path(text) / "card.toml"), Path(text)
    elif os.sep in text or Path(text).exists():
        raise UsageError(
            f"{text} is no run folder: it has no card.toml. Give a model's name "
            f"({', '.join(known)}) or the folder that `iqa-zoo train --out` made."
        )
    else:
        raise UnknownNameError("model", text, known)
    sets = card.get("weights", {})
    if tag is not None and tag not in sets:
        raise UnknownNameError("weight set", text, [f"{base}.{t}" for t in sets])
    if weights is None:
        return Entry(base, card, None, folder)
    if weights != "default":
        tag = weights
    tag = tag or card.get("default_weights")
    if tag is None:
        raise WeightsError(
            f"{base} has no trained weights yet. Train your own with `iqa-zoo train "
            f"--model {base}`, or name one of: "
            f"{', '.join(list_models(has_weights=True)) or 'none'}."
        )
    if tag not in sets:
        raise UnknownNameError(
            "weight set", f"{base}.{tag}", [f"{base}.{t}" for t in sets]
        )
    if folder != store.own_folder():
        return Entry(text, card, tag, folder)
    return Entry(f"{base}.{tag}", card, tag, folder)


def load_model(
    name: str | os.PathLike[str],
    weights: str | os.PathLike[str] | None = "default",
    **arguments: Any,
) -> "keras.Model":
    """A compiled Keras network, built by our code and filled with checked arrays.

    Args:
        name: a model's name with or without tag, or a run's folder.
        weights: "default" for the tag in the name or the card's default set; a tag;
            a run's folder of the same model; "imagenet" for the backbone only, from the
            store; None for random weights.
        **arguments: the builder's, say ``bins=5``; they win over the card's.

    Returns:
        A network that takes `image`, float32 RGB 0..255 (batch, height, width, 3).

    Raises:
        UnknownNameError: no such model, weight set or argument.
        WeightsError: a file is missing, or is not what its card says.

    What `model.save` of it wrote is read by `keras.saving.load_model` once
    `iqa_zoo.models.losses` is imported, which holds its loss.
    """
    if isinstance(weights, str) and weights not in ("default", "imagenet"):
        tags = resolve(name, None).card.get("weights", {})
        if weights not in tags and (Path(weights) / "card.toml").is_file():
            weights = Path(weights)
    if isinstance(weights, os.PathLike):
        source: Entry | None = resolve(weights)
        entry = resolve(name, None)
    elif weights in (None, "imagenet"):
        entry, source = resolve(name, None), None
    else:
        entry = source = resolve(name, weights)
    trained = (source.weights if source else None) or {}
    builder = _function(entry.card["builder"])
    arguments = {
        **entry.card.get("arguments", {}),
        **trained.get("arguments", {}),
        **arguments,
    }
    known = inspect.signature(builder).parameters
    for argument in arguments:
        if argument not in known:
            raise UnknownNameError(f"argument of {entry.name}", argument, known)
    network: keras.Model = builder(**arguments)
    if source is not None:
        fill(network, source.arrays(), source.name)
    elif weights == "imagenet":
        fill_backbone(network, entry.card)
    return network


def fill(network: "keras.Model", arrays: "Mapping[str, np.ndarray]", name: str) -> None:
    """Give a network its arrays, by variable path; all or an error.

    Raises:
        WeightsError: a missing or an extra array, or one of another shape.
    """
    known = variables(network)
    for path in sorted(known.keys() ^ arrays.keys()):
        state = "lacks the array" if path in known else "has an extra array"
        raise WeightsError(f"The weight file of {name} {state} {path}.")
    _assign(known, arrays, name)


def fill_backbone(network: "keras.Model", card: Mapping[str, Any]) -> None:
    """Give a network the ImageNet arrays of its card's backbone, from the store."""
    backbone = card.get("backbone")
    if backbone is None:
        raise UsageError(f"{card['title']} has no backbone with ImageNet weights.")
    expected = cards.backbone_card(backbone)["weights"]["imagenet"]
    arrays = _function(expected["converter"])(store.read_imagenet(backbone))
    known = variables(network)
    for path in sorted(arrays.keys() - known.keys()):
        raise WeightsError(f"{network.name} has no variable {path} for {backbone}.")
    _assign({path: known[path] for path in arrays}, arrays, backbone)


def variables(network: "keras.Model") -> dict[str, Any]:
    """What a weight file holds: variables by path, without the state of a run."""
    return {v.path: v for v in network.variables if "seed_generator" not in v.path}


def _assign(
    variables: Mapping[str, Any], arrays: "Mapping[str, np.ndarray]", name: str
) -> None:
    for path, variable in variables.items():
        if tuple(variable.shape) != arrays[path].shape:
            raise WeightsError(
                f"The weight file of {name}: {path} has shape {arrays[path].shape}; "
                f"the network has {tuple(variable.shape)}."
            )
    for path, variable in variables.items():
        variable.assign(arrays[path].astype("float32"))


def _function(reference: str) -> Any:
    """The function that a card names as `module:function`.

    Only builders and converters may be named: a card can come with someone's weights.
    """
    module, _, function = reference.partition(":")
    if not module.startswith("iqa_zoo.models."):
        raise CardError(f"{reference!r} is not in iqa_zoo.models, as builders must be.")
    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        if isinstance(error, ModuleNotFoundError) and not (error.name or "").startswith(
            "iqa_zoo"
        ):
            raise
        raise CardError(f"There is no {reference}: {error}.") from error
    if not inspect.isfunction(found):
        raise CardError(f"{reference} is no function, as builders must be.")
    return found
