"""Scoring on a cluster: the same rows, each once, whatever dies on the way."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

import iqa_zoo
from iqa_zoo import files, registry
from iqa_zoo.cli import main
from iqa_zoo.errors import OutputError, UsageError
from iqa_zoo.files import sha256
from iqa_zoo.ray import _actors, score
from iqa_zoo.ray import cluster as clusters
from iqa_zoo.ray.names import find
from iqa_zoo.ray.parts import Parts, schema, to_table
from iqa_zoo.results import FIELDS, LISTS, ImageScore
from tests.conftest import ROOT
from tests.helpers import tiny

pytest.importorskip("ray")
fsspec = pytest.importorskip("fsspec")
pq = pytest.importorskip("pyarrow.parquet")
killing = pytest.importorskip("tests.helpers.killing")
LocalFileSystem = fsspec.get_filesystem_class("file")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return str(tiny.make_run(tmp_path_factory.mktemp("models") / "run"))


@pytest.fixture(scope="module")
def cluster():
    """Two processors of this machine, for all runs in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))  # the workers import `killing`
        with clusters.connected("local") as ray:
            yield ray


@pytest.fixture
def photos(tmp_path):
    """A folder of 20 photos, and some that cannot be scored."""
    folder = tiny.make_photos(tmp_path / "photos", 20)
    whole = (folder / "0019.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.png").touch()
    (folder / "read.me").write_text("no image")
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.jpg")).write_bytes(whole)
    return folder


def read(out, filesystem=None):
    """The results in a folder, by path; fails where an image has two."""
    rows = pq.read_table(str(out), filesystem=filesystem).to_pylist()
    for row in rows:
        row |= {name: row[name] and tuple(row[name]) for name in LISTS}
    assert len({(row["path"], row["model"]) for row in rows}) == len(rows)
    return {row["path"]: ImageScore(**row) for row in rows}


def expected(images, model):
    """What one machine says, by path; bytes that are no UTF-8 as rows have them."""
    found = {}
    for one in iqa_zoo.score(images, model):
        (row,) = to_table([one]).to_pylist()
        row |= {name: row[name] and tuple(row[name]) for name in LISTS}
        found[row["path"]] = ImageScore(**row)
    return found


