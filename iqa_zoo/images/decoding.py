"""Encoded bytes into pixels, whatever a decoder may raise or print on the way."""

import contextlib
import functools
import io
import threading
import warnings
from collections.abc import Callable, Iterator

from PIL import Image

from iqa_zoo.errors import ImageError
from iqa_zoo.images.formats import decoder, format_of
from iqa_zoo.images.limits import (
    CONVERT,
    Limits,
    check_bytes,
    check_size,
    image_error,
    out_of_memory,
)
from iqa_zoo.images.pixels import Pixels, check_tiff, upright_rgb
from iqa_zoo.images.whole import WHOLE


def decode(data: bytes, name: str, limits: Limits) -> Pixels:
    """The pixels of an encoded image, upright, as uint8 RGB `(height, width, 3)`.

    Raises:
        ImageError: it cannot be read; `code` says why.
    """
    check_bytes(len(data), name, limits)
    kind = format_of(data, name)
    whole = WHOLE[kind]
    with decoding(name, functools.partial(whole, data)):
        image = decoder(kind)(io.BytesIO(data))
        check_size(image.size, name, limits)
        if kind == "TIFF":
            check_tiff(image, name, limits)
        # Pillow is content with some files that lack their end, or with any file
        # where the user has set LOAD_TRUNCATED_IMAGES.
        if not whole(data):
            raise EOFError("it ends before the image does")
        return upright_rgb(image, name)


_thread = threading.local()


class _WhileDecoding(type):
    def __subclasscheck__(cls, subclass: type) -> bool:
        return getattr(_thread, "decoding", False)


class _DecoderWarning(Warning, metaclass=_WhileDecoding):
    """Matches, as a warning filter's category, what a thread decoding here raises.

    `warnings.catch_warnings` swaps the filters of the whole process and so cannot be
    used in a thread; a filter of this category leaves all other threads alone.
    """


@contextlib.contextmanager
def decoding(name: str, whole: Callable[[], bool] | None = None) -> Iterator[None]:
    """Turn whatever a decoder raises into an ImageError, and keep it quiet.

    `whole` tells whether the file reaches to the end of its image.
    """
    if not warnings.filters or warnings.filters[0][2] is not _DecoderWarning:
        warnings.filterwarnings("ignore", category=_DecoderWarning)
    _thread.decoding = True
    try:
        yield
    except ImageError:
        raise
    except MemoryError as error:
        raise out_of_memory(name) from error
    except Image.DecompressionBombError as error:
        raise image_error(
            "too_many_pixels", name, f"{error} The limit is PIL.Image.MAX_IMAGE_PIXELS."
        ) from error
    except Exception as error:  # parsers raise IndexError, struct.error, SyntaxError...
        if whole is not None and not whole():
            raise image_error(
                "truncated",
                name,
                "the file ends before the image does. Fetch or copy it again.",
            ) from error
        raise image_error(
            "corrupt",
            name,
            f"cannot be decoded ({error or type(error).__name__}). It is damaged, or "
            f"of a rare kind. {CONVERT}",
        ) from error
    finally:
        _thread.decoding = False
