"""AVIF, HEIC and JPEG 2000: upright once, whole or refused, within the limits."""

import io
import struct
import sys

import numpy as np
import pytest
from PIL import Image

from iqa_zoo.errors import ImageError, UnknownNameError
from iqa_zoo.images import Limits, boxes, formats, read_image
from tests.helpers.pictures import encoded, smooth, upright

HEIGHT, WIDTH = 103, 151
PICTURE = smooth(HEIGHT, WIDTH)
IMAGE = Image.fromarray(PICTURE)
ALSO = "jpeg2000"
ORIENTATION = 0x0112


def saved(form: str, image: Image.Image = IMAGE, **options) -> bytes:
    if form == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    if form in ("AVIF", "HEIF"):
        options = {"quality": 95} | options
    return encoded(image.copy(), form, **options)


MORE = {"save_all": True, "append_images": [IMAGE.rotate(90), IMAGE.rotate(180)]}
TILED = {"tile_size": (64, 64)}
FILES = {
    "AVIF": lambda: saved("AVIF"),
    "transparent AVIF": lambda: saved("AVIF", IMAGE.convert("RGBA")),
    "animated AVIF": lambda: saved("AVIF", **MORE),
    "HEIC": lambda: saved("HEIF"),
    "HEIC of tiles": lambda: saved("HEIF", tile_size=64),
    "HEIC of three": lambda: saved("HEIF", **MORE),
    "JPEG 2000": lambda: saved("JPEG2000"),
    "JPEG 2000 of tiles": lambda: saved("JPEG2000", **TILED),
    "bare JPEG 2000": lambda: saved("JPEG2000", no_jp2=True),
}


def code_of(source, **arguments) -> str:
    with pytest.raises(ImageError) as caught:
        read_image(source, also_read=ALSO, **arguments)
    return caught.value.code


@pytest.mark.parametrize("kind", FILES)
def test_pixels_are_those_of_the_first_picture(kind):
    data = FILES[kind]()
    pixels = read_image(data, also_read=ALSO)
    assert pixels.shape == PICTURE.shape and pixels.flags.c_contiguous
    lossless = kind.endswith("2000") or "2000" in kind
    assert np.abs(pixels.astype(int) - PICTURE).max() <= (0 if lossless else 25)
    assert np.abs(pixels.astype(int) - PICTURE).mean() <= 3
    assert np.array_equal(read_image(data + b"appended" * 9, also_read=ALSO), pixels)


