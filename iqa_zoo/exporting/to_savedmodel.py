"""SavedModels, as TensorFlow and TF Serving take them."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from iqa_zoo.engines.convert import answers, quiet, writing_errors
from iqa_zoo.errors import OutputError
from iqa_zoo.exporting.graphs import Subject

if TYPE_CHECKING:
    import tensorflow as tf

#: The signature of pixels, which is TF Serving's default too, and that of files.
PIXELS, FILES = "score", "score_files"


def savedmodel(subject: Subject, folder: str | os.PathLike[str]) -> None:
    """Write a SavedModel into a folder.

    Signature `score`, which is `serving_default` too: `image`, float32 RGB 0..255
    (batch, height, width, 3) of the network's size. Signature `score_files`:
    `image_bytes`, strings (batch,), each a JPEG, PNG, BMP or GIF file, decoded and
    brought to the network's size by the library's rules; a rotation that EXIF asks for
    is not seen. Both give the network's outputs by name and, of distributions and
    scores, `score`, float32 (batch,).

    Raises:
        OutputError: the folder does not take it.
    """
    import tensorflow as tf
    from keras.export import ExportArchive

    def run(image: "tf.Tensor") -> dict[str, "tf.Tensor"]:
        found = answers(subject.network, image, subject.output)
        main = found[subject.output]
        if subject.output == "distribution":
            bins = np.linspace(*subject.scale, main.shape[-1]).astype(np.float32)
            score = tf.reduce_sum(main * bins, 1) / tf.reduce_sum(main, 1)
            return {"score": score, **found}
        return {**found, "score": main[:, 0]} if "score" in found else found

    def run_files(image_bytes: "tf.Tensor") -> dict[str, "tf.Tensor"]:
        pixels = tf.map_fn(
            lambda content: _pixels(content, subject.size),
            image_bytes,
            fn_output_signature=tf.TensorSpec((*subject.size, 3), tf.float32),
        )
        return run(pixels)

    image = tf.TensorSpec((None, *subject.size, 3), tf.float32, name="image")
    contents = tf.TensorSpec((None,), tf.string, name="image_bytes")
    try:
        with quiet():
            archive = ExportArchive()
            archive.track(subject.network)
            archive.add_endpoint(PIXELS, run, input_signature=[image])
            archive.add_endpoint(FILES, run_files, input_signature=[contents])
            archive.write_out(os.fspath(folder), verbose=False)
    except writing_errors() as error:
        raise OutputError(f"Cannot write the SavedModel: {error}.") from error


def _pixels(content: "tf.Tensor", size: tuple[int, int]) -> "tf.Tensor":
    """A file's pixels at `size`: averaged by area where they shrink, each axis alone,
    else interpolated as `iqa_zoo.images.stretch` does; rounded to whole levels."""
    import tensorflow as tf

    decoded = tf.cond(
        tf.io.is_jpeg(content),
        # Its other way of decoding is off by a grey level in two pixels of three.
        lambda: tf.io.decode_jpeg(content, 3, dct_method="INTEGER_ACCURATE"),
        lambda: tf.io.decode_image(content, 3, expand_animations=False),
    )
    decoded.set_shape((None, None, 3))
    smaller = tf.minimum(tf.shape(decoded)[:2], size)
    image = tf.image.resize(decoded[tf.newaxis], smaller, "area")
    image = tf.round(image)
    image = tf.raw_ops.ResizeBilinear(
        images=image, size=size, align_corners=False, half_pixel_centers=False
    )
    return tf.round(image)[0]


def signatures(folder: str | os.PathLike[str]) -> Any:
    """The functions of a SavedModel, by name, as TF Serving loads them."""
    import tensorflow as tf

    return tf.saved_model.load(os.fspath(folder)).signatures
