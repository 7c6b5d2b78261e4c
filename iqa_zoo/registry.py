"""From a model's name, or a run's folder, to its card, its files and its network."""

import fnmatch
import importlib
import inspect
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from iqa_zoo import cards, store
from iqa_zoo.arrays import check_finite
from iqa_zoo.errors import (
    CardError,
    ImageError,
    UnknownNameError,
    UsageError,
    WeightsError,
)
from iqa_zoo.files import sha256

if TYPE_CHECKING:
    import keras

logger = logging.getLogger("iqa_zoo")

#: The largest number that a builder is given: bins, mostly, which take memory.
LARGEST_ARGUMENT = 10_000
#: Where functions that cards name may be.
HOMES = (
    "iqa_zoo.models.",
    "iqa_zoo.natural_scene.",
    "iqa_zoo.technical.",
    "iqa_zoo.engines.fused:",
)
#: What makes the measure of a run that judges by a network too (`training.fusion`).
FUSED = "iqa_zoo.engines.fused:fused"


@dataclass(frozen=True)
class Entry:
    """One model with one weight set, found but not loaded.

    Attributes:
        name: `family-backbone.tag`, or the run folder's path as given.
        card: the model's card.
        tag: the weight set's name on the card; None where none was asked for.
        folder: where the files of the card's own weight sets are.
        package: whose functions the card may name besides those of `iqa_zoo.models`:
            the package that brought it; None for ours and for runs.
    """

    name: str
    card: Mapping[str, Any]
    tag: str | None
    folder: Path
    package: str | None = None

    @property
    def label(self) -> str:
        """What files for others call it: its name, or its folder's without the path."""
        return os.path.basename(os.path.abspath(self.name))

    @property
    def weights(self) -> Mapping[str, Any] | None:
        """The card's table of the weight set, or None."""
        return self.card["weights"][self.tag] if self.tag else None

    @property
    def input(self) -> Mapping[str, Any]:
        """How a photo becomes the input: size, fit, shrink, enlarge, least.

        Of a measure the size is "native", and only `least` is beside it.
        """
        return (self.weights or {}).get("input", self.card["input"])

    @property
    def task(self) -> str:
        """What is judged: "quality", "aesthetics", or, by a measure, one "property"."""
        task: str = (self.weights or {}).get("task", self.card["task"])
        return task

    @property
    def output(self) -> Mapping[str, Any]:
        """Kind, scale, bins and direction of the output."""
        return (self.weights or {}).get("output", self.card["output"])

    @property
    def is_measure(self) -> bool:
        """Whether it is a hand-made measure, and no network."""
        return "measure" in self.card

    def content(self) -> bytes:
        """The weight set's file, checked; one of others is fetched if it is missing."""
        if self.weights is None:
            raise WeightsError(f"{self.name} has no trained weights.")
        if self.weights["kind"] == "external":
            return store.published_bytes(self.weights, self.name)
        return store.read_checked(self.folder / self.weights["file"], self.weights)

    def arrays(self) -> "dict[str, np.ndarray]":
        """The weight set's arrays by variable path, checked against the card."""
        if self.weights is None:
            raise WeightsError(f"{self.name} has no trained weights.")
        if self.weights["kind"] == "external":
            arrays = store.read_published(self.weights, self.name)
            return _convert(self.weights, arrays, self.name, self.package)
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
        return frozenset(data.decode("ascii", "replace").split())


def list_models(
    pattern: str = "*", *, task: str | None = None, has_weights: bool | None = None
) -> list[str]:
    """Names of our models and of those that other packages add, sorted.

    Args:
        pattern: shell wildcards over the name, say ``"nima-*"``.
        task: only models of this task, "quality" or "aesthetics", or with a weight
            set of it.
        has_weights: only models with (True) or without (False) trained weights, ours
            or those that others publish.
    """
    return [
        name
        for name, card in cards.known_cards().items()
        if fnmatch.fnmatchcase(name, pattern)
        and task in (None, *tasks(card).values())
        and has_weights in (None, bool(card.get("weights")))
    ]