@pytest.mark.parametrize("kind", FILES)
def test_a_truncated_file_is_called_so_wherever_it_is_cut(kind):
    data = FILES[kind]()
    cuts = {*range(1, 64), *range(64, len(data), len(data) // 40)}
    cuts |= {len(data) - cut for cut in range(1, 30)}
    codes = {cut: code_of(data[:cut]) for cut in sorted(cuts)}
    assert {cut: code for cut, code in codes.items() if code != "truncated"} == {}


UPRIGHT = upright(PICTURE)


@pytest.mark.parametrize("form", ["AVIF", "HEIF"])
def test_a_turned_picture_is_upright_once(form):
    for orientation, expected in UPRIGHT.items():
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        image = IMAGE.copy()
        image.info["exif"] = exif.tobytes()  # where the writer of HEIC looks
        data = saved(form, image, exif=exif.tobytes())
        assert (b"irot" in data or b"imir" in data) == (orientation > 1)
        for pixels in (read_image(data), read_image(Image.open(io.BytesIO(data)))):
            assert pixels.shape == expected.shape
            assert np.abs(pixels - expected.astype(int)).mean() < 3


def with_exif_alone(form: str) -> bytes:
    """A file whose Exif block says to turn it, which no box does."""
    exif = Image.Exif()
    exif[0x0113] = 6
    exif[0x010E] = "long enough to be found"
    data = saved(form, exif=exif)
    entries = {
        struct.pack(order + "HHIH", 0x0113, 3, 1, 6): struct.pack(
            order + "HHIH", ORIENTATION, 3, 1, 6
        )
        for order in "<>"
    }
    ((old, new),) = [pair for pair in entries.items() if pair[0] in data]
    return data.replace(old, new)


@pytest.mark.parametrize("form", ["AVIF", "HEIF"])
def test_what_exif_and_xmp_say_of_the_orientation_does_not_count(form):
    # ISO/IEC 23008-12: the boxes alone say how to turn a picture.
    assert read_image(with_exif_alone(form)).shape == PICTURE.shape
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    if form == "AVIF":  # a writer of HEIC puts it into the boxes
        assert read_image(saved(form, xmp=xmp)).shape == PICTURE.shape


@pytest.mark.parametrize("form", ["AVIF", "HEIF"])
def test_a_damaged_exif_block_is_ignored(form):
    data = with_exif_alone(form)
    for order in (b"MM\0*\0\0\0\x08", b"II*\0\x08\0\0\0"):
        damaged = data.replace(order, order[:4] + b"\xff\xff\xff\xff")
        assert read_image(damaged).shape == PICTURE.shape


@pytest.mark.parametrize("kind", FILES)
def test_limits_hold(kind):
    data = FILES[kind]()
    assert code_of(data, limits=Limits(pixels=HEIGHT * WIDTH - 1)) == "too_many_pixels"
    assert code_of(data, limits=Limits(side=WIDTH - 1)) == "too_many_pixels"
    assert code_of(data, limits=Limits(bytes=len(data) - 1)) == "too_many_bytes"
    assert read_image(data, limits=Limits(side=WIDTH + 1), also_read=ALSO) is not None


def claiming(data: bytes, width: int, height: int) -> bytes:
    """The file with another size in every box that states one."""
    changed = bytearray(data)
    place = -1
    while (place := data.find(b"ispe", place + 1)) > 0:
        changed[place + 8 : place + 16] = struct.pack(">II", width, height)
    return bytes(changed)


@pytest.mark.parametrize("kind", ["AVIF", "HEIC", "HEIC of tiles"])
def test_a_claim_of_many_pixels_is_refused(kind):
    assert code_of(claiming(FILES[kind](), 30_000, 30_000)) == "too_many_pixels"


def test_a_stream_larger_than_its_box_says_is_refused():
    data = claiming(saved("AVIF"), 16, 16)
    assert code_of(data, limits=Limits(side=WIDTH - 1)) == "too_many_pixels"


def test_a_grid_larger_than_its_box_says_is_refused():
    data = bytearray(FILES["HEIC of tiles"]())
    grid = struct.pack(">HH", WIDTH, HEIGHT)
    assert data.count(grid) == 1
    place = data.index(grid)
    data[place : place + 4] = struct.pack(">HH", 60_000, 60_000)
    assert code_of(bytes(data)) == "too_many_pixels"


def test_a_codestream_larger_than_its_box_says_is_refused():
    data = bytearray(saved("JPEG2000"))
    place = data.index(b"\xff\x4f\xff\x51") + 8
    data[place : place + 8] = struct.pack(">II", 50_000, 50_000)
    assert code_of(bytes(data)) in ("too_many_pixels", "truncated")
    data[place + 16 : place + 24] = struct.pack(">II", 50_000, 50_000)  # one tile
    assert code_of(bytes(data)) == "too_many_pixels"


def test_jpeg2000_is_read_only_when_asked_for():
    data = saved("JPEG2000")
    with pytest.raises(ImageError, match="--also-read jpeg2000") as caught:
        read_image(data)
    assert caught.value.code == "refused_format"
    assert np.array_equal(read_image(data, also_read=["jpeg2000"]), PICTURE)
    with pytest.raises(UnknownNameError, match="jpeg2000"):
        read_image(data, also_read="jpeg200")


def test_heic_without_its_library_gets_the_remedy(monkeypatch):
    data = FILES["HEIC"]()
    monkeypatch.setitem(sys.modules, "pillow_heif.as_plugin", None)
    formats._decoder.cache_clear()
    with pytest.raises(ImageError, match=r"pip install 'iqa_zoo\[heif\]'") as caught:
        read_image(data)
    assert caught.value.code == "refused_format"


def test_an_avif_file_may_begin_as_a_heif_file():
    data = saved("AVIF")
    brands = data.index(b"avif", 12)
    changed = b"mif1".join([data[:8], data[12:]])
    assert changed[brands : brands + 4] == b"avif"
    assert formats.format_of(changed, "") == "AVIF"
    assert read_image(changed).shape == PICTURE.shape


def sequence_header(*fields: tuple[int, int]) -> bytes:
    """Bits of an AV1 stream: a header of pairs of a value and its number of bits."""
    bits = "".join(f"{value:0{count}b}" for value, count in fields)
    bits += "0" * (-len(bits) % 8)
    body = int(bits, 2).to_bytes(len(bits) // 8, "big")
    return b"\x0a" + bytes([len(body)]) + body


SIZE = ((11, 4), (9, 4), (3999, 12), (1000 - 1, 10))


@pytest.mark.parametrize(
    "fields",
    [
        ((0, 3), (1, 1), (1, 1), (5, 5), *SIZE),  # a still picture's
        ((0, 7), (0, 5), (0, 12), (8, 5), (0, 1), *SIZE),
        (  # timing, equal intervals, a decoder model, two operating points, displays
            *((0, 3), (0, 1), (0, 1), (1, 1), (7, 64), (1, 1), (0b00101, 5)),
            *((1, 1), (9, 5), (0, 32), (0, 5), (0, 5), (1, 1), (1, 5)),
            *((0, 12), (9, 5), (1, 1), (1, 1), (0, 21), (1, 1), (3, 4)),
            *((0, 12), (3, 5), (0, 1), (0, 1)),
            *SIZE,
        ),
    ],
)
def test_the_size_in_the_head_of_an_av1_stream(fields):
    stream = b"\x12\x00" + sequence_header(*fields)  # after a temporal delimiter
    assert list(boxes._sequence_sizes(stream)) == [(4000, 1000)]
