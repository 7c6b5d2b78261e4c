"""What a bad input gets, row by row of the list in docs/ (see `IMAGE_CODES`)."""

import contextlib
import csv
import io
import json
import os
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from iqa_zoo import registry
from iqa_zoo.cli import main
from iqa_zoo.results import from_row
from tests.helpers import small, tiny

IQA_ZOO = (sys.executable, "-m", "iqa_zoo")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return str(tiny.make_run(tmp_path_factory.mktemp("models") / "run"))


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    return tiny.make_photos(tmp_path_factory.mktemp("photos"), 1) / "0000.jpg"


@pytest.fixture(scope="module")
def many(tmp_path_factory, photo):
    """A folder of 300 names of one photo."""
    folder = tmp_path_factory.mktemp("many")
    for number in range(300):
        os.link(photo, folder / f"{number:03}.jpg")
    return folder


def score(run, *arguments):
    """Exit status, rows and stderr of `iqa-zoo score`."""
    command = ["score", "-m", run, "--format", "jsonl", *map(str, arguments)]
    result = CliRunner().invoke(main, command, catch_exceptions=False)
    rows = [from_row(json.loads(line)) for line in result.stdout.splitlines()]
    return result.exit_code, rows, result.stderr


def code_of(run, path):
    """The code of the only row, which is what is wrong with the image at `path`."""
    status, (row,), _ = score(run, path)
    assert status == (1 if row.error else 0)
    assert (row.value is None) == bool(row.error)
    assert row.path == str(path)
    return row.error


# --- images ---------------------------------------------------------------------------


def test_missing_path(run, tmp_path):
    assert code_of(run, tmp_path / "no.jpg") == "not_found"


@pytest.mark.parametrize("content", [[], ["notes.txt", "scores.csv"]])
def test_empty_folder_or_one_without_images(run, tmp_path, content):
    for name in content:
        (tmp_path / name).write_text("x")
    status, rows, stderr = score(run, tmp_path)
    assert (status, rows) == (1, [])
    assert f"no images in {tmp_path}" in stderr


def test_other_suffixes_in_a_folder_are_left_out_and_counted(run, photo, tmp_path):
    shutil.copy(photo, tmp_path)
    for name in ("notes.txt", "scores.csv", "film.mp4"):
        (tmp_path / name).write_text("x")
    status, rows, stderr = score(run, tmp_path)
    assert (status, len(rows)) == (0, 1)
    assert "3 other files left out" in stderr


def test_zero_bytes(run, tmp_path):
    (tmp_path / "a.jpg").touch()
    assert code_of(run, tmp_path / "a.jpg") == "empty"


@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp", "gif", "webp", "tif"])
@pytest.mark.parametrize("share", [0.4, 0.9])
def test_truncated(run, photo, tmp_path, suffix, share):
    path = tmp_path / f"a.{suffix}"
    Image.open(photo).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    assert code_of(run, path) == "truncated"


def test_text_named_jpg(run, tmp_path):
    (tmp_path / "a.jpg").write_text("Dear diary, today I took a photo." * 9)
    assert code_of(run, tmp_path / "a.jpg") == "unknown_format"


def test_wrong_suffix(run, photo, tmp_path):
    for name in ("a.png", "b.TIFF", "c"):
        shutil.copy(photo, tmp_path / name)
        assert code_of(run, tmp_path / name) is None


def huge_png():
    """A PNG of a few bytes that claims 30,000 x 30,000 pixels."""

    def chunk(kind, data):
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(90_001) * 9)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", pixels), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_a_claim_of_900_megapixels(run, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(huge_png())
    program = (
        "import sys\n"
        "from iqa_zoo.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: print(open('/proc/self/status').read())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "score", path, "-m", run],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "too_many_pixels" in done.stdout
    assert done.returncode == 1
    (peak,) = re.findall(r"VmHWM:\s*(\d+) kB", done.stdout)
    assert int(peak) < 300_000  # the pixels would take 2,700,000


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3)])
def test_smaller_than_the_card_allows(run, tmp_path, size):
    Image.new("RGB", size).save(tmp_path / "a.png")
    assert code_of(run, tmp_path / "a.png") == "too_small"


