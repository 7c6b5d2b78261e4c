"""The data sets for TensorFlow Datasets: one builder over all readers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from iqa_zoo.data.datasets.reading import metadata, read_dataset
from iqa_zoo.data.manifest import Labels


@tfds.decode.make_decoder()
def _exact(image: Any, feature: tfds.features.Image) -> Any:
    """uint8 (height, width, 3): the pixels of `iqa_zoo.images` for JPEG files too.

    The feature's own decoder takes a faster transform, up to nine levels off.
    """
    import tensorflow as tf

    pixels = tf.cond(
        tf.io.is_jpeg(image),
        lambda: tf.io.decode_jpeg(image, 3, dct_method="INTEGER_ACCURATE"),
        lambda: tf.io.decode_image(image, 3, expand_animations=False),
    )
    pixels.set_shape(feature.shape)
    return pixels


class DatasetBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Builds the data set of its package from files in `manual_dir`.

    Every example has `name`, `image` and `mos`, and those of `std`, `votes`,
    `reference` (the pristine picture), `distortion`, `level` and `group` that the data
    set has. Direction and range of the scores are in the metadata. The splits are the
    publisher's, or all is "train". Images keep the bytes of their files; numbers are
    float32, as TensorFlow's records have them.
    """

    VERSION = tfds.core.Version("1.0.0")
    # Beside it checksums of downloads are looked for, of which there are none. Left to
    # itself, version 4.9.10 needs a library for this that it does not ask for.
    code_path = Path(__file__)

    def _info(self) -> tfds.core.DatasetInfo:
        known = metadata(self.name)
        possible = {
            "std": tfds.features.Scalar(np.float32),
            "votes": tfds.features.Tensor(
                shape=(known.get("levels"),), dtype=np.float32
            ),
            "reference": tfds.features.Image(),
            "distortion": tfds.features.Text(),
            "level": tfds.features.Scalar(np.int64),
            "group": tfds.features.Text(),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description="\n".join([known["summary"], *known.get("notes", [])]),
            features=tfds.features.FeaturesDict(
                {
                    "name": tfds.features.Text(),
                    "image": tfds.features.Image(),
                    "mos": tfds.features.Scalar(np.float32),
                }
                | {key: possible[key] for key in possible if key in known["columns"]}
            ),
            homepage=known["url"],
            citation=known["citation"],
            license=known["terms"],
            metadata=tfds.core.MetadataDict(
                direction=known["direction"], range=known["range"]
            ),
        )

    def as_dataset(self, *args: Any, decoders: Any = None, **options: Any) -> Any:
        """What the parent gives, with exact pixels unless told otherwise."""
        if decoders is None:
            images = {"image", "reference"} & set(self.info.features)
            decoders = {name: _exact() for name in images}
        return super().as_dataset(*args, decoders=decoders, **options)

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[str, dict[str, Any]]]]:
        labels = read_dataset(self.name, dl_manager.manual_dir)
        splits = np.array(labels.split or ["train"] * len(labels.names))
        return {
            str(split): self._generate_examples(labels, np.flatnonzero(splits == split))
            for split in np.unique(splits)
        }

    def _generate_examples(
        self, labels: Labels, rows: np.ndarray
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        columns = {"name": labels.names, "image": labels.paths, "mos": labels.mos}
        columns |= {key: getattr(labels, key) for key in metadata(self.name)["columns"]}
        columns.pop("split", None)
        if "votes" in columns:
            columns["votes"] = labels.votes.astype(np.float32)
        for row in rows.tolist():
            yield labels.names[row], {key: columns[key][row] for key in columns}