def command(*args):
    """The result of a command line, with an error that is none of ours raised."""
    result = CliRunner().invoke(main, ["score", *map(str, args)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


# --- runs on a cluster ----------------------------------------------------------------


def test_rows_are_those_of_one_machine(cluster, run, photos, tmp_path, monkeypatch):
    out = tmp_path / "scores"
    monkeypatch.chdir(tmp_path)
    images = ["photos", "photos/0003.jpg", "missing.jpg"]
    told = []
    report = score(
        images, out, run, progress=lambda now: told.append((now.images, now.total))
    )
    wanted = expected(images, run)
    assert read(out) == wanted
    assert "photos/caf\\udce9.jpg" in wanted
    assert report.rows == report.images == report.total == len(wanted) == 24
    codes = {"empty": 1, "not_found": 1, "truncated": 1}
    assert report.failed == codes
    assert told[-1] == (24, 24)
    assert report.startup > 0 < report.seconds
    (part,) = out.glob("part-*")
    found = pq.read_schema(part)
    assert found.equals(schema({}).remove_metadata())
    assert found.names == list(FIELDS)

    # The same again, with a photo more.
    (tmp_path / "photos" / "more.jpg").write_bytes(
        (photos / "0005.jpg").read_bytes() + b"\0"
    )
    result = command("--ray", *images, "-o", out, "-m", run, "--actors", 1)
    assert result.exit_code == 1
    begun, summary = result.stderr.splitlines()
    assert begun.startswith("iqa-zoo: start-up ")
    assert re.fullmatch(
        r"iqa-zoo: 22 scored, 3 failed \((1 \w+(, )?){3}\), 24 of them earlier, "
        r"1 other file left out, [\d.]+ images/s",
        summary,
    )
    assert result.stdout == ""
    assert read(out) == expected(images, run)
    assert len(list(out.glob("part-*"))) == 2

    # Nothing is left to do, so no cluster is needed.
    monkeypatch.setattr(clusters, "_import_ray", pytest.fail)
    report = score(images, out, run)
    assert (report.total, report.images, report.earlier, report.rows) == (0, 0, 25, 25)
    assert report.failed == codes


def test_bytes_of_a_data_set(cluster, run, photos):
    items = [
        {"path": f"{path.name}", "bytes": path.read_bytes()}
        for path in sorted(photos.glob("[0e]*"))
    ]
    out = "memory://scores"
    done, rest = items[:5], [*items, items[7]]
    report = score(cluster.data.from_items(done), out, run, actors=1)
    assert (report.total, report.images, report.rows) == (None, 5, 5)
    report = score(cluster.data.from_items(rest), out, run, actors=1)
    assert (report.images, report.earlier, report.rows) == (16, 5, 21)
    assert report.repeated == 1
    wanted = {
        Path(path).name: one for path, one in expected(photos, run).items() if one.value
    }
    found = read("/scores", fsspec.filesystem("memory"))
    assert found.pop("empty.png").error == "empty"
    assert {name: one.value for name, one in found.items()} == {
        name: wanted[name].value for name in found
    }
    assert not fsspec.filesystem("memory").glob("/scores/.*")
    with pytest.raises(UsageError, match=r"columns \['path'\]; it needs path and byt"):
        score(cluster.data.from_items([{"path": "a.jpg"}]), out, run, actors=1)


def test_photos_in_an_archive(cluster, run, photos, tmp_path):
    archive = tmp_path / "photos.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in photos.glob("0*"):
            file.write(path, f"in/{path.name}")
    out = tmp_path / "scores"
    images = [f"zip://in::file://{archive}", f"zip://not.jpg::file://{archive}"]
    report = score(images, out, run, actors=1)
    assert report.failed == {"not_found": 1}
    found = {path: one.value for path, one in read(out).items() if one.value}
    assert found == {
        f"zip://in/{Path(path).name}::file://{archive}": one.value
        for path, one in expected(photos.glob("0*"), run).items()
    }


@pytest.mark.crash
def test_a_worker_is_killed(cluster, run, tmp_path):
    photos = tiny.make_photos(tmp_path / "photos", 400)
    out = tmp_path / "scores"
    kill = killing.Killing(str(tmp_path), once=["0100.jpg", "0250.jpg"])
    report = score(str(photos), out, run, filesystem=kill)
    assert {path.name for path in tmp_path.glob("*.jpg")} == {"0100.jpg", "0250.jpg"}
    assert read(out) == expected(photos, run)
    assert (report.images, report.rows, report.repeated) == (400, 400, 0)


@pytest.mark.slow
@pytest.mark.crash
def test_a_photo_that_ends_every_worker(cluster, run, tmp_path):
    photos = tiny.make_photos(tmp_path / "photos", 40)
    out = tmp_path / "scores"
    kill = killing.Killing(str(tmp_path), always=["0017.jpg"])
    report = score(str(photos), out, run, filesystem=kill)
    assert report.failed == {"crashed": 1}
    found, wanted = read(out), expected(photos, run)
    bad = str(photos / "0017.jpg")
    assert found.pop(bad).message.startswith(f"{bad}: the process that scored it ended")
    del wanted[bad]
    assert found == wanted


@pytest.mark.slow
@pytest.mark.crash
def test_the_command_is_killed(run, tmp_path):
    photos = tiny.make_photos(tmp_path / "photos", 300)
    out = tmp_path / "scores"
    words = ["score", "--ray", str(photos), "-o", str(out), "-m", run]
    program = (
        "import iqa_zoo.ray.parts as parts; parts.SECONDS = 0;"
        f"from iqa_zoo.cli import main; main({words})"
    )
    process = subprocess.Popen([sys.executable, "-c", program])
    while not list(out.glob("part-*")):
        assert process.poll() is None
    process.kill()
    process.wait()
    assert 0 < len(read(out)) < 300
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == 0
    assert read(out) == expected(photos, run)


# --- without one ----------------------------------------------------------------------


def test_names_on_a_file_system(tmp_path):
    for name in ("a.jpg", "b.txt", ".c.jpg", "d/e.PNG", ".f/g.jpg", "d/h/i.webp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    def names(source):
        found = find(source, LocalFileSystem()).names.values()
        return sorted(os.path.relpath(name, tmp_path) for name in found)

    assert names(str(tmp_path)) == ["a.jpg", "d/e.PNG", "d/h/i.webp"]
    assert names(str(tmp_path)) == sorted(
        os.path.relpath(name, tmp_path) for name in find(tmp_path).names.values()
    )
    assert names([f"{tmp_path}/*.jpg", f"{tmp_path}/a.jpg"]) == ["a.jpg"]
    assert names(f"{tmp_path}/*.nothing") == ["*.nothing"]
    assert names(f"{tmp_path}/d") == names(f"{tmp_path}/?") == ["d/e.PNG", "d/h/i.webp"]
    uri = f"file://{tmp_path}/d"
    assert list(find(uri).names.values()) == [f"{uri}/e.PNG", f"{uri}/h/i.webp"]


def test_pyarrows_file_systems(tmp_path):
    from pyarrow.fs import LocalFileSystem as Local
    from pyarrow.fs import SubTreeFileSystem

    tiny.make_photos(tmp_path / "photos", 2)
    found = find("photos", SubTreeFileSystem(str(tmp_path), Local()))
    assert list(found.names) == ["photos/0000.jpg", "photos/0001.jpg"]
    with found.filesystem.open("photos/0001.jpg", "rb") as file:
        assert file.read() == (tmp_path / "photos/0001.jpg").read_bytes()


def test_images_that_cannot_be_meant(tmp_path):
    with pytest.raises(UsageError, match="another file system"):
        find([str(tmp_path), "memory://photos"])
    with pytest.raises(UsageError, match="no file name"):
        find([3])
    with pytest.raises(UsageError, match="no file system"):
        find("a.jpg", "s3")
    with pytest.raises(UsageError, match="nowhere://a"):
        find("nowhere://a.jpg")


def test_arguments_that_cannot_be_meant(run, tmp_path):
    for wrong in ({"actors": 0}, {"threads": 0}, {"gpus": -1}):
        with pytest.raises(UsageError, match="there must be"):
            score([], tmp_path, run, **wrong)
    with pytest.raises(UsageError, match="engine"):
        score([], tmp_path, run, engine="litert2")


@pytest.mark.parametrize(
    "room, threads, gpus, spare, count",
    [
        ({"CPU": 8}, 1, 0, 0, 8),
        ({"CPU": 8}, 3, 0, 0, 2),
        ({"CPU": 8}, 1, 0, 1, 7),
        ({"CPU": 1}, 1, 0, 1, 1),
        ({"CPU": 16, "GPU": 2}, 4, 1, 0, 2),
        ({"CPU": 16, "GPU": 2}, 1, 0.25, 0, 8),
    ],
)
def test_actors_that_a_cluster_has_room_for(room, threads, gpus, spare, count):
    class Cluster:
        cluster_resources = staticmethod(lambda: room)

    assert _actors(Cluster, threads, gpus, spare) == count
    room["GPU"] = 0
    with pytest.raises(UsageError, match="and 0 GPUs; an actor needs 1 and 1"):
        _actors(Cluster, 1, 1)


def test_other_weights_are_refused(run, tmp_path):
    out = tmp_path / "scores"
    weights = {run: sha256(registry.resolve(run).content())}
    with Parts(out, weights) as parts:
        parts.add(to_table([ImageScore("a.jpg", run, error="empty", message="-")]))
    assert score([], out, run).earlier == 1
    with pytest.raises(UsageError, match=r"holds scores of .*run, not of brisque"):
        score([], out, "brisque")
    with (
        pytest.raises(UsageError, match="holds scores of other weights of"),
        Parts(out, {run: "0"}) as parts,
    ):
        list(parts.earlier())


def test_folders_that_hold_something_else(run, tmp_path):
    (tmp_path / "scores.csv").touch()
    with pytest.raises(UsageError, match=r"holds scores.csv, which"):
        score([], tmp_path, run)
    with pytest.raises(UsageError, match="is a file"):
        score([], tmp_path / "scores.csv", run)
    (tmp_path / "scores.csv").rename(tmp_path / "part-x.parquet")
    with pytest.raises(UsageError, match=r"holds part-x.parquet, which"):
        score([], tmp_path, run)


def test_two_writers(run, tmp_path):
    with Parts(tmp_path, {}), pytest.raises(OutputError, match="another process"):
        score([], tmp_path, run)


def test_a_file_is_whole_or_not_there(run, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    row = to_table([ImageScore("a.jpg", run, value=1.0)])
    with (
        pytest.raises(OutputError, match="No space left"),
        Parts(tmp_path, {}) as parts,
    ):
        parts.add(row)
        monkeypatch.setattr(files.os, "fsync", full)
    monkeypatch.undo()
    assert os.listdir(tmp_path) == [".lock"]
    with Parts(tmp_path, {}) as parts:
        parts.add(row)
        parts.flush()
        assert read(tmp_path)["a.jpg"].value == 1
        parts.flush()
    assert len(list(tmp_path.glob("part-*"))) == 1


def test_numbers_keep_their_digits():
    third, infinite = 1 / 3, float("inf")
    one = ImageScore(
        "a.jpg",
        "m",
        value=infinite,
        std=third,
        distribution=(third, 1 - third),
        interval=(third, infinite),
    )
    (row,) = to_table([one]).to_pylist()
    assert (row["value"], row["std"]) == (infinite, third)
    assert row["distribution"] == [third, 1 - third]
    assert row["interval"] == [third, infinite]


@pytest.mark.parametrize("missing", ["ray", "pyarrow"])
def test_a_library_is_missing(run, tmp_path, monkeypatch, missing):
    there = clusters.importlib.util.find_spec
    monkeypatch.setattr(
        clusters.importlib.util,
        "find_spec",
        lambda name: None if name == missing else there(name),
    )
    result = command("--ray", tmp_path, "-o", tmp_path / "out", "-m", run)
    assert result.exit_code == 3
    assert f"error: {missing} is not installed" in result.stderr
    assert "pip install 'iqa_zoo[ray]'" in result.stderr


@pytest.mark.parametrize(
    "words, said",
    [
        (["--ray"], "Missing argument"),
        (["--ray", "a.jpg"], "--ray needs --out DIR"),
        (["--ray", "a.jpg", "-o", "a.csv"], "a.csv would be a folder"),
        (["--ray", "127.0.0.1:6379", "a.jpg"], "--ray needs --out DIR"),
        (["--ray=here", "a.jpg", "-o", "out"], "here is no address"),
        (["a.jpg", "--actors", "2"], "--actors needs --ray"),
        (["a.jpg", "--gpus", "1"], "--gpus needs --ray"),
        (["--ray", "a.jpg", "-o", "out", "--best", "3"], "--best does not go"),
        (["--ray", "a.jpg", "-o", "out", "--overwrite"], "--overwrite does not go"),
        (["--ray", "a.jpg", "-o", "out", "--format", "csv"], "--format does not go"),
        (["a.jpg", "-o", "out", "--ray", "--copy-best", "1", "x"], "--copy-best does"),
    ],
)
def test_options_that_do_not_go_together(words, said):
    result = command(*words)
    assert result.exit_code == 2
    assert said in result.stderr


def test_one_machine_needs_no_ray(run, tmp_path):
    photos = tiny.make_photos(tmp_path / "photos", 2)
    program = (
        "import sys, atexit; from iqa_zoo.cli import main;"
        "atexit.register(lambda: print({'ray', 'pyarrow'} & set(sys.modules)));"
        f"main(['score', {str(photos)!r}, '-m', {run!r}, '--format', 'jsonl'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "set()"