def test_no_permission(run, photo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tmp_path.chmod(0o755)
    shutil.copytree(run, "run")
    shutil.copy(photo, "a.jpg")
    assert code_of("run", "a.jpg") is None  # and all is imported that root may import
    os.chmod("a.jpg", 0)
    with contextlib.ExitStack() as stack:
        if os.geteuid() == 0:  # who may read anything
            os.seteuid(65534)
            stack.callback(os.seteuid, 0)
        assert code_of("run", "a.jpg") == "unreadable"


def test_links_in_a_circle(run, tmp_path):
    (tmp_path / "a.jpg").symlink_to("b.jpg")
    (tmp_path / "b.jpg").symlink_to("a.jpg")
    assert code_of(run, tmp_path / "a.jpg") == "unreadable"
    status, rows, _ = score(run, tmp_path)
    assert (status, [row.error for row in rows]) == (1, ["unreadable"] * 2)


def test_a_folder_linked_into_itself(run, photo, tmp_path):
    shutil.copy(photo, tmp_path / "a.jpg")
    (tmp_path / "again").symlink_to(tmp_path)
    assert len(score(run, tmp_path)[1]) == 1


def test_a_directory_named_like_an_image(run, photo, tmp_path):
    folder = tmp_path / "x.jpg"
    folder.mkdir()
    shutil.copy(photo, folder / "a.jpg")
    for path in (tmp_path, folder):
        status, (row,), _ = score(run, path)
        assert (status, row.path) == (0, str(folder / "a.jpg"))


def test_a_pipe_is_not_waited_for(run, tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    assert code_of(run, tmp_path / "a.jpg") == "unreadable"


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("a.heic", b"\0\0\0\x18ftyphevc\0\0\0\0msf1hevc"),  # a film
        ("a.jp2", b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 "),
    ],
)
def test_formats_that_are_not_read(run, tmp_path, name, start):
    (tmp_path / name).write_bytes(start + bytes(99))
    assert code_of(run, tmp_path / name) == "refused_format"


ODD_NAMES = (
    b"a space.jpg",
    b" b.jpg",
    b"c\nd.jpg",
    b"e\r\nf\tg.jpg",
    b"\xff\xfe.jpg",
    "é漢.jpg".encode(),
    b'"quoted", and more.jpg',
    b"*.jpg",
    b"[h].jpg",
    b"-m.jpg",
    b"\x1b[31m.jpg",
    b"=1+1.jpg",
)


@pytest.fixture(scope="module")
def odd(tmp_path_factory, photo):
    folder = os.fsencode(tmp_path_factory.mktemp("odd"))
    for name in ODD_NAMES:
        os.link(photo, os.path.join(folder, name))
    return folder


def read_names(form, data):
    """The names in the rows, as the bytes that open the files."""
    if form == "jsonl":
        rows = map(json.loads, data.splitlines())
    else:
        text = data.decode("utf-8", "surrogateescape")
        rows = csv.DictReader(io.StringIO(text, newline=""))
    names = [os.fsencode(row["path"]) for row in rows]
    assert all(os.path.exists(name) for name in names)
    return sorted(names)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_odd_names_lead_back_to_their_files(run, odd, form, tmp_path):
    wanted = sorted(os.path.join(odd, name) for name in ODD_NAMES)
    out = tmp_path / f"scores.{form}"
    for inputs in ([odd], wanted):
        command = [*IQA_ZOO, "score", "-m", run, "--format", form, "--", *inputs]
        done = subprocess.run(command, capture_output=True, check=True)
        assert read_names(form, done.stdout) == wanted
    again = [*IQA_ZOO, "score", "-m", run, "-o", out, "--resume", "-0", "-"]
    for given in (wanted[:7], wanted):
        subprocess.run(again, input=b"\0".join(given), capture_output=True, check=True)
        assert read_names(form, out.read_bytes()) == sorted(given)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_odd_names_stay_on_their_line_of_the_table(run, odd, encoding):
    done = subprocess.run(
        [*IQA_ZOO, "score", odd, "-m", run],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )
    lines = done.stdout.decode(encoding).splitlines()
    assert len(lines) == 1 + len(ODD_NAMES)
    for shown in (r"c\nd.jpg", r"e\r\nf\tg.jpg", r"\udcff\udcfe.jpg", r"\x1b[31m.jpg"):
        assert any(line.endswith(shown) for line in lines)


def test_decoders_write_nothing_themselves(run, photo, tmp_path):
    path = tmp_path / "a.tif"
    Image.open(photo).save(path, compression="tiff_lzw")
    data = bytearray(path.read_bytes())
    data[40:400] = bytes(360)
    path.write_bytes(data)
    done = subprocess.run(
        [*IQA_ZOO, "score", path, photo, "-m", run], capture_output=True, check=False
    )
    (line,) = done.stderr.splitlines()
    assert line.startswith(b"iqa-zoo: ")


# --- output ---------------------------------------------------------------------------


def check_whole(path, count=None):
    """Every line of the file is a row, and no image has two."""
    data = path.read_bytes()
    assert data.endswith(b"\n") or not data
    names = [json.loads(line)["path"] for line in data.splitlines()]
    assert len(names) == len(set(names))
    assert count in (None, len(names))
    return len(names)


def test_a_full_disk_on_stdout(run, many):
    with open("/dev/full", "wb") as full:
        for command in (
            ["score", many, "-m", run],
            ["score", many, "-m", run, "--format", "csv"],
            ["models"],
        ):
            done = subprocess.run(
                [*IQA_ZOO, *command], stdout=full, stderr=subprocess.PIPE, check=False
            )
            assert done.returncode == 3
            (line,) = done.stderr.splitlines()
            assert line.startswith(b"iqa-zoo: error: ") and b"No space left" in line


@contextlib.contextmanager
def small_disk(folder):
    """A disk of 32 KB at `folder`."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", folder],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("may not mount a small disk")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.crash
def test_a_full_disk_on_a_file(run, many, tmp_path):
    with small_disk(tmp_path):
        out = tmp_path / "scores.jsonl"
        done = subprocess.run(
            [*IQA_ZOO, "score", many, "-m", run, "-o", out],
            capture_output=True,
            check=False,
        )
        assert done.returncode == 3
        (line,) = done.stderr.splitlines()
        assert str(out).encode() in line and b"No space left" in line
        assert 30 < check_whole(out) < 300


def test_a_file_that_may_not_grow(run, many, tmp_path):
    out = tmp_path / "scores.jsonl"
    done = subprocess.run(
        [*IQA_ZOO, "score", many, "-m", run, "-o", out],
        capture_output=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (9999, 9999)),
    )
    assert done.returncode == 3
    assert b"iqa-zoo: error: Cannot write" in done.stderr
    assert check_whole(out) > 5


def test_a_folder_that_is_not_there(run, photo, tmp_path):
    out = tmp_path / "no" / "scores.csv"
    status, _, stderr = score(run, photo, "-o", out)
    assert status == 3
    assert str(out) in stderr


@pytest.mark.parametrize("form", ["table", "jsonl"])
def test_a_reader_that_is_gone(run, many, form):
    with subprocess.Popen(
        [*IQA_ZOO, "score", many, "-m", run, "--format", form],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        assert child.stdout.readline().endswith(b"\n")
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.returncode == 141


def test_a_reader_that_never_was(many):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*IQA_ZOO, "models"], stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_ended(run, many, tmp_path, how):
    out = tmp_path / "scores.jsonl"
    command = [*IQA_ZOO, "score", many, "-m", run, "-o", out]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as child:
        while not (out.exists() and out.stat().st_size > 999):
            time.sleep(0.002)
            assert child.poll() is None
        child.send_signal(how)
        stderr = child.stderr.read().decode()
    assert 2 < check_whole(out) < 300
    if how == signal.SIGINT:
        assert child.returncode == 130
        assert "Traceback" not in stderr and "--resume" in stderr
    with open(out, "ab") as file:  # as a power cut might leave it
        file.write(b'{"path": "tor')
    subprocess.run([*command, "--resume"], check=True, capture_output=True)
    check_whole(out, 300)


# --- weights --------------------------------------------------------------------------


def refused(run, photo):
    """The line that says why a run's weights cannot be used."""
    status, rows, stderr = score(run, photo)
    assert (status, rows) == (3, [])
    *before, line = stderr.splitlines()
    assert before in ([], [f"iqa-zoo: Converting {run} for LiteRT, once."])
    assert line.startswith("iqa-zoo: error: ")
    return line


def change(path, edit):
    data = bytearray(path.read_bytes())
    path.write_bytes(edit(data))


@pytest.mark.parametrize("kind", ["arrays", "LiteRT"])
def test_one_byte_changed(photo, tmp_path, kind):
    arrays = {"a": np.ones((3, 3), np.float32)} if kind == "arrays" else None
    run = tiny.make_run(tmp_path / "run", arrays=arrays)
    file = run / ("weights.safetensors" if arrays else "tiny.tflite")
    change(file, lambda data: data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
    line = refused(run, photo)
    assert str(file) in line and "sha256" in line


@pytest.mark.parametrize("kind", ["arrays", "LiteRT"])
def test_truncated_weights(photo, tmp_path, kind):
    arrays = {"a": np.ones((3, 3), np.float32)} if kind == "arrays" else None
    run = tiny.make_run(tmp_path / "run", arrays=arrays)
    file = run / ("weights.safetensors" if arrays else "tiny.tflite")
    size = file.stat().st_size
    change(file, lambda data: data[:-1])
    line = refused(run, photo)
    assert str(file) in line and f"{size - 1:,} bytes" in line and f"{size:,}" in line


def test_missing_weights(photo, tmp_path):
    run = tiny.make_run(tmp_path / "run")
    (run / "tiny.tflite").unlink()
    assert str(run / "tiny.tflite") in refused(run, photo)


@pytest.fixture
def arrays():
    """The arrays of a network that was not trained, by variable path."""
    with small.packaged() as name:
        network = registry.load_model(name, weights=None)
        yield {
            v.path: v.numpy()
            for v in network.variables
            if "seed_generator" not in v.path
        }


def test_wrong_shape(photo, tmp_path, arrays):
    name = sorted(arrays)[-1]
    wrong = {**arrays, name: np.zeros((7, 5), np.float32)}
    run = tiny.make_run(tmp_path / "run", arrays=wrong, model=small.NAME)
    line = refused(run, photo)
    assert name in line and "(7, 5)" in line


def test_an_extra_array(photo, tmp_path, arrays):
    extra = {**arrays, "extra": np.zeros(3, np.float32)}
    run = tiny.make_run(tmp_path / "run", arrays=extra, model=small.NAME)
    assert "extra" in refused(run, photo)
    # The card may know better.
    card = (run / "card.toml").read_text()
    (run / "card.toml").write_text(
        card.replace(f"arrays = {len(extra)}", f"arrays = {len(arrays)}")
    )
    line = refused(run, photo)
    assert f"{len(extra)} arrays" in line and f"{len(arrays)}" in line


def test_a_missing_array(photo, tmp_path, arrays):
    name = sorted(arrays)[-1]
    few = {key: array for key, array in arrays.items() if key != name}
    run = tiny.make_run(tmp_path / "run", arrays=few, model=small.NAME)
    line = refused(run, photo)
    assert "lacks" in line and name in line


def test_a_broken_card(photo, tmp_path):
    run = tiny.make_run(tmp_path / "run")
    with open(run / "card.toml", "a") as file:
        file.write("\n[colour]\nred = 1\n")
    assert "colour" in refused(run, photo)
