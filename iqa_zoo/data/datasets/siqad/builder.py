"""SIQAD for TensorFlow Datasets."""

from iqa_zoo.data.datasets.building import DatasetBuilder
from iqa_zoo.data.datasets.reading import instructions


class Builder(DatasetBuilder):
    """SIQAD, from the files that its publisher packs."""

    MANUAL_DOWNLOAD_INSTRUCTIONS = instructions("siqad")
