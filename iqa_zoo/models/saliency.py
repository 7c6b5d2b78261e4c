"""Where people look, by the spectrum of a picture and nothing learned."""

import math

import keras
import numpy as np
from keras import layers, ops


@keras.saving.register_keras_serializable("iqa_zoo")
class SpectralResidual(layers.Layer):
    """How much each place is looked at, 0.05 to 1, from its luminance.

    Called with luminances 0..255, (batch, rows, columns, n * n), of n x n blocks of
    each place, row by row; gives (batch, rows, columns, 1).

    Source: Hou and Zhang, CVPR 2007: what the logarithm of a picture's spectrum has
    beyond its mean over 3 x 3 frequencies, transformed back and squared, is smoothed by
    a Gaussian of 2.5 pixels. Differences: the picture is 64 pixels a side whatever its
    proportions; the saliency is divided by its largest value and the lowest is 0.05,
    so that every place counts; frequencies below the rounding of their sum count as
    nothing, so that the places of a flat picture count alike.
    """

    pixels = 64  # a side
    deviation = 2.5  # pixels, of the authors' Gaussian
    floor = 0.05
    faint = 0.01  # an amplitude; the picture's values are 0 to 1

    def call(self, light):
        rows, columns = ops.shape(light)[1:3]
        x = self._shrunk(light, rows, columns) / 255.0
        real, imaginary = _transformed(x, ops.zeros_like(x), -1)
        amplitude = ops.sqrt(real * real + imaginary * imaginary) + self.faint
        logarithm = ops.log(amplitude)[..., None]
        around = ops.pad(logarithm, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="symmetric")
        residual = (logarithm - ops.average_pool(around, 3, 1))[..., 0]
        share = ops.exp(residual) / amplitude
        real, imaginary = _transformed(real * share, imaginary * share, 1)
        x = _both_sides(_blur(self.pixels, self.deviation), real**2 + imaginary**2)
        x = _both_sides(_areas(self.pixels, rows), x, _areas(self.pixels, columns))
        x = x + 1e-6  # a black picture has no spectrum
        x = x / ops.max(x, axis=(1, 2), keepdims=True)
        return ops.maximum(x, self.floor)[..., None]

    def _shrunk(self, light, rows, columns):
        """Luminances of places to a square picture, (batch, pixels, pixels)."""
        side = math.isqrt(light.shape[-1])
        x = ops.reshape(light, (-1, columns, side, side))
        x = ops.transpose(x, (0, 2, 1, 3))
        x = ops.reshape(x, (-1, rows * side, columns * side))
        down = _areas(rows * side, self.pixels)
        return _both_sides(down, x, _areas(columns * side, self.pixels))

    def compute_output_shape(self, shape):
        return (*shape[:-1], 1)


def _both_sides(left, x, right=None):
    """left x right' of every matrix x of a batch; `right` is `left` where not given."""
    right = left if right is None else right
    return ops.matmul(ops.matmul(left, x), ops.transpose(right))


def _transformed(real, imaginary, sign):
    """The Fourier transform of square matrices (batch, n, n), real and imaginary part.

    With `sign` 1 it is the inverse, times n * n. By matrices, since LiteRT has no
    complex numbers.
    """
    n = real.shape[-1]
    turns = 2 * np.pi * (np.outer(np.arange(n), np.arange(n)) % n) / n
    cosine, sine = np.cos(turns).astype("f4"), (sign * np.sin(turns)).astype("f4")
    real, imaginary = (
        ops.matmul(cosine, real) - ops.matmul(sine, imaginary),
        ops.matmul(sine, real) + ops.matmul(cosine, imaginary),
    )
    return (
        ops.matmul(real, cosine) - ops.matmul(imaginary, sine),
        ops.matmul(real, sine) + ops.matmul(imaginary, cosine),
    )


def _blur(n, deviation):
    """A matrix (n, n) that smooths n values; what lies beyond the ends counts not."""
    apart = np.subtract.outer(np.arange(n), np.arange(n))
    kernel = np.exp(-0.5 * (apart / deviation) ** 2)
    kernel[np.abs(apart) > 2 * deviation] = 0
    return (kernel / kernel.sum(1, keepdims=True)).astype("f4")


def _areas(old, new):
    """A matrix (new, old) that makes `new` values of `old` by the area under each."""
    step = ops.cast(old, "float32") / ops.cast(new, "float32")
    start = ops.cast(ops.arange(new), "float32")[:, None] * step
    pixel = ops.cast(ops.arange(old), "float32")[None]
    shared = ops.minimum(start + step, pixel + 1) - ops.maximum(start, pixel)
    return ops.maximum(shared, 0.0) / step
