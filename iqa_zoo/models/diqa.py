"""DIQA: first where a picture errs, then what people think of it.

Kim, Nguyen and Lee, TNNLS 2019. Eight convolutions see a grey picture without its low
frequencies. They learn, without any opinion, the map of a picture's errors against the
one that it was made from (`error_map_loss`); then, with two dense layers on the mean of
their features, the opinions. Two numbers made by hand go with the features: the mean of
the reliability map, which says how much of the picture is not flat, and the deviation
of the low frequencies.

Differences from the paper: beyond its border a picture goes on as its mirror image,
before anything else is done, and no convolution pads, so the border tells nothing of
itself and none of the map has to be left out; of each side, what is beyond a multiple
of 16 pixels is not seen. Low frequencies are taken by the authors' binomial filters,
those of the code of their sibling paper. The error map is one linear function of the
features of each place, as the text says, and not a convolution over 3 x 3. Reliability
is near 1 from 5 grey levels on, which needs 1 for alpha on 0 to 255 and 255 here.
Convolutions start by He's rule, the first one larger by as much as normalised pictures
are small: else the features of a fresh network are a tenth of what a step can move, and
it hardly learns. Scores are on 0 to 1, high for good.
"""

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers, ops

from iqa_zoo.errors import UnknownNameError, UsageError
from iqa_zoo.models.losses import OpinionLoss
from iqa_zoo.models.patches import POOLINGS, WORST, Channels, Grey
from iqa_zoo.models.saliency import SpectralResidual

_PACKAGE = "iqa_zoo"

#: Channels and stride of each convolution; all are 3 x 3 with ReLU.
CONVOLUTIONS = (
    (48, 1),
    (48, 2),
    (64, 1),
    (64, 2),
    (64, 1),
    (64, 1),
    (128, 1),
    (128, 1),
)
SHRUNK = 4  # pixels a side of a place of the error map, by the two strides
CELL = 16  # pixels a side of a cell, over which all features are averaged
HALO = 48  # pixels around the picture, a multiple of the cell and enough for the next
#: Pixels before and behind a picture that its low frequencies depend on, where the
#: convolutions need them, and those that the convolutions depend on.
LOW_SEES, CONVOLUTIONS_SEE = (34, 31), (21, 20)
ALPHA = 255.0  # of the reliability, for values of 0 to 1
POWER = 0.2  # of the error
DEVIATION = 0.07  # of normalised photos, about (those of Kodak)
BINOMIAL = np.array([1, 4, 6, 4, 1]) / 16
#: Two binomial steps in one, along one axis: so many of 13 pixels down to a quarter; up
#: again, of 4 values from the one before on, for each of the 4 pixels of a value.
DOWN = np.convolve(BINOMIAL, np.insert(BINOMIAL, range(1, 5), 0)).astype("f4")
UP = 4 * np.pad(DOWN, 2)[8 + np.subtract.outer([4, 0, -4, -8], [0, -1, -2, -3])]


