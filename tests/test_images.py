"""Reading, fitting and finding images: the same pixels everywhere, or a named error."""

import io
import os
import socket
import struct
import subprocess
import sys
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from iqa_zoo.errors import ImageError, MissingLibraryError, UnknownNameError, UsageError
from iqa_zoo.images import Limits, find_images, fit_image, read_image
from tests.helpers.pictures import upright

HEIGHT, WIDTH = 45, 67
SIX = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF")
ORIENTATION = 0x0112


def smooth(height: int = HEIGHT, width: int = WIDTH, channels: int = 3) -> np.ndarray:
    """A picture with some structure, which compresses without becoming noise."""
    coarse = np.random.default_rng(7).integers(0, 256, (5, 6, channels), np.uint8)
    layers = [
        np.asarray(Image.fromarray(layer).resize((width, height), Image.BICUBIC))
        for layer in np.moveaxis(coarse, 2, 0)
    ]
    return np.ascontiguousarray(np.stack(layers, axis=2))


PICTURE = smooth()
PICTURE.flags.writeable = False
IMAGE = Image.fromarray(PICTURE)


def encoded(image: Image.Image, form: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def code_of(source, **arguments) -> str:
    with pytest.raises(ImageError) as caught:
        read_image(source, **arguments)
    return caught.value.code


def chunk(kind: bytes, data: bytes) -> bytes:
    checked = kind + data
    return (
        struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))
    )


