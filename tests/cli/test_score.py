"""`iqa-zoo score`: its tables, files, selections and what it says on the way."""

import csv
import io
import json
import logging
import os
import pty
import re
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import tomli_w
from click.testing import CliRunner

from iqa_zoo import scoring
from iqa_zoo.cli import main, visible
from iqa_zoo.cli.tables import Table
from iqa_zoo.errors import OpinionError, WeightsError
from iqa_zoo.files import fingerprint, sha256
from iqa_zoo.results import FIELDS, ImageScore, from_row, to_row
from iqa_zoo.scoring import score
from tests.helpers import tiny


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return str(tiny.make_run(tmp_path_factory.mktemp("models") / "run"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(tiny.make_photos(tmp_path_factory.mktemp("photos"), 9))


@pytest.fixture(scope="module")
def expected(run, folder):
    return list(score(folder, run))


def iqa_zoo(*args, **more):
    """The result of a command line, with an error that is none of ours raised."""
    result = CliRunner().invoke(main, [str(arg) for arg in args], **more)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def read_csv(text):
    return list(map(from_row, csv.DictReader(io.StringIO(text, newline=""))))


def read_jsonl(text):
    return [from_row(json.loads(line)) for line in text.splitlines()]


READ = {"csv": read_csv, "jsonl": read_jsonl}


def rows(results):
    return [to_row(result) for result in results]


def test_table(run, folder, expected):
    result = iqa_zoo("score", folder, "-m", run)
    head, *lines = result.stdout.splitlines()
    assert head.split() == ["score", "std", "distribution", "image"]
    assert len(lines) == 9
    for line, one in zip(lines, expected, strict=True):
        pattern = rf" *{one.value:.2f} +±{one.std:.2f}  1 [▁▂▃▄▅▆▇█]{{10}} 10   (.*)"
        assert re.fullmatch(pattern, line)[1] == one.path
    assert re.fullmatch(r"iqa-zoo: 9 scored, [\d.]+ images/s\n", result.stderr)
    assert result.exit_code == 0


def test_photos_that_the_weights_learned_from(run, folder, tmp_path):
    learned = tiny.make_run(tmp_path / "run")
    seen = "".join(f"{fingerprint(f'{folder}/000{n}.jpg')}\n" for n in range(3))
    (learned / "seen.txt").write_text(seen)
    card = tomllib.loads((learned / "card.toml").read_text())
    said = {"file": "seen.txt", "bytes": len(seen), "sha256": sha256(seen.encode())}
    card["weights"]["tiny"]["seen"] = said
    (learned / "card.toml").write_text(tomli_w.dumps(card))
    note = "of 9 photos were among those that the weights learned from"
    result = iqa_zoo("score", folder, "no.jpg", "-m", learned, "-m", run)
    assert f"iqa-zoo: {learned}: 3 {note}" in result.stderr
    assert result.stderr.count(note) == 1
    result = iqa_zoo("score", f"{folder}/0003.jpg", "-m", learned)
    assert "learned" not in result.stderr


def test_without_a_score_there_is_no_rate(run, tmp_path):
    result = iqa_zoo("score", tmp_path, "-m", run)
    assert result.stderr.endswith("iqa-zoo: 0 scored\n")
    result = iqa_zoo("score", "no.jpg", "-m", run)
    assert result.stderr == "iqa-zoo: 0 scored, 1 failed (1 not_found)\n"


def test_table_of_failures_and_several_models(run, folder):
    result = iqa_zoo("score", f"{folder}/0001.jpg", "no.jpg", "-m", run, "-m", run)
    head, first, again, missing, _ = result.stdout.splitlines()
    assert "model" in head and run in first and first == again
    assert re.fullmatch(
        rf" +- +not_found +{re.escape(run)}  no.jpg  \(there is .*\)", missing
    )
    assert "2 scored, 2 failed (2 not_found)" in result.stderr
    assert result.exit_code == 1


def test_a_table_in_ascii_where_blocks_cannot_be_written():
    table = Table(["m"], encoding="ascii", colour=False)
    shares = (0.0, 0.1, 0.3, 0.6)
    one = ImageScore("p\n\udcff.jpg", "m", 3.5, 0.6, shares, (1, 4), "higher_is_better")
    assert table.line(one).isascii()
    assert table.line(one).endswith("1 _.=# 4          p\\n\\udcff.jpg")


def test_colours_follow_the_direction():
    table = Table(["m"], encoding="utf-8", colour=True)
    one = {"value": 9.0, "std": 1.0, "distribution": (0.0, 1.0), "scale": (1.0, 10.0)}
    green, red = "\x1b[32m", "\x1b[31m"
    high = ImageScore("p", "m", **one, direction="higher_is_better")
    low = ImageScore("p", "m", **one, direction="lower_is_better")
    assert table.line(high).startswith(green)
    assert table.line(low).startswith(red)
    assert table.line(ImageScore("p", "m", error="empty")).startswith(red)


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory):
    """A run whose card has quantiles and an interval."""
    folder = tiny.make_run(tmp_path_factory.mktemp("models") / "calibrated")
    card = tomllib.loads((folder / "card.toml").read_text())
    (weights,) = card["weights"].values()
    weights["quantiles"] = {"set": "two photos", "percent": [0, 100], "score": [1, 10]}
    weights["interval"] = {
        "coverage": 0.9,
        "half_width": 20.0,
        "n": 40,
        "held_out": "forty others",
    }
    (folder / "card.toml").write_text(tomli_w.dumps(card))
    return str(folder)


def test_a_percentile_below_100_is_not_shown_as_100():
    table = Table(["m"], [{"quantiles": {}}], encoding="utf-8", colour=False)
    for percentile, shown in ((99.6, " 99 %"), (100.0, " 100 %"), (0.4, " 0 %")):
        score = ImageScore(
            *("a.png", "m"), value=9.0, std=1.0, scale=(1, 10), percentile=percentile
        )
        assert shown in table.line(score)


def test_percentiles_and_intervals(run, calibrated, folder, tmp_path):
    photo = f"{folder}/0001.jpg"
    (found,) = score(photo, calibrated)
    assert found.percentile == pytest.approx(100 * (found.value - 1) / 9)
    assert found.interval == (1, 10)
    result = iqa_zoo("score", photo, "-m", calibrated)
    head, line = result.stdout.splitlines()
    assert re.fullmatch(r"score +std  better than +interval  distribution +image", head)
    assert f"{int(found.percentile)} %  1.00 to 10.00  1 " in line
    assert line.index(" %") + 2 == head.index("better than") + len("better than")
    assert result.stderr.splitlines()[:2] == [
        "iqa-zoo: better than: of two photos",
        "iqa-zoo: interval: holds people's mean opinion for 90 % of new photos like "
        "forty others",
    ]
    # A model without them leaves its cells empty; only rows go to files.
    result = iqa_zoo("score", photo, "no.jpg", "-m", run, "-m", calibrated)
    lines = result.stdout.splitlines()
    assert len({line.index(" 1 ") for line in lines[1:3]}) == 1
    assert " %" not in lines[1] and " %" in lines[2]
    assert f"iqa-zoo: {calibrated}: better than: of two photos" in result.stderr
    out = tmp_path / "scores.csv"
    result = iqa_zoo("score", photo, "-m", calibrated, "-m", run, "-o", out)
    assert "better than" not in result.stderr
    first, second = read_csv(out.read_text())
    assert to_row(first) == to_row(found)
    assert (second.percentile, second.interval) == (None, None)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_files_of_an_earlier_version_are_left_alone(run, folder, form, tmp_path):
    out = tmp_path / f"scores.{form}"
    old = {
        name: cell
        for name, cell in to_row(next(score(f"{folder}/0000.jpg", run))).items()
        if name not in ("percentile", "interval")
    }
    text = json.dumps(old) + "\n"
    if form == "csv":
        text = ",".join(old) + "\n" + ",".join('"x"' for _ in old) + "\n"
    out.write_text(text)
    result = iqa_zoo("score", folder, "-m", run, "-o", out, "--resume")
    assert result.exit_code == 2 and out.read_text() == text
    assert "earlier version wrote it, without the columns percentile" in result.stderr
    assert "--overwrite" in result.stderr


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_rows_on_stdout(run, folder, expected, form):
    result = iqa_zoo("score", folder, "-m", run, "--format", form)
    assert rows(READ[form](result.stdout)) == rows(expected)
    if form == "csv":
        assert result.stdout.splitlines()[0] == ",".join(FIELDS)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_rows_in_a_file(run, folder, expected, form, tmp_path):
    out = tmp_path / f"scores.{form}"
    result = iqa_zoo("score", folder, "-m", run, "-o", out)
    assert result.stdout == ""
    whole = out.read_bytes()
    assert rows(READ[form](whole.decode())) == rows(expected)

    result = iqa_zoo("score", folder, "-m", run, "-o", out)
    assert result.exit_code == 2 and "--resume" in result.stderr
    assert out.read_bytes() == whole

    result = iqa_zoo("score", folder, "-m", run, "-o", out, "--resume")
    assert result.exit_code == 0 and "9 of them earlier" in result.stderr
    assert out.read_bytes() == whole

    result = iqa_zoo("score", f"{folder}/0002.jpg", "-m", run, "-o", out, "--overwrite")
    assert rows(READ[form](out.read_text())) == rows(expected[2:3])


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_resume_after_any_tear(run, folder, form, tmp_path):
    """Cut anywhere, the file becomes what an unbroken run writes."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for number, name in enumerate(('a "b",\nc.jpg', "d\r\ne.jpg", "f.jpg")):
        os.link(f"{folder}/000{number}.jpg", photos / name)
    out = tmp_path / f"scores.{form}"
    command = ("score", photos, "missing.jpg", "-m", run, "-o", out)
    assert iqa_zoo(*command).exit_code == 1
    whole = out.read_bytes()
    for cut in range(0, len(whole), 23):
        out.write_bytes(whole[:cut])
        assert iqa_zoo(*command, "--resume").exit_code == 1
        assert out.read_bytes() == whole


def test_resume_adds_models_and_images(run, folder, expected, tmp_path):
    out = tmp_path / "scores.jsonl"
    other = str(tiny.make_run(tmp_path / "other"))
    iqa_zoo("score", f"{folder}/0003.jpg", "-m", run, "-o", out)
    iqa_zoo("score", folder, "-m", other, "-m", run, "-o", out, "--resume")
    pairs = [(r.path, r.model) for r in read_jsonl(out.read_text())]
    assert len(pairs) == len(set(pairs)) == 18
    ours = [r for r in read_jsonl(out.read_text()) if r.model == run]
    assert sorted(map(str, rows(ours))) == sorted(map(str, rows(expected)))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "image,score\n"),
        ("a.csv", "image,score\nx,1\n"),
        ("a.csv", ",".join(FIELDS) + "\nx,1\n"),
        ("a.jsonl", "{}\n"),
        ("a.jsonl", "[]\n"),
        ("a.jsonl", "x\n{}\n"),
        ("a.jsonl", '{"path": 1}\n'),
        ("a.jsonl", "notes"),
        ("a.csv", "notes"),
    ],
)
def test_another_programs_file_is_left_alone(run, folder, tmp_path, name, content):
    out = tmp_path / name
    out.write_text(content)
    result = iqa_zoo("score", folder, "-m", run, "-o", out, "--resume")
    assert result.exit_code == 2
    assert result.stderr.startswith("iqa-zoo: error: ") and str(out) in result.stderr
    assert out.read_text() == content


@pytest.mark.parametrize(
    "options", [("--best", 2, "--worst", 3), ("--best", 7, "--worst", 7)]
)
def test_best_and_worst(run, folder, expected, options):
    result = iqa_zoo("score", folder, "-m", run, "--format", "jsonl", *options)
    ranked = sorted(expected, key=lambda r: -r.value)
    wanted = ranked[:2] + ranked[-3:] if options[1] == 2 else ranked
    assert rows(read_jsonl(result.stdout)) == rows(wanted)


def test_best_of_all_rows_of_a_file(run, folder, expected, tmp_path):
    out = tmp_path / "scores.csv"
    first = [r.path for r in expected[5:]]
    iqa_zoo("score", *first, "-m", run, "-o", out)
    result = iqa_zoo("score", folder, "-m", run, "-o", out, "--resume", "--best", 3)
    ranked = sorted(expected, key=lambda r: -r.value)
    assert len(read_csv(out.read_text())) == 9
    for line, one in zip(result.stdout.splitlines()[1:], ranked[:3], strict=True):
        assert line.endswith(one.path)


def test_copy_best(run, folder, expected, tmp_path):
    ranked = sorted(expected, key=lambda r: -r.value)
    best = tmp_path / "new" / "best"
    result = iqa_zoo("score", folder, "-m", run, "--copy-best", 3, best)
    assert result.exit_code == 0 and len(result.stdout.splitlines()) == 10
    for rank, one in enumerate(ranked[:3], 1):
        copy = best / f"{rank}-{os.path.basename(one.path)}"
        assert copy.read_bytes() == Path(one.path).read_bytes()
    assert len(os.listdir(best)) == 3
    again = iqa_zoo("score", folder, "-m", run, "--copy-best", 3, best)
    assert again.exit_code == 2 and "new folder" in again.stderr


@pytest.mark.parametrize("options", [(), ("--null",)])
def test_names_on_stdin(run, folder, expected, options):
    end = "\0" if options else "\n"
    names = end.join([expected[4].path, "no.jpg", folder, ""])
    result = iqa_zoo(
        "score", "-", "-m", run, "--format", "jsonl", *options, input=names
    )
    assert [r.path for r in read_jsonl(result.stdout)] == [
        expected[4].path,
        "no.jpg",
        *(r.path for r in expected),
    ]
    assert result.exit_code == 1


def test_a_row_waits_for_no_further_name(run, expected):
    command = [sys.executable, "-m", "iqa_zoo", "score", "-", "-0", "-m", run]
    with subprocess.Popen(
        [*command, "--format", "jsonl"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        for one in expected[:3]:
            child.stdin.write(one.path.encode() + b"\0")
            child.stdin.flush()
            assert rows(read_jsonl(child.stdout.readline().decode())) == rows([one])
        child.send_signal(signal.SIGINT)  # while it waits for a name
        assert child.wait(30) == 130


def test_long_lists_on_stdin(run, tmp_path):
    names = [f"{number:05}" + "x" * 90 for number in range(2000)]
    result = iqa_zoo(
        "score", "-", "-m", run, "--format", "jsonl", input="\r\n".join(names)
    )
    assert [r.path for r in read_jsonl(result.stdout)] == names


def test_limits(run, folder):
    for option, code in (
        ("--max-pixels", "too_many_pixels"),
        ("--max-side", "too_many_pixels"),
        ("--max-bytes", "too_many_bytes"),
    ):
        command = ("score", f"{folder}/0000.jpg", "-m", run, "--format", "jsonl")
        result = iqa_zoo(*command, option, 10)
        assert [r.error for r in read_jsonl(result.stdout)] == [code]


@pytest.mark.parametrize(
    "arguments",
    [
        ("score",),
        ("score", "p", "--formt", "csv"),
        ("score", "p", "--threads", "0"),
        ("score", "p", "--resume"),
        ("score", "p", "-o", "scores.txt"),
        ("score", "p", "-o", "scores.csv", "--format", "table"),
        ("score", "p", "-o", "scores.csv", "--resume", "--overwrite"),
        ("score", "p", "-m", "a", "-m", "b", "--copy-best", "1", "new"),
        ("score", "p", "-m", "nima-mobilnet"),
        ("score", "p", "-m", "runs/missing"),
        ("score", "p", "--engine", "onnx"),
        ("scroe", "p"),
        ("--formt",),
    ],
)
def test_wrong_use(arguments):
    result = iqa_zoo(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "rror: " in result.stderr.splitlines()[-1]


def test_near_names_are_told():
    assert "Did you mean score" in iqa_zoo("scroe").stderr
    assert "nima-mobilenetv2" in iqa_zoo("score", "p", "-m", "nima-mobilnet").stderr


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OpinionError, "iqa-zoo: error: a\\x1b\n  line 2: b\n"),
        (WeightsError, "iqa-zoo: error: a\\x1b\\nline 2: b\n"),
    ],
)
def test_reports_have_lines_and_names_do_not(monkeypatch, error, said):
    def fail(*_, **__):
        raise error("a\x1b\nline 2: b")

    monkeypatch.setattr(scoring, "Scorer", fail)
    assert iqa_zoo("score", "p").stderr == said


def test_what_the_library_logs_is_said(monkeypatch, run, folder):
    real = scoring.Scorer

    def log(*arguments, **options):
        logging.getLogger("iqa_zoo.any").info("Converting a\nb, %s.", "once")
        return real(*arguments, **options)

    monkeypatch.setattr(scoring, "Scorer", log)
    for _ in range(2):
        result = iqa_zoo("score", f"{folder}/0001.jpg", "-m", run)
        assert result.stderr.startswith(
            "iqa-zoo: Converting a\\nb, once.\niqa-zoo: 1 s"
        )


def test_visible():
    assert visible("plain é 漢.jpg") == "plain é 漢.jpg"
    assert visible("a\nb\x1b[31m\udcff\u202e") == "a\\nb\\x1b[31m\\udcff\\u202e"


def test_completion_knows_commands_and_models():
    for shell in ("bash", "zsh", "fish"):
        assert "_IQA_ZOO_COMPLETE" in iqa_zoo("completion", shell).stdout
    for words, index, wanted in (
        ("iqa-zoo sc", "1", "plain,score"),
        ("iqa-zoo score -m nima-mob", "3", "plain,nima-mobilenetv2"),
    ):
        env = {
            "_IQA_ZOO_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": index,
        }
        assert wanted in iqa_zoo(env=env).stdout.splitlines()


def test_help_imports_no_model_code():
    program = (
        "import sys\n"
        "from iqa_zoo.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'tensorflow', 'PIL', 'iqa_zoo.registry'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def on_a_terminal(arguments, **environment):
    """What a terminal of 100 columns gets to see of a command."""
    leader, follower = pty.openpty()
    import fcntl
    import struct
    import termios

    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    child = subprocess.Popen(
        [sys.executable, "-m", "iqa_zoo", *arguments],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env={**os.environ, "TERM": "xterm-256color", **environment},
    )
    os.close(follower)
    seen = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:  # the terminal closes with the program
            break
        if not piece:
            break
        seen += piece
    os.close(leader)
    assert child.wait() == 0
    return seen.decode()


@pytest.mark.parametrize("no_colour", ["", "1"])
def test_a_terminal_gets_colour_and_progress(run, folder, no_colour):
    seen = on_a_terminal(["score", folder, "-m", run], NO_COLOR=no_colour)
    assert ("\x1b[3" in seen) == (not no_colour)
    assert "/9 [" in seen and "image/s" in seen
    assert "9 scored" in seen.splitlines()[-1]
