"""Cards: what a model is, as data. One TOML file a model beside this one.

A card is a plain dict with the TOML's own keys. `SCHEMA` names every key that a card
may have; an unknown or a missing one is an error that names the file and the key.
Cards of backbones (the ImageNet networks that models are built on) are in `backbones/`.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from iqa_zoo.errors import CardError, UnknownNameError

FOLDER = Path(__file__).parent

Card = dict[str, Any]


class _Optional:
    """Marks a key of the schema that a card may leave out."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind


NUMBER = (int, float)

INPUT = {
    "size": [int, int],  # height, width in pixels
    "channels": "rgb",
    "range": [int, int],
    "fit": str,  # names of rules of `images`
    "shrink": str,
    "enlarge": str,
    "least": int,  # pixels a side, below which a photo is not judged
    "network_least": _Optional(int),  # a side that the network can take; else `least`
}
TASK = ("quality", "aesthetics")
FILE = {"file": str, "bytes": int, "sha256": str}
#: A file that others publish, with what they say of it. One of the hashes must be
#: there, unless `unhashed` says why there is none, and one of the two sizes.
PUBLISHED_FILE = {
    "file": str,  # its name in the store
    "url": _Optional(str),  # https, and of a fixed version; without it users add a file
    "bytes": _Optional(int),
    "bytes_at_most": _Optional(int),  # where the exact size is not published
    "sha256": _Optional(str),
    "git_blob": _Optional(str),  # sha1 of "blob SIZE\0" and the content
    "md5": _Optional(str),  # guards against damage, not against forgery
    "unhashed": _Optional(str),
    "converter": str,  # module:function, from the file's arrays to the network's
    "licence": str,
    "where": str,  # how the public gets the file
    "notes": _Optional([str]),
}
#: One stage of a recipe; `training` says what each key does.
STAGE = {
    "name": str,
    "frozen_to": str,  # the last layer that stays as it is, or "none"
    "epochs": int,
    "batch": int,
    "learning_rate": float,
    # Weights of the terms of `models.losses.TERMS`.
    "loss": {term: _Optional(NUMBER) for term in ("emd", "plcc", "huber", "mse")},
    "weight_decay": _Optional(float),
    "warmup": _Optional(float),
    "average": _Optional(float),
    "crop": _Optional(NUMBER),
    "mirror": _Optional(bool),
    "ridge": _Optional(float),
    "batch_norm": _Optional(str),
}
WEIGHTS = {
    "kind": ("own", "local"),
    **FILE,
    "dtype": ("float16", "float32"),
    "arrays": int,
    "licence": str,
    "data": str,
    "terms": str,
    "start": str,
    "command": str,
    "seed": int,
    "trained_on": int,  # images
    "arguments": _Optional(dict),
    "litert": _Optional(FILE),
    "seen": _Optional(FILE),  # fingerprints of the images it was trained on
    "results": _Optional(dict),
    "quantiles": _Optional(dict),
    "notes": _Optional([str]),
}
#: A weight set that others trained and publish; the store keeps it once it was fetched.
EXTERNAL = {
    "kind": "external",
    **PUBLISHED_FILE,
    "data": str,
    "terms": str,
    "task": _Optional(TASK),  # where it is not the card's
    "input": _Optional(INPUT),  # likewise
    "arguments": _Optional(dict),
    "published": _Optional(dict),  # its publisher's figures, not measured here
    "quantiles": _Optional(dict),
}
SCHEMA = {
    "title": str,
    "family": str,
    "task": TASK,
    "summary": str,
    "limits": [str],
    "builder": str,  # module:function
    "backbone": _Optional(str),
    "parameters": int,
    "trainable_parameters": int,
    "default_weights": _Optional(str),
    "preferred": _Optional(bool),  # the model that `score` uses when none is named
    "arguments": _Optional(dict),
    "paper": {"title": str, "authors": str, "venue": str, "year": int, "url": str},
    "input": INPUT,
    "output": {
        "kind": ("distribution",),
        "scale": [NUMBER, NUMBER],
        "bins": int,
        "direction": ("higher_is_better", "lower_is_better"),
    },
    "recipe": [STAGE],
    "weights": _Optional(dict),
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
    _check(card, SCHEMA, name, "")
    for tag, weights in card.get("weights", {}).items():
        kind = weights.get("kind") if isinstance(weights, Mapping) else None
        schema = EXTERNAL if kind == "external" else WEIGHTS
        _check(weights, schema, name, f"weights.{tag}.")
        if kind == "external":
            _check_published(weights, f"{name}: weights.{tag}")
        for part in (weights, weights.get("litert"), weights.get("seen")):
            file = (part or weights)["file"]
            if Path(file).name != file or file in ("", ".."):
                raise CardError(
                    f"{name}: weights.{tag} names the file {file!r}; it must lie "
                    "beside the card, so give a plain file name."
                )
    default = card.get("default_weights")
    if default is not None and default not in card.get("weights", {}):
        raise CardError(
            f"{name}: default_weights is {default!r}, but there is no "
            f"[weights.{default}]."
        )


def _read(path: Path, schema: dict[str, Any]) -> Card:
    try:
        card = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CardError(f"Cannot read the card {path}: {error}.") from error
    if schema is SCHEMA:
        check_card(card, str(path))
    else:
        _check(card, schema, str(path), "")
        _check_published(card["weights"]["imagenet"], f"{path}: weights.imagenet")
    return card


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


def _check(value: Any, schema: Any, name: str, key: str) -> None:
    """Compare one value with one piece of the schema.

    A dict names keys, a list of one the kind of one or more elements, a longer list
    the kind of each, a tuple of strings the allowed values, a string the only one, and
    a type (or types) what is allowed.
    """
    if isinstance(schema, _Optional):
        schema = schema.kind
    where = f"{name}: {key.rstrip('.') or 'the card'}"
    if isinstance(schema, dict):
        if not isinstance(value, Mapping):
            raise CardError(f"{where} must be a table, not {value!r}.")
        for unknown in value.keys() - schema.keys():
            raise CardError(
                f"{name}: unknown key {key}{unknown}. Known here: "
                f"{', '.join(sorted(schema))}."
            )
        for part, kind in schema.items():
            if part in value:
                _check(value[part], kind, name, f"{key}{part}.")
            elif not isinstance(kind, _Optional):
                raise CardError(f"{name}: the key {key}{part} is missing.")
    elif isinstance(schema, list):
        if not isinstance(value, list):
            raise CardError(f"{where} must be a list, not {value!r}.")
        kinds = schema * len(value) if len(schema) == 1 else schema
        if len(value) != len(kinds) or not value:
            wanted = "one or more" if len(schema) == 1 else len(schema)
            raise CardError(f"{where} must have {wanted} elements, not {len(value)}.")
        for index, (element, kind) in enumerate(zip(value, kinds, strict=True)):
            _check(element, kind, name, f"{key}{index}.")
    elif isinstance(schema, str):
        if value != schema:
            raise CardError(f"{where} must be {schema!r}, not {value!r}.")
    elif isinstance(schema, tuple) and isinstance(schema[0], str):
        if value not in schema:
            raise CardError(f"{where} must be one of {schema}, not {value!r}.")
    elif not isinstance(value, schema) or (
        isinstance(value, bool) and schema is not bool
    ):
        kind = getattr(schema, "__name__", "number")
        raise CardError(f"{where} must be of type {kind}, not {value!r}.")
