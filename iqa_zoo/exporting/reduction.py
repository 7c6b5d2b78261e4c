"""A picture that MediaPipe has stretched, brought to a network's size in the graph.

MediaPipe stretches every photo to the input of a file with point samples: new pixel i
is interpolated linearly at i * old / new, and what lies between two points of a large
photo is lost. Here the input is `TIMES` as long a side as the network's, and a filter
makes of it what `iqa_zoo.images` makes of the photo itself: averages by area where it
shrinks, and MediaPipe's own points where it enlarges.

Which filter that is depends on the photo's size, which no one tells the graph. But
linear interpolation leaves a trace: second differences vanish but where the photo had a
pixel, so their energy has a period, and its frequency is the photo's size in pixels
(Gallagher, Detection of linear and cubic interpolation in JPEG compressed images,
2005). In a photo that has no fine structure the trace is weak, and the filter matters
little.
"""

import math
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf

#: How many times as long a side as the network's the input is.
TIMES = 4
#: The filter's weights are for the steps from this one of a new pixel's cell on; a cell
#: has `TIMES` of them, from 0.
FIRST_STEP = -1

# Every so many lines are looked at, in green.
_LINES = 16
# Second differences are taken over so many pixels each way. In smooth photos those over
# one drown in what rounding to whole levels leaves of them, (1 + 4 + 1) / 12 squared
# levels; in others a few hard edges must not outweigh all texture.
_SPANS = (1, 2, 3)
# What each counts: that of one pixel has traces of longer photos too.
_COUNT = (0.4, 1.0, 1.0)
_ROUNDING, _MOST = 0.5, 400.0
# Shares of the energy that go with a photo's length, summed over the spans, are this
# and more where it is so many times the network's input or less. Photos longer than
# half the file's input have their frequency mirrored, and for span 1 a share of
# `_MIRRORED` and more, until they are as long as that input. Measured on photos of LIVE
# In the Wild and Kodak's, sharp and blurred, at 36 lengths. Those of short photos are
# larger, and the blocks of JPEG files have an eighth of a photo's frequency.
_SURE = ((0.5, 1.2), (0.8, 0.6), (1.0, 0.4), (1.2, 0.4), (1.5, 0.33))
_MIRRORED = 0.15
# Lower frequencies are those of what is in the picture.
_LEAST = 64
# Where there is no trace: with less energy than this, in squared levels, the photo is
# smooth, and probably as long as the network's input or shorter; else it is longer than
# the file's input, and taken to be as many times the network's as those of 12
# megapixels and 500 pixels are.
_SMOOTH, _LARGE = 0.1, 7.0


def reduced(picture: "tf.Tensor") -> "tf.Tensor":
    """A picture of `TIMES` the network's size, brought to the network's size.

    Args:
        picture: float32 RGB 0..255 (1, TIMES * height, TIMES * width, 3), of a static
            size, as MediaPipe stretches a photo.

    Returns:
        float32 RGB 0..255 (1, height, width, 3).
    """
    import tensorflow as tf

    rows = _weights(_length(tf.transpose(picture[0, :, ::_LINES, 1])))
    columns = _weights(_length(picture[0, ::_LINES, :, 1]))
    return tf.clip_by_value(_filtered(picture, rows, columns), 0.0, 255.0)


