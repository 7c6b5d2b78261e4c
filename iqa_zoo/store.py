"""Where weight files are, and how one is read: whole, checked, arrays only.

Our own files are in the package `iqa_zoo.weights`. Files that others publish, and what
is computed once, are in the store, a folder that the environment variable IQA_ZOO_HOME
moves. A published file that is not there is fetched once, by https, with a notice;
IQA_ZOO_OFFLINE=1 forbids it. A file gets its name in the store only after it was
compared with its card, and is compared again whenever it is read.
"""

import hashlib
import importlib.resources
import logging
import os
import re
import shutil
import stat
import sys
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from iqa_zoo import cards
from iqa_zoo.arrays import check_finite, read_safetensors
from iqa_zoo.arrays import read_arrays as parse_arrays
from iqa_zoo.errors import (
    MissingWeightsError,
    OutputError,
    UnknownNameError,
    UsageError,
    WeightsError,
)
from iqa_zoo.files import sha256, write_bytes

logger = logging.getLogger("iqa_zoo")

HOME_VARIABLE = "IQA_ZOO_HOME"
OFFLINE_VARIABLE = "IQA_ZOO_OFFLINE"


def is_offline() -> bool:
    """Whether the environment forbids the network."""
    return os.environ.get(OFFLINE_VARIABLE, "0") not in ("", "0")


def git_blob(data: bytes) -> str:
    """The name that git gives to a file's content, as 40 hexadecimal digits."""
    digest = hashlib.sha1(b"blob %d\0" % len(data), usedforsecurity=False)
    digest.update(data)
    return digest.hexdigest()


def md5(data: bytes) -> str:
    """The MD5 of `data`, as 32 hexadecimal digits."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


#: The keys of a card that identify a file's content.
HASHES = {"sha256": sha256, "git_blob": git_blob, "md5": md5}


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
    """The bytes of a file, after comparing them with its card.

    Args:
        path: the file.
        expected: the card's table of it, with `bytes` or `bytes_at_most` and with one
            or more of `HASHES`. A file that its card calls `unhashed` is compared with
            the hash that `add` noted.

    Raises:
        WeightsError: the file is missing, of another size or of another hash. No more
            than the size that the card states is ever read.
    """
    data = _read(path, expected)
    if "unhashed" in expected:
        expected = {**expected, "sha256": _noted_hash(path)}
    _check_hashes(data, expected, str(path))
    return data


def _read(path: Path, expected: Mapping[str, Any]) -> bytes:
    try:
        status = path.stat()
        # A pipe has no size, and might never end.
        if not stat.S_ISREG(status.st_mode):
            raise WeightsError(f"Cannot read the weight file {path}: it is no file.")
        _check_size(status.st_size, expected, str(path))
        with path.open("rb") as file:
            return file.read(status.st_size)
    except OSError as error:
        raise WeightsError(
            f"Cannot read the weight file {path}: {error.strerror or error}."
        ) from error


def _check_size(size: int, expected: Mapping[str, Any], what: str) -> None:
    exact, at_most = expected.get("bytes"), expected.get("bytes_at_most")
    if size != exact if exact else size > (at_most or 0):
        wanted = f"{exact:,}" if exact else f"at most {at_most:,}"
        raise WeightsError(
            f"{what} has {size:,} bytes; its card says {wanted}. "
            "The file is damaged or not the one the card describes: get it again."
        )


def _check_hashes(data: bytes, expected: Mapping[str, Any], what: str) -> None:
    for kind in HASHES.keys() & expected.keys():
        found = HASHES[kind](data)
        if found != expected[kind]:
            raise WeightsError(
                f"{what} has {kind} {found}; expected was {expected[kind]}. "
                "The file is damaged or not the one the card describes: get it again."
            )


def read_arrays(path: Path, expected: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file by name, checked as `read_checked` does.

    Raises:
        WeightsError: also where the content is no safetensors, or the number of arrays
            or their dtype is not what the card says.
    """
    arrays = read_safetensors(read_checked(path, expected), str(path))
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


def published_sets() -> dict[str, Mapping[str, Any]]:
    """The files that others publish: their cards' tables, by the weight set's name.

    External weight sets are called `MODEL.TAG`, those of backbones
    `BACKBONE.imagenet`.
    """
    sets = {
        f"{name}.{tag}": weights
        for name, card in cards.known_cards().items()
        for tag, weights in card.get("weights", {}).items()
        if weights["kind"] == "external"
    }
    for name, card in cards.backbone_cards().items():
        sets[f"{name}.imagenet"] = card["weights"]["imagenet"]
    return sets


def published_set(name: str) -> Mapping[str, Any]:
    """The card's table of one file that others publish.

    Raises:
        UnknownNameError: no such weight set.
        UsageError: a weight set that comes with its package.
    """
    sets = published_sets()
    if name in sets:
        return sets[name]
    model, _, tag = name.rpartition(".")
    if tag in cards.known_cards().get(model, {}).get("weights", {}):
        raise UsageError(f"{name} comes with its package: there is nothing to get.")
    raise UnknownNameError("weight set of others", name, sets)


def published_file(expected: Mapping[str, Any]) -> Path:
    """Where the store keeps a published file, there or not."""
    return home() / "weights" / expected["file"]


def find_published(expected: Mapping[str, Any], name: str) -> Path:
    """Where a published file is in the store, after fetching it if it is not there.

    Raises:
        MissingWeightsError: it is not there and could not be fetched.
    """
    path = published_file(expected)
    return path if os.path.exists(path) else fetch(expected, name)


