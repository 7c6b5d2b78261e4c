"""From the bytes of a weight file to its arrays, whoever wrote the file.

Three layouts are read, each for its arrays and nothing else: safetensors, numpy's npz
and the weights-only HDF5 of older Keras; of the zip archive of a release, the bytes of
its files. What a file says of itself is compared with its size before anything is
allocated for it, and nothing outside the file is opened.
"""

import contextlib
import itertools
import math
import posixpath
import re
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any

import numpy as np

from iqa_zoo import hdf5
from iqa_zoo.errors import IqaError, WeightsError

#: What an array may be made of: numbers without padding, of this byte order.
DTYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "I32": "<i4", "I64": "<i8"}
#: More arrays than any network here has by a factor of ten.
MOST_ARRAYS = 10_000
#: Names and shapes become up to 25 times as large once parsed, so they may take this
#: many bytes, or this share of the file where that is more.
INDEX_BYTES = 40_000
INDEX_SHARE = 1 / 50
#: How many times the file's size its unpacked arrays may have. Weights of 16 bits that
#: once had 8 pack to less than a half; 30 of 1,000 bytes are a bomb.
MOST_UNPACKED = 3
#: Likewise of a release: numbers as text pack to a half or a third, programs to less.
MOST_RELEASED = 10

_PIECE = 1 << 16  # bytes that are unpacked at once

_NPY_VERSIONS = (b"\1\0", b"\2\0", b"\3\0")
# The one form in which numpy has written this since 2006, in place of Python's parser.
_NPY_HEADER = re.compile(
    r"\{'descr': '(.{3})', 'fortran_order': (False|True), "
    r"'shape': \(((?:\d+, ?)*\d*)\), \} *\n"
)


def read_arrays(data: bytes, name: str) -> dict[str, np.ndarray]:
    """The arrays of a weight file by name, in the file's order.

    Args:
        data: the whole file.
        name: its name; the suffix says the layout.

    Returns:
        Arrays of the `DTYPES`, perhaps read-only, as large as the file at most; three
        times that where an npz is compressed.

    Raises:
        WeightsError: the file is not of that layout, or holds anything but plain
            arrays, or says of itself what is not so.
    """
    for suffixes, read in READERS.items():
        if name.lower().endswith(suffixes):
            return read(data, name)
    known = ", ".join(suffix for suffixes in READERS for suffix in suffixes)
    raise WeightsError(f"{name} is no weight file by its name; known are {known}.")


def check_finite(arrays: Mapping[str, np.ndarray], name: str) -> None:
    """Raise WeightsError where a number of the file `name` is NaN or infinite."""
    for key, array in arrays.items():
        numbers = array.ravel(order="K")
        # In pieces: what isfinite gives for a large array takes half its room again.
        for start in range(0, numbers.size, 1 << 18):
            if not np.isfinite(numbers[start : start + (1 << 18)]).all():
                raise WeightsError(
                    f"{name}: the array {_short(key)} has numbers that are NaN or "
                    "infinite. The file is of no use: get another."
                )


