"""The names of images on a command line, found while they are scored."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence

from iqa_zoo.cli import say
from iqa_zoo.errors import UsageError


class Names:
    """The images' names, found while they are scored.

    Attributes:
        left_out: how many files in folders had no image's suffix, so far.
        empty: the paths that stood for no image, so far.
    """

    def __init__(
        self, paths: Sequence[str], null: bool, is_done: Callable[[str], bool]
    ) -> None:
        self.left_out = 0
        self.empty: list[str] = []
        self._paths = paths
        self._null = null
        self._is_done = is_done

    def __iter__(self) -> Iterator[str]:
        from iqa_zoo.images import find_images

        for path in self._paths:
            files = find_images(_listed(self._null) if path == "-" else path)
            found = False
            for name in files:
                found = True
                if not self._is_done(name):
                    yield name
            self.left_out += files.left_out
            if not found:
                self.empty.append(path)
                say(f"no images in {'the list' if path == '-' else path}")


def _listed(null: bool) -> Iterator[str]:
    """The names on stdin, as they come."""
    if sys.stdin is None:
        raise UsageError("There is no standard input to read names from.")
    # A thread may wait here when the program ends, which must not hold a buffer's lock.
    stream = getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)
    end, rest = (b"\0" if null else b"\n"), b""
    while piece := stream.read(1 << 16):
        *names, rest = (rest + piece).split(end)
        yield from _decoded(names, null)
    yield from _decoded([rest], null)


def _decoded(names: Sequence[bytes], null: bool) -> Iterator[str]:
    stripped = names if null else [name.rstrip(b"\r\n") for name in names]
    return (os.fsdecode(name) for name in stripped if name)
