"""Cards: what a model is, as data. One TOML file a model beside this one.

A card is a plain dict with the TOML's own keys. `SCHEMA` names every key that a card
may have; an unknown or a missing one is an error that names the file and the key.
Cards of backbones (the ImageNet networks that models are built on) are in `backbones/`,
those of hand-made measures, which are functions and no networks, in `measures/`.
Cards of other packages are found through the entry points of the group `GROUP`.
"""

import logging
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from iqa_zoo.cards.schema import Optional, Positive, check
from iqa_zoo.errors import CardError, UnknownNameError

FOLDER = Path(__file__).parent
#: The entry points through which other packages add models: each names a package that
#: holds cards, and the weight files of its own beside them.
GROUP = "iqa_zoo.cards"

#: What a card may have at most: bytes, dots (each may be a table in a table, and costs
#: a thousand times its byte), tables in tables, and pixels a side of the input.
LARGEST, MOST_DOTS, DEEPEST, LARGEST_SIDE = 65_536, 2_000, 20, 4_096

Card = dict[str, Any]

NUMBER = (int, float)
COUNT = Positive(int)

INPUT = {
    # Height and width in pixels. Where `fit` is "native", photos are judged in their
    # own size, tile by tile, and this is the size of a tile and of an exported file.
    "size": [COUNT, COUNT],
    "halo": Optional(COUNT),  # pixels around a tile that its answer depends on
    "pair": Optional(bool),  # inputs `distorted` and `reference`, and no `image`
    "channels": "rgb",
    "range": [int, int],
    "fit": str,  # names of rules of `images`
    "shrink": str,
    "enlarge": str,
    "least": COUNT,  # pixels a side, below which a photo is not judged
    "network_least": Optional(COUNT),  # a side that the network can take; else `least`
}
TASK = ("quality", "aesthetics")
#: A measure may also be of one property alone, say of how much noise there is.
MEASURED = (*TASK, "property")
FILE = {"file": str, "bytes": COUNT, "sha256": str}
#: A file that others publish, with what they say of it. One of the hashes must be
#: there, unless `unhashed` says why there is none, and one of the two sizes.
PUBLISHED_FILE = {
    "file": str,  # its name in the store
    "url": Optional(str),  # https, and of a fixed version; without it users add a file
    "bytes": Optional(COUNT),
    "bytes_at_most": Optional(COUNT),  # where the exact size is not published
    "sha256": Optional(str),
    "git_blob": Optional(str),  # sha1 of "blob SIZE\0" and the content
    "md5": Optional(str),  # guards against damage, not against forgery
    "unhashed": Optional(str),  # then users add the file: it is never fetched
    "converter": str,  # module:function, from the file's arrays to the network's
    "licence": str,
    "where": str,  # how the public gets the file
    "notes": Optional([str]),
}
#: One stage of a recipe; `training` says what each key does.
STAGE = {
    "name": str,
    "frozen_to": str,  # the last layer that stays as it is, or "none"
    "epochs": COUNT,
    "batch": COUNT,
    "learning_rate": Positive(float),
    # Weights of the terms of `models.losses.TERMS`.
    "loss": {
        term: Optional(NUMBER)
        for term in (
            "emd",
            "plcc",
            "huber",
            "mse",
            "mae",
            "ranking",
            "order",
            "classes",
            "own",
            "agreeing",
        )
    },
    "output": Optional(str),  # the layer that is trained, else the last
    "network": Optional(str),  # module:function, from the network to what is trained
    "target": Optional(("opinion", "distortion", "both", "order")),
    "patches": Optional(COUNT),
    "patch": Optional(COUNT),  # pixels a side
    "side": Optional(COUNT),  # likewise
    "optimizer": Optional(("adamw", "adam", "nadam", "sgd")),
    "schedule": Optional(("cosine", "constant", "exponential")),
    "kernel": Optional(
        {"frozen_to": str, "ridge": Positive(NUMBER), "floor": Positive(NUMBER)}
    ),
    "weight_decay": Optional(float),
    "clip": Optional(Positive(NUMBER)),
    "accumulate": Optional(COUNT),
    "patience": Optional(COUNT),
    "warmup": Optional(float),
    "average": Optional(float),
    "crop": Optional(Positive(NUMBER)),
    "mirror": Optional(bool),
    "ridge": Optional(float),
    "batch_norm": Optional(str),
}
#: Where the scores of a named set of photos lie; `calibration` makes and reads both.
QUANTILES = {
    "set": str,  # as in "better than 73 % of ..."
    "percent": [NUMBER],  # of the set's photos have lower scores than the one below
    "score": [NUMBER],
}
#: How far from the score the mean opinion is, but for a share of photos.
INTERVAL = {
    "coverage": Positive(NUMBER),  # the share within the interval, less than 1
    "half_width": Positive(NUMBER),  # on the card's scale
    "n": COUNT,  # photos that it was found on
    "held_out": str,  # which ones
}
DIRECTION = ("higher_is_better", "lower_is_better")
#: What a network answers with. A score is a number on the scale, (batch, 1); classes
#: are the probabilities of distortions.
OUTPUT = {
    "kind": ("distribution", "score", "classes"),
    "scale": Optional([NUMBER, NUMBER]),
    "bins": Optional(COUNT),
    "direction": Optional(DIRECTION),
    "classes": Optional([str]),  # names of distortions, or NAME-LEVEL
    "map": Optional(str),  # the layer that says what each place is worth
    "map_direction": Optional(DIRECTION),  # where it is not that of the score
}
#: The keys that an output of each kind must have.
OUTPUT_KEYS = {
    "distribution": ("scale", "bins", "direction"),
    "score": ("scale", "direction"),
    "classes": ("classes",),
}
MEASURE_OUTPUT = {
    "kind": "score",
    "scale": Optional([NUMBER, NUMBER]),  # where there are bounds
    "direction": (*DIRECTION, "neither"),
}
KINDS = ("own", "local", "external")
WEIGHTS = {
    "kind": ("own", "local"),
    **FILE,
    "dtype": ("float16", "float32", "float64"),
    "arrays": COUNT,
    "licence": str,
    "data": str,
    "terms": str,
    "start": str,
    "command": str,
    "recipe": Optional(str),  # of the card's `recipes`, else its first
    "seed": int,
    "trained_on": int,  # images
    "limits": Optional([str]),  # beside the card's
    "arguments": Optional(dict),
    "litert": Optional(FILE),
    "seen": Optional(FILE),  # fingerprints of the images it was trained on
    "results": Optional(dict),
    "quantiles": Optional(QUANTILES),
    "interval": Optional(INTERVAL),
    "notes": Optional([str]),
}
#: A weight set that others trained and publish; the store keeps it once it was fetched.
EXTERNAL = {
    "kind": "external",
    **PUBLISHED_FILE,
    "data": str,
    "terms": str,
    "task": Optional(TASK),  # where it is not the card's
    "input": Optional(INPUT),  # likewise
    "arguments": Optional(dict),
    "published": Optional(dict),  # its publisher's figures, not measured here
    "quantiles": Optional(QUANTILES),
    "interval": Optional(INTERVAL),
}
PAPER = {"title": str, "authors": str, "venue": str, "year": int, "url": str}
SCHEMA = {
    "title": str,
    "family": str,
    "task": TASK,
    "summary": str,
    "limits": [str],
    "builder": str,  # module:function
    "backbone": Optional(str),
    "branch": Optional(str),  # a model whose weights a training starts from as well
    "parameters": COUNT,
    "trainable_parameters": COUNT,
    "default_weights": Optional(str),
    "preferred": Optional(bool),  # the model that `score` uses when none is named
    "arguments": Optional(dict),
    "paper": PAPER,
    "input": INPUT,
    "output": OUTPUT,
    "recipe": [STAGE],
    "recipes": Optional(dict),  # further ones by name, each a list of stages
    "weights": Optional(dict),
}
#: A hand-made measure: a function of the photo in its own size.
MEASURE = {
    "title": str,
    "family": str,
    "task": MEASURED,
    "summary": str,
    "limits": [str],
    "measure": str,  # module:function, from pixels and arrays to the score
    "default_weights": Optional(str),  # those without weights take no arrays
    # What gives the arrays: module:function, from photos (and opinions) to them.
    "fit": Optional({"function": str, "from": ("opinions", "photos")}),
    # Of a run that judges by a network too: whose, up to its layer `pool`, and what it
    # takes. The weight set's LiteRT file is that network.
    "network": Optional({"model": str, "input": INPUT}),
    "paper": Optional(PAPER),
    "input": {"size": "native", "least": COUNT},
    "output": MEASURE_OUTPUT,
    "weights": Optional(dict),
}
BACKBONE = {
    "title": str,
    "weights": {"imagenet": PUBLISHED_FILE},
}


