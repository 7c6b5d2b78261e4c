"""Every writer of the package, and the sweep that lets each of its calls fail once."""

import contextlib
import errno
import functools
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from iqa_zoo import scoring, store
from iqa_zoo.cli import main
from iqa_zoo.cli.rows import HEADS, ROWS
from iqa_zoo.data.manifest import Labels
from iqa_zoo.errors import OutputError
from iqa_zoo.files import sha256, write_bytes
from iqa_zoo.results import ImageScore
from iqa_zoo.training import checkpoints, train, trunk
from iqa_zoo.training import folder as run_folder
from tests.crash.faults import FULL, failing
from tests.helpers import small

Files = dict[str, bytes]

OLD, NEW = b"old", b"new " * 5000
PHOTOS = [f'{number}\n, "é".jpg' for number in range(5)]  # names are only copied


class Writer(NamedTuple):
    """Something that writes files into a folder.

    Attributes:
        prepare: makes what is in the folder before.
        write: writes, or raises OutputError.
        again: writes once more, without faults; None where it may not.
        kept: whether what was there before is kept, where writing failed; given the
            files before, those after and those that an unbroken run gives, and whether
            every call after the failing one failed too.
        sized: whether the writer knows how many bytes it needs.
    """

    prepare: Callable[[Path], object]
    write: Callable[[Path], object]
    again: Callable[[Path], object] | None
    kept: Callable[[Files, Files, Files, bool], bool]
    sized: bool = True


def files_of(folder: Path) -> Files:
    """Content of the files in a folder, by their names in it."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def sweep(writer: Writer, folder: Path, number: int, *, forever: bool = False) -> int:
    """Let the n-th call fail, for n = 1, 2, 3 and so on until none is left.

    Args:
        writer: what is tried.
        folder: new; each n gets a folder in it.
        number: the error, of `errno`.
        forever: whether all further calls fail as well.

    Returns:
        How many calls were made to fail.
    """
    whole = folder / "whole"
    whole.mkdir(parents=True)
    writer.prepare(whole)
    writer.write(whole)
    wanted = files_of(whole)
    for n in range(1, 500):
        place = folder / str(n)
        place.mkdir()
        writer.prepare(place)
        before = files_of(place)
        error = None
        with failing(place, n, number, forever=forever) as calls:
            try:
                writer.write(place)
            except OutputError as caught:
                error = caught
        failed = next((call for call in calls if call.failed), None)
        if failed is None:
            assert error is None and n > 1
            assert files_of(place) == wanted
            return n - 1
        _check(writer, place, before, wanted, error, failed, number, forever)
        if writer.again:
            writer.again(place)
            assert _finals(files_of(place)) == wanted, (n, failed)
    raise AssertionError("it never succeeded")


def _check(writer, place, before, wanted, error, failed, number, forever) -> None:
    found = files_of(place)
    after = _finals(found)
    where = f"{failed} {errno.errorcode[number]}"
    if not (forever or failed.name in ("unlink", "rmdir")):
        assert not any(name.endswith(".part") for name in found), where
    if error is None:  # it can do without the call that failed
        assert after == wanted or writer.kept(before, after, wanted, forever), where
        return
    assert writer.kept(before, after, wanted, forever), where
    assert str(place) in str(error), where
    assert os.strerror(number) in str(error), where
    empty = failed.path.endswith("lock")
    named = failed.name in ("open", "write", "fsync") and not empty
    if writer.sized and number in FULL and named:
        assert " bytes" in str(error), where


def _finals(files: Files) -> Files:
    """Those under final names."""
    return {
        name: data
        for name, data in files.items()
        if not (name.endswith(".part") or "unfinished" in name)
    }


def untouched(before: Files, after: Files, wanted: Files, forever: bool) -> bool:
    """All is as it was."""
    return after == before


# --- single files ---------------------------------------------------------------------


def _home(function: Callable[[Path], object]) -> Callable[[Path], object]:
    """`function`, with the folder as the store."""

    def call(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(store.HOME_VARIABLE, str(folder / "store"))
            function(folder)

    return call


def _cached(folder: Path) -> None:
    assert store.cached("key.bin", lambda: NEW) == NEW


def _published(hashed: bool) -> tuple[dict[str, object], bytes]:
    """A card's table of a published file, with or without a hash, and the file."""
    file = io.BytesIO()
    np.savez(file, **{"00/kernel": np.ones(3)})
    data = file.getvalue()
    said = {"hash": {"sha256": sha256(data)}, "none": {"unhashed": True}}
    table = {
        "file": "a.npz",
        "bytes": len(data),
        "licence": "none",
        "url": "nowhere",
        **said["hash" if hashed else "none"],
    }
    return table, data


