"""Schemas of cards: which keys a table may have, and what each may be."""

import sys
from collections.abc import Mapping
from typing import Any

from iqa_zoo.errors import CardError


class Optional:
    """Marks a key of the schema that a card may leave out."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind


class Positive:
    """Marks a number of the schema that must be more than 0."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind


def check(value: Any, schema: Any, name: str, key: str) -> None:
    """Compare one value with one piece of the schema.

    A dict names keys, a list of one the kind of one or more elements, a longer list
    the kind of each, a tuple of strings the allowed values, a string the only one, and
    a type (or types) what is allowed.

    Args:
        value: what the card has.
        schema: what it may have.
        name: the card's file, for messages.
        key: where in the card this is, with a dot at the end; "" for all of it.

    Raises:
        CardError: a key is unknown or missing, or a value is not as allowed.
    """
    if isinstance(schema, Optional):
        schema = schema.kind
    where = f"{name}: {key.rstrip('.') or 'the card'}"
    if isinstance(schema, Positive):
        check(value, schema.kind, name, key)
        if value <= 0:
            raise CardError(f"{where} must be more than 0, not {value!r}.")
    elif isinstance(schema, dict):
        if not isinstance(value, Mapping):
            raise CardError(f"{where} must be a table, not {value!r}.")
        for unknown in value.keys() - schema.keys():
            raise CardError(
                f"{name}: unknown key {key}{unknown}. Known here: "
                f"{', '.join(sorted(schema))}."
            )
        for part, kind in schema.items():
            if part in value:
                check(value[part], kind, name, f"{key}{part}.")
            elif not isinstance(kind, Optional):
                raise CardError(f"{name}: the key {key}{part} is missing.")
        if not value:
            raise CardError(
                f"{where} is empty. Give one or more of {', '.join(sorted(schema))}."
            )
    elif isinstance(schema, list):
        if not isinstance(value, list):
            raise CardError(f"{where} must be a list, not {value!r}.")
        kinds = schema * len(value) if len(schema) == 1 else schema
        if len(value) != len(kinds) or not value:
            wanted = "one or more" if len(schema) == 1 else len(schema)
            raise CardError(f"{where} must have {wanted} elements, not {len(value)}.")
        for index, (element, kind) in enumerate(zip(value, kinds, strict=True)):
            check(element, kind, name, f"{key}{index}.")
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
    # NaN is not less than anything; whole numbers may be too large for a float.
    elif isinstance(value, int | float) and not abs(value) < sys.float_info.max:
        raise CardError(f"{where} must be a finite number, not {value!r}.")
