"""LIVE, release 2 for TensorFlow Datasets."""

from iqa_zoo.data.datasets.building import DatasetBuilder
from iqa_zoo.data.datasets.reading import instructions


class Builder(DatasetBuilder):
    """LIVE, release 2, from the files that its publisher packs."""

    MANUAL_DOWNLOAD_INSTRUCTIONS = instructions("live")