def png(width: int, height: int, depth: int, colour: int, pixels: bytes = b"") -> bytes:
    """A PNG file of raw samples, `pixels` in rows that begin with a filter byte."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(pixels))
        + chunk(b"IEND", b"")
    )


def tiff(width: int, height: int, *more: tuple[int, int]) -> bytes:
    """A grey TIFF file of one strip, with `more` tags of one number each."""
    tags = {
        256: width,
        257: height,
        258: 8,
        259: 1,
        262: 1,
        273: 0,
        277: 1,
        278: height,
    }
    tags |= {279: width * height, **dict(more)}
    at = 8 + 2 + 12 * len(tags) + 4
    tags[273] = at
    entries = b"".join(
        struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items())
    )
    head = struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + bytes(4)
    return head + bytes(min(width * height, 100))


def claiming(form: str, width: int, height: int) -> bytes:
    """A file whose header claims a size that its few bytes cannot hold."""
    if form == "PNG":
        return png(width, height, 8, 2)
    if form == "TIFF":
        return tiff(width, height)
    data = bytearray(encoded(IMAGE, form))
    if form == "JPEG":
        at = data.index(b"\xff\xc0") + 5
        data[at : at + 4] = struct.pack(">HH", height, width)
    if form == "BMP":
        data[18:26] = struct.pack("<ii", width, height)
    if form == "GIF":
        data[6:10] = struct.pack("<HH", width, height)
    if form == "WEBP":  # 14 bits a side
        at = data.index(b"\x9d\x01\x2a") + 3
        data[at : at + 4] = struct.pack("<HH", min(width, 16383), min(height, 16383))
    return bytes(data)


@pytest.fixture(scope="session")
def tf():
    return pytest.importorskip("tensorflow")


# --- the same pixels everywhere -------------------------------------------------------


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF"])
def test_every_way_in_gives_the_same_pixels(form, tmp_path):
    data = encoded(IMAGE, form)
    path = tmp_path / "photo"
    path.write_bytes(data)
    ways = (
        path,
        str(path),
        data,
        bytearray(data),
        memoryview(data),
        Image.open(path),
        PICTURE,
        PICTURE.tolist(),
    )
    for way in ways[:-1]:
        pixels = read_image(way)
        assert np.array_equal(pixels, PICTURE)
        assert pixels.dtype == np.uint8 and pixels.flags.c_contiguous
    assert np.array_equal(read_image(ways[-1], value_range=(0, 255)), PICTURE)


def test_a_path_may_be_made_of_bytes(tmp_path):
    class Named:
        def __fspath__(self):
            return os.fsencode(tmp_path / "photo.png")

    (tmp_path / "photo.png").write_bytes(encoded(IMAGE, "PNG"))
    assert np.array_equal(read_image(Named()), PICTURE)


@pytest.mark.parametrize("name", ["a b.jpg", "new\nline.jpg", "\udcff\udcfe.jpg", "%s"])
def test_odd_names_are_read_and_lead_back_to_the_file(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(encoded(IMAGE, "PNG"))
    (found,) = find_images([path])
    assert os.fsencode(found) == os.fsencode(path)
    assert np.array_equal(read_image(found), PICTURE)


def jpegs() -> dict[str, bytes]:
    noise = np.random.default_rng(1).integers(0, 256, (150, 151, 4), np.uint8)
    cmyk = encoded(Image.fromarray(noise, "CMYK"), "JPEG", quality=100)
    mark = cmyk.index(b"\xff\xee")  # Adobe's segment, of 14 bytes
    transform = cmyk.index(b"Adobe") + 11
    return {
        "4:2:0": encoded(IMAGE, "JPEG", subsampling=2),
        "4:2:2": encoded(IMAGE, "JPEG", subsampling=1),
        "4:4:4": encoded(IMAGE, "JPEG", subsampling=0, quality=100),
        "progressive": encoded(IMAGE, "JPEG", progressive=True),
        "restarts": encoded(IMAGE, "JPEG", restart_marker_blocks=2),
        "grey": encoded(IMAGE.convert("L"), "JPEG"),
        "RGB": encoded(IMAGE, "JPEG", keep_rgb=True),
        "1x1": encoded(IMAGE.crop((0, 0, 1, 1)), "JPEG"),
        "17x1": encoded(IMAGE.crop((0, 0, 17, 1)), "JPEG"),
        "CMYK": cmyk,
        "CMYK without Adobe's mark": cmyk[:mark] + cmyk[mark + 16 :],
        "YCCK": cmyk[:transform] + b"\x02" + cmyk[transform + 1 :],
    }


@pytest.mark.parametrize("kind", jpegs())
def test_jpeg_equals_tensorflow_to_the_bit(kind, tf):
    data = jpegs()[kind]
    theirs = tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE")
    assert np.array_equal(read_image(data), theirs.numpy())


def test_real_photos_equal_tensorflow_to_the_bit(tf, clive):
    checked = 0
    for path in sorted((clive / "images").iterdir())[::60]:
        data = path.read_bytes()
        if not data.startswith(b"\xff\xd8"):
            continue
        if Image.open(path).getexif().get(ORIENTATION, 1) != 1:
            continue
        theirs = tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE")
        assert np.array_equal(read_image(path), theirs.numpy()), path.name
        checked += 1
    assert checked > 5


def test_a_multi_picture_jpeg_is_its_first_picture():
    data = encoded(IMAGE, "MPO", save_all=True, append_images=[IMAGE.rotate(90)])
    assert np.array_equal(read_image(data), read_image(encoded(IMAGE, "JPEG")))


@pytest.mark.parametrize("form", ["GIF", "TIFF", "PNG", "WEBP"])
def test_only_the_first_frame_counts(form):
    options = {"lossless": True} if form == "WEBP" else {}
    flat = Image.new("RGB", IMAGE.size, (10, 200, 30))
    more = [IMAGE.copy()]  # saving as JPEG leaves marks on an image
    data = encoded(flat, form, save_all=True, append_images=more, **options)
    assert (read_image(data) == (10, 200, 30)).all()


def test_the_suffix_says_nothing(tmp_path):
    path = tmp_path / "photo.gif"
    path.write_bytes(encoded(IMAGE, "PNG"))
    assert np.array_equal(read_image(path), PICTURE)


# --- modes ----------------------------------------------------------------------------


@pytest.mark.parametrize("form", SIX)
def test_grey_fills_all_channels(form):
    grey = Image.fromarray(PICTURE[:, :, 0])
    pixels = read_image(
        encoded(grey, form, **({"lossless": True} if form == "WEBP" else {}))
    )
    assert (pixels == pixels[:, :, :1]).all()
    if form != "JPEG":
        assert np.array_equal(pixels[:, :, 0], PICTURE[:, :, 0])


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF"])
def test_one_bit_is_black_and_white(form):
    mask = PICTURE[:, :, 0] > 128
    pixels = read_image(encoded(Image.fromarray(mask), form))
    assert np.array_equal(pixels[:, :, 1], np.where(mask, 255, 0))


@pytest.mark.parametrize("form", ["PNG", "BMP", "GIF", "TIFF"])
def test_a_palette_is_looked_up(form):
    indexed = IMAGE.quantize(16)
    expected = np.asarray(indexed.convert("RGB"))
    assert np.array_equal(read_image(encoded(indexed, form)), expected)


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF"])
def test_transparency_shows_white(form):
    alpha = np.zeros((HEIGHT, WIDTH), np.uint8)
    alpha[:, 20:40], alpha[:, 40:] = 128, 255
    both = Image.fromarray(np.dstack([PICTURE, alpha]))
    options = {"lossless": True, "exact": True} if form == "WEBP" else {}
    data = encoded(both, form, **options)
    share = alpha[:, :, None] / 255
    expected = PICTURE * share + 255 * (1 - share)
    for pixels in (read_image(data), read_image(np.asarray(both)), read_image(both)):
        assert (pixels[:, :20] == 255).all()
        assert np.array_equal(pixels[:, 40:], PICTURE[:, 40:])
        assert np.abs(pixels - expected).max() <= 1


def test_opaque_alpha_changes_nothing():
    opaque = IMAGE.convert("RGBA")
    grey = IMAGE.convert("LA")
    assert np.array_equal(read_image(encoded(opaque, "PNG")), PICTURE)
    assert np.array_equal(
        read_image(encoded(grey, "PNG")), np.asarray(grey.convert("L").convert("RGB"))
    )


def test_a_transparent_palette_entry_or_colour_shows_white():
    square = Image.new("P", (8, 8), 0)
    square.putpalette([200, 10, 10, 10, 10, 200])
    square.paste(1, (4, 0, 8, 8))
    colours = square.convert("RGB")
    files = (
        encoded(square, "PNG", transparency=0),
        encoded(square, "PNG", transparency=b"\x00\xff"),
        encoded(square, "GIF", transparency=0),
        encoded(colours, "PNG", transparency=(200, 10, 10)),
    )
    for data in files:
        pixels = read_image(data)
        assert (pixels[:, :4] == 255).all()
        assert (pixels[:, 4:] == (10, 10, 200)).all()


@pytest.mark.parametrize("colour, channels", [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_sixteen_bit_png_keeps_the_upper_byte_as_tensorflow_does(colour, channels, tf):
    values = np.random.default_rng(3).integers(0, 65536, (9, 11, channels), np.uint16)
    if channels in (2, 4):
        values[:, :, -1] = 65535
    rows = values.astype(">u2").reshape(9, -1)
    data = png(11, 9, 16, colour, b"".join(b"\0" + row.tobytes() for row in rows))
    theirs = tf.io.decode_png(data, channels=3).numpy()
    assert np.array_equal(read_image(data), theirs)
    assert np.array_equal(theirs[:, :, 0], values[:, :, 0] >> 8)


def test_sixteen_bit_tiff_keeps_the_upper_byte():
    values = np.random.default_rng(4).integers(0, 65536, (9, 11), np.uint16)
    pixels = read_image(encoded(Image.fromarray(values), "TIFF"))
    assert np.array_equal(pixels, np.repeat(values[:, :, None] >> 8, 3, axis=2))


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_a_tiff_without_stated_black_and_white_is_refused(dtype):
    data = encoded(Image.fromarray(np.ones((4, 5), dtype)), "TIFF")
    with pytest.raises(ImageError, match="value_range") as caught:
        read_image(data)
    assert caught.value.code == "refused_format"


def test_a_raw_photo_is_not_scored_by_its_preview():
    assert read_image(tiff(5, 4)).shape == (4, 5, 3)
    assert read_image(tiff(5, 4, (254, 1))).shape == (4, 5, 3)
    assert code_of(tiff(5, 4, (254, 1), (330, 8))) == "refused_format"
    assert code_of(tiff(5, 4, (50706, 1))) == "refused_format"


@pytest.mark.parametrize(
    "compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"]
)
def test_tiff_compressions(compression):
    data = encoded(IMAGE, "TIFF", compression=compression)
    assert np.array_equal(read_image(data), PICTURE)


# --- orientation ----------------------------------------------------------------------

UPRIGHT = upright(PICTURE)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "packed TIFF"])
def test_all_eight_orientations(form):
    options = {
        "JPEG": {"quality": 95},
        "WEBP": {"lossless": True},
        "packed TIFF": {"compression": "tiff_lzw"},
    }.get(form, {})
    for orientation, expected in UPRIGHT.items():
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        data = encoded(IMAGE, form.split()[-1], exif=exif, **options)
        opened = Image.open(io.BytesIO(data))
        for pixels in (read_image(data), read_image(opened)):
            assert pixels.shape == expected.shape
            difference = np.abs(pixels.astype(int) - expected)
            assert difference.mean() < 4 if form == "JPEG" else not difference.any()
            assert pixels.flags.c_contiguous


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_damaged_exif_block_is_ignored(form):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif[0x010E] = "description " * 9
    whole = exif.tobytes()
    options = {"lossless": True} if form == "WEBP" else {}
    plain = read_image(encoded(IMAGE, form, **options))
    damaged = [whole[:cut] for cut in (8, 12, 16, 20)]
    damaged += [b"Exif\0\0" + b"\xff" * 40, b"Exif\0\0MM\0*" + b"\xff" * 9, b"junk"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for block in damaged:
            pixels = read_image(encoded(IMAGE, form, exif=block, **options))
            assert np.array_equal(pixels, plain)
        wrong = Image.Exif()
        wrong[ORIENTATION] = 99
        pixels = read_image(encoded(IMAGE, form, exif=wrong, **options))
        assert np.array_equal(pixels, plain)


# --- arrays ---------------------------------------------------------------------------


def test_an_array_is_not_modified_nor_needs_to_be_writable():
    before = PICTURE.copy()
    assert np.array_equal(read_image(PICTURE), before)
    alpha = np.dstack([PICTURE, PICTURE[:, :, 0]])
    alpha.flags.writeable = False
    kept = alpha.copy()
    read_image(alpha)
    assert np.array_equal(alpha, kept)
    turned = read_image(PICTURE[::-1].transpose(1, 0, 2))
    assert turned.flags.c_contiguous
    assert np.array_equal(turned, PICTURE[::-1].transpose(1, 0, 2))


def test_grey_arrays():
    grey = PICTURE[:, :, 0]
    expected = np.repeat(grey[:, :, None], 3, axis=2)
    assert np.array_equal(read_image(grey), expected)
    assert np.array_equal(read_image(grey[:, :, None]), expected)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("black, white", [(0, 1), (0, 255), (-1, 1)])
def test_float_arrays_with_their_range(dtype, black, white):
    values = (PICTURE / 255 * (white - black) + black).astype(dtype)
    assert np.array_equal(read_image(values, value_range=(black, white)), PICTURE)


def test_other_arrays_with_their_range():
    wide = PICTURE.astype(np.uint16) * 257
    assert np.array_equal(read_image(wide, value_range=(0, 65535)), PICTURE)
    mask = PICTURE[:, :, 0] > 128
    assert read_image(mask, value_range=(0, 1)).max() == 255


def test_values_a_little_beyond_the_range_are_clipped():
    values = np.full((3, 3, 3), 1.0000001)
    assert (read_image(values, value_range=(0, 1)) == 255).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite(bad):
    values = np.zeros((3, 3, 3), np.float32)
    values[1, 1, 1] = bad
    assert code_of(values, value_range=(0, 1)) == "non_finite"


@pytest.mark.parametrize(
    "source, value_range",
    [
        (np.zeros((3, 3, 3), np.float32), None),
        (np.zeros((3, 3, 3), np.int64), None),
        (np.zeros((3, 3, 3), np.complex64), (0, 1)),
        (np.zeros((3, 3, 3), np.float32), (1, 0)),
        (np.zeros((3, 3, 3), np.float32), (0, np.nan)),
        (np.full((3, 3, 3), 200.0), (0, 1)),
        (np.full((3, 3, 3), 1e38, np.float32), (0, 1)),
        (np.zeros((3, 3, 2), np.uint8), None),
        (np.zeros((1, 3, 3, 3), np.uint8), None),
        (np.zeros(9, np.uint8), None),
        ([[1, 2], [3]], None),
        (None, None),
        (5, None),
    ],
)
def test_arrays_that_are_no_images(source, value_range):
    with pytest.raises(UsageError):
        read_image(source, value_range=value_range)


def test_arrays_keep_to_the_limits():
    assert code_of(PICTURE, limits=Limits(side=60)) == "too_many_pixels"
    assert code_of(np.zeros((0, 5, 3), np.uint8)) == "empty"


# --- bad files ------------------------------------------------------------------------


def test_files_that_cannot_be_opened(tmp_path):
    loop = tmp_path / "loop.jpg"
    loop.symlink_to(loop)
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    with socket.socket(socket.AF_UNIX) as server:
        place = os.getcwd()
        os.chdir(tmp_path)  # the name of a socket has few bytes
        try:
            server.bind("socket.jpg")
        finally:
            os.chdir(place)
        for path in (loop, pipe, tmp_path / "socket.jpg", tmp_path, "/dev/zero"):
            assert code_of(path) == "unreadable", path


def test_no_permission(tmp_path):
    path = tmp_path / "secret.png"
    path.write_bytes(encoded(IMAGE, "PNG"))
    path.chmod(0)
    root = os.geteuid() == 0
    if root:  # who may read everything
        os.seteuid(65534)
    try:
        assert code_of(path) == "unreadable"
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.parametrize(
    "name", ["missing.jpg", "file/below.jpg", "nul\0.jpg", "n" * 400]
)
def test_files_that_are_not_there(name, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    path = f"{tmp_path}/{name}"
    with pytest.raises(ImageError) as caught:
        read_image(path)
    assert caught.value.code == "not_found"
    assert caught.value.path == path
    assert str(caught.value).startswith(path)


def test_empty(tmp_path):
    path = tmp_path / "photo.jpg"
    path.touch()
    assert code_of(path) == code_of(b"") == "empty"


@pytest.mark.parametrize(
    "data",
    [
        b"These are words in a file called photo.jpg.",
        b"BMW and other words in a file called photo.jpg.",
        bytes(1000),
        b"RIFF\x10\0\0\0WAVEfmt " + bytes(20),
        b"x",
    ],
)
def test_unknown_formats(data):
    assert code_of(data) == "unknown_format"


@pytest.mark.parametrize(
    "name, data",
    {
        "HEIC film": b"\0\0\0\x1cftyphevc\0\0\0\0",
        "JPEG XL": b"\xff\x0a\xfa\x7f",
        "Photoshop": b"8BPS\0\1\0\0\0\0\0\0",
        "icon": b"\0\0\1\0\1\0\x10\x10\0\0",
        "PDF": b"%PDF-1.7\n%",
        "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n",
        "SVG": b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg">',
        "Netpbm": b"P6\n2 2\n255\n" + bytes(12),
        "Canon raw": b"II*\0\x10\0\0\0CR\x02\0",
    }.items(),
)
def test_known_formats_are_refused_by_name_with_a_remedy(name, data):
    with pytest.raises(
        ImageError, match=f"{name} files are not read. Convert"
    ) as caught:
        read_image(data)
    assert caught.value.code == "refused_format"


@pytest.mark.parametrize(
    "data",
    [
        b"\0\0\0\x18ftypisom" + bytes(20),
        b"\0\0\0\x14ftypqt  " + bytes(20),
        b"\0\0\0\x6cmoov" + bytes(20),
        b"\x1a\x45\xdf\xa3\x9fB\x86\x81\1",
        b"RIFF\x10\0\0\0AVI LIST" + bytes(20),
        b"\0\0\1\xba\x44" + bytes(20),
        b"\x47\x40" + bytes(186) + b"\x47\x40",
    ],
)
def test_videos_are_refused_with_a_remedy(data):
    with pytest.raises(ImageError, match="video files are not read") as caught:
        read_image(data)
    assert caught.value.code == "refused_format"


def whole_files() -> dict[str, bytes]:
    flat = IMAGE.quantize(32)
    turned = IMAGE.rotate(9)
    more = {"save_all": True, "append_images": [turned]}
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    files = {
        "JPEG": encoded(IMAGE, "JPEG"),
        "progressive JPEG": encoded(IMAGE, "JPEG", progressive=True),
        "JPEG with EXIF": encoded(IMAGE, "JPEG", exif=exif),
        "PNG": encoded(IMAGE, "PNG"),
        "animated PNG": encoded(IMAGE, "PNG", **more),
        "BMP": encoded(IMAGE, "BMP"),
        "palette BMP": encoded(flat, "BMP"),
        "GIF": encoded(flat, "GIF"),
        "animated GIF": encoded(flat, "GIF", **more),
        "WebP": encoded(IMAGE, "WEBP"),
        "lossless WebP": encoded(IMAGE, "WEBP", lossless=True),
        "animated WebP": encoded(IMAGE, "WEBP", **more),
        "fax TIFF": encoded(IMAGE.convert("1"), "TIFF", compression="group4"),
        "TIFF of two pages": encoded(IMAGE, "TIFF", **more),
    }
    for packing in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        files[f"{packing} TIFF"] = encoded(IMAGE, "TIFF", compression=packing)
    return files


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize("kind", whole_files())
def test_a_truncated_file_is_called_so_wherever_it_is_cut(kind, lenient, monkeypatch):
    # A user's own setting of Pillow must not let half an image through.
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", lenient)
    data = whole_files()[kind]
    read_image(data)
    cuts = {*range(1, 24), *range(24, len(data), len(data) // 25)}
    cuts |= {len(data) - cut for cut in range(1, 30)}
    if kind == "TIFF of two pages":  # the second page's resolution stands last
        cuts -= {len(data) - cut for cut in range(1, 17)}
    codes = {cut: code_of(data[:cut]) for cut in sorted(cuts)}
    assert {cut: code for cut, code in codes.items() if code != "truncated"} == {}


@pytest.mark.parametrize("form", SIX)
def test_bytes_after_the_end_do_no_harm(form):
    data = encoded(IMAGE, form)
    assert np.array_equal(read_image(data + b"appended" * 9), read_image(data))


DAMAGED = {"corrupt", "truncated", "unknown_format", "refused_format"}
DAMAGED |= {"too_many_pixels", "empty"}


@pytest.mark.fuzz
@pytest.mark.parametrize("kind", whole_files())
def test_damage_gives_pixels_or_a_code(kind, capfd):
    random = np.random.default_rng(len(kind))
    data = whole_files()[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(30):
            damaged = bytearray(data)
            for _ in range(3):
                damaged[random.integers(min(len(data), 400))] = random.integers(256)
            try:
                assert read_image(damaged).dtype == np.uint8
            except ImageError as error:
                assert error.code in DAMAGED
    assert capfd.readouterr() == ("", "")


def test_damaged_data_is_corrupt():
    good = encoded(IMAGE, "PNG")
    at = good.index(b"IDAT") + 20
    bad = good[:at] + bytes([good[at] ^ 255]) + good[at + 1 :]
    assert code_of(bad) == "corrupt"


def test_a_text_bomb_in_a_png_does_not_go_off():
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(30_000_000)))
    good = encoded(IMAGE, "PNG")
    assert code_of(good[:33] + text + good[33:]) == "corrupt"


# --- limits ---------------------------------------------------------------------------


@pytest.mark.parametrize("form", SIX)
def test_limits_hold_and_can_be_moved(form, tmp_path):
    data = encoded(IMAGE, form)
    path = tmp_path / "photo"
    path.write_bytes(data)
    for source in (data, path):
        assert (
            code_of(source, limits=Limits(pixels=HEIGHT * WIDTH - 1))
            == "too_many_pixels"
        )
        assert code_of(source, limits=Limits(side=WIDTH - 1)) == "too_many_pixels"
        assert code_of(source, limits=Limits(bytes=len(data) - 1)) == "too_many_bytes"
        limits = Limits(pixels=HEIGHT * WIDTH, side=WIDTH, bytes=len(data))
        assert read_image(source, limits=limits).shape == PICTURE.shape


@pytest.mark.parametrize("field", ["pixels", "side", "bytes"])
@pytest.mark.parametrize("value", [None, 0, -1, 1.5, True, "9"])
def test_a_limit_cannot_be_switched_off(field, value):
    with pytest.raises(UsageError, match=field):
        Limits(**{field: value})


def test_a_file_above_the_limit_is_not_read(tmp_path):
    path = tmp_path / "huge.jpg"
    with path.open("wb") as file:
        file.truncate(300_000_000)
    assert code_of(path) == "too_many_bytes"


def run_python(code: str, *arguments, options=()) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *options, "-c", code, *map(str, arguments)],
        capture_output=True,
        timeout=60,
        cwd=Path(__file__).parent.parent,
        check=False,
    )


def test_claims_are_refused_before_anything_is_allocated(tmp_path):
    for form in SIX:
        (tmp_path / f"{form}.jpg").write_bytes(claiming(form, 30000, 30000))
    (tmp_path / "long.jpg").write_bytes(claiming("JPEG", 30001, 2))
    (tmp_path / "tile.jpg").write_bytes(tiff(16, 16, (322, 60000), (323, 60000)))
    code = """