def tasks(card: Mapping[str, Any]) -> dict[str | None, str]:
    """What is judged: the card's task under None, and that of each weight set."""
    sets = card.get("weights", {}).items()
    return {None: card["task"]} | {
        tag: weights.get("task", card["task"]) for tag, weights in sets
    }


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
        f"{_with_default_weights()}."
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
    entry, tag, is_run = _find(text)
    base = entry.name
    sets = entry.card.get("weights", {})
    if tag is not None and tag not in sets:
        raise UnknownNameError("weight set", text, [f"{base}.{t}" for t in sets])
    if weights is None:
        return entry
    if weights != "default":
        tag = weights
    tag = tag or entry.card.get("default_weights")
    if tag is None and entry.is_measure and not sets:
        return entry
    if tag is None and sets:
        judged = tasks(entry.card)
        raise WeightsError(
            f"{base} has no weight set that stands for its name; name one of: "
            f"{', '.join(f'{base}.{t} ({judged[t]})' for t in sets)}."
        )
    if tag is None:
        raise WeightsError(
            f"{base} has no trained weights yet. Train your own with `iqa-zoo train "
            f"--model {base}`, or name one of: {_with_default_weights()}."
        )
    if tag not in sets:
        raise UnknownNameError(
            "weight set", f"{base}.{tag}", [f"{base}.{t}" for t in sets]
        )
    return replace(entry, name=base if is_run else f"{base}.{tag}", tag=tag)


def _find(text: str) -> tuple[Entry, str | None, bool]:
    """A model without weights, the tag in its name, whether it is a run's folder."""
    known = cards.own_cards()
    stem, _, last = text.rpartition(".")
    ways = ((text, None), (stem, last))
    for base, tag in ways:
        if base in known:
            return Entry(base, known[base], None, store.own_folder()), tag, False
    # Other packages are only asked for what may be a name, since that takes its time.
    for base, tag in ways if os.sep not in text else ():
        if added := cards.find_added(base):
            entry = Entry(base, added.card, None, added.folder, added.package)
            return entry, tag, False
    folder = Path(text)
    if (folder / "card.toml").is_file():
        card = cards.read_card(folder / "card.toml")
        # A folder from a stranger has no say in what is fetched and kept in the store.
        for tag, weights in card.get("weights", {}).items():
            if weights["kind"] == "external":
                raise CardError(
                    f"{text}: weights.{tag} is external; a run folder holds its own "
                    "weights. Install a package for models with files of others."
                )
        return Entry(text, card, None, folder, _builder_package(card, text)), None, True
    names = [*known, *cards.added_cards()]
    if os.sep in text or folder.exists():
        raise UsageError(
            f"{text} is no run folder: it has no card.toml. Give a model's name "
            f"({', '.join(names)}) or the folder that `iqa-zoo train --out` made."
        )
    raise UnknownNameError("model", text, names)


def _builder_package(card: Mapping[str, Any], name: str) -> str | None:
    """The package of the model that a run was trained from; None for ours.

    Raises:
        CardError: its builder, or the number of its parameters, is of no model here.
    """
    if "measure" in card:
        known = {measure["measure"] for measure in cards.measure_cards().values()}
        if card["measure"] not in ({FUSED} if "network" in card else known):
            raise CardError(f"{name}: no measure here is {card['measure']!r}.")
        return None

    def fits(known: Mapping[str, Any]) -> bool:
        return all(card[key] == known[key] for key in ("builder", "parameters"))

    if any(fits(known) for known in cards.all_cards().values()):
        return None
    for added in cards.added_cards().values():
        if fits(added.card):
            return added.package
    raise CardError(
        f"{name}: no model here has the builder {card['builder']!r} and "
        f"{card['parameters']:,} parameters. Install the package that it belongs to."
    )


def _with_default_weights() -> str:
    names = [
        name for name, card in cards.all_cards().items() if "default_weights" in card
    ]
    return ", ".join(names) or "there is none"