def _storing(hashed: bool, *, fetched: bool) -> Writer:
    """A published file, added or fetched, over another that has its name."""
    table, data = _published(hashed)

    def write(folder: Path) -> None:
        source = folder.parent / "as-published.npz"
        source.write_bytes(data)
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv(store.OFFLINE_VARIABLE, raising=False)
            patch.setattr(store, "published_set", lambda _: table)
            patch.setattr("iqa_zoo.download.download", lambda *_, **__: data)
            if fetched:
                store.fetch(table, "a")
            else:
                store.add("a", source)

    def prepare(folder: Path) -> None:
        place = folder / "store" / "weights"
        place.mkdir(parents=True)
        (place / "a.npz").write_bytes(OLD)

    def kept(before: Files, after: Files, wanted: Files, forever: bool) -> bool:
        # Where there are two files, the first alone is not trusted.
        return after == before or (not hashed and after.items() < wanted.items())

    return Writer(prepare, _home(write), _home(write), kept)


@functools.cache
def _picture(number: int = 0) -> Path:
    path = Path(os.environ[store.HOME_VARIABLE]) / f"picture-{number}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 30), (9, 99, 199 + number)).save(path)
    return path


RULE = {"size": [8, 8], "fit": "stretch", "shrink": "area", "enlarge": "corner"}


def _inputs(folder: Path) -> None:
    with small.eagerly():
        found = trunk.cached_inputs(
            None, [_picture()] * 9, RULE, folder / "cache", mirror=False
        )
    assert found.shape == (9, 1, 8, 8, 3)


def _copied(folder: Path) -> None:
    with _scores([str(_picture())] * 3):
        _iqa_zoo(folder, "--copy-best", "3", folder / "best")


# --- rows -----------------------------------------------------------------------------


def scores(names: list[str], value: float = 5.5) -> list[ImageScore]:
    """Made up scores of these images."""
    rest = (0.25, 0.75), (1.0, 10.0), "higher_is_better"
    return [ImageScore(name, "piqe", value, 1.5, *rest) for name in names]


class _Stub:
    """Scores at once whatever it is given."""

    models = ("piqe",)
    weights = ({},)

    def __init__(self, *_, **__) -> None:
        pass

    def score(self, names, *, live) -> Iterator[ImageScore]:
        yield from scores(list(names))


@contextlib.contextmanager
def _scores(names: list[str]) -> Iterator[None]:
    """`iqa-zoo score` finds these images, and has scores for them."""

    class Found(list):
        left_out = 0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring, "Scorer", _Stub)
        patch.setattr("iqa_zoo.images.find_images", lambda _: Found(names))
        yield


def _iqa_zoo(folder: Path, *options: object) -> None:
    command = ["score", folder / "photos", *options]
    result = CliRunner().invoke(main, list(map(str, command)))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    if result.exit_code == 3:
        raise OutputError(result.stderr)
    assert result.exit_code == 0, result.stderr


def rows(
    form: str,
    option: str | None,
    name: str = "scores",
    photos: list[str] = PHOTOS,
) -> Writer:
    """Rows into a new file, onto one that was torn, or instead of those of another."""
    lines = [HEADS[form], *map(ROWS[form], scores(photos))]
    # A new file may lack its head still; one that replaces another has it at once.
    prefixes = [b"".join(lines[:count]) for count in range(1, len(lines) + 1)]
    there = {
        None: None,
        "--resume": prefixes[3] + lines[4][:20],
        "--overwrite": prefixes[-1].replace(b"5.5", b"4.5"),
    }[option]

    def prepare(folder: Path) -> None:
        if there is not None:
            (folder / f"{name}.{form}").write_bytes(there)

    def run(folder: Path, option: str | None) -> None:
        with _scores(photos):
            options = filter(None, [option])
            _iqa_zoo(folder, "-o", folder / f"{name}.{form}", *options)

    def kept(before: Files, after: Files, wanted: Files, forever: bool) -> bool:
        if after == before:
            return True
        (new,) = after.values()
        least = {"--resume": prefixes[3], "--overwrite": prefixes[0]}.get(option, b"")
        # What was torn stays where it cannot be cut off.
        whole = new in (b"", *prefixes) or (forever and prefixes[-1].startswith(new))
        return whole and new.startswith(least)

    again = "--overwrite" if option == "--overwrite" else "--resume"
    return Writer(
        prepare,
        lambda folder: run(folder, option),
        lambda folder: run(folder, again),
        kept,
        sized=False,
    )


