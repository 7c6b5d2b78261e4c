"""Pictures and colour profiles that tests make."""

import io
import struct

import numpy as np
from PIL import Image


def smooth(height: int, width: int, seed: int = 7) -> np.ndarray:
    """A picture with some structure, which compresses without becoming noise."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.BICUBIC))


def encoded(image: Image.Image, form: str, **options) -> bytes:
    """An image in a format of Pillow's."""
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def upright(picture: np.ndarray) -> dict[int, np.ndarray]:
    """What a stored picture is when upright, by its EXIF orientation."""
    return {
        1: picture,
        2: picture[:, ::-1],
        3: picture[::-1, ::-1],
        4: picture[::-1],
        5: picture.transpose(1, 0, 2),
        6: np.rot90(picture, -1),
        7: picture[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(picture),
    }


D50 = (0.9642, 1.0, 0.8249)
# The primaries in the profile connection space: the rows X, Y, Z of red, green, blue.
DISPLAY_P3 = (
    (0.51512, 0.24120, -0.00105),
    (0.29198, 0.69225, 0.04189),
    (0.15710, 0.06657, 0.78407),
)
ADOBE_RGB = (
    (0.60974, 0.31111, 0.01947),
    (0.20528, 0.62567, 0.06087),
    (0.14919, 0.06322, 0.74457),
)
SRGB = (
    (0.43607, 0.22249, 0.01392),
    (0.38515, 0.71687, 0.09708),
    (0.14307, 0.06061, 0.71410),
)


def rgb_profile(primaries: tuple, gamma: float = 2.2) -> bytes:
    """An ICC profile (version 2) of three primaries and one exponent."""
    tags = {}
    for letter, colour in zip("rgb", primaries, strict=True):
        tags[f"{letter}XYZ"] = b"XYZ " + bytes(4) + _numbers(colour)
        tags[f"{letter}TRC"] = _curve(gamma)
    return _profile(b"RGB ", b"XYZ ", tags)


def grey_profile(gamma: float) -> bytes:
    """An ICC profile of greys with one exponent."""
    return _profile(b"GRAY", b"XYZ ", {"kTRC": _curve(gamma)})


def ink_profile() -> bytes:
    """An ICC profile of inks: each corner of their cube has a colour, in Lab."""
    corners = np.indices((2, 2, 2, 2)).reshape(4, 16).T  # cyan changes slowest
    cyan, magenta, yellow, black = corners.T
    light = 255 * (1 - 0.3 * cyan - 0.4 * magenta - 0.05 * yellow) * (1 - black)
    green = 128 + 60 * (magenta - 0.6 * cyan) * (1 - black)
    blue = 128 + 60 * (yellow - 0.6 * cyan - 0.3 * magenta) * (1 - black)
    cube = np.stack([light.clip(0), green, blue], axis=1).round().astype(np.uint8)
    straight = bytes(range(256))
    table = (
        b"mft1"
        + bytes(4)
        + bytes((4, 3, 2, 0))
        + _numbers((1, 0, 0, 0, 1, 0, 0, 0, 1))
        + straight * 4
        + cube.tobytes()
        + straight * 3
    )
    return _profile(b"CMYK", b"Lab ", {"A2B0": table}, kind=b"prtr")


def _profile(colours: bytes, space: bytes, tags: dict, kind: bytes = b"mntr") -> bytes:
    tags |= {
        "desc": b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(78),
        "cprt": b"text" + bytes(4) + b"none\0",
        "wtpt": b"XYZ " + bytes(4) + _numbers(D50),
    }
    place = 128 + 4 + 12 * len(tags)
    entries, bodies = b"", b""
    for name, body in tags.items():
        entries += name.encode() + struct.pack(">II", place + len(bodies), len(body))
        bodies += body + bytes(-len(body) % 4)
    content = struct.pack(">I", len(tags)) + entries + bodies
    head = struct.pack(">I4sI", 128 + len(content), b"test", 0x02400000)
    head += kind + colours + space + struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp"
    head += bytes(28) + _numbers(D50)
    return head.ljust(128, b"\0") + content


def _numbers(values) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def _curve(gamma: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IHxx", 1, round(gamma * 256))