@dataclass(frozen=True)
class Measure:
    """A hand-made measure, ready to use.

    Attributes:
        entry: what it is.
        function: from pixels, uint8 RGB (h, w, 3), and, where it has a weight set, its
            arrays by name, to the score.
        arrays: those of its weight set; None where it has none.
    """

    entry: Entry
    function: "Callable[..., float]"
    arrays: "Mapping[str, np.ndarray] | None"

    def __call__(self, pixels: np.ndarray) -> float:
        """The score of pixels, uint8 RGB (h, w, 3), large enough."""
        arrays = () if self.arrays is None else (self.arrays,)
        value = float(self.function(pixels, *arrays))
        # A regression may lead out of the scale of what it was fitted to.
        scale = self.entry.output.get("scale")
        return float(np.clip(value, *scale)) if scale else value

    def score(self, image: Any) -> float:
        """The score of an image, in its own size.

        Args:
            image: a path, encoded bytes, or what `iqa_zoo.images.read_image` takes.

        Raises:
            ImageError: it cannot be read, or is too small.
        """
        from iqa_zoo.images import name_of, read_image

        pixels = read_image(image)
        check_large_enough(self.entry, *pixels.shape[:2], name_of(image))
        return self(pixels)


def check_large_enough(entry: Entry, height: int, width: int, name: str) -> None:
    """Raise ImageError where a photo is smaller than the model can judge."""
    least = entry.input["least"]
    if min(height, width) < least:
        message = (
            f"{name}: {width} x {height} pixels; {entry.name} needs at least {least} a "
            "side."
        )
        raise ImageError("too_small", message, name)


def load_measure(
    entry: Entry, arrays: "Mapping[str, np.ndarray] | None" = None
) -> Measure:
    """A measure with its arrays, or with others.

    Raises:
        WeightsError: its weight file is missing, or is not what its card says.
    """
    if arrays is None and entry.weights:
        arrays = entry.arrays()
    check_finite(arrays or {}, f"The weight file of {entry.name}")
    function = named_function(entry.card["measure"])
    if "network" in entry.card:
        function = function(entry)
    return Measure(entry, function, arrays)


def load_model(
    name: str | os.PathLike[str],
    weights: str | os.PathLike[str] | None = "default",
    **arguments: Any,
) -> "keras.Model | Measure":
    """A compiled Keras network, built by our code and filled with checked arrays.

    Args:
        name: a model's name with or without tag, or a run's folder.
        weights: "default" for the tag in the name or the card's default set; a tag;
            a run's folder of the same model; "imagenet" for the backbone only, from the
            store; None for random weights.
        **arguments: the builder's, say ``bins=5``; they win over the card's.

    Returns:
        A network that takes `image`, float32 RGB 0..255 (batch, height, width, 3); of
        a hand-made measure, an object with the method `score(image)`.

    Raises:
        UnknownNameError: no such model, weight set or argument.
        WeightsError: a file is missing, or is not what its card says.

    What `model.save` of a network wrote is read by `keras.saving.load_model` once
    `iqa_zoo.models.losses` is imported, which holds its loss.
    """
    entry = resolve(name, None)
    if not entry.is_measure:
        return load_network(name, weights, **arguments)
    if arguments:
        raise UnknownNameError(f"argument of {entry.name}", min(arguments), [])
    has_weights = "weights" in entry.card
    if has_weights and not isinstance(weights, str):
        raise UsageError(f"{entry.name} is a measure, which needs one of its weights.")
    return load_measure(resolve(name, weights if has_weights else "default"))


