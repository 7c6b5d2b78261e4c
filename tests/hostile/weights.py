"""Weight files and run folders made to do harm, each of which must be refused.

    python -m tests.hostile.weights

Every case but those of the wrong hash or size has a card that describes it rightly, so
that it is the readers that refuse it. Cases are loaded as a user meets them, through
`registry.load_model`: safetensors in a run's folder, npz and HDF5 from the store.
"""

import contextlib
import copy
import io
import json
import os
import pickle
import re
import resource
import struct
import subprocess
import sys
import tempfile
import time
import tracemalloc
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pytest
import tomli_w
from safetensors.numpy import save

from iqa_zoo import cards, registry, store
from iqa_zoo.errors import IqaError
from iqa_zoo.files import sha256
from tests.helpers import small
from tests.helpers.layouts import keras_h5, npz

#: The most that refusing a file may allocate: this many times the bytes that its card
#: states, and this many bytes more, for what any load takes (the card, the path).
TIMES, ROOM = 2, 1_500_000
#: The most that it may take, in seconds of the processor.
SECONDS = 1.0
#: The most that the process may grow by in all: beside what the largest file allows,
#: what the C library keeps of what was given back.
GROWTH = 40_000_000
#: Address space that the process may take beside what it has after loading TensorFlow.
SPACE = 200_000_000
#: The errors that refuse a file. An argument of a card is refused as any argument is.
REFUSED = ("WeightsError", "CardError", "UsageError", "UnknownNameError")


@dataclass(frozen=True)
class Case:
    """One file that must be refused.

    Attributes:
        name: of the file; the suffix says how it is read.
        content: of the file.
        said: what its card says besides what is so.
    """

    name: str
    content: bytes
    said: dict[str, Any] = field(default_factory=dict)


class _Payload:
    def __reduce__(self) -> Any:
        return exec, ("raise SystemExit('code out of a weight file was run')",)


PICKLE = pickle.dumps(_Payload())
SHAPES = {
    "low_conv/kernel": (3, 3, 3, 4),
    "high_conv/kernel": (3, 3, 4, 8),
    "head/kernel": (8, 10),
    "head/bias": (10,),
    **{
        f"low_bn/{n}": (4,) for n in ("gamma", "beta", "moving_mean", "moving_variance")
    },
    **{
        f"high_bn/{n}": (8,)
        for n in ("gamma", "beta", "moving_mean", "moving_variance")
    },
}


def good(**changes: np.ndarray | None) -> dict[str, np.ndarray]:
    """The arrays of the small network, with others for some, or without (None)."""
    arrays: dict[str, Any] = {
        name: np.full(shape, 0.5, "f2") for name, shape in SHAPES.items()
    }
    arrays |= {name.replace("__", "/"): array for name, array in changes.items()}
    return {name: array for name, array in arrays.items() if array is not None}


def wrong_arrays() -> dict[str, dict[str, np.ndarray]]:
    """Arrays that any layout can hold, and that the network cannot take."""
    ones = np.ones(10, "f2")
    holed, full, low = ones.copy(), ones.copy(), ones.copy()
    holed[3], full[9], low[0] = np.nan, np.inf, -np.inf
    return {
        "nan": good(head__bias=holed),
        "infinity": good(head__bias=full),
        "minus-infinity": good(head__bias=low),
        "wrong-shape": good(head__bias=ones[:9]),
        "wrong-rank": good(head__bias=ones[None]),
        "transposed": good(head__kernel=np.ones((10, 8), "f2")),
        "missing": good(head__bias=None),
        "extra": good(head__bias2=ones),
        "renamed": good(head__bias=None, head__bia=ones),
        "name-of-a-path": good(**{"head/..__..__x": ones}),
        "only-one": {"head/bias": ones},
    }


# --- safetensors ----------------------------------------------------------------------