import resource, sys
from iqa_zoo.errors import ImageError
from iqa_zoo.images import find_images, read_image
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak()
for path in find_images(sys.argv[1]):
    try:
        read_image(path)
    except ImageError as error:
        print(error.code)
print(peak() - before < 40)
"""
    done = run_python(code, tmp_path)
    assert done.stdout.split() == [b"too_many_pixels"] * 8 + [b"True"], done


def test_out_of_memory_is_a_code(tmp_path):
    path = tmp_path / "large.png"
    Image.new("1", (9000, 9000)).save(path)
    code = """
import resource, sys
from iqa_zoo.errors import ImageError
from iqa_zoo.images import read_image
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 150_000_000,) * 2)
try:
    read_image(sys.argv[1])
except ImageError as error:
    print(error.code)
"""
    if not Path("/proc/self/statm").exists():
        pytest.skip("needs /proc to know its own size")
    done = run_python(code, path)
    assert done.stdout.strip() == b"out_of_memory", done


# --- quietness ------------------------------------------------------------------------


def test_no_decoder_writes_to_stderr(tmp_path):
    for kind, data in whole_files().items():
        middle = len(data) // 2
        (tmp_path / f"{kind} cut.jpg").write_bytes(data[:middle])
        damaged = data[:middle] + bytes(20) + data[middle + 20 :]
        (tmp_path / f"{kind} damaged.jpg").write_bytes(damaged)
        (tmp_path / f"{kind} head.jpg").write_bytes(data[:40] + bytes(9) + data[49:])
    samples = tiff(5, 4, (277, 9999))
    (tmp_path / "samples.jpg").write_bytes(samples)
    code = """
