"""A file system that ends the process which reads it."""

import contextlib
import os
import signal
from collections.abc import Collection
from typing import Any

from fsspec.implementations.local import LocalFileSystem


class Killing(LocalFileSystem):
    """Ends the process that opens a file of these names, once or always.

    Args:
        folder: where it notes which names have been opened once.
        once: names of files that end one process.
        always: names of files that end every process.
    """

    cachable = False

    def __init__(
        self, folder: str, once: Collection[str] = (), always: Collection[str] = ()
    ) -> None:
        super().__init__()
        self.folder, self.once, self.always = folder, once, always

    def open(self, path: str, mode: str = "rb", **more: Any) -> Any:
        name = os.path.basename(path)
        if name in self.once:
            with contextlib.suppress(FileExistsError):
                os.close(os.open(f"{self.folder}/{name}", os.O_CREAT | os.O_EXCL))
                os.kill(os.getpid(), signal.SIGKILL)
        if name in self.always:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().open(path, mode, **more)