def published_bytes(expected: Mapping[str, Any], name: str) -> bytes:
    """A published file, checked as `read_checked` does; fetched if it is missing.

    Args:
        expected: the card's table of the file.
        name: the weight set's name, for messages.

    Raises:
        MissingWeightsError: it is not in the store and could not be fetched.
        WeightsError: it is not what its card says.
    """
    path = find_published(expected, name)
    try:
        return read_checked(path, expected)
    except WeightsError as error:
        verb = f"fetch {name}" if "url" in expected else f"add {name} FILE"
        raise WeightsError(f"{error} Run: iqa-zoo weights {verb}") from error


def read_published(expected: Mapping[str, Any], name: str) -> dict[str, np.ndarray]:
    """A published file's arrays by its publisher's names; see `published_bytes`."""
    return parse_arrays(published_bytes(expected, name), expected["file"])


def read_imagenet(backbone: str) -> dict[str, np.ndarray]:
    """The ImageNet arrays of a backbone; errors as `published_bytes`."""
    expected = cards.backbone_card(backbone)["weights"]["imagenet"]
    return read_published(expected, f"{backbone}.imagenet")


def fetch(
    expected: Mapping[str, Any],
    name: str,
    progress: Callable[[int, int | None], None] | None = None,
) -> Path:
    """Fetch a published file into the store, over one that is there; gives its place.

    Args:
        expected: the card's table of the file.
        name: the weight set's name, for messages.
        progress: called with the bytes that have come, and with all or None.

    Raises:
        MissingWeightsError: nothing can be fetched (no URL, or IQA_ZOO_OFFLINE), the
            download failed, or what came is not what the card says. The message has
            the URL, what came, what was expected, and how to add the file by hand.
        OutputError: the store cannot be written, or its disk has too little room.
    """
    path = published_file(expected)
    if "url" not in expected:
        raise _missing(expected, name, "cannot be fetched and must be added by hand.")
    if is_offline():
        raise _missing(
            expected,
            name,
            f"cannot be fetched: {OFFLINE_VARIABLE} forbids the network.",
        )
    from iqa_zoo.download import download

    _make_folder(path.parent)
    logger.warning(
        "Fetching %s (%s, %s) from %s",
        name,
        said_size(expected),
        expected["licence"],
        expected["url"],
    )
    try:
        data = download(
            expected["url"],
            expected.get("bytes") or expected["bytes_at_most"],
            begin=lambda size: _check_room(path.parent, size),
            progress=progress,
        )
        _check_size(len(data), expected, "What came")
        _check_hashes(data, expected, "What came")
    except WeightsError as error:
        raise _missing(expected, name, f"could not be fetched. {error}") from error
    _write(path, data)
    return path


def add(
    name: str,
    file: str | os.PathLike[str],
    check: Callable[[dict[str, np.ndarray]], None] | None = None,
) -> Path:
    """Copy a published file into the store under its card's name; gives its place.

    Args:
        name: `MODEL.TAG` or `BACKBONE.imagenet`, as `iqa-zoo weights list` prints it.
        file: the file as its publisher ships it.
        check: raises WeightsError where the arrays of a file without a published hash
            are not those of the network.

    Raises:
        UnknownNameError: no published weight set of that name.
        WeightsError: the file is not the one that the card describes.
        OutputError: the store cannot be written.
    """
    expected = published_set(name)
    place = published_file(expected)
    data = _read(Path(file), expected)
    if "unhashed" in expected:
        arrays = parse_arrays(data, expected["file"])
        check_finite(arrays, str(file))
        if check is not None:
            check(arrays)
    else:
        _check_hashes(data, expected, str(file))
    _write(place, data)
    if "unhashed" in expected:
        _write(_note(place), f"{sha256(data)}\n".encode())
    return place


def said_size(expected: Mapping[str, Any]) -> str:
    """A published file's size for people, such as "at most 16.0 MB"."""
    if "bytes" in expected:
        return f"{expected['bytes'] / 1e6:.1f} MB"
    return f"at most {expected['bytes_at_most'] / 1e6:.1f} MB"


def _missing(
    expected: Mapping[str, Any], name: str, problem: str
) -> MissingWeightsError:
    hashes = [
        f"{kind.replace('_', ' ')} {expected[kind]}"
        for kind in HASHES
        if kind in expected
    ]
    lines = [
        f"{name} {problem}",
        "Get this file:",
        textwrap.indent(expected.get("url", expected["where"]), "  "),
        f"  ({', '.join([said_size(expected), *hashes])})",
        "and run:",
        f"  iqa-zoo weights add {name} FILE",
    ]
    if hashes:  # else `add` notes one
        lines += ["or put it yourself into the store, as:"]
        lines += [f"  {published_file(expected)}"]
    return MissingWeightsError("\n".join(lines))


def _note(path: Path) -> Path:
    """Where the hash of a file is noted that was published without one."""
    return path.with_name(f"{path.name}.sha256")


def _noted_hash(path: Path) -> str:
    try:
        return _note(path).read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"{path} was published without a hash, and the one that `iqa-zoo weights "
            f"add` notes in {_note(path).name} is not there: add the file again."
        ) from error


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
        logger.warning("Cannot keep %s for the next time.", path)
    return data


def _write(path: Path, data: bytes) -> None:
    _make_folder(path.parent)
    write_bytes(path, data)


def _make_folder(folder: Path) -> None:
    """Raise OutputError where a folder of the store cannot be made or written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"Cannot make {folder}: {error.strerror}. {HOME_VARIABLE} moves the store."
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"Cannot write to {folder}. {HOME_VARIABLE} moves the store.")


def _check_room(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size:
        raise OutputError(
            f"{folder} is on a disk with {free / 1e6:,.1f} MB left, and "
            f"{size / 1e6:,.1f} MB are needed. {HOME_VARIABLE} moves the store."
        )