def load_network(
    name: str | os.PathLike[str],
    weights: str | os.PathLike[str] | None = "default",
    **arguments: Any,
) -> "keras.Model":
    """The network of a model that is one; see `load_model`.

    Raises:
        UsageError: it is a hand-made measure.
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
    if entry.is_measure:
        what = "a fusion" if "network" in entry.card else "a hand-made measure"
        raise UsageError(f"{entry.name} is {what} and no Keras network; score with it.")
    # Read first: a large network is not built for a file that is missing or another.
    published = None
    arrays = source.arrays() if source else {}
    if source:
        _check_amount(arrays, source)
    elif weights == "imagenet":
        published = store.read_imagenet(_backbone(entry.card))
    network = _build(entry, source, arguments)
    if source is not None:
        fill(network, arrays, source.name)
    elif published is not None:
        fill_backbone(network, entry.card, published)
        if "branch" in entry.card:
            _fill_branch(network, entry.card["branch"])
    return network


def add(name: str, file: str | os.PathLike[str]) -> Path:
    """Copy a file that others publish into the store; gives its place.

    Args:
        name: `MODEL.TAG` or `BACKBONE.imagenet`, as `iqa-zoo weights list` prints it.
        file: the file as its publisher ships it.

    Raises:
        UnknownNameError: no published weight set of that name.
        WeightsError: the file is not the one that the card describes. Where no hash of
            it is published, its arrays must be those of the network.
        OutputError: the store cannot be written.
    """

    def check(published: "dict[str, np.ndarray]") -> None:
        base = name.rpartition(".")[0]
        if base not in cards.backbone_cards():
            entry = resolve(name)
            arrays = _convert(entry.weights, published, name, entry.package)
            if entry.is_measure:
                check_finite(arrays, str(file))
                named_function(entry.card["measure"])(_trial(entry), arrays)
            else:
                fill(_build(entry, entry, {}), arrays, name)
            return
        for model, card in cards.all_cards().items():
            if card.get("backbone") == base:
                fill_backbone(load_network(model, None), card, published)
                return

    return store.add(name, file, check)


def _trial(entry: Entry) -> np.ndarray:
    """A small picture, (h, w, 3), on which every measure works."""
    side = 4 * entry.input["least"]
    return np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)


def _check_amount(arrays: "Mapping[str, np.ndarray]", source: Entry) -> None:
    """Raise WeightsError where a file has far fewer numbers than its network.

    Half as many may be right: arguments change the size of the head.
    """
    numbers = sum(array.size for array in arrays.values())
    if numbers < source.card["parameters"] / 2:
        raise WeightsError(
            f"The weight file of {source.name} has {numbers:,} numbers; the network "
            f"has {source.card['parameters']:,} parameters."
        )


def _backbone(card: Mapping[str, Any]) -> str:
    if "backbone" not in card:
        raise UsageError(
            f"{card['title']} has no backbone with ImageNet weights; start a training "
            "of it from random, or from a weight set."
        )
    name: str = card["backbone"]
    return name


def _build(
    entry: Entry, source: Entry | None, arguments: Mapping[str, Any]
) -> "keras.Model":
    """A model's network with the arguments of its weights' source, and with others."""
    trained = (source.weights if source else None) or {}
    builder = named_function(entry.card["builder"], entry.package)
    arguments = {
        **entry.card.get("arguments", {}),
        **trained.get("arguments", {}),
        **arguments,
    }
    known = inspect.signature(builder).parameters
    for argument in arguments:
        if argument not in known:
            raise UnknownNameError(f"argument of {entry.name}", argument, known)
        value = arguments[argument]
        if isinstance(value, int) and value > LARGEST_ARGUMENT:
            raise UsageError(
                f"{argument} of {entry.name} is {value:,}; {LARGEST_ARGUMENT:,} is the "
                "most that is built."
            )
    try:
        network: keras.Model = builder(**arguments)
    except (TypeError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        said = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        raise UsageError(
            f"{entry.name} cannot be built with {said[:200]}: {error}"
        ) from error
    return network


def code(entry: Entry) -> list[str]:
    """Hashes of the files that build and convert a model of another package.

    Of ours none: what they compute changes with `engines.CONVERSION`.
    """
    if entry.package is None:
        return []
    names = [entry.card["builder"], (entry.weights or {}).get("converter")]
    functions = [named_function(name, entry.package) for name in names if name]
    files = [inspect.getsourcefile(function) for function in functions]
    return [sha256(Path(file).read_bytes()) for file in files if file]


def fill(network: "keras.Model", arrays: "Mapping[str, np.ndarray]", name: str) -> None:
    """Give a network its arrays, by variable path; all or an error.

    Raises:
        WeightsError: a missing or an extra array, one of another shape, or a number
            that is NaN or infinite.
    """
    known = variables(network)
    for path in sorted(known.keys() ^ arrays.keys()):
        state = "lacks the array" if path in known else "has an extra array"
        raise WeightsError(f"The weight file of {name} {state} {path}.")
    _assign(known, arrays, name)


def _fill_branch(network: "keras.Model", name: str) -> None:
    """Give a network the weights of the model that it has as a branch."""
    if "default_weights" not in resolve(name, None).card:
        logger.warning(
            "%s has no weights of its own yet: that branch of %s starts from random.",
            name,
            network.name,
        )
        return
    branch = resolve(name)
    fill_shared(network, branch.arrays(), branch.name)


def fill_shared(
    network: "keras.Model", arrays: "Mapping[str, np.ndarray]", name: str
) -> None:
    """Give a network those arrays of another one that it has too.

    Batch normalisation that it lacks is folded into its convolutions.

    Raises:
        WeightsError: less than half of them have the path and the shape of its own, or
            a number in one is NaN or infinite.
    """
    from iqa_zoo.models.layers import folded

    known = variables(network)
    gammas = [path for path in arrays if path.endswith("_bn/gamma")]
    lacking = [path.removesuffix("_bn/gamma") for path in gammas if path not in known]
    arrays = folded(arrays, lacking)
    shared = {
        path: array
        for path, array in arrays.items()
        if path in known and tuple(known[path].shape) == array.shape
    }
    if 2 * len(shared) < len(arrays):
        raise WeightsError(
            f"Of the {len(arrays)} arrays in the weight file of {name} {len(shared)} "
            f"fit into {network.name}: it is too different to start from."
        )
    _assign({path: known[path] for path in shared}, shared, name)


def fill_backbone(
    network: "keras.Model",
    card: Mapping[str, Any],
    published: "Mapping[str, np.ndarray] | None" = None,
) -> None:
    """Give a network the ImageNet arrays of its card's backbone, or of its lower part.

    Args:
        network: a network of that card.
        card: the model's card.
        published: the arrays as their publisher names them; None for the store's.

    Raises:
        UsageError: the card names no backbone.
        WeightsError: the file is missing, or is not the backbone's.
    """
    backbone = _backbone(card)
    expected = cards.backbone_card(backbone)["weights"]["imagenet"]
    if published is None:
        published = store.read_imagenet(backbone)
    arrays = _convert(expected, published, f"{backbone}.imagenet")
    known = variables(network)
    # A network may end below the backbone's last layers; what it has must be whole.
    has = {path.partition("/")[0] for path in known}
    arrays = {p: array for p, array in arrays.items() if p.partition("/")[0] in has}
    for path in sorted(arrays.keys() - known.keys()):
        raise WeightsError(f"{network.name} has no variable {path} for {backbone}.")
    if not arrays:
        raise WeightsError(f"{network.name} has no layer of {backbone}.")
    _assign({path: known[path] for path in arrays}, arrays, backbone)


def _convert(
    expected: Mapping[str, Any],
    arrays: "Mapping[str, np.ndarray]",
    name: str,
    package: str | None = None,
) -> "dict[str, np.ndarray]":
    """A published file's arrays by variable path, as its converter gives them."""
    converter = named_function(expected["converter"], package)
    try:
        converted: dict[str, np.ndarray] = converter(arrays)
    except KeyError as error:
        raise WeightsError(f"The file of {name} lacks the array {error}.") from error
    except WeightsError as error:
        raise WeightsError(f"{name}: {error}") from error
    except MemoryError:
        raise
    except Exception as error:  # converters of other packages may raise anything
        kind = type(error).__name__
        raise WeightsError(
            f"The file of {name} is another one: {kind}: {error}."
        ) from error
    return converted


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
    with np.errstate(over="ignore"):
        numbers = {path: arrays[path].astype("float32") for path in variables}
    check_finite(numbers, f"The weight file of {name}")
    for path, variable in variables.items():
        variable.assign(numbers[path])


def named_function(reference: str, package: str | None = None) -> Any:
    """The function that a card names as `module:function`.

    The builder of a run is that of a known model, since its card can come with
    someone's weights. Functions are in `HOMES`, or in the installed package that
    brought the card.
    """
    module, _, function = reference.partition(":")
    is_theirs = package is not None and f"{module}.".startswith(f"{package}.")
    if not reference.startswith(HOMES) and not is_theirs:
        where = "iqa_zoo.models" + (f" or {package}" if package else "")
        raise CardError(f"{reference!r} is not in {where}, as builders must be.")
    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        # A library that is not installed is not the card's fault.
        missing = (getattr(error, "name", None) or "").partition(".")[0]
        if isinstance(error, ModuleNotFoundError) and missing not in (
            "iqa_zoo",
            package,
        ):
            raise
        raise CardError(f"There is no {reference}: {error}.") from error
    if not inspect.isfunction(found):
        raise CardError(f"{reference} is no function, as builders must be.")
    return found
