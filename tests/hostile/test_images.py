"""Malformed images of every format: a stable code or whole pixels, nothing else."""

import json
import os
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ImageCms

from iqa_zoo.errors import IMAGE_CODES, ImageError
from iqa_zoo.images import read_image
from tests.hostile import corpus, images

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="limits and figures of memory are those of Linux"
)

JSON_LINES = ["-0", "-", "--format", "jsonl"]
#: How many inputs the fuzz test tries, always the same ones. With another number in
#: the environment variable IQA_ZOO_FUZZ it tries so many, others each time.
EXAMPLES = 150


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="module")
def summary(folder):
    return images.run(folder, scoring=False)


def test_every_malformed_image_gets_what_it_should(summary):
    assert summary.failures() == []
    forms = corpus.formats()
    assert len(forms) >= 8
    assert Counter((row.form, row.kind) for row in summary.rows) == {
        (form, kind): count for form in forms for kind, count in corpus.KINDS.items()
    }
    truncated = [row for row in summary.rows if row.kind == "truncation"]
    assert "scores" not in {row.outcome for row in truncated}


def test_the_command_gives_each_file_a_row_and_is_quiet(summary, folder):
    refused = {
        os.path.join(folder, row.name): row.expected
        for row in summary.rows
        if "scores" not in row.expected and "folder" not in row.name
    }
    assert len(refused) > 200
    done = images.limited(
        [sys.executable, "-m", "iqa_zoo", "score", *JSON_LINES, *images.ASKED_COMMAND],
        b"\0".join(map(os.fsencode, refused)),
    )
    (said,) = done.stderr.decode().splitlines()
    assert said.startswith(f"iqa-zoo: 0 scored, {len(refused)} failed")
    assert done.returncode == 1
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["path"] for row in rows] == list(refused)
    assert all(row["error"] in refused[row["path"]] for row in rows)


@pytest.mark.slow
def test_the_folder_is_scored_within_the_limits():
    summary = images.run()
    assert summary.failures() == summary.excesses() == []


def test_no_file_stays_open(tmp_path):
    path = tmp_path / "bad"
    before = len(os.listdir("/proc/self/fd"))
    for round in range(300):
        data = GOOD[round % len(GOOD)]
        path.write_bytes(data[: round % len(data)])
        with pytest.raises(ImageError):
            read_image(path)
    assert len(os.listdir("/proc/self/fd")) == before


# --- fuzz -----------------------------------------------------------------------------


def _good() -> list[bytes]:
    small = corpus.IMAGE.crop((0, 0, 24, 16))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    variants = {
        "JPEG": {"progressive": True, "icc_profile": profile},
        "PNG": {"icc_profile": profile},
        "WebP": {"lossless": True, "icc_profile": profile},
        "TIFF": {"compression": "tiff_lzw"},
        "GIF": {"save_all": True, "append_images": [small.rotate(90)]},
        "JPEG 2000": {"tile_size": (8, 8)},
    }
    return [
        corpus.encoded(small, form, **more)
        for form in corpus.formats()
        for more in ({}, variants.get(form, {}))
    ]


GOOD = _good()

_EDIT = st.tuples(
    st.sampled_from(["flip", "set", "cut", "drop", "repeat", "splice"]),
    st.floats(0, 1),
    st.integers(0, 2**32 - 1),
)


def _edited(data: bytes, edit: tuple[str, float, int]) -> bytes:
    what, place, number = edit
    at = int(place * max(len(data) - 1, 0))
    count = number % 64
    other = GOOD[number % len(GOOD)]
    return {
        "flip": data[:at] + bytes([data[at] ^ 1 << number % 8]) + data[at + 1 :]
        if data
        else data,
        "set": data[:at] + corpus.big(number)[: number % 5] + data[at + number % 5 :],
        "cut": data[: len(data) - count],
        "drop": data[:at] + data[at + count :],
        "repeat": data[:at] + data[at : at + count] * 3 + data[at + count :],
        "splice": data[:at] + other[int(place * len(other)) :],
    }[what]


@pytest.mark.fuzz
def test_mutations_give_pixels_or_a_code(capfd):
    count = int(os.environ.get("IQA_ZOO_FUZZ", EXAMPLES))

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=count == EXAMPLES,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(0, len(GOOD) - 1), st.lists(_EDIT, min_size=1, max_size=4))
    def read(number, edits):
        data = GOOD[number]
        for edit in edits:
            data = _edited(data, edit)
        try:
            pixels = read_image(data, **images.ASKED)
        except ImageError as error:
            assert error.code in IMAGE_CODES
        else:
            assert pixels.dtype == np.uint8 and pixels.shape[2:] == (3,)

    read()
    assert capfd.readouterr().err == ""
