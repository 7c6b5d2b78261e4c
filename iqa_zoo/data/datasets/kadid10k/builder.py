"""KADID-10k for TensorFlow Datasets."""

from iqa_zoo.data.datasets.building import DatasetBuilder
from iqa_zoo.data.datasets.reading import instructions


class Builder(DatasetBuilder):
    """KADID-10k, from the files that its publisher packs."""

    MANUAL_DOWNLOAD_INSTRUCTIONS = instructions("kadid10k")