def _length(lines: "tf.Tensor") -> "tf.Tensor":
    """How long the photo was along the second axis, in pixels of the network's input.

    Args:
        lines: green of some rows, or of some columns, float32 (lines, count).
    """
    import tensorflow as tf

    count = int(lines.shape[1])
    energies = [_energy(lines, span) for span in _SPANS]
    # Shares of their sums. In a photo so smooth that these are next to nothing they are
    # of more, or what rounding leaves would look like a trace.
    parts = [
        energy / tf.maximum(tf.reduce_sum(energy), 0.05 * count) for energy in energies
    ]
    frequencies = _frequencies(count)
    known = (frequencies >= _LEAST) & (frequencies <= count // 2)
    every, first = (
        tf.where(known, _cosines(values, count), -1.0)
        for values in (
            tf.add_n([n * part for n, part in zip(_COUNT, parts, strict=True)]),
            parts[0],
        )
    )
    lengths, shares = zip(*_SURE, strict=True)
    sure = every >= np.interp(frequencies * TIMES / count, lengths, shares).astype(
        np.float32
    )
    best = tf.reduce_max(first)

    def lowest(chosen: "tf.Tensor") -> "tf.Tensor":
        return tf.reduce_min(tf.where(chosen, frequencies, 2.0 * count))

    is_smooth = tf.reduce_mean(energies[0]) < _SMOOTH
    untraced = tf.where(is_smooth, 1.0, _LARGE) * (count / TIMES)
    long = tf.where(
        (best >= _MIRRORED) & ~is_smooth, count - lowest(first >= best), untraced
    )
    short = lowest(sure)
    return tf.where(short < count, short, long) * (TIMES / count)


def _energy(lines: "tf.Tensor", span: int) -> "tf.Tensor":
    """Squared second differences over `span` pixels, means of all lines, (count,)."""
    import tensorflow as tf

    second = lines[:, : -2 * span] - 2 * lines[:, span:-span] + lines[:, 2 * span :]
    energy = tf.reduce_mean(tf.minimum(tf.square(second), _MOST), 0)
    return tf.pad(tf.nn.relu(energy - _ROUNDING), [[span, span]])


def _cosines(values: "tf.Tensor", count: int) -> "tf.Tensor":
    """Sums of values[i] * cos(2 pi f i / count), in the order of `_frequencies`.

    The Fourier transform in two steps, i = columns * a + b and f = rows * g + h: three
    small matrices instead of a large one that the file would hold.
    """
    import tensorflow as tf

    rows, columns = _factors(count)
    h, a, b = np.arange(rows), np.arange(rows), np.arange(columns)

    def turns(fraction: np.ndarray) -> np.ndarray:
        return np.exp(-2j * np.pi * fraction)

    def parts(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return matrix.real.astype(np.float32), matrix.imag.astype(np.float32)

    table = tf.reshape(values, (rows, columns))
    real, imaginary = (
        tf.matmul(part, table) for part in parts(turns(np.outer(h, a) / rows))
    )
    cosine, sine = parts(turns(np.outer(h, b) / count))
    real, imaginary = (
        real * cosine - imaginary * sine,
        real * sine + imaginary * cosine,
    )
    g = np.arange(columns // 2 + 1)
    cosine, sine = parts(turns(np.outer(b, g) / columns))
    return tf.matmul(real, cosine) - tf.matmul(imaginary, sine)


def _frequencies(count: int) -> np.ndarray:
    rows, columns = _factors(count)
    return np.add.outer(np.arange(rows), rows * np.arange(columns // 2 + 1)).astype(
        np.float32
    )


def _factors(count: int) -> tuple[int, int]:
    rows = next(n for n in range(math.isqrt(count), 0, -1) if count % n == 0)
    return rows, count // rows


def _weights(length: "tf.Tensor") -> "tf.Tensor":
    """The filter's weights, (steps,), for a photo so many network's pixels long."""
    import tensorflow as tf

    lengths, weights = filters()
    at = tf.clip_by_value(length, lengths[0], lengths[-1])
    # Interpolated between the lengths of the table: each counts 1 at its own and 0 from
    # the next ones on.
    gaps = np.diff(lengths)
    up = (at - lengths[1:]) / gaps + 1
    down = (lengths[:-1] - at) / gaps + 1
    one = tf.ones(1)
    hats = tf.nn.relu(tf.minimum(tf.concat([one, up], 0), tf.concat([down, one], 0)))
    return tf.linalg.matvec(weights.T, hats)


@cache
def filters() -> tuple[np.ndarray, np.ndarray]:
    """Lengths in network's pixels, float32 (n,), and weights, float32 (n, steps)."""
    import tomllib

    file = resources.files("iqa_zoo.exporting") / "reduction.toml"
    rows = tomllib.loads(file.read_text("utf-8"))["filters"]
    lengths = np.array([row["length"] for row in rows], np.float32)
    return lengths, np.array([row["weights"] for row in rows], np.float32)


def _filtered(
    picture: "tf.Tensor", rows: "tf.Tensor", columns: "tf.Tensor"
) -> "tf.Tensor":
    """`picture` under a filter of these weights, float32 (steps,), every TIMES pixels.

    One convolution whose kernel the graph computes. Zeros stand beyond the borders;
    what they take away is made up for.
    """
    import tensorflow as tf

    kernel = (rows[:, tf.newaxis] * columns)[:, :, tf.newaxis, tf.newaxis] * np.eye(
        3, dtype=np.float32
    )
    pixels = tf.nn.conv2d(picture, kernel, TIMES, "SAME")
    height, width = pixels.shape[1:3]
    return (
        pixels
        * _whole(rows, height)[:, tf.newaxis, tf.newaxis]
        * _whole(columns, width)[:, tf.newaxis]
    )


def _whole(weights: "tf.Tensor", count: int) -> "tf.Tensor":
    """What brings the weights that fall into the picture to a sum of 1, (count,)."""
    import tensorflow as tf

    first = 1 - tf.reduce_sum(weights[:-FIRST_STEP], keepdims=True)
    last = 1 - tf.reduce_sum(weights[TIMES - FIRST_STEP :], keepdims=True)
    return tf.concat([1 / first, tf.ones(count - 2), 1 / last], 0)
