"""Encoded bytes into pixels, whatever a decoder may raise or print on the way."""

import contextlib
import functools
import io
import threading
import warnings
from collections.abc import Callable, Collection, Iterator

from PIL import Image

from iqa_zoo.errors import ImageError
from iqa_zoo.images.checks import check_cost, check_rows, check_strips
from iqa_zoo.images.formats import decoder, format_of
from iqa_zoo.images.limits import (
    CONVERT,
    Limits,
    check_bytes,
    check_size,
    image_error,
    out_of_memory,
)
from iqa_zoo.images.pixels import Pixels, check_tiff, orientation_of, upright_rgb
from iqa_zoo.images.whole import SIZES, WHOLE


class Encoded:
    """An encoded image whose size is known and within the limits.

    A JPEG image is decoded when its pixels are asked for, all others at once.

    Attributes:
        height: of the upright picture, in pixels.
        width: likewise.
        is_grey: whether it has no colours.

    Raises:
        ImageError: it is none that is read, too large or not whole; `code` says why.
    """

    def __init__(
        self, data: bytes, name: str, limits: Limits, also_read: Collection[str] = ()
    ) -> None:
        check_bytes(len(data), name, limits)
        self.kind = format_of(data, name, also_read)
        self._data = data
        self._name = name
        self._image: Image.Image | None = None  # opened, not yet decoded
        with self._decoding():
            check_cost(self.kind, data, name)
            whole = WHOLE[self.kind](data)
            for size in SIZES[self.kind](data) if whole and self.kind in SIZES else []:
                check_size(size, name, limits)
            image = self._image = self._open()
            check_size(image.size, name, limits)
            if self.kind == "TIFF":
                check_tiff(image, name, limits)
            # Pillow is content with some files that lack their end, or with any file
            # where the user has set LOAD_TRUNCATED_IMAGES.
            if not whole:
                raise EOFError("it ends before the image does")
            if self.kind == "TIFF":
                check_strips(image)
            if self.kind != "JPEG":  # whose size is right before it is decoded
                image.load()
            if self.kind == "PNG":
                check_rows(image, data)
            swapped, *_ = orientation_of(image)
        self.height, self.width = image.size if swapped else image.size[::-1]
        self.is_grey = image.mode in ("1", "L", "I;16")

    def pixels(self, scale: int = 1) -> Pixels:
        """The picture, upright, as uint8 RGB `(height, width, 3)`.

        Args:
            scale: 1, or, of a JPEG image, 2 or 4: each side is then the half or the
                quarter, rounded up, and decoding takes less time and memory.

        Raises:
            ImageError: it is damaged, or there is too little memory.
        """
        with self._decoding():
            image, self._image = self._image or self._open(), None
            if scale > 1:
                width, height = image.size
                image.draft(None, (width // scale, height // scale))
            return upright_rgb(image, self._name)

    def _open(self) -> Image.Image:
        return decoder(self.kind, self._name)(io.BytesIO(self._data))

    def _decoding(self) -> contextlib.AbstractContextManager[None]:
        whole = functools.partial(WHOLE[self.kind], self._data)
        return decoding(self._name, whole)


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
