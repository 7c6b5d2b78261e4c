"""Published data sets of opinions, read from the files as their publishers pack them.

One folder a data set: `dataset.toml` says what is known of it, `CITATIONS.bib` what to
cite, the package itself reads its layout, `builder` serves TensorFlow Datasets. Nothing
is fetched and nothing is redistributed: the files are the user's.
"""

from iqa_zoo.data.datasets.reading import (
    instructions,
    metadata,
    names,
    read_dataset,
)

__all__ = ["instructions", "metadata", "names", "read_dataset"]
