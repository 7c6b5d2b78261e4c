"""Where weight files are, and how one is read: whole, checked, arrays only.

Our own files are in the package `iqa_zoo.weights`; what a user adds and what is
computed once is in the store, a folder that the environment variable IQA_ZOO_HOME
moves.
"""

import importlib.resources
import os
import re
import sys
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from iqa_zoo import cards
from iqa_zoo.errors import OutputError, UsageError, WeightsError
from iqa_zoo.files import sha256, write_bytes

HOME_VARIABLE = "IQA_ZOO_HOME"


def home() -> Path:
    """The store: IQA_ZOO_HOME, or `iqa_zoo` in the user's cache folder.

    Raises:
        OutputError: the user has no home folder.
    """
    if folder := os.environ.get(HOME_VARIABLE):
        return Path(folder)
    caches = {"darwin": "~/Library/Caches", "win32": "~/AppData/Local"}
    folder = os.environ.get("XDG_CACHE_HOME") or caches.get(sys.platform, "~/.cache")
    try:
        return Path(folder).expanduser() / "iqa_zoo"
    except RuntimeError as error:
        raise OutputError(
            f"There is no home folder to keep files in. Name one in {HOME_VARIABLE}."
        ) from error


def own_folder() -> Path:
    """The folder of the weight files that come with the package."""
    return Path(str(importlib.resources.files("iqa_zoo.weights")))


def read_checked(path: Path, expected: Mapping[str, Any]) -> bytes:
    """The bytes of a file, after comparing them with its card's `bytes` and `sha256`.

    Raises:
        WeightsError: the file is missing, of another size or of another hash. No more
            than the size that the card states is ever read.
    """
    try:
        size = path.stat().st_size
        if size != expected["bytes"]:
            raise WeightsError(
                f"{path} has {size:,} bytes; its card says {expected['bytes']:,}. "
                "The file is damaged or not the one the card describes: get it again."
            )
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(
            f"Cannot read the weight file {path}: {error.strerror or error}."
        ) from error
    found = sha256(data)
    if found != expected["sha256"]:
        raise WeightsError(
            f"{path} has sha256 {found}; its card says {expected['sha256']}. "
            "The file is damaged or not the one the card describes: get it again."
        )
    return data


def read_arrays(path: Path, expected: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file by name, checked as `read_checked` does.

    Raises:
        WeightsError: also where the content is no safetensors, or the number of arrays
            or their dtype is not what the card says.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    data = read_checked(path, expected)
    try:
        arrays: dict[str, np.ndarray] = load(data)
    except (SafetensorError, KeyError, ValueError) as error:
        raise WeightsError(f"{path} is no safetensors file: {error}.") from error
    if len(arrays) != expected["arrays"]:
        raise WeightsError(
            f"{path} has {len(arrays)} arrays; its card says {expected['arrays']}."
        )
    for name, array in arrays.items():
        if array.dtype != expected["dtype"]:
            raise WeightsError(
                f"{path}: array {name} is {array.dtype}; its card says "
                f"{expected['dtype']}."
            )
    return arrays


def imagenet_file(backbone: str) -> Path:
    """Where the store keeps the ImageNet file of a backbone, there or not."""
    return (
        home()
        / "weights"
        / cards.backbone_card(backbone)["weights"]["imagenet"]["file"]
    )


def read_imagenet(backbone: str) -> dict[str, np.ndarray]:
    """The ImageNet arrays of a backbone as their publisher names them.

    Raises:
        WeightsError: the file is not in the store (the message says where to get it
            and how to add it), or it is not what its card says.
    """
    expected = cards.backbone_card(backbone)["weights"]["imagenet"]
    path = imagenet_file(backbone)
    if not path.exists():
        raise WeightsError(
            f"The ImageNet weights of {backbone} are not in the store. Get "
            f"{expected['file']} ({expected['where']}) and run: "
            f"iqa-zoo weights add {backbone}.imagenet FILE"
        )
    data = read_checked(path, expected)
    with np.load(BytesIO(data), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def add(name: str, file: str | os.PathLike[str]) -> Path:
    """Copy a weight file into the store under its card's name; returns its place.

    Args:
        name: `BACKBONE.imagenet`, as `iqa-zoo weights list` prints it.
        file: the file as its publisher ships it.

    Raises:
        UsageError: no weight set of that name can be added.
        WeightsError: the file is not the one that the card describes.
    """
    backbone, _, tag = name.rpartition(".")
    if tag != "imagenet":
        raise UsageError(
            f"{name!r} cannot be added; names look like "
            f"{', '.join(f'{b}.imagenet' for b in cards.backbone_cards())}."
        )
    data = read_checked(
        Path(file), cards.backbone_card(backbone)["weights"]["imagenet"]
    )
    place = imagenet_file(backbone)
    _write(place, data)
    return place


def cached(key: str, make: Callable[[], bytes]) -> bytes:
    """What `make` gave for this key, kept in the store from the first time on.

    Args:
        key: letters, digits, '.', '-' and '_': made of the hashes of everything that
            the content depends on.
        make: computes the content where the store does not have it.

    A store that cannot be written only costs time: the content is made again.
    """
    if not re.fullmatch(r"[\w.-]+", key):
        raise UsageError(f"{key!r} is no key of the store.")
    try:
        path = home() / "cache" / key
        data = path.read_bytes()
    except OutputError:
        return make()
    except OSError:
        pass
    else:
        # The first 32 bytes are the hash of the rest.
        if len(data) > 32 and data[:32].hex() == sha256(data[32:]):
            return data[32:]
    data = make()
    try:
        _write(path, bytes.fromhex(sha256(data)) + data)
    except OutputError:
        import logging

        logging.getLogger("iqa_zoo").warning("Cannot keep %s for the next time.", path)
    return data


def _write(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"Cannot make {path.parent}: {error.strerror}. "
            f"{HOME_VARIABLE} moves the store."
        ) from error
    write_bytes(path, data)