def tensors(header: Any, body: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file of this header: bytes, text, or what JSON makes of it."""
    if isinstance(header, dict | list):
        header = json.dumps(header)
    if isinstance(header, str):
        header = header.encode()
    length = len(header) if length is None else length
    return length.to_bytes(8, "little") + header + body


def tensor(begin: Any = 0, end: Any = 20, *, dtype: Any = "F16", shape: Any = (10,)):
    """The entry of one array of a header."""
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def safetensors() -> Iterator[Case]:
    """Hostile safetensors files."""

    def case(name: str, content: bytes, **said: Any) -> Case:
        return Case(f"{name}.safetensors", content, said)

    def one(name: str, body: int = 20, **entry: Any) -> Case:
        content = tensors({"head/bias": tensor(**entry)}, bytes(body))
        return case(name, content, arrays=1)

    for name, arrays in wrong_arrays().items():
        yield case(name, save(arrays), arrays=len(arrays))
    data = save(good())
    yield case("wrong-hash", data, sha256="0" * 64)
    yield case("wrong-hash-of-the-empty-file", data, sha256=sha256(b""))
    yield case("larger-than-said", data, bytes=len(data) - 1)
    yield case("smaller-than-said", data, bytes=len(data) + 1)
    yield case("said-to-be-of-an-exabyte", data, bytes=10**18)
    yield case("fewer-arrays-than-said", data, arrays=13)
    yield case("more-arrays-than-said", data, arrays=11)
    yield case("other-type-than-said", data, dtype="float32")
    yield case("pickle", PICKLE)
    yield case("pickle-of-torch", zipped([("archive/data.pkl", PICKLE)]))
    yield case("npz", npz(**good()))
    yield case("hdf5", keras_h5(good()))
    yield case("empty", b"")
    yield case("seven-bytes", bytes(7))
    yield case("no-header", bytes(8))
    yield case("header-of-2-to-the-64", tensors("{}", length=2**64 - 1))
    yield case("header-of-100-mb", tensors("{}", length=100_000_000))
    yield case("header-longer-by-one", tensors("{}", length=3))
    yield case("header-takes-all", tensors("{" + " " * 41_000 + "}"))
    for name, header in {
        "header-no-json": "weights",
        "header-not-ended": '{"a":',
        "header-list": "[]",
        "header-null": "null",
        "header-number": "7",
        "header-text": '"head/bias"',
        "header-empty": "{}",
        "header-only-metadata": '{"__metadata__":{"format":"pt"}}',
        "header-not-utf-8": b'{"\xff":{}}',
        "header-utf-16": '{"a":{}}'.encode("utf-16"),
        "header-deep": "[" * 39_000,
        "header-deep-tables": '{"a":' * 7_000,
        "header-empty-lists": f'{{"a":[{"[]," * 13_000}[]]}}',
        "number-of-5000-digits": f'{{"a":{"9" * 5_000}}}',
        "metadata-no-table": '{"__metadata__":[]}',
        "metadata-nested": '{"__metadata__":{"a":{"b":1}}}',
    }.items():
        yield case(name, tensors(header))
    many = ",".join(
        f'"{n}":{{"dtype":"F16","shape":[0],"data_offsets":[0,0]}}'
        for n in range(200_000)
    )
    yield case("200000-tensors", tensors(f"{{{many}}}"), arrays=200_000)
    few = "},".join(many.split("},")[:600])
    yield case("600-empty-tensors", tensors(f"{{{few}}}}}"), arrays=600)
    bias = json.dumps(tensor())
    twice = f'{{"head/bias":{bias},"head/bias":{bias}}}'
    yield case("duplicate-name", tensors(twice, bytes(20)), arrays=1)
    twice = f'{{"__metadata__":{{}},"head/bias":{bias},"__metadata__":{{}}}}'
    yield case("duplicate-metadata", tensors(twice, bytes(20)), arrays=1)
    twice = bias.replace("{", '{"dtype":"F32",')
    yield case("duplicate-dtype", tensors(f'{{"a":{twice}}}', bytes(20)), arrays=1)
    for name, (first, second, body) in {
        "overlapping": ((0, 20), (10, 30), 30),
        "same-bytes": ((0, 20), (0, 20), 20),
        "gapped": ((0, 20), (24, 44), 44),
        "gap-before": ((4, 24), (24, 44), 44),
        "trailing-bytes": ((0, 20), (20, 40), 41),
        "body-ends-early": ((0, 20), (20, 40), 39),
    }.items():
        header = {"head/bias": tensor(*first), "head/more": tensor(*second)}
        yield case(name, tensors(header, bytes(body)), arrays=2)
    yield one("no-body", body=0)
    yield one("offsets-reversed", begin=20, end=0)
    yield one("offset-negative", begin=-20, end=0)
    yield one("offset-2-to-the-64", begin=0, end=2**64)
    yield one("offset-behind-the-end", begin=2**62, end=2**62 + 20)
    yield one("offset-float", begin=0.0, end=20.0)
    yield one("offset-text", begin="0", end="20")
    yield one("shape-larger", shape=[11])
    yield one("shape-smaller", shape=[9])
    yield one("shape-bomb", shape=[2**40, 2**20])
    yield one("shape-overflow", shape=[2**63, 2, 10])
    yield one("shape-overflow-to-its-size", shape=[2**32 + 1, 2**32 + 10])
    yield one("shape-negative", shape=[-10])
    yield one("shape-negative-twice", shape=[-5, -2])
    yield one("shape-float", shape=[10.0])
    yield one("shape-text", shape="10")
    yield one("shape-null", shape=None)
    yield one("shape-of-5000-sides", shape=[10, *[1] * 5_000])
    yield one("dtype-unknown", dtype="X99")
    yield one("dtype-object", dtype="O")
    yield one("dtype-bf16", dtype="BF16")
    yield one("dtype-f8", dtype="F8_E4M3", body=10, end=10)
    yield one("dtype-bool", dtype="BOOL", body=10, end=10)
    yield one("dtype-list", dtype=["F16"])
    yield one("dtype-null", dtype=None)
    yield one("dtype-lies", dtype="F32")
    yield one("dtype-of-another-size", dtype="F32", body=40, end=40)
    yield case("entry-no-table", tensors({"head/bias": []}, bytes(20)), arrays=1)
    yield case("entry-empty", tensors({"head/bias": {}}, bytes(20)), arrays=1)
    name = "\x1b[2J\n" + "x" * 30_000
    yield case("name-of-30000", tensors({name: tensor()}, bytes(20)), arrays=1)


# --- npz ------------------------------------------------------------------------------


def zipped(members: Any, **options: Any) -> bytes:
    """A zip archive of names and contents, stored unless `compression` says else."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **options) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


def npy(descr: str = "'<f2'", shape: str = "(10,)", body: int = 20, order="False"):
    """One array as numpy writes it, of a header that may say anything."""
    said = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"
    return npy_of(f"{said}{' ' * (117 - len(said))}\n".encode(), bytes(body))


def npy_of(header: bytes, body: bytes = b"", version: int = 1) -> bytes:
    length = len(header).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + length + header + body


def patched(data: bytes, mark: bytes, offset: int, content: bytes) -> bytes:
    """`data` with other bytes at `offset` from the first `mark`."""
    place = data.index(mark) + offset
    return data[:place] + content + data[place + len(content) :]


LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"


def npzs() -> Iterator[Case]:
    """Hostile npz files."""

    def case(name: str, content: bytes, **said: Any) -> Case:
        return Case(f"{name}.npz", content, said)

    def one(name: str, content: bytes, **options: Any) -> Case:
        return case(name, zipped([("head/bias.npy", content)], **options))

    for name, arrays in wrong_arrays().items():
        if name != "name-of-a-path":
            yield case(name, npz(**arrays))
    yield case("compressed-nan", npz(compressed=True, **wrong_arrays()["nan"]))
    data, fine = npz(**good()), npy()
    single = zipped([("head/bias.npy", fine)])
    yield case("wrong-hash", data, sha256="0" * 64)
    yield case("wrong-size", data, bytes=len(data) + 1)
    yield case("pickle", PICKLE)
    yield case("safetensors", save(good()))
    yield case("npy", fine)
    objects = io.BytesIO()
    np.save(objects, np.array([_Payload()], object), allow_pickle=True)
    yield one("objects", objects.getvalue())
    yield one("member-pickle", PICKLE)
    yield case("member-pickle-by-name", zipped([("head/bias.pkl", PICKLE)]))
    for name, descr in {
        "dtype-object": "'|O'",
        "dtype-structured": "[('a', '<f2'), ('b', '<f2')]",
        "dtype-structured-object": "[('a', '|O')]",
        "dtype-text": "'<U5'",
        "dtype-bool": "'|b1'",
        "dtype-void": "'|V2'",
        "dtype-complex": "'<c8'",
        "dtype-big-endian": "'>f2'",
        "dtype-unknown": "'<z2'",
        "dtype-call": "__import__('os').system('true')",
        "dtype-number": "7",
    }.items():
        yield one(name, npy(descr))
    for name, shape in {
        "shape-larger": "(11,)",
        "shape-smaller": "(9,)",
        "shape-bomb": "(1099511627776, 1048576)",
        "shape-overflow": "(4294967297, 4294967306)",
        "shape-negative": "(-10,)",
        "shape-negative-twice": "(-5, -2)",
        "shape-none": "None",
        "shape-call": "(__import__('os').getpid(),)",
        "shape-of-60-sides": f"({'1,' * 40}10)",
    }.items():
        yield one(name, npy(shape=shape))
    yield one("shape-of-5000-digits", npy_of(b"{'shape': (" + b"9" * 5_000 + b",)}"))
    yield one("order-call", npy(order="exec('raise SystemExit')"))
    yield one("header-no-table", npy_of(b"[1, 2, 3]\n"))
    yield one("header-call", npy_of(b"__import__('os').system('true')\n"))
    yield one("header-deep", npy_of(b"(" * 9_000 + b"\n"))
    yield one("header-not-utf-8", npy_of(b"\xff\xfe\n"))
    yield one("header-longer-than-the-file", npy_of(b"", version=1)[:8] + b"\xff\xff")
    yield one("header-of-4-gb", npy_of(b"{}", version=2)[:8] + b"\xff\xff\xff\xff")
    yield one("header-of-60000", npy_of(b" " * 60_000))
    yield one("version-9", npy_of(b"{}", version=9))
    yield one("no-bytes", b"")
    yield one("ends-in-its-header", fine[:40])
    yield one("ends-early", fine[:-1])
    yield one("trailing-bytes", fine + b"\0")
    deflated = {"compression": zipfile.ZIP_DEFLATED}
    bomb = npy(shape="(5000000,)", body=10_000_000)
    yield one("bomb", bomb, **deflated)
    yield one("bomb-bzip2", bomb, compression=zipfile.ZIP_BZIP2)
    yield one("bomb-lzma", bomb, compression=zipfile.ZIP_LZMA)
    packed = zipped([("head/bias.npy", bomb)], **deflated)
    size = struct.pack("<I", len(fine))
    for place, mark, offset in (("list", CENTRAL, 24), ("member", LOCAL, 22)):
        yield case(f"bomb-said-small-in-{place}", patched(packed, mark, offset, size))
    both = patched(patched(packed, CENTRAL, 24, size), LOCAL, 22, size)
    yield case("bomb-said-small", both)
    yield case(
        "bombs-in-pieces", zipped([(f"{n}.npy", bomb) for n in range(5)], **deflated)
    )
    for name, path in {
        "path-up": "../head/bias.npy",
        "path-up-inside": "head/../../bias.npy",
        "path-absolute": "/head/bias.npy",
        "path-here": "./head/bias.npy",
        "path-double": "head//bias.npy",
        "path-backslash": "head\\..\\bias.npy",
        "path-folder": "head/bias.npy/",
        "path-other-suffix": "head/bias.txt",
        "path-empty": ".npy",
    }.items():
        yield case(name, zipped([(path, fine)]))
    yield case("path-with-zero", single.replace(b"head/bias.npy", b"head/\0ias.npy"))
    yield case("path-of-30000", zipped([("x" * 30_000 + ".npy", fine)]))
    two = zipped([("head/bias.npy", fine), ("head/bia2.npy", fine)])
    yield case("duplicate-member", two.replace(b"bia2", b"bias"))
    yield case("name-lies-in-list", patched(single, CENTRAL, 46, b"tail/bias.npy"))
    first = two[two.index(CENTRAL) :][:59].replace(b"bias", b"bia2")
    start = two.index(CENTRAL) + 59
    yield case("two-names-for-one-member", two[:start] + first + two[start + 59 :])
    for bit, name in ((1, "encrypted"), (32, "patched"), (64, "encrypted-strongly")):
        flags = struct.pack("<H", bit)
        locked = patched(patched(single, LOCAL, 6, flags), CENTRAL, 8, flags)
        yield case(name, locked)
    other = struct.pack("<H", 99)
    yield case(
        "method-99", patched(patched(single, LOCAL, 8, other), CENTRAL, 10, other)
    )
    yield case("wrong-crc", patched(single, CENTRAL, 16, b"\0\0\0\0"))
    yield case("size-2-to-the-32", patched(single, CENTRAL, 20, b"\xff" * 8))
    large = patched(single, CENTRAL, 24, struct.pack("<I", len(fine) + 9_000))
    yield case("size-larger-in-list", large)
    with_64 = struct.pack("<HHQQ", 1, 16, 2**60, 2**60)
    yield case("zip64-size", _with_extra(single, with_64))
    yield case("zip64-too-short", _with_extra(single, struct.pack("<HHI", 1, 4, 7)))
    yield case("zip64-extra-lies", _with_extra(single, struct.pack("<HH", 1, 60_000)))
    yield case("zip64-end", _zip64_end(single))
    yield case("200000-members", _list_of(200_000))
    for name, offset, content in (
        ("count-65535", 8, b"\xff\xff\xff\xff"),
        ("count-0", 8, bytes(4)),
        ("list-of-4-gb", 12, b"\xff\xff\xff\xff"),
        ("list-of-0", 12, bytes(4)),
        ("list-behind-the-end", 16, b"\xff\xff\xff\x7f"),
        ("list-in-a-member", 16, struct.pack("<I", 30)),
        ("comment-longer-than-the-file", 20, b"\xff\xff"),
    ):
        yield case(name, patched(single, END, offset, content))
    far = patched(single, CENTRAL, 42, b"\xff\xff\xff\x7f")
    yield case("member-behind-the-end", far)
    yield case("no-members", zipped([]))
    yield case("no-end", single[:-22])
    yield case("truncated", data[: len(data) // 2])
    yield case("trailing-text", data + b"trailing")


def _with_extra(archive: bytes, extra: bytes) -> bytes:
    """A one-member archive whose list has this extra field and no sizes but those."""
    start, end = archive.index(CENTRAL), archive.index(END)
    entry = bytearray(archive[start:end] + extra)
    entry[20:28] = b"\xff" * 8
    entry[30:32] = struct.pack("<H", len(extra))
    tail = patched(archive[end:], END, 12, struct.pack("<I", len(entry)))
    return archive[:start] + bytes(entry) + tail


def _zip64_end(archive: bytes) -> bytes:
    """A one-member archive that ends as archives of 65,536 members and more do."""
    start, end = archive.index(CENTRAL), archive.index(END)
    numbers = (44, 45, 45, 0, 0, 100_000, 100_000, end - start, start)
    longer = b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", *numbers)
    where = b"PK\x06\x07" + struct.pack("<IQI", 0, end, 1)
    return archive[:end] + longer + where + END + bytes(4) + b"\xff" * 12 + bytes(2)


def _list_of(count: int) -> bytes:
    """An archive whose list names one member `count` times, the end only twice."""
    archive = zipped([("a.npy", npy())])
    start, end = archive.index(CENTRAL), archive.index(END)
    entries = archive[start:end] * count
    tail = patched(archive[end:], END, 12, struct.pack("<I", len(entries)))
    return archive[:start] + entries + tail


# --- HDF5 -----------------------------------------------------------------------------


def hdf5s() -> Iterator[Case]:
    """Hostile HDF5 files in the layout of older Keras."""

    def case(name: str, content: bytes, **said: Any) -> Case:
        return Case(f"{name}.h5", content, said)

    for name, arrays in wrong_arrays().items():
        if name != "name-of-a-path":
            yield case(name, keras_h5(arrays))
    data = keras_h5(good())
    yield case("wrong-hash", data, sha256="0" * 64)
    yield case("wrong-size", data, bytes=len(data) - 1)
    yield case("pickle", PICKLE)
    yield case("npz", npz(**good()))
    yield case("text", b"weights" * 100)
    yield case("signature-only", data[:8])
    yield case("signature-and-zeros", data[:8] + bytes(2_000))
    yield case("truncated", data[: len(data) // 2])
    yield case("truncated-by-one", data[:-1])
    yield case("beginning-of-version-9", data[:8] + b"\x09" + data[9:])
    yield case("addresses-of-4-bytes", data[:13] + b"\x04\x04" + data[15:])
    yield case("end-of-2-to-the-62", data[:40] + struct.pack("<Q", 2**62) + data[48:])
    yield case("other-base", data[:24] + struct.pack("<Q", 512) + data[32:])
    for name, place in (
        ("itself", 0),
        ("behind-the-end", 2**40),
        ("nowhere", 2**64 - 1),
    ):
        yield case(f"root-{name}", data[:64] + struct.pack("<Q", place) + data[72:])
    yield case("user-block", bytes(512) + data)
    for name, change in CHANGES.items():
        file = io.BytesIO(data)
        with h5py.File(file, "r+") as root:
            change(root)
        yield case(name, file.getvalue())
    tree, heap, texts = b"TREE", b"HEAP", b"GCOL"
    endless = struct.pack("<Q", data.index(tree))
    yield case("tree-of-itself", patched(data, tree, 32, endless))
    yield case("tree-of-65535", patched(data, tree, 6, b"\xff\xff"))
    yield case("tree-of-level-255", patched(data, tree, 5, b"\xff"))
    yield case("tree-broken", data.replace(tree, b"EERT"))
    yield case("list-of-65535", patched(data, b"SNOD", 6, b"\xff\xff"))
    yield case("heap-elsewhere", patched(data, heap, 24, b"\xff" * 8))
    yield case("heap-of-nothing", patched(data, heap, 8, bytes(8)))
    yield case("texts-broken", data.replace(texts, b"LOCG"))
    # The HDF5 library goes round for ever in this one, ...
    place = data.index(texts)
    yield case("texts-of-0-bytes", data[: place + 16] + bytes(48) + data[place + 64 :])
    yield case(
        "texts-of-2-to-the-62", patched(data, texts, 8, struct.pack("<Q", 2**62))
    )
    layers = list(dict.fromkeys(["image", *(name.split("/")[0] for name in good())]))
    reference = struct.pack("<I", len(layers[0])) + struct.pack("<Q", place)
    # ... and takes 2 GB for that one.
    huge = struct.pack("<I", 2**31) + reference[4:]
    yield case("text-of-2-gb", data.replace(reference, huge))
    yield case("text-nowhere", data.replace(reference, reference[:4] + b"\xff" * 8))
    yield case("texts-all-the-same", _one_text_3000_times())


def _one_text_3000_times() -> bytes:
    """A list of 3,000 texts of variable length that are all one long text."""
    file = io.BytesIO()
    with h5py.File(file, "w") as root:
        root.attrs["layer_names"] = ["x" * 50_000, *map(str, range(2_999))]
    data = file.getvalue()
    collections = [found.start() for found in re.finditer(b"GCOL", data)]
    place = max(data.find(struct.pack("<IQ", 50_000, at)) for at in collections)
    return data[:place] + data[place : place + 16] * 3_000 + data[place + 48_000 :]


def _replace(make: Any) -> Any:
    """A change that puts something else where the array of the head's bias was."""

    def change(root: h5py.File) -> None:
        del root["head/head/bias:0"]
        make(root["head/head"], "bias:0")

    return change


def _dataset(**options: Any) -> Any:
    def make(group: h5py.Group, name: str) -> None:
        group.create_dataset(name, **({"shape": (10,), "dtype": "<f2"} | options))

    return _replace(make)


def _link(link: Any) -> Any:
    return _replace(lambda group, name: group.__setitem__(name, link))


def _listed(owner: str, name: str, value: Any) -> Any:
    def change(root: h5py.File) -> None:
        del root[owner].attrs[name]
        if value is not None:
            root[owner].attrs[name] = value

    return change


def _virtual(root: h5py.File) -> None:
    del root["head/head/bias:0"]
    layout = h5py.VirtualLayout((10,), "<f2")
    layout[:] = h5py.VirtualSource("/etc/passwd", "bias", (10,), "<f2")
    root["head/head"].create_virtual_dataset("bias:0", layout)


def _circle(root: h5py.File) -> None:
    root["head/circle"] = root["head"]
    root["head"].attrs["weight_names"] = [b"circle/" * 30 + b"circle"]


def _the_same_array_1000_times(root: h5py.File) -> None:
    group = root["head"]
    for number in range(1_000):
        group[f"k{number}"] = root["head/head/kernel:0"]
    group.attrs["weight_names"] = np.array([f"k{n}".encode() for n in range(1_000)])


def _many_groups_of_one_list(root: h5py.File) -> None:
    for number in range(300):
        root[f"l{number}"] = root["image"]
    texts = [f"l{n}".encode() for n in range(300)]
    root.attrs["layer_names"] = np.array(texts)


def _parts(root: h5py.File) -> None:
    del root.attrs["layer_names"]
    for number in range(6):
        root.attrs[f"layer_names{number}"] = np.array([b"head"])


def _soft_circle(root: h5py.File) -> None:
    root["soft"] = h5py.SoftLink("/soft")
    root.attrs["layer_names"] = [b"soft"]


def _linked_layer(link: Any) -> Any:
    def change(root: h5py.File) -> None:
        del root["head"]
        root["head"] = link

    return change


_NAMES = [b"head/kernel:0", b"head/bias:0"]
CHANGES = {
    "soft-link": _link(h5py.SoftLink("/head/head/kernel:0")),
    "soft-link-to-nothing": _link(h5py.SoftLink("/nothing")),
    "soft-link-of-a-layer": _linked_layer(h5py.SoftLink("/high_bn")),
    "soft-link-of-itself": _soft_circle,
    "external-link": _link(h5py.ExternalLink("/etc/passwd", "/bias")),
    "external-link-to-a-neighbour": _link(
        h5py.ExternalLink("missing.h5", "head/bias:0")
    ),
    "external-link-of-a-layer": _linked_layer(h5py.ExternalLink("other.h5", "/head")),
    "external-storage": _dataset(external=[("/etc/passwd", 0, 20)]),
    "virtual": _virtual,
    "shape-bomb": _dataset(shape=(2**40,), fillvalue=1.0),
    "shape-not-stored": _dataset(fillvalue=1.0),
    "shape-empty": _dataset(shape=(0,)),
    "chunks": _dataset(data=np.ones(10, "f2"), chunks=(5,)),
    "chunks-bomb": _dataset(shape=(2**40,), chunks=(2**20,)),
    "chunks-unlimited": _dataset(data=np.ones(10, "f2"), maxshape=(None,)),
    "gzip-bomb": _dataset(
        data=np.zeros(2_000_000, "f2"), shape=None, chunks=(2_000_000,), compression=9
    ),
    "filter-shuffle": _dataset(data=np.ones(10, "f2"), chunks=(10,), shuffle=True),
    "filter-lzf": _dataset(data=np.ones(10, "f2"), compression="lzf"),
    "filter-checksum": _dataset(data=np.ones(10, "f2"), fletcher32=True),
    "dtype-vlen": _dataset(dtype=h5py.vlen_dtype("f2")),
    "dtype-text": _dataset(dtype=h5py.string_dtype()),
    "dtype-fixed-text": _dataset(data=np.array([b"ab"] * 10), dtype="S2"),
    "dtype-reference": _dataset(dtype=h5py.ref_dtype),
    "dtype-region": _dataset(dtype=h5py.regionref_dtype),
    "dtype-compound": _dataset(data=np.zeros(10, "<f2,<f2"), dtype="<f2,<f2"),
    "dtype-array": _dataset(dtype="(3,)<f2"),
    "dtype-bool": _dataset(data=np.ones(10, bool), dtype=bool),
    "dtype-opaque": _dataset(data=np.zeros(10, "V2"), dtype="V2"),
    "dtype-big-endian": _dataset(data=np.ones(10, ">f2"), dtype=">f2"),
    "dtype-complex": _dataset(data=np.ones(10, "<c8"), dtype="<c8"),
    "dtype-unsigned": _dataset(data=np.ones(10, "<u2"), dtype="<u2"),
    "dtype-long-double": _dataset(data=np.ones(10, "g"), dtype="g"),
    "group-for-an-array": _replace(lambda group, name: group.create_group(name)),
    "type-for-an-array": _link(np.dtype("f2")),
    "circle-of-groups": _circle,
    "one-array-1000-times": _the_same_array_1000_times,
    "one-group-300-times": _many_groups_of_one_list,
    "layers-missing": _listed("/", "layer_names", None),
    "layers-empty": _listed("/", "layer_names", []),
    "layers-scalar": _listed("/", "layer_names", b"head"),
    "layers-numbers": _listed("/", "layer_names", np.arange(5)),
    "layers-references": _listed("/", "layer_names", np.zeros(5, "V16")),
    "layers-compound": _listed("/", "layer_names", np.zeros(5, "S4,<f2")),
    "layers-nothing": _listed("/", "layer_names", h5py.Empty("S4")),
    "layers-table": _listed("/", "layer_names", np.array([[b"head"], [b"low_bn"]])),
    "layers-twice": _listed("/", "layer_names", [b"head", b"head"]),
    "layers-twice-in-parts": _parts,
    "layers-that-are-not-there": _listed("/", "layer_names", [b"head", b"tail"]),
    "layers-up": _listed("/", "layer_names", [b"../head"]),
    "layers-here": _listed("/", "layer_names", [b"."]),
    "layers-root": _listed("/", "layer_names", [b"/head"]),
    "layers-without-name": _listed("/", "layer_names", [b"head", b""]),
    "layers-not-utf-8": _listed("/", "layer_names", [b"\xff\xfe"]),
    "layers-of-60000-letters": _listed("/", "layer_names", np.array([b"x" * 60_000])),
    "60000-layers": _listed("/", "layer_names", np.array([b"x"] * 60_000)),
    "15000-layers": _listed(
        "/", "layer_names", np.array([b"%04x" % n for n in range(15_000)])
    ),
    "weights-missing": _listed("head", "weight_names", None),
    "weights-numbers": _listed("head", "weight_names", np.ones(3)),
    "weights-twice": _listed("head", "weight_names", [*_NAMES, b"head/bias:0"]),
    "weights-of-one-key": _listed("head", "weight_names", [*_NAMES, b"head/bias"]),
    "weights-that-are-not-there": _listed("head", "weight_names", [b"head/bia:0"]),
    "weights-of-another-layer": _listed("head", "weight_names", [b"../low_bn/beta:0"]),
    "weights-from-the-root": _listed("head", "weight_names", [b"/low_bn/beta:0"]),
    "weights-under-an-array": _listed("head", "weight_names", [b"head/bias:0/x"]),
    "weights-a-layer": _listed("head", "weight_names", [b"head"]),
}


# --- run folders ----------------------------------------------------------------------


def run_folders() -> Iterator[Case]:
    """Cards of run folders whose weight file is a good one."""

    def case(name: str, content: bytes) -> Case:
        return Case(f"{name}.toml", content)

    data = save(good())
    card = run_card(Case("w.safetensors", data))

    def changed(name: str, value: Any, *path: Any) -> Case:
        other = copy.deepcopy(card)
        table: Any = other
        for key in path[:-1]:
            table = table[key]
        table[path[-1]] = value
        return case(name, tomli_w.dumps(other).encode())

    table = ("weights", "run")
    for name, file in {
        "up": "../w.safetensors",
        "absolute": "/etc/passwd",
        "folder": "sub/w.safetensors",
        "parent": "..",
        "none": "",
        "zero": "w\0.safetensors",
        "itself": ".",
        "long": "w" * 5_000,
    }.items():
        yield changed(f"file-{name}", file, *table, "file")
        said = {"file": file, "bytes": 5, "sha256": "0" * 64}
        yield changed(f"litert-{name}", said, *table, "litert")
    for name, builder in {
        "os": "os:system",
        "subprocess": "subprocess:run",
        "store": "iqa_zoo.store:add",
        "private": "iqa_zoo.models.nima:__loader__",
        "imported": "iqa_zoo.models.nima:keras",
        "dotted": "iqa_zoo.models.nima:keras.saving.load_model",
        "path": "iqa_zoo.models.../evil:run",
        "empty": "",
    }.items():
        yield changed(f"builder-{name}", builder, "builder")
    yield changed("unknown-key", "x", "run_this")
    yield changed("unknown-key-of-weights", "x", *table, "run_this")
    yield changed("unknown-kind", "remote", *table, "kind")
    external = {
        "kind": "external",
        "file": "w.safetensors",
        "url": "https://example.org/w.safetensors",
        "bytes": len(data),
        "sha256": sha256(data),
        "converter": "iqa_zoo.models.nima:as_published",
        **dict.fromkeys(("licence", "where", "data", "terms"), "none"),
    }
    yield changed("external", external, *table)
    yield changed("unknown-argument", {"run_this": "x"}, *table, "arguments")
    yield changed("bins-of-a-billion", {"bins": 10**9}, *table, "arguments")
    yield changed("bins-of-a-billion-for-all", {"bins": 10**9}, "arguments")
    yield changed("bins-negative", {"bins": -1}, *table, "arguments")
    yield changed("bins-text", {"bins": "10"}, *table, "arguments")
    yield changed("arguments-deep", {"bins": {"a": [[[1]]]}}, *table, "arguments")
    yield changed("bytes-negative", -1, *table, "bytes")
    yield changed("bytes-text", "1", *table, "bytes")
    yield changed("bytes-true", True, *table, "bytes")
    yield changed("bytes-nan", float("nan"), *table, "bytes")
    yield changed("size-nan", [float("nan"), 32], "input", "size")
    yield changed("size-of-a-million", [10**6, 10**6], "input", "size")
    yield changed("scale-infinite", [1, float("inf")], "output", "scale")
    yield changed("weights-a-list", [], "weights")
    yield changed("weights-empty", {}, "weights", "run")
    yield changed("default-missing", "no", "default_weights")
    good_card = tomli_w.dumps(card).encode()
    for name, text in {
        "empty": b"",
        "not-utf-8": b"\xff\xfe" + good_card,
        "not-toml": PICKLE,
        "duplicate-key": good_card + b'\ntitle = "again"\ntitle = "again"\n',
        "number-of-5000-digits": b"parameters = " + b"9" * 5_000,
        "deep-lists": b"a = " + b"[" * 50_000,
        "deep-tables": b"a = " + b"{a = " * 20_000,
        "deep-keys": b"[" + b"a." * 20_000 + b"a]",
        "many-keys": b"".join(b"k%d = 1\n" % n for n in range(20_000)),
        "null-bytes": bytes(5_000),
        "of-10-mb": good_card + b"#" * 10_000_000,
    }.items():
        yield case(f"card-{name}", text)


# --- loading --------------------------------------------------------------------------


@cache
def cases() -> tuple[Case, ...]:
    """All cases."""
    return (*safetensors(), *npzs(), *hdf5s(), *run_folders())


def good_files() -> list[Case]:
    """Files of each layout that load, against which the cases are to be seen."""
    return [
        Case("good.safetensors", save(good())),
        Case("good.npz", npz(**good())),
        Case("good-compressed.npz", npz(compressed=True, **good())),
        Case("good.h5", keras_h5(good())),
        Case(
            "good.toml",
            tomli_w.dumps(run_card(Case("w.safetensors", save(good())))).encode(),
        ),
    ]


def run_card(case: Case) -> dict[str, Any]:
    """A run folder's card for a case."""
    table = {
        "kind": "local",
        "file": case.name,
        "bytes": len(case.content),
        "sha256": sha256(case.content),
        "dtype": "float16",
        "arrays": 12,
        **dict.fromkeys(("licence", "data", "terms", "start", "command"), "none"),
        "seed": 0,
        "trained_on": 0,
    }
    return small.card() | {
        "default_weights": "run",
        "weights": {"run": table | case.said},
    }


@contextlib.contextmanager
def store_of_its_own() -> Iterator[Path]:
    """The small network among the packaged ones, built once, and an empty store."""
    from iqa_zoo.models import nima

    built = small.small()

    def once(*, bins=10, dropout=0.5, size=None):
        return built if bins == 10 else small.small(bins=bins)

    with (
        small.packaged(),
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory() as folder,
    ):
        patch.setattr(nima, "small", once)
        patch.setattr(nima, "as_published", lambda arrays: dict(arrays), raising=False)
        patch.setenv(store.HOME_VARIABLE, folder)
        patch.setenv(store.OFFLINE_VARIABLE, "1")
        (Path(folder) / "weights").mkdir()
        yield Path(folder)


def prepare(case: Case, home: Path) -> tuple[str, int]:
    """Put a case where it is read; gives the model's name and the card's bytes."""
    suffix = case.name.rpartition(".")[2]
    if suffix in ("npz", "h5"):
        (home / "weights" / case.name).write_bytes(case.content)
        table = {
            "kind": "external",
            "file": case.name,
            "bytes": len(case.content),
            "sha256": sha256(case.content),
            "converter": "iqa_zoo.models.nima:as_published",
            **dict.fromkeys(("licence", "where", "data", "terms"), "none"),
            **case.said,
        }
        cards.all_cards()[small.NAME]["weights"] = {"hostile": table}
        return f"{small.NAME}.hostile", table["bytes"]
    folder = home / case.name
    folder.mkdir(exist_ok=True)
    if suffix == "toml":
        (folder / "card.toml").write_bytes(case.content)
        (folder / "w.safetensors").write_bytes(save(good()))
        return os.fspath(folder), len(case.content)
    (folder / case.name).write_bytes(case.content)
    card = run_card(case)
    (folder / "card.toml").write_text(tomli_w.dumps(card))
    return os.fspath(folder), card["weights"]["run"]["bytes"]


def outcome(case: Case, home: Path) -> tuple[str, str, int]:
    """What became of a case, the message, and the bytes allocated beyond the allowed.

    What Python and numpy allocate is counted. The one C library that reads these files,
    that of safetensors, does not show there: `run` looks at the whole process.
    """
    name, size = prepare(case, home)
    tracemalloc.start()
    try:
        found, message = _load(name)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return found, message, peak - TIMES * size - ROOM


def _load(name: str) -> tuple[str, str]:
    try:
        registry.load_model(name)
    except IqaError as error:
        return type(error).__name__, str(error)
    except Exception as error:
        return f"uncaught {type(error).__name__}", str(error)
    return "loaded", ""


class Summary(NamedTuple):
    """What a run gave.

    Attributes:
        outcomes: of each case, by its name: "loaded", the error's class, or "uncaught"
            and that.
        seconds: the most that one case took.
        allocated: the most bytes that one case allocated beside those that its card
            allows; fewer than none where it took less than `TIMES` its bytes.
        growth: bytes of memory that the process had more than before, at most.
        peak: the most bytes of memory that it had.
        problems: everything that is not as it must be.
    """

    outcomes: dict[str, str]
    seconds: float
    allocated: int
    growth: int
    peak: int
    problems: list[str]


def run() -> Summary:
    """Load every case, under a limit on memory, and count.

    Raises:
        RuntimeError: the process ended before its time.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile.weights", "--json"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        timeout=900,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"ended with {done.returncode}: {done.stderr[-2000:]!r}")
    return Summary(*json.loads(done.stdout.splitlines()[-1]))


def _run() -> Summary:
    from tests.hostile.images import _forget_peak, _memory

    outcomes, problems = {}, []
    slowest, most = 0.0, -TIMES * 10**9
    found = cases()
    with store_of_its_own() as home:
        for case in good_files():  # so that no case pays for loading a library
            result, message, _ = outcome(case, home)
            if result != "loaded":
                problems.append(f"{case.name}: {result} {message}")
        for case in found:
            prepare(case, home)
        limit = _memory("VmSize") + SPACE
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        _forget_peak()
        before = _memory("VmRSS")
        for case in found:
            name, _ = prepare(case, home)
            start = time.process_time()
            outcomes[case.name], message = _load(name)
            seconds = time.process_time() - start
            slowest = max(slowest, seconds)
            if outcomes[case.name] not in REFUSED:
                problems.append(f"{case.name}: {outcomes[case.name]} {message}")
            if seconds > SECONDS:
                problems.append(f"{case.name}: {seconds:.2f} s")
        growth, peak = _memory("VmHWM") - before, _memory("VmHWM")
        for case in found:
            excess = outcome(case, home)[2]
            most = max(most, excess + ROOM)
            if excess > 0:
                problems.append(f"{case.name}: {excess:,} bytes more than allowed")
    if growth > GROWTH:
        problems.append(f"the process grew by {growth / 1e6:.0f} MB")
    return Summary(outcomes, slowest, most, growth, peak, problems)


if __name__ == "__main__":
    print(json.dumps(_run()))
