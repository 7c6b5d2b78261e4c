"""Everything that iqa_zoo raises on purpose.

    IqaError
    ├── UsageError            an argument that cannot be meant
    │   └── UnknownNameError  no model, weight set or column of that name
    ├── ImageError            one image that cannot be scored; has a stable `code`
    ├── OpinionError          opinion scores that cannot be used
    ├── CardError             a card that breaks the schema
    ├── WeightsError          a weight file that is missing or not what its card says
    │   └── MissingWeightsError  one that is not in the store and cannot be fetched
    ├── TrainingError         a training that cannot go on
    ├── ExportError           a network whose file would not answer as it does
    ├── MissingLibraryError   a library that is not installed or does not load
    └── OutputError           a result that cannot be written

A message says what happened, what is allowed and what to do.
"""

import difflib
from collections.abc import Iterable

#: The codes of `ImageError`, with what each one means. Scripts may rely on them.
IMAGE_CODES = {
    "not_found": "no file of that name",
    "not_an_image": "no file, and no array of an image's shape, type and values",
    "unreadable": "the file cannot be opened (permission, looping link, no plain file)",
    "empty": "the file has no bytes",
    "unknown_format": "the content is no image format that is read here",
    "refused_format": "a known format that is not read here",
    "truncated": "the file ends before the image does",
    "corrupt": "the decoder found damage",
    "too_many_pixels": "more pixels than the limit, or a side longer than the limit",
    "too_many_bytes": "a larger file than the limit",
    "too_small": "fewer pixels a side than the model can judge",
    "different_sizes": "two images that are to be compared differ in size",
    "no_reference": "no image, or more than one, that this one could be compared with",
    "non_finite": "NaN or infinity in the array or in the score",
    "out_of_memory": "not enough memory for this image",
    "crashed": "the worker process that scored it ended, again and again (with Ray)",
}


class IqaError(Exception):
    """Base of all errors raised on purpose by iqa_zoo."""


class UsageError(IqaError, ValueError):
    """An argument that cannot be meant."""


class UnknownNameError(UsageError):
    """A name that is not among those known; the message gives the nearest ones."""

    def __init__(
        self, what: str, name: str, known: Iterable[str], remedy: str = ""
    ) -> None:
        known = sorted(known)
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        hint = (
            f"Did you mean {' or '.join(near)}?"
            if near
            else f"Known: {', '.join(known) or 'none'}."
        )
        super().__init__(f"No {what} is called {name!r}. {hint} {remedy}".rstrip())


class ImageError(IqaError):
    """One image that cannot be scored.

    `code` is a key of `IMAGE_CODES`; `path` is the image's name as given.
    """

    def __init__(self, code: str, message: str, path: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.path = path


class OpinionError(IqaError, ValueError):
    """Opinion scores that cannot be used; the message names rows and values."""


class CardError(IqaError):
    """A card that breaks the schema; the message names file, key and remedy."""


class WeightsError(IqaError):
    """A weight file that is missing or is not what its card says."""


class MissingWeightsError(WeightsError):
    """A file that others publish and that is not in the store and cannot be fetched.

    The message has the remedy, in several lines.
    """


class TrainingError(IqaError):
    """A training that cannot go on; `step` is the number of the step, from 0."""

    def __init__(self, message: str, step: int | None = None) -> None:
        super().__init__(message)
        self.step = step


class ExportError(IqaError):
    """A network whose file would not answer as it does, so that there is none."""


class MissingLibraryError(IqaError, ImportError):
    """A library that is not installed or does not load; the message has the remedy."""


class OutputError(IqaError, OSError):
    """A result that cannot be written; what was written before it is whole."""
