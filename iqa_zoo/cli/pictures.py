"""Progress of pictures that are made: a bar on a terminal, lines elsewhere."""

import sys

from tqdm import tqdm

from iqa_zoo.training.pace import Pace


class Bar:
    """Shows how many pictures of `total` are made, the rate and the time left."""

    def __init__(self, total: int) -> None:
        shown = sys.stderr is not None and sys.stderr.isatty()
        self._pace = None if shown else Pace(total, "pictures")
        self._done = 0
        self._bar = tqdm(
            total=total,
            unit="picture",
            leave=False,
            file=sys.stderr,
            disable=not shown,
        )

    def update(self) -> None:
        """One more is made."""
        self._done += 1
        self._bar.update()
        if self._pace:
            self._pace.tell(self._done)

    def close(self) -> None:
        """Take the bar away."""
        self._bar.close()
