"""A training that takes seconds, in a process of its own each time.

`python -m tests.crash.training TABLE PHOTOS` imports TensorFlow once and then trains
into every folder that a line of its input names, in a copy of itself that has not used
TensorFlow before: it answers with the copy's process id, and then with how it ended.
"""

import os
import select
import subprocess
import sys
import traceback
from pathlib import Path

from tests.helpers import small

#: All that a checkpoint must hold: two stages, dropout, averages, gradients that are
#: added up, statistics that live, and the weights of the best epoch.
RECIPE = [
    {
        "name": "upper layers",
        "frozen_to": "low_out",
        "epochs": 2,
        "batch": 10,
        "learning_rate": 1e-2,
        "weight_decay": 1e-3,
        "average": 0.9,
        "mirror": True,
        "ridge": 1.0,
        "warmup": 0.2,
        "loss": {"emd": 1.0, "plcc": 0.5},
    },
    {
        "name": "everything",
        "frozen_to": "none",
        "epochs": 4,
        "batch": 10,
        "learning_rate": 1e-2,
        "average": 0.5,
        "accumulate": 2,
        "clip": 0.5,
        "patience": 2,
        "mirror": True,
        "crop": 0.75,
        "batch_norm": "live",
        "loss": {"emd": 1.0, "ranking": 0.1},
    },
]
#: NumPy would start threads as soon as it is imported, and so would pyarrow's
#: allocator, which Keras brings in where pandas and pyarrow are installed.
_NO_THREADS_AT_IMPORT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
PICTURES = 44  # 31 to train on, 4 for validation, 9 for the test


def train(table: Path, photos: Path, out: Path, **arguments) -> None:
    """Train the small model; a checkpoint is written after every step."""
    import iqa_zoo

    with small.packaged(recipe=RECIPE) as name, small.plainly():
        iqa_zoo.train(
            table,
            photos,
            model=name,
            out=out,
            start="random",
            **{"save_seconds": 0, **arguments},
        )


class Server:
    """The program above, as a context."""

    def __init__(self, table: Path, photos: Path) -> None:
        command = [sys.executable, "-m", "tests.crash.training", table, photos]
        # Unbuffered, so that what was answered can be waited for.
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env=os.environ | _NO_THREADS_AT_IMPORT,
        )

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        with self._process as process:
            process.stdin.close()

    def start(self, out: Path) -> int:
        """Train into the folder `out`; gives the process id, which is valid until the
        next start. `wait` must come before that."""
        self._process.stdin.write(os.fsencode(out) + b"\n")
        return int(self._process.stdout.readline())

    def ended(self, seconds: float) -> bool:
        """Whether the training has ended, after at most so many seconds."""
        return bool(select.select([self._process.stdout], [], [], seconds)[0])

    def wait(self) -> int:
        """The training's exit status, or minus the number of the signal."""
        return int(self._process.stdout.readline())


def main() -> None:
    import iqa_zoo.training.train  # noqa: F401

    table, photos = map(Path, sys.argv[1:])
    # A copy has one thread only: the locks of others would stay locked in it.
    if len(os.listdir("/proc/self/task")) > 1:
        raise RuntimeError("Importing TensorFlow has started threads.")
    for line in sys.stdin.buffer:
        child = os.fork()
        if child == 0:
            _train_here(table, photos, Path(os.fsdecode(line.rstrip(b"\n"))))
        print(child, flush=True)
        # Until the next line its id is not given to another process.
        ended = os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        killed = ended.si_code == os.CLD_KILLED
        print(-ended.si_status if killed else ended.si_status, flush=True)
        sys.stdin.buffer.peek()
        os.waitpid(child, 0)


def _train_here(table: Path, photos: Path, out: Path) -> None:
    """Train, and end the process whatever happens."""
    status = 1
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        with small.eagerly():
            train(table, photos, out)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


if __name__ == "__main__":
    main()