def diqa(*, pooling: str = "mean", size: Sequence[int] | None = None) -> keras.Model:
    """DIQA.

    Args:
        pooling: how much each cell counts in the means of the features: all alike
            ("mean", the paper's), by a weight that is learned ("learned"), by how much
            people look there ("saliency"), or only the tenth of the cells of which the
            largest errors are predicted ("worst").
        size: (height, width) for a static input size, or None for any (None).

    Returns:
        A compiled network: `image` float32 RGB 0..255 (batch, height, width, 3), 48
        pixels a side or more, in; out a dict of `score`, float32 (batch, 1), and `map`,
        the predicted error of each 4 x 4 pixels, float32 (batch, rows, columns, 1),
        high where the picture is bad.

    Raises:
        UsageError: no such pooling, or a size below 48 pixels.
    """
    if pooling not in POOLINGS:
        raise UnknownNameError("pooling", pooling, POOLINGS)
    if size and min(size) < HALO:
        raise UsageError(
            f"size is {tuple(size)}; DIQA takes {HALO} pixels a side or more."
        )
    image = keras.Input((*(size or (None, None)), 3), name="image", dtype="float32")
    x = Framed(CELL, HALO, dtype="float32", name="framed")(image)
    x = Grey(dtype="float32", name="grey")(x)
    grey = layers.Rescaling(1 / 255, dtype="float32", name="rescaling")(x)
    low, near = (
        _cropped(grey, [HALO - n for n in seen], name)
        for seen, name in ((LOW_SEES, "low_seen"), (CONVOLUTIONS_SEE, "seen"))
    )
    low = LowFrequencies(dtype="float32", name="low")(low)
    normalised = layers.Subtract(dtype="float32", name="normalised")([near, low])
    x = normalised
    for number, (channels, stride) in enumerate(CONVOLUTIONS, 1):
        varies = DEVIATION if number == 1 else 1.0
        x = layers.Conv2D(
            channels,
            3,
            stride,
            activation="relu",
            kernel_initializer=keras.initializers.VarianceScaling(2 / varies**2),
            name=f"conv{number}",
        )(x)
    inner = _cropped(normalised, CONVOLUTIONS_SEE, "inner")
    side = CELL // SHRUNK
    low = _cropped(low, CONVOLUTIONS_SEE, "inner_low")
    by_hand = ByHand(dtype="float32", name="by_hand")([inner, low])
    small = keras.initializers.VarianceScaling(0.01)
    errors = layers.Conv2D(
        1, 1, kernel_initializer=small, dtype="float32", name="errors"
    )(x)
    parts = [
        layers.AveragePooling2D(side, dtype="float32", name="means")(x),
        layers.AveragePooling2D(CELL, dtype="float32", name="by_hand_means")(by_hand),
        Folded(side, dtype="float32", name="folded_errors")(errors),
    ]
    seen, last = (sum(p.shape[-1] for p in parts[:n]) for n in (2, 3))
    if pooling == "saliency":
        x = _cropped(grey, (HALO, HALO), "inner_grey")
        x = layers.AveragePooling2D(SHRUNK, dtype="float32", name="light")(x)
        x = layers.Rescaling(255.0, dtype="float32", name="light_255")(x)
        parts.append(Folded(side, dtype="float32", name="folded_light")(x))
    cells = layers.Concatenate(dtype="float32", name="cells")(parts)
    features = Channels(0, seen, dtype="float32", name="features")(cells)
    cell_errors = Channels(seen, last, dtype="float32", name="cell_errors")(cells)
    x = [features]
    if pooling == "learned":
        x.append(
            layers.Conv2D(
                1, 1, activation="softplus", dtype="float32", name="cell_weight"
            )(features)
        )
    elif pooling == "saliency":
        light = Channels(last, cells.shape[-1], dtype="float32", name="cell_light")
        x.append(SpectralResidual(dtype="float32", name="saliency")(light(cells)))
    elif pooling == "worst":
        x.append(LargestErrors(dtype="float32", name="largest_errors")(cell_errors))
    x = Pooled(dtype="float32", name="pool")(x)
    x = layers.Dense(128, activation="relu", name="fc")(x)
    start = keras.initializers.Constant(0.5)  # the middle of the scale
    score = layers.Dense(1, bias_initializer=start, dtype="float32", name="score")(x)
    errors = Unfolded(side, dtype="float32", name="map")(cell_errors)
    model = keras.Model(image, {"score": score, "map": errors}, name="diqa")
    model.compile(
        optimizer=keras.optimizers.Nadam(2e-4),
        loss={"score": OpinionLoss({"mse": 1.0}, scale=(0, 1))},
    )
    return model


def true_error_map(network: keras.Model) -> keras.Model:
    """What the network's `map` is to be, from pictures and what they were made from.

    Args:
        network: as `diqa` gives it.

    Returns:
        From float32 RGB 0..255 (batch, height, width, 6), the distorted picture first,
        to float32 (batch, rows, columns, 1), 0..1.
    """
    pair = _pair(network)
    inner = _upto(network, "inner")
    both = [inner(pair[..., :3]), inner(pair[..., 3:])]
    return keras.Model(pair, TrueErrors(dtype="float32", name="true_errors")(both))


