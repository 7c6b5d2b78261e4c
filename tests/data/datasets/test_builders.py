"""TensorFlow Datasets over the readers: the same rows, pixels and splits, offline."""

import importlib

import numpy as np
import pytest
from PIL import Image

from iqa_zoo.data import datasets
from iqa_zoo.errors import OpinionError
from tests.data.datasets.miniatures import MINIATURES

QUICK = ("kadid10k", "koniq10k")


def built(name, manual_dir, data_dir):
    """A prepared builder."""
    import tensorflow_datasets as tfds

    module = importlib.import_module(f"iqa_zoo.data.datasets.{name}.builder")
    builder = module.Builder(data_dir=data_dir)
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(
            manual_dir=manual_dir, try_download_gcs=False
        )
    )
    return builder


def check(builder, labels, count=None):
    """Compare examples (the first of each split, or all) with what the reader gives."""
    known = datasets.metadata(builder.name)
    assert builder.info.metadata["direction"] == labels.direction
    assert tuple(builder.info.metadata["range"]) == labels.range
    assert set(builder.info.splits) == set(labels.split or ["train"])
    row_of = {name: row for row, name in enumerate(labels.names)}
    seen = 0
    for split in builder.info.splits:
        for example in builder.as_dataset(split=split).take(count or -1):
            row = row_of[example["name"].numpy().decode()]
            assert labels.split is None or labels.split[row] == split
            assert example["mos"].numpy() == np.float32(labels.mos[row])
            pixels = np.asarray(Image.open(labels.paths[row]).convert("RGB"))
            np.testing.assert_array_equal(example["image"], pixels)
            for column in set(known["columns"]) - {"split"}:
                found, value = example[column].numpy(), getattr(labels, column)[row]
                if column == "reference":
                    value = np.asarray(Image.open(value).convert("RGB"))
                elif column in ("std", "votes"):
                    value = np.float32(value)
                elif isinstance(value, str):
                    value = value.encode()
                np.testing.assert_array_equal(found, value)
            fields = {"name", "image", "mos", *known["columns"]} - {"split"}
            assert set(example) == fields
            seen += 1
    assert sum(split.num_examples for split in builder.info.splits.values()) == len(
        labels.names
    )
    assert seen == len(labels.names) if count is None else seen > 0


@pytest.mark.parametrize(
    "name",
    [
        name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)
        for name in MINIATURES
    ],
)
def test_miniature(name, tmp_path):
    folder = tmp_path / "manual"
    folder.mkdir()
    MINIATURES[name](folder)
    builder = built(name, folder, tmp_path / "built")
    assert builder.name == name
    check(builder, datasets.read_dataset(name, folder))
    for file in datasets.metadata(name)["files"]:
        assert file["what"] in builder.MANUAL_DOWNLOAD_INSTRUCTIONS


@pytest.mark.slow
@pytest.mark.parametrize("name", ["clive", "agiqa3k"])
def test_the_shared_folders(name, tmp_path, request):
    folder = request.getfixturevalue(name)
    builder = built(name, folder, tmp_path)
    check(builder, datasets.read_dataset(name, folder), count=20)


def test_missing_files(tmp_path):
    folder = tmp_path / "manual"
    MINIATURES["ava"](folder / "ava")
    with pytest.raises(OpinionError, match=r"lacks dmos\.csv, images\.") as caught:
        built("kadid10k", folder, tmp_path / "built")
    assert datasets.instructions("kadid10k") in str(caught.value)