def read_safetensors(data: bytes, name: str) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file; see `read_arrays`."""
    import json

    from safetensors.numpy import load

    with _reading(name, "safetensors file"):
        length = int.from_bytes(data[:8], "little")
        if len(data) < 8 or length > len(data) - 8:
            raise ValueError("its header ends after the file does")
        _check_index(length, len(data))
        header = json.loads(data[8 : 8 + length], object_pairs_hook=_without_doubles)
        if not isinstance(header, dict):
            raise ValueError("its header is no table")
        arrays = {key: part for key, part in header.items() if key != "__metadata__"}
        _check_count(len(arrays))
        for key, part in arrays.items():
            kind = part.get("dtype") if isinstance(part, dict) else part
            if not isinstance(kind, str) or kind not in DTYPES:
                raise ValueError(f"{_short(key)} is of type {_short(kind)}")
        # Compares shapes and places with one another and with the file's end.
        loaded: dict[str, np.ndarray] = load(data)
        return {key: loaded[key] for key in arrays}


def read_npz(data: bytes, name: str) -> dict[str, np.ndarray]:
    """The arrays of a file of `numpy.savez`, compressed or not; see `read_arrays`."""
    with _reading(name, "npz file of arrays"):
        for path in (members := _unpacked(data)):
            if not path.endswith(".npy"):
                raise ValueError(f"the member {_short(path)} is no array")
        named = {path.removesuffix(".npy"): members[path] for path in members}
        return {key: _npy(content, key) for key, content in named.items()}


def read_zip(data: bytes, name: str) -> dict[str, np.ndarray]:
    """The files of a zip archive as uint8 (bytes,), by their names without folders."""
    with _reading(name, "zip archive"):
        files = [
            (posixpath.basename(path), np.frombuffer(content, np.uint8))
            for path, content in _unpacked(data, MOST_RELEASED).items()
        ]
        return _without_doubles(files)


def _unpacked(data: bytes, most: int = MOST_UNPACKED) -> dict[str, bytearray]:
    """The files in a zip archive by their paths, of `most` times its size together."""
    import zipfile

    # What the end of the file says of the list of members, before that is parsed.
    end = data[-22:]
    if len(end) < 22 or end[:4] != b"PK\x05\x06" or end[20:] != b"\0\0":
        raise ValueError("it does not end as zip archives do")
    _check_count(int.from_bytes(end[10:12], "little"))
    _check_index(int.from_bytes(end[12:16], "little"), len(data))
    with zipfile.ZipFile(BytesIO(data)) as archive:
        members = archive.infolist()
        _check_count(len(members))
        _without_doubles([(member.filename, None) for member in members])
        for member in members:
            _check_member(member)
        _check_sum(sum(m.file_size for m in members), most * len(data))
        files = {}
        for member in members:
            if member.filename.endswith("/"):
                continue
            # Into its place, in small pieces: read() would hold it three times, and
            # without a size unpack more than the archive says.
            content, place = bytearray(member.file_size), 0
            with archive.open(member) as file:
                while piece := file.read(min(_PIECE, len(content) - place)):
                    content[place : place + len(piece)] = piece
                    place += len(piece)
            files[member.filename] = content
        return files


def read_keras_h5(data: bytes, name: str) -> dict[str, np.ndarray]:
    """The arrays of a weights-only HDF5 file of older Keras; see `read_arrays`.

    The root, or its group `model_weights`, lists groups in the attribute `layer_names`,
    and each of them its arrays in `weight_names`. Long lists are cut into attributes
    `layer_names0`, `layer_names1` and so on.

    Returns:
        Arrays by "LAYER/WEIGHT": the group's name, and the last part of the array's
        name without ":0".

    Source: keras/src/legacy/saving/legacy_h5_format.py.
    """
    with _reading(name, "weights file of Keras"):
        file = hdf5.File(data)
        root = file.root
        if "model_weights" in file.links(root):
            root = file.follow(root, "model_weights")
        arrays: dict[str, np.ndarray] = {}
        declared = 0
        for layer in _names(file, root, "layer_names"):
            group = file.follow(root, layer)
            for weight in _names(file, group, "weight_names"):
                key = f"{layer}/{weight.rpartition('/')[2].removesuffix(':0')}"
                if key in arrays:
                    raise ValueError(f"it has {_short(key)} twice")
                try:
                    arrays[key] = file.array(file.follow(group, weight))
                except ValueError as error:
                    raise ValueError(f"{_short(key)}: {error}") from error
                declared += arrays[key].nbytes
                _check_sum(declared, len(data))
                _check_count(len(arrays))
        _check_count(len(arrays))
        return arrays


READERS = {
    (".safetensors",): read_safetensors,
    (".npz",): read_npz,
    (".h5", ".hdf5"): read_keras_h5,
    (".zip",): read_zip,
}


@contextlib.contextmanager
def _reading(name: str, kind: str) -> Iterator[None]:
    """Turn whatever a parser stumbles over into a WeightsError about the file."""
    try:
        yield
    except IqaError:
        raise
    # Each library raises a dozen kinds, MemoryError and RecursionError among them.
    except Exception as error:
        raise WeightsError(
            f"{name} is no {kind} that is read here: {str(error)[:200]}. The file is "
            "damaged or another one: get it again."
        ) from error


def _short(text: object) -> str:
    """A name out of a file, for a message: printable, and not the whole of a novel."""
    return repr(text)[:80]


def _check_index(length: int, size: int) -> None:
    most = max(INDEX_BYTES, int(size * INDEX_SHARE))
    if length > most:
        raise ValueError(f"its names take {length:,} bytes, of at most {most:,}")


def _check_count(count: int) -> None:
    if not 1 <= count <= MOST_ARRAYS:
        raise ValueError(f"it has {count:,} arrays, of 1 to {MOST_ARRAYS:,}")


def _check_sum(declared: int, most: int) -> None:
    if declared > most:
        raise ValueError(f"its arrays take {declared:,} bytes, of at most {most:,}")


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"it has {_short(key)} twice")
        if len(key) > hdf5.MOST_NAME or not key.isprintable():
            raise ValueError(f"{_short(key)} is too long, or no name to print")
        found[key] = value
    return found


def _check_member(member: Any) -> None:
    """Raise ValueError where a zip member is not as numpy and others write one."""
    path, shown = member.filename, _short(member.filename)
    if member.orig_filename != path:
        raise ValueError(f"the member {shown} has another name too")
    plain = path.removesuffix("/")
    if plain != posixpath.normpath(plain) or path[0] in "./" or "\\" in path:
        raise ValueError(f"the member {shown} leads out of the archive")
    # 0 is stored and 8 deflated; the bits say how hard that was tried, that sizes
    # follow, and UTF-8.
    if member.compress_type not in (0, 8) or member.flag_bits & ~0x80E:
        raise ValueError(f"the member {shown} is encrypted or packed in another way")


def _npy(content: bytearray, key: str) -> np.ndarray:
    """The array of one npy file, which the array shares its bytes with."""
    version, wide = content[6:8], content[6:7] != b"\1"
    start = 12 if wide else 10
    length = int.from_bytes(content[8:start], "little")
    if content[:6] != b"\x93NUMPY" or bytes(version) not in _NPY_VERSIONS:
        raise ValueError(f"{_short(key)} is no array of numpy")
    _check_index(length, 0)
    header = content[start : start + length].decode("ascii")
    if not (match := _NPY_HEADER.fullmatch(header)) or match[1] not in DTYPES.values():
        raise ValueError(f"{_short(key)} says of itself {_short(header)}")
    shape = tuple(int(side) for side in re.findall(r"\d+", match[3]))
    dtype = np.dtype(match[1])
    if math.prod(shape) * dtype.itemsize != len(content) - start - length:
        raise ValueError(f"{_short(key)} has not the bytes of its shape {shape}")
    order = "F" if match[2] == "True" else "C"
    array = np.frombuffer(content, dtype, offset=start + length)
    return array.reshape(shape, order=order)  # type: ignore[call-overload, no-any-return]


def _names(file: hdf5.File, place: int, name: str) -> list[str]:
    """The texts in a list attribute of a group, or in its numbered parts."""
    names = file.texts(place, name)
    for number in itertools.count():
        if (more := file.texts(place, f"{name}{number}")) is None:
            break
        names = (names or []) + more
    if names is None:
        raise ValueError(f"it has no list {name}")
    _without_doubles([(text, None) for text in names])
    return names
