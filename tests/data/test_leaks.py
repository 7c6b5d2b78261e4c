"""Copies are found, and no more is read for that than is needed."""

import numpy as np
import pytest
from PIL import Image

from iqa_zoo.data import leaks
from tests.helpers.pictures import encoded


@pytest.fixture
def write(tmp_path):
    """Writes files of these contents."""

    def files(*contents):
        paths = [tmp_path / f"{number}.bmp" for number in range(len(contents))]
        for path, content in zip(paths, contents, strict=True):
            path.write_bytes(content)
        return paths

    return files


def test_whole_files_are_read_where_their_heads_agree(write, monkeypatch):
    read = []
    real = leaks._file_sum

    def note(path):
        read.append(path)
        return real(path)

    monkeypatch.setattr(leaks, "_file_sum", note)
    rest = bytes(20_000)
    large = (b"a" + rest, b"b" + rest, b"a" + rest, b"a" + rest[1:] + b"z")
    paths = write(*large, b"c", b"c", b"")
    assert leaks.same_content(paths) == [(2, 0), (5, 4)]
    assert read == [paths[n] for n in (0, 2, 3, 4, 5)]


def test_files_that_cannot_be_read_are_no_copies(write, tmp_path):
    paths = write(b"a", b"a")
    assert leaks.same_content([tmp_path / "none", *paths, tmp_path]) == [(2, 1)]


def test_a_common_table_is_compared_whole():
    assert leaks.COMPARED_PIXELS > 2 * 1600 * 512 * 512


def test_pictures_are_not_even_opened_where_that_takes_too_long(
    write, monkeypatch, caplog
):
    pixels = np.random.default_rng(1).integers(0, 256, (9, 8, 3), np.uint8)
    photo = Image.fromarray(pixels)
    paths = write(encoded(photo, "PNG"), encoded(photo, "BMP"), b"")
    assert leaks.same_pixels(paths) == [(1, 0)]
    opened = []
    monkeypatch.setattr(leaks, "_kind_and_size", opened.append)
    monkeypatch.setattr(leaks, "COMPARED_PIXELS", 100_000)
    assert leaks.same_pixels(paths) == []
    assert opened == []
    assert "3 images were compared as files only" in caplog.text


def test_what_is_too_large_to_decode_is_said(write, monkeypatch, caplog):
    photo = Image.fromarray(np.zeros((400, 500, 3), np.uint8))
    paths = write(encoded(photo, "PNG"), encoded(photo, "BMP"))
    assert leaks.same_pixels(paths) == [(1, 0)]
    monkeypatch.setattr(leaks, "COMPARED_PIXELS", 300_000)
    assert leaks.same_pixels(paths) == []
    assert "2 images were compared as files only" in caplog.text