# --- a run's folder -------------------------------------------------------------------


class _Network:
    """What a training asks of a network that it does not train."""

    output_shape = (None, 10)
    variables = tuple(
        SimpleNamespace(
            path=path, numpy=lambda array=array: array, assign=lambda array: None
        )
        for path, array in (
            ("head/kernel", np.ones((30, 10), "float32")),
            ("head/bias", np.zeros(10, "float32")),
        )
    )

    def count_params(self) -> int:
        return 310


def _stage(run: Any, number: int, *_: object) -> Callable[..., np.ndarray]:
    """A stage without steps, which take long; it saves as one with steps does."""
    run.history = [{"stage": "none", "epoch": 1, "loss": 0.5}]
    run.done, run.streamed = 1, False
    loop = SimpleNamespace(arrays=lambda: {"steps": np.int64(1)}, losses=[0.0, 0])
    run.save(number, 1, loop)
    return lambda inputs, rows: np.full((len(rows), 10), 0.1)


def _plot(path: Path, *_: object, **__: object) -> None:
    write_bytes(path, OLD)


def train_in(folder: Path) -> None:
    """A training without steps, which goes on where another one was ended."""
    labels = Labels(
        names=tuple(f"{number}.png" for number in range(9)),
        paths=tuple(map(_picture, range(9))),
        mos=np.linspace(1, 9, 9),
        std=None,
        group=None,
        range=(1.0, 10.0),
        direction="higher_is_better",
        range_inferred=False,
    )
    with small.packaged() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "started", lambda *_: (_Network(), None))
        patch.setattr(train, "stage_inputs", lambda *_, **__: (None, False))
        patch.setattr(train._Run, "stage", _stage)
        patch.setattr(train, "_intervals", lambda *_: {})
        patch.setattr(run_folder, "scatter", _plot)
        patch.setattr(run_folder, "plot_history", _plot)
        train.train(labels, model=name, out=folder / "run", start="random")


def _train_again(folder: Path) -> None:
    """What is done after an error; a run that was finished without one is refused."""
    run = folder / "run"
    if (run / "unfinished").exists() or not (run / "card.toml").exists():
        train_in(folder)


def _checkpoint(folder: Path, number: int) -> None:
    arrays = {"network/head/kernel": np.full(500, number, "float32")}
    checkpoints.write(folder / "checkpoints", number, arrays, {"step": number})


def _two_checkpoints(folder: Path) -> None:
    for number in (1, 2):
        _checkpoint(folder, number)


def _one_to_go_on_from(
    before: Files, after: Files, wanted: Files, forever: bool
) -> bool:
    """The newest is as it was, and each one with a marker is whole."""

    def files(number: str, of: Files) -> set[tuple[str, bytes]]:
        return {(k, v) for k, v in of.items() if k.split(os.sep)[1] == number}

    marked = {k.split(os.sep)[1] for k in after if k.endswith(checkpoints.MARKER)}
    all_ = before | wanted
    return "000000002" in marked and all(
        files(number, all_) == files(number, after) for number in marked
    )


def _no_model(before: Files, after: Files, wanted: Files, forever: bool) -> bool:
    """What there is is whole, and no model that lacks something."""
    return "run/card.toml" not in after and after.items() <= wanted.items()


WRITERS = {
    "files.write_bytes": Writer(
        lambda folder: (folder / "out.bin").write_bytes(OLD),
        lambda folder: write_bytes(folder / "out.bin", NEW),
        lambda folder: write_bytes(folder / "out.bin", NEW),
        untouched,
    ),
    "store.cached": Writer(lambda _: None, _home(_cached), _home(_cached), untouched),
    "store.add": _storing(True, fetched=False),
    "store.add, without a hash": _storing(False, fetched=False),
    "store.fetch": _storing(True, fetched=True),
    "cache of a training": Writer(lambda _: None, _inputs, _inputs, untouched),
    "score --copy-best": Writer(
        lambda _: None,
        _copied,
        None,
        lambda before, after, wanted, forever: after.items() <= wanted.items(),
        sized=False,
    ),
    **{
        f"score -o FILE.{form} {option or ''}".strip(): rows(form, option)
        for form in ("csv", "jsonl")
        for option in (None, "--resume", "--overwrite")
    },
    "checkpoint of a training": Writer(
        _two_checkpoints,
        lambda folder: _checkpoint(folder, 3),
        lambda folder: _checkpoint(folder, 3),
        _one_to_go_on_from,
    ),
    "train --out": Writer(lambda _: None, train_in, _train_again, _no_model),
}