def read_card(path: str | Path) -> Card:
    """The card in a TOML file, checked against the schema.

    Raises:
        CardError: no such file, no TOML, or a key that is unknown, missing or of
            another type than the schema says.
    """
    return _read(Path(path), SCHEMA)


@cache
def all_cards() -> Mapping[str, Card]:
    """The packaged cards by model name, sorted."""
    return {path.stem: _read(path, SCHEMA) for path in sorted(FOLDER.glob("*.toml"))}


@cache
def measure_cards() -> Mapping[str, Card]:
    """The packaged cards of hand-made measures by name, sorted."""
    paths = sorted((FOLDER / "measures").glob("*.toml"))
    return {path.stem: _read(path, MEASURE) for path in paths}


def own_cards() -> Mapping[str, Card]:
    """The packaged cards of networks and of measures by name, sorted."""
    return dict(sorted({**all_cards(), **measure_cards()}.items()))


class Added(NamedTuple):
    """A card of another package."""

    card: Card
    folder: Path  # where its own weight files are
    package: str  # the top-level package that brought it: its code builds the network


@cache
def added_cards() -> Mapping[str, Added]:
    """The cards that other packages add, by model name.

    What is broken (a package that cannot be imported, a card that breaks the schema, a
    name that is taken) is left out and logged as a warning.
    """
    return _scan()[0]