def error_map_loss(network: keras.Model) -> keras.Model:
    """The first stage: how far the network's `map` is off.

    Args:
        network: as `diqa` gives it; its layers are shared.

    Returns:
        From pairs as `true_error_map` takes them to float32 (batch, 1), 0..: the mean
        square of the errors of the map, each times the reliability of its place.
    """
    pair = _pair(network)
    distorted = pair[..., :3]
    loss = ErrorMapLoss(dtype="float32", name="loss")(
        [
            _upto(network, "map")(distorted),
            true_error_map(network)(pair),
            _upto(network, "inner")(distorted),
        ]
    )
    return keras.Model(pair, loss)


def reliability(normalised: keras.KerasTensor) -> keras.KerasTensor:
    """How far each pixel is from flat, 0..1."""
    return 2 / (1 + ops.exp(-ALPHA * ops.abs(normalised))) - 1


def _cropped(x: keras.KerasTensor, crop: Sequence[int], name: str) -> keras.KerasTensor:
    """`x` without so many pixels before and behind, along both axes."""
    before, behind = crop
    crops = ((before, behind), (before, behind))
    return layers.Cropping2D(crops, dtype="float32", name=name)(x)


def _pair(network: keras.Model) -> keras.KerasTensor:
    size = network.inputs[0].shape[1:3]
    return keras.Input((*size, 6), name="pair", dtype="float32")


def _upto(network: keras.Model, layer: str) -> keras.Model:
    return keras.Model(network.inputs[0], network.get_layer(layer).output)


