"""Images of every kind that a user has, made into the same pixels everywhere.

`find_images` names the files, `read_image` decodes one of them, `fit_image` brings it
to the size that a network takes. All pixels are uint8 `(height, width, 3)`, RGB.

What is read is decided by the content, never by the suffix, and by an allow-list:
JPEG, PNG, BMP, GIF, WebP, TIFF and AVIF, decoded by Pillow; HEIC with the extra `heif`;
JPEG 2000 where it is asked for. A damaged or hostile file costs
an `ImageError` with a stable code and never yields pixels of a part of an image.
"""

from iqa_zoo.images.finding import IMAGE_SUFFIXES, ImageFiles, find_images
from iqa_zoo.images.formats import ON_REQUEST, checked_formats
from iqa_zoo.images.limits import (
    DEFAULT_LIMITS,
    Limits,
    image_error,
    out_of_memory,
)
from iqa_zoo.images.pixels import Pixels, check_range
from iqa_zoo.images.reading import SOURCES, Photo, Source, name_of, read_image
from iqa_zoo.images.resizing import (
    ENLARGE_RULES,
    FIT_RULES,
    SHRINK_RULES,
    fit_by,
    fit_image,
    opencv,
)

__all__ = [
    "DEFAULT_LIMITS",
    "ENLARGE_RULES",
    "FIT_RULES",
    "IMAGE_SUFFIXES",
    "ON_REQUEST",
    "SHRINK_RULES",
    "SOURCES",
    "ImageFiles",
    "Limits",
    "Photo",
    "Pixels",
    "Source",
    "check_range",
    "checked_formats",
    "find_images",
    "fit_by",
    "fit_image",
    "image_error",
    "name_of",
    "opencv",
    "out_of_memory",
    "read_image",
]
