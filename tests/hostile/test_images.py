"""Malformed images of every format: a stable code or whole pixels, nothing else."""

import json
import os
import sys
import zlib
from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ImageCms

import iqa_zoo
from iqa_zoo.errors import IMAGE_CODES, ImageError
from iqa_zoo.images import read_image
from tests.hostile import corpus, images
from tests.hostile.damage import IMAGE, PICTURE, big, encoded, little, patched
from tests.hostile.formats.heif import box
from tests.hostile.formats.png import png
from tests.hostile.formats.tiff import tiff

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


@pytest.mark.weights
def test_what_is_asked_for_is_scored():
    data = encoded(IMAGE, "JPEG 2000")
    asked = list(iqa_zoo.score([data] * 2, **images.ASKED))
    assert [score.error for score in asked] == [None, None]
    assert {score.error for score in iqa_zoo.score([data] * 2)} == {"refused_format"}


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


def test_only_a_very_great_number_of_pieces_is_refused():
    data = encoded(IMAGE, "JPEG")
    comment = b"\xff\xfe\0\x03a"
    assert read(data[:2] + comment * 20_000 + data[2:]) is None
    assert read(data[:2] + comment * 100_001 + data[2:]) == "corrupt"


def test_an_avif_of_countless_parts_without_bytes_is_refused():
    data = patched(encoded(IMAGE, "AVIF"), b"iloc", b"\0\0", 4)
    assert read(patched(data, b"iloc", b"\xff\xff", 12)) == "truncated"


# --- parts that are missing from whole files ------------------------------------------

# Which pass of an interlaced PNG each pixel of 8 x 8 is in (third edition, 8.1).
_PASSES = np.array(
    [
        [1, 6, 4, 6, 2, 6, 4, 6],
        [7, 7, 7, 7, 7, 7, 7, 7],
        [5, 6, 5, 6, 5, 6, 5, 6],
        [7, 7, 7, 7, 7, 7, 7, 7],
        [3, 6, 4, 6, 3, 6, 4, 6],
        [7, 7, 7, 7, 7, 7, 7, 7],
        [5, 6, 5, 6, 5, 6, 5, 6],
        [7, 7, 7, 7, 7, 7, 7, 7],
    ]
)


@pytest.mark.parametrize("depth, colour, bits", [(1, 0, 1), (8, 2, 24), (16, 6, 64)])
@pytest.mark.parametrize("interlaced", [0, 1])
def test_a_black_png_is_read_and_one_without_its_end_is_not(
    depth, colour, bits, interlaced
):
    for width, height in ((1, 1), (1, 2), (5, 3), (9, 17)):
        passes = np.tile(_PASSES, (3, 2))[:height, :width]
        if not interlaced:
            passes[:] = 1
        rows = [row for number in range(1, 8) for row in passes == number if row.any()]
        size = sum(1 + (int(row.sum()) * bits + 7) // 8 for row in rows)
        form = {"depth": depth, "colour": colour, "interlaced": interlaced}
        form |= {"width": width, "height": height}
        pixels = read_image(png(pixels=bytes(size), **form))
        assert pixels.shape == (height, width, 3)
        with pytest.raises(ImageError) as caught:
            read_image(png(pixels=bytes(size - 1), **form))
        assert caught.value.code == "corrupt"


def test_a_tiff_of_planes_needs_all_of_them():
    planes = np.moveaxis(PICTURE, 2, 0).tobytes()
    size = len(planes) // 3
    after = 8 + len(planes) + 6 + 2 + 12 * 10 + 4  # where its ten tags end
    tail = little(8, 8 + size, 8 + 2 * size, size, size, size)
    for number, code in ((3, None), (2, "corrupt")):
        tags = {284: (3, 1, 2), 273: (4, number, after), 279: (4, number, after + 12)}
        data = tiff(planes, tags, tail=tail)
        assert read(data) == code
        assert code or np.array_equal(read_image(data), PICTURE)


def test_a_tiff_of_compressed_planes_is_read():
    planes = [zlib.compress(PICTURE[..., c].tobytes()) for c in range(3)]
    sizes = [len(plane) for plane in planes]
    content = b"".join(planes)
    content += bytes(len(content) % 2)
    after = 8 + len(content) + 6 + 2 + 12 * 10 + 4
    starts = (8, 8 + sizes[0], 8 + sizes[0] + sizes[1])
    tags = {259: (3, 1, 8), 284: (3, 1, 2), 273: (4, 3, after), 279: (4, 3, after + 12)}
    data = tiff(content, tags, tail=little(*starts, *sizes))
    assert np.array_equal(read_image(data), PICTURE)


@pytest.mark.parametrize(
    "data",
    [
        b"GIF89a" + bytes(7) + b"!\xfe" + b"\1x" * 200_000,
        b"\0\0\0\x10ftypavif\0\0\0\0" + b"\0\0\0\x08free" * 100_001,
    ],
    ids=["GIF", "AVIF"],
)
def test_files_of_very_many_pieces(data):
    assert read(data) == "corrupt"


def test_a_tiff_of_tiles_needs_all_of_them():
    tiles = bytes(12 * 16 * 16 * 3)
    after = 8 + len(tiles) + 6 + 2 + 12 * 10 + 4
    starts = range(8, 8 + len(tiles), 768)
    for number, code in ((12, None), (11, "corrupt")):
        tags = dict.fromkeys((273, 278, 279)) | {322: (3, 1, 16), 323: (3, 1, 16)}
        tags |= {324: (4, number, after), 325: (4, number, after + 48)}
        tail = little(*starts, *[768] * 12)
        assert read(tiff(tiles, tags, tail=tail)) == code


def test_a_jpeg_2000_needs_all_of_its_tiles():
    data = encoded(IMAGE, "JPEG 2000", tile_size=(32, 32), no_jp2=True)
    assert read(data) is None
    first, second, *_ = (
        i for i in range(len(data)) if data[i : i + 4] == b"\xff\x90\0\x0a"
    )
    assert read(data[:first] + data[second:]) == "truncated"


def test_a_jpeg_2000_needs_what_follows_its_pixels():
    whole = encoded(IMAGE, "JPEG 2000") + box(b"xml ", b"<x>" * 9)
    assert read(whole) is None
    assert read(whole[:-1]) == read(whole[:-20]) == "truncated"


def read(data: bytes) -> str | None:
    """The code that a file gets, or None where it is read."""
    try:
        read_image(data, **images.ASKED)
    except ImageError as error:
        return error.code
    return None


# --- fuzz -----------------------------------------------------------------------------


def _good() -> list[bytes]:
    small = IMAGE.crop((0, 0, 24, 16))
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
        encoded(small, form, **more)
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
        "set": data[:at] + big(number)[: number % 5] + data[at + number % 5 :],
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
