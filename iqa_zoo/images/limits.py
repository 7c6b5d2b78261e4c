"""What an image may claim at most, and the errors about single images."""

import dataclasses

from iqa_zoo.errors import ImageError, UsageError


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """The largest image that is read; checked before its pixels are allocated.

    Args:
        pixels: width times height.
        side: the longer side, in pixels.
        bytes: the size of the file.

    Raises:
        UsageError: a limit that is no positive whole number. There is no way to
            switch a limit off; a large number does it.
    """

    pixels: int = 100_000_000
    side: int = 30_000
    bytes: int = 256_000_000

    def __post_init__(self) -> None:
        """Refuse what cannot limit anything."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise UsageError(
                    f"The limit {field.name}={value!r} is not a positive whole number. "
                    "A limit cannot be switched off; give a larger number instead."
                )


DEFAULT_LIMITS = Limits()

#: The remedy for a file that is not read.
CONVERT = "Convert it to PNG or JPEG, or decode it yourself and pass the array."

#: That for a video.
FRAMES = "Take frames out of it, as ffmpeg -i VIDEO -vf fps=1 %04d.png does."


def image_error(code: str, name: str, text: str) -> ImageError:
    """An error whose message begins with the image's name, if it has one."""
    return ImageError(code, f"{name or 'The image'}: {text}", name)


def out_of_memory(name: str) -> ImageError:
    """The error of an image that there is not enough memory for."""
    return image_error(
        "out_of_memory",
        name,
        "not enough memory. Lower the limits, or score fewer images at a time.",
    )


def check_bytes(count: int, name: str, limits: Limits) -> None:
    """Raise ImageError where a file of `count` bytes is too large."""
    if count > limits.bytes:
        raise image_error(
            "too_many_bytes",
            name,
            f"{count} bytes are more than the limit of {limits.bytes}. "
            "Raise the limit, or score a smaller copy.",
        )


def check_size(size: tuple[int, int], name: str, limits: Limits) -> None:
    """Raise ImageError where `size`, width and height, is too large or empty."""
    width, height = size
    if width * height > limits.pixels or max(size) > limits.side:
        raise image_error(
            "too_many_pixels",
            name,
            f"{width} x {height} pixels are more than the limits of {limits.pixels} "
            f"pixels and {limits.side} a side. Raise them, or score a smaller copy.",
        )
    if min(size) < 1:
        raise image_error("empty", name, f"{width} x {height} pixels are no image.")