def known_cards() -> Mapping[str, Card]:
    """Our cards and those that other packages add, by model name, sorted."""
    added = {name: found.card for name, found in added_cards().items()}
    return dict(sorted({**own_cards(), **added}.items()))


def find_added(name: str) -> Added | None:
    """The card that another package adds under this name, or None.

    Raises:
        CardError: it adds one, which is broken.
    """
    added, broken = _scan()
    if name in broken and name not in added:
        raise broken[name]
    return added.get(name)


@cache
def _scan() -> tuple[dict[str, Added], dict[str, CardError]]:
    """Cards of other packages; errors by model name, or by the entry point's name."""
    from importlib.metadata import entry_points

    added: dict[str, Added] = {}
    broken: dict[str, CardError] = {}
    files = {
        file: name
        for cards in (own_cards(), backbone_cards())
        for name, card in cards.items()
        for file in _published(card)
    }
    for point in entry_points(group=GROUP):
        try:
            paths = sorted(_package_folder(point.value).glob("*.toml"))
        except CardError as error:
            broken[point.name] = error
            continue
        for path in paths:
            name = path.stem
            try:
                if name in own_cards() or name in added or "." in name:
                    raise CardError(
                        f"{path}: {name!r} is taken or has a dot, which stands before "
                        "a weight set. Give the file another name."
                    )
                card = read_card(path)
                _check_files(card, path, files)
                files |= dict.fromkeys(_published(card), name)
                package = point.value.partition(".")[0]
                added[name] = Added(card, path.parent, package)
            except CardError as error:
                broken[name] = error
    for name, reason in broken.items():
        logging.getLogger("iqa_zoo").warning("%s is left out: %s", name, reason)
    return added, broken


def _published(card: Card) -> list[str]:
    """The names in the store of the files of others that a card names."""
    sets = card.get("weights", {}).values()
    return [weights["file"] for weights in sets if "where" in weights]


def _check_files(card: Card, path: Path, taken: Mapping[str, str]) -> None:
    """Raise CardError where a file of one set would replace that of another."""
    for file in _published(card):
        if file in taken:
            raise CardError(
                f"{path}: the store has a file {file!r} of {taken[file]} already. "
                "Give this one another name; `url` need not end with it."
            )


def _package_folder(package: str) -> Path:
    """The folder of another package, which the ones above it are imported to find."""
    from importlib.util import find_spec

    try:
        spec = find_spec(package)
        folders = list((spec and spec.submodule_search_locations) or ())
    # It is the other package's code that runs, so anything may be raised.
    except Exception as error:
        raise CardError(
            f"Cannot import {package}, which an entry point of {GROUP} names: {error}."
        ) from error
    if not folders:
        raise CardError(
            f"There is no package {package}, which an entry point of {GROUP} names."
        )
    return Path(folders[0])


@cache
def backbone_cards() -> Mapping[str, Card]:
    """The packaged cards of backbones by name, sorted."""
    paths = sorted((FOLDER / "backbones").glob("*.toml"))
    return {path.stem: _read(path, BACKBONE) for path in paths}


def backbone_card(name: str) -> Card:
    """The card of one backbone.

    Raises:
        UnknownNameError: no backbone of that name.
    """
    cards = backbone_cards()
    if name not in cards:
        raise UnknownNameError("backbone", name, cards)
    return cards[name]