@keras.saving.register_keras_serializable(_PACKAGE)
class Framed(layers.Layer):
    """(batch, h, w, c) without what is beyond whole cells, its mirror image around it.

    `halo` pixels on each side, the outermost ones twice in a row, as NumPy's
    "symmetric". What a cell answers depends on no pixel further away, so pieces of a
    framed picture can be judged one by one.
    """

    def __init__(self, cell: int, halo: int, **arguments) -> None:
        super().__init__(**arguments)
        self.cell, self.halo = cell, halo

    def call(self, image):
        height, width = (n // self.cell * self.cell for n in ops.shape(image)[1:3])
        around = (self.halo, self.halo)
        x = image[:, :height, :width]
        return ops.pad(x, ((0, 0), around, around, (0, 0)), mode="symmetric")

    def compute_output_shape(self, shape):
        height, width = (
            n and n // self.cell * self.cell + 2 * self.halo for n in shape[1:3]
        )
        return (shape[0], height, width, shape[-1])

    def get_config(self) -> dict:
        return {**super().get_config(), "cell": self.cell, "halo": self.halo}


@keras.saving.register_keras_serializable(_PACKAGE)
class LowFrequencies(layers.Layer):
    """Grey (batch, h, w, 1) filtered, shrunk to a quarter and enlarged again.

    Binomial filters of 5 x 5, two steps of a half down and two up. Needs 34 pixels
    before and 31 behind the picture; gives 21 before and 20 behind it.
    """

    def call(self, grey):
        x = ops.conv(grey, np.outer(DOWN, DOWN)[..., None, None], 4)
        up = np.einsum("ty,sx->tsyx", UP, UP).reshape(4, 4, 1, 16)
        return _unfolded(ops.conv(x, up), 4)[:, 3:, 3:]

    def compute_output_shape(self, shape):
        height, width = (n and n - 24 for n in shape[1:3])
        return (shape[0], height, width, 1)


@keras.saving.register_keras_serializable(_PACKAGE)
class ByHand(layers.Layer):
    """Normalised and low picture (batch, h, w, 1) to what is averaged of them.

    (batch, h, w, 3): the reliability, the low picture, and its square.
    """

    def call(self, inputs):
        normalised, low = inputs
        low = low - 0.5  # smaller squares lose less in 32 bits
        return ops.concatenate([reliability(normalised), low, low * low], axis=-1)


@keras.saving.register_keras_serializable(_PACKAGE)
class Pooled(layers.Layer):
    """The features of all cells (batch, rows, columns, n) to (batch, n - 1).

    Means, but of the last two channels, a number and its square, the deviation. Called
    with a list of them, and, where not all count alike, weights (batch, rows, columns,
    1), which are not all 0.
    """

    def call(self, inputs):
        cells, *weights = inputs
        if weights:
            total = ops.sum(cells * weights[0], axis=(1, 2))
            means = total / ops.maximum(ops.sum(weights[0], axis=(1, 2)), 1e-6)
        else:
            means = ops.mean(cells, axis=(1, 2))
        mean, square = means[:, -2:-1], means[:, -1:]
        # Without rounding's share, which the root would magnify in a flat picture.
        variance = ops.maximum(square - mean * mean, 0.0) + 1e-6
        return ops.concatenate([means[:, :-2], ops.sqrt(variance)], axis=-1)

    def compute_output_shape(self, shapes):
        return (shapes[0][0], shapes[0][-1] - 1)


@keras.saving.register_keras_serializable(_PACKAGE)
class LargestErrors(layers.Layer):
    """Errors of cells (batch, rows, columns, n) to 1 where they are largest, else 0.

    (batch, rows, columns, 1): 1 for the tenth of the cells with the largest means, one
    at least.
    """

    def call(self, errors):
        means = ops.mean(errors, axis=-1, keepdims=True)
        rows, columns = ops.shape(errors)[1:3]
        count = (rows * columns + WORST - 1) // WORST
        ordered = ops.sort(ops.reshape(-means, (-1, rows * columns)), axis=1)
        least = -ordered[:, count - 1 : count]
        return ops.cast(means >= ops.reshape(least, (-1, 1, 1, 1)), "float32")

    def compute_output_shape(self, shape):
        return (*shape[:-1], 1)


@keras.saving.register_keras_serializable(_PACKAGE)
class TrueErrors(layers.Layer):
    """Normalised pictures and their references, (batch, h, w, 1), to their error maps.

    |reference - distorted| ^ 0.2, averaged over 4 x 4 pixels.
    """

    def call(self, inputs):
        distorted, reference = inputs
        return ops.average_pool(ops.abs(reference - distorted) ** POWER, SHRUNK)


@keras.saving.register_keras_serializable(_PACKAGE)
class ErrorMapLoss(layers.Layer):
    """Predicted and true map, and the normalised picture, to the loss (batch, 1)."""

    def call(self, inputs):
        predicted, true, normalised = inputs
        weight = ops.average_pool(reliability(normalised), SHRUNK)
        mean = ops.mean(weight, axis=(1, 2), keepdims=True)
        weight = weight / ops.maximum(mean, 1e-6)  # a flat picture's are all 0
        return ops.mean(((predicted - true) * weight) ** 2, axis=(1, 2))


@keras.saving.register_keras_serializable(_PACKAGE)
class Folded(layers.Layer):
    """(batch, h, w, 1) to (batch, h / side, w / side, side * side), row by row."""

    def __init__(self, side: int, **arguments) -> None:
        super().__init__(**arguments)
        self.side = side

    def call(self, x):
        side = self.side
        rows, columns = (n // side for n in ops.shape(x)[1:3])
        x = ops.reshape(x, (-1, side, columns, side))
        x = ops.transpose(x, (0, 2, 1, 3))
        return ops.reshape(x, (-1, rows, columns, side * side))

    def compute_output_shape(self, shape):
        rows, columns = (n and n // self.side for n in shape[1:3])
        return (shape[0], rows, columns, self.side**2)

    def get_config(self) -> dict:
        return {**super().get_config(), "side": self.side}


@keras.saving.register_keras_serializable(_PACKAGE)
class Unfolded(Folded):
    """(batch, h, w, side * side) to (batch, h * side, w * side, 1), row by row."""

    def call(self, x):
        return _unfolded(x, self.side)

    def compute_output_shape(self, shape):
        height, width = (n and n * self.side for n in shape[1:3])
        return (shape[0], height, width, 1)


def _unfolded(x, side):
    rows, columns = ops.shape(x)[1:3]
    x = ops.reshape(x, (-1, columns, side, side))
    x = ops.transpose(x, (0, 2, 1, 3))
    return ops.reshape(x, (-1, rows * side, columns * side, 1))