import sys
from iqa_zoo.errors import ImageError
from iqa_zoo.images import find_images, read_image
for path in find_images(sys.argv[1]):
    try:
        read_image(path)
    except ImageError:
        pass
assert "cv2" not in sys.modules
"""
    done = run_python(code, tmp_path, options=("-W", "always"))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_warnings_are_silenced_in_the_decoding_thread_only():
    exif = encoded(
        IMAGE, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xff" * 30
    )
    failures = []

    def decode() -> None:
        try:
            for _ in range(20):
                read_image(exif)
        except Exception as error:
            failures.append(error)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        threads = [threading.Thread(target=decode) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(50):
            with pytest.raises(UserWarning, match="mine"):
                warnings.warn("mine", stacklevel=1)
        for thread in threads:
            thread.join()
    assert failures == []


# --- fitting --------------------------------------------------------------------------


@pytest.mark.parametrize("old", [(45, 67), (33, 31), (2, 3), (1, 1)])
@pytest.mark.parametrize("new", [(45, 67), (96, 101), (97, 500), (134, 90)])
def test_enlarging_equals_tensorflow_and_the_mapping_of_mediapipe(old, new, tf):
    import cv2

    image = np.random.default_rng(5).integers(0, 256, (*old, 3), np.uint8)
    ours = fit_image(image, new)
    theirs = tf.raw_ops.ResizeBilinear(
        images=image[None].astype(np.float32),
        size=new,
        align_corners=False,
        half_pixel_centers=False,
    )[0]
    assert ours.shape == (*new, 3) and ours.dtype == np.uint8
    assert np.abs(ours - theirs.numpy()).max() <= 1
    scale = np.array([[new[1] / old[1], 0, 0], [0, new[0] / old[0], 0]])
    warped = cv2.warpAffine(
        image, scale, new[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    assert np.abs(ours.astype(int) - warped).max() <= 1


@pytest.mark.parametrize("old", [(45, 67), (134, 200), (67, 45), (300, 401)])
@pytest.mark.parametrize("new", [(45, 45), (45, 20), (7, 9), (1, 1), (32, 32)])
def test_shrinking_equals_tensorflow(old, new, tf):
    image = np.random.default_rng(6).integers(0, 256, (*old, 3), np.uint8)
    ours = fit_image(image, new)
    theirs = tf.image.resize(image, new, method="area").numpy()
    assert ours.shape == (*new, 3) and ours.dtype == np.uint8
    assert np.abs(ours - theirs).max() <= 1


@pytest.mark.parametrize("old, new", [((50, 301), (97, 64)), ((301, 50), (64, 97))])
def test_each_axis_follows_its_own_rule(old, new, tf):
    image = np.random.default_rng(8).integers(0, 256, (*old, 3), np.uint8)
    between = [min(a, b) for a, b in zip(old, new, strict=True)]
    shrunk = tf.image.resize(image, between, method="area")
    expected = tf.raw_ops.ResizeBilinear(
        images=shrunk[None], size=new, align_corners=False, half_pixel_centers=False
    )[0].numpy()
    assert np.abs(fit_image(image, new) - expected).max() <= 1


def test_nearest_equals_pillow_to_the_bit():
    random = np.random.default_rng(9)
    for _ in range(60):
        old, new = random.integers(1, 300, (2, 2)).tolist()
        image = random.integers(0, 256, (*old, 3), np.uint8)
        ours = fit_image(image, new, shrink="nearest", enlarge="nearest")
        theirs = Image.fromarray(image).resize(new[::-1], Image.NEAREST)
        assert np.array_equal(ours, theirs), (old, new)


def test_the_same_size_is_the_same_image():
    assert fit_image(PICTURE, (HEIGHT, WIDTH)) is PICTURE
    assert fit_image(PICTURE, [HEIGHT, WIDTH]) is PICTURE


@pytest.mark.parametrize("size", [(1, 1), (20, 100), (100, 20), (200, 200)])
def test_a_flat_image_stays_flat_and_the_input_as_it_was(size):
    flat = np.full((HEIGHT, WIDTH, 3), (3, 128, 251), np.uint8)
    flat.flags.writeable = False
    assert (fit_image(flat, size) == (3, 128, 251)).all()
    turned = PICTURE[::-1, ::-1]
    assert np.array_equal(fit_image(turned, size), fit_image(turned.copy(), size))


@pytest.mark.parametrize("rule", ["fit", "shrink", "enlarge"])
def test_unknown_rules_get_the_known_ones(rule):
    known = {"fit": "stretch", "shrink": "area", "enlarge": "corner"}[rule]
    with pytest.raises(UnknownNameError, match=f"{known[:-1]}x.*{known}"):
        fit_image(PICTURE, (9, 9), **{rule: known[:-1] + "x"})


@pytest.mark.parametrize(
    "image, size",
    [
        (PICTURE.astype(np.float32), (9, 9)),
        (PICTURE[:, :, 0], (9, 9)),
        (PICTURE, (0, 9)),
        (PICTURE, (9,)),
    ],
)
def test_what_cannot_be_fitted(image, size):
    with pytest.raises(UsageError):
        fit_image(image, size)


def test_a_missing_opencv_gets_its_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert read_image(PICTURE) is not None
    with pytest.raises(MissingLibraryError) as caught:
        fit_image(PICTURE, (9, 9))
    text = str(caught.value)
    uninstall = text.index("pip uninstall opencv-python")
    assert uninstall < text.index("--force-reinstall --no-deps opencv-python-headless")


# --- finding --------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path):
    """Photos in folders, and what lies beside photos; nothing of it is decoded."""
    for name in (
        "b.JPG",
        "a.png",
        "notes.txt",
        "mos.csv",
        ".hidden.jpg",
        ".thumbs/t.jpg",
        "sub/deep/z.webp",
        "sub/c.tiff",
        "sub/readme",
        "x.jpg/inside.bmp",
        "phone.heic",
        "[odd]*.jpg",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


IN_TREE = [
    "[odd]*.jpg",
    "a.png",
    "b.JPG",
    "phone.heic",
    "sub/c.tiff",
    "sub/deep/z.webp",
    "x.jpg/inside.bmp",
]


def under(folder: Path, names) -> list[str]:
    return [os.path.relpath(name, folder) for name in names]


@pytest.mark.parametrize("as_given", [str, Path, lambda path: f"{path}/"])
def test_a_folder_is_its_photos_and_those_of_its_subfolders(tree, as_given):
    found = find_images(as_given(tree))
    assert under(tree, found) == IN_TREE
    assert found.left_out == 3  # the text, the table and the readme


def test_names_are_as_given_or_found(tree, monkeypatch):
    monkeypatch.chdir(tree)
    assert list(find_images("sub")) == ["sub/c.tiff", "sub/deep/z.webp"]
    assert list(find_images("./sub/")) == ["./sub/c.tiff", "./sub/deep/z.webp"]
    assert list(find_images(["b.JPG", Path("a.png"), "./a.png"])) == [
        "b.JPG",
        "a.png",
        "./a.png",
    ]


def test_named_files_are_passed_through_whatever_they_are(tree):
    names = [str(tree / name) for name in ("notes.txt", "missing.jpg", ".hidden.jpg")]
    found = find_images(names)
    assert list(found) == names
    assert found.left_out == 0


@pytest.mark.parametrize(
    "pattern, expected",
    [
        ("*.png", ["a.png"]),
        ("*.[pJ]*", ["a.png", "b.JPG"]),
        ("?.JPG", ["b.JPG"]),
        ("*/*.tiff", ["sub/c.tiff"]),
        ("sub/*", ["sub/c.tiff", "sub/deep/z.webp"]),
        ("x*", ["x.jpg/inside.bmp"]),
        ("**/*.webp", ["sub/deep/z.webp"]),
        ("sub/**/*.tiff", ["sub/c.tiff"]),
        ("**/deep/*", ["sub/deep/z.webp"]),
        ("[odd]*.jpg", ["[odd]*.jpg"]),
        ("s*/", ["sub/c.tiff", "sub/deep/z.webp"]),
    ],
)
def test_patterns(tree, pattern, expected, monkeypatch):
    assert under(tree, find_images(f"{tree}/{pattern}")) == expected
    monkeypatch.chdir(tree)
    assert list(find_images(pattern)) == expected


def test_a_pattern_finds_what_a_folder_would(tree):
    found = find_images(f"{tree}/**")
    assert sorted(under(tree, found)) == sorted(IN_TREE)
    assert found.left_out == 3


def test_a_pattern_without_matches_is_a_missing_file(tree):
    pattern = str(tree / "*.nothing")
    assert list(find_images(pattern)) == [pattern]
    assert code_of(pattern) == "not_found"


def test_loops_of_links_end(tmp_path):
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a.jpg").touch()
    (folder / "again").symlink_to(folder)
    (folder / "sub" / "up").symlink_to(folder)
    (folder / "self.jpg").symlink_to(folder / "self.jpg")
    expected = ["self.jpg", "sub/a.jpg"]
    assert under(folder, find_images(folder)) == expected
    assert under(folder, find_images(f"{folder}/**/*.jpg")) == expected
    link = tmp_path / "link"
    link.symlink_to(folder)
    assert under(link, find_images(link)) == expected
    assert code_of(folder / "self.jpg") == "unreadable"


def test_a_folder_that_cannot_be_entered_is_reported(tmp_path, monkeypatch):
    (tmp_path / "closed").mkdir()
    (tmp_path / "open.jpg").touch()
    scandir = os.scandir

    def refuse(folder):
        if "closed" in os.fspath(folder):
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    closed, opened = find_images(tmp_path)
    assert Path(closed) == tmp_path / "closed" and Path(opened).name == "open.jpg"
    with pytest.raises(ImageError, match=r"Permission denied") as caught:
        read_image(closed)
    assert caught.value.code == "unreadable"
    with pytest.raises(ImageError, match="is a folder"):
        read_image(tmp_path)


def test_finding_is_lazy(tree):
    asked = []

    def names():
        for name in ("a.png", "b.JPG"):
            asked.append(name)
            yield tree / name

    found = find_images(names())
    assert asked == []
    next(found)
    assert asked == ["a.png"]


def test_an_empty_folder_has_no_images(tmp_path):
    assert list(find_images(tmp_path)) == []
    assert list(find_images([])) == []


@pytest.mark.parametrize("sources", [[5], b"photo.jpg", [b"photo.jpg"]])
def test_sources_that_are_no_names(sources):
    with pytest.raises(UsageError, match="no file name"):
        list(find_images(sources))