def check_card(card: Mapping[str, Any], name: str) -> None:
    """Raise CardError where `card` breaks the schema; `name` is used in the message."""
    if "measure" in card:
        check(card, MEASURE, name, "")
        _check_sides(card.get("network", {}).get("input"), name, "network.")
    else:
        check(card, SCHEMA, name, "")
        _check_sides(card["input"], name, "")
        for key in OUTPUT_KEYS[card["output"]["kind"]]:
            if key not in card["output"]:
                raise CardError(f"{name}: the key output.{key} is missing.")
        for recipe, stages in card.get("recipes", {}).items():
            check(stages, [STAGE], name, f"recipes.{recipe}.")
    for tag, weights in card.get("weights", {}).items():
        here, schema, external = f"weights.{tag}.", WEIGHTS, False
        if isinstance(weights, Mapping):  # its kind says which keys it may have
            kind = {key: weights[key] for key in weights if key == "kind"}
            check(kind, {"kind": KINDS}, name, here)
            external = weights["kind"] == "external"
            schema = EXTERNAL if external else WEIGHTS
            if "measure" in card:
                schema = {**schema, "output": Optional(MEASURE_OUTPUT)}
        check(weights, schema, name, here)
        if external:
            _check_published(weights, f"{name}: weights.{tag}")
        _check_sides(weights.get("input"), name, here)
        _check_calibration(weights, f"{name}: {here}")
        for part in (weights, weights.get("litert"), weights.get("seen")):
            file = (part or weights)["file"]
            if (
                Path(file).name != file
                or file in ("", "..")
                or len(file) > 200
                or not file.isprintable()
            ):
                raise CardError(
                    f"{name}: weights.{tag} names the file {file!r}; it lies beside "
                    "the card or in the store, so give a plain file name."
                )
    default = card.get("default_weights")
    if default is not None and default not in card.get("weights", {}):
        raise CardError(
            f"{name}: default_weights is {default!r}, but there is no "
            f"[weights.{default}]."
        )


def _read(path: Path, schema: dict[str, Any]) -> Card:
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST + 1)
        if len(text) > LARGEST or text.count(b".") > MOST_DOTS:
            raise ValueError(
                f"it has more than {LARGEST:,} bytes or {MOST_DOTS:,} dots"
            )
        card = tomllib.loads(text.decode())
    except (OSError, ValueError, RecursionError) as error:
        raise CardError(f"Cannot read the card {path}: {error}.") from error
    _check_depth(card, path)
    if schema is not BACKBONE:
        check_card(card, str(path))
    else:
        check(card, schema, str(path), "")
        _check_published(card["weights"]["imagenet"], f"{path}: weights.imagenet")
    return card


def _check_depth(card: Card, path: Path) -> None:
    """Raise CardError where tables lie in tables too deep for Python to copy them."""
    level: list[Any] = [card]
    for _ in range(DEEPEST):
        values = [
            value
            for table in level
            for value in (table.values() if isinstance(table, dict) else table)
        ]
        level = [value for value in values if isinstance(value, dict | list)]
    if level:
        raise CardError(
            f"The card {path} has tables more than {DEEPEST} deep; no card needs such."
        )


def _check_sides(rule: Mapping[str, Any] | None, name: str, key: str) -> None:
    """Raise CardError where photos were to be made larger than memory may take."""
    if rule is not None and max(rule["size"]) > LARGEST_SIDE:
        raise CardError(
            f"{name}: {key}input.size is {rule['size']}; a side may have "
            f"{LARGEST_SIDE:,} pixels."
        )


def _check_calibration(weights: Mapping[str, Any], where: str) -> None:
    """Raise CardError where quantiles do not ascend or a coverage is no share."""
    if "quantiles" in weights:
        percent, score = (weights["quantiles"][key] for key in ("percent", "score"))
        if (
            len(percent) != len(score)
            or len(set(percent)) < len(percent)
            or [sorted(percent), sorted(score)] != [percent, score]
            or not 0 <= percent[0] <= percent[-1] <= 100
        ):
            raise CardError(
                f"{where}quantiles: percent must ascend within 0 to 100, and score "
                "with it, as many of one as of the other."
            )
    if "interval" in weights and weights["interval"]["coverage"] >= 1:
        raise CardError(f"{where}interval.coverage must be less than 1.")


def _check_published(file: Mapping[str, Any], where: str) -> None:
    """Raise CardError where a published file's size or hash is missing."""
    if not file.keys() & {"sha256", "git_blob", "md5", "unhashed"}:
        raise CardError(
            f"{where} has no hash: give sha256, git_blob or md5, or say in `unhashed` "
            "why there is none."
        )
    if not file.keys() & {"bytes", "bytes_at_most"}:
        raise CardError(f"{where} has no size: give bytes or bytes_at_most.")
    if not file.get("url", "https://").startswith("https://"):
        raise CardError(f"{where}: the url must begin with https://.")
    if "url" in file and "unhashed" in file:
        raise CardError(
            f"{where} is unhashed, so it cannot be fetched: give a hash, or say in "
            "`where` and not in `url` how to get it."
        )
