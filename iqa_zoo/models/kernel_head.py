"""A second opinion beside a network's own: kernel regression on features of low layers.

Low layers see distortions that the last one has learned to look past. Their outputs,
averaged over the picture's centre and their spread, are reduced to their principal
components and compared with those of the training pictures; what people said of the
similar ones is the second answer. Both answers are distributions, and the network gives
their geometric mean.

`training.kernels` sets all weights here in closed form, without gradients.
"""

from typing import Any

import keras
from keras import ops

PACKAGE = "iqa_zoo"
COMPONENTS = 128  # principal components
CENTRES = 1000  # training pictures that others are compared with
LEAST_SHARE = 1e-9  # under a logarithm


@keras.saving.register_keras_serializable(PACKAGE)
class Evidence(keras.layers.Layer):
    """What the kernel head takes: pooled features, then the logarithms of the shares.

    The inputs are maps (batch, h, w, channels) of non-negative numbers, and last a
    distribution (batch, bins). Of each map it takes the square roots of the mean,
    weighted by exp(-2 (x² + y²)) with x and y from -1 to 1, and of the standard
    deviation: roots tame the long tails that activations have.
    """

    def call(self, inputs: Any) -> Any:
        *maps, shares = inputs
        parts = [part for features in maps for part in _pooled(features)]
        return ops.concatenate([*parts, ops.log(shares + LEAST_SHARE)], axis=-1)

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        *maps, shares = input_shape
        return shares[0], 2 * sum(shape[-1] for shape in maps) + shares[-1]


@keras.saving.register_keras_serializable(PACKAGE)
class KernelHead(keras.layers.Layer):
    """The geometric mean of a distribution and what kernel regression answers.

    With z the projection of the features, the regression's logits are offset +
    sum_i exp(-|z - centre_i|²) coefficient_i. The answer is the softmax of the mean of
    those and the logarithms of the given shares.

    Args:
        bins: of the distribution, the last numbers of the input; the others are the
            features.
        components: length of z.
        centres: how many.
    """

    def __init__(
        self,
        bins: int,
        components: int = COMPONENTS,
        centres: int = CENTRES,
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        self.bins, self.components, self.centres = bins, components, centres

    def build(self, input_shape: Any) -> None:
        features = input_shape[-1] - self.bins
        for name, shape in {
            "projection": (features, self.components),
            "shift": (self.components,),
            "centres": (self.centres, self.components),
            "coefficients": (self.centres, self.bins),
            "offset": (self.bins,),
        }.items():
            setattr(
                self,
                f"_{name}",
                self.add_weight(shape=shape, name=name, trainable=False),
            )

    def call(self, inputs: Any) -> Any:
        features, logarithms = inputs[:, : -self.bins], inputs[:, -self.bins :]
        z = ops.matmul(features, self._projection) + self._shift
        squares = (
            ops.sum(z * z, axis=-1, keepdims=True)
            + ops.sum(self._centres * self._centres, axis=-1)
            - 2 * ops.matmul(z, ops.transpose(self._centres))
        )
        near = ops.exp(-ops.relu(squares))
        logits = self._offset + ops.matmul(near, self._coefficients)
        return ops.softmax((logarithms + logits) / 2, axis=-1)

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        return input_shape[0], self.bins

    def get_config(self) -> dict[str, Any]:
        sizes = {"components": self.components, "centres": self.centres}
        return {**super().get_config(), "bins": self.bins, **sizes}


def _pooled(features: Any) -> tuple[Any, Any]:
    """Roots of the mean and of the standard deviation, (batch, channels) each."""
    height, width = ops.shape(features)[1:3]
    weights = _bell(height)[:, None] * _bell(width)[None]
    weights = weights / ops.sum(weights)
    centre = ops.sum(features * weights[None, :, :, None], axis=(1, 2))
    variance = ops.var(features, axis=(1, 2))
    # The fourth root of nothing has no finite gradient.
    return ops.sqrt(centre + 1e-12), (variance + 1e-12) ** 0.25


def _bell(count: Any) -> Any:
    """exp(-2 x²) at `count` places from -1 to 1, in float32."""
    places = ops.cast(ops.arange(count), "float32")
    last = ops.cast(ops.maximum(count - 1, 1), "float32")
    return ops.exp(-2 * (2 * places / last - 1) ** 2)
