"""The weights of a kernel head (`models.kernel_head`), in closed form."""

from collections.abc import Mapping

import keras
import numpy as np

from iqa_zoo.errors import TrainingError
from iqa_zoo.models.fusion import squared

LEAST_SPREAD = 1e-3


def set_kernel(
    network: keras.Model,
    settings: Mapping[str, float],
    evidence: np.ndarray,
    targets: np.ndarray,
) -> None:
    """Set the layer `distribution` of a network by kernel ridge regression.

    Features are standardised and projected on their principal components; the kernel is
    exp(-d² / m), d being the distance of two pictures and m the median of d² over the
    training pictures. The regression is of the logarithms of the shares. Of more
    pictures than the layer has centres the first are the centres, and all are learned
    from (the Nyström method).

    Args:
        network: its layer `distribution` is a `KernelHead`.
        settings: `ridge`, added to the kernel's diagonal, and `floor`, added to shares
            before their logarithm is taken.
        evidence: (pictures, features + bins), what the layer takes.
        targets: (pictures, bins), distributions.

    Raises:
        TrainingError: there is one picture only, or all are alike.
    """
    head = network.get_layer("distribution")
    x = evidence[:, : -head.bins].astype(np.float64)
    mean, spread = x.mean(0), x.std(0) + LEAST_SPREAD
    standard = (x - mean) / spread
    axes = principal_axes(standard, head.components)
    z = standard @ axes
    centres = z[: head.centres]
    squares = squared(z, centres)
    scale = np.median(squares)
    if not scale > 0:
        raise TrainingError("All training images are alike: nothing can be learned.")
    kernel = np.exp(-squares / scale)
    logarithms = np.log(targets.astype(np.float64) + settings["floor"])
    offset = logarithms.mean(0)
    answers, own = logarithms - offset, kernel[: len(centres)]
    if len(x) == len(centres):
        ridge = settings["ridge"] * np.eye(len(x))
        coefficients = np.linalg.solve(kernel + ridge, answers)
    else:
        normal = kernel.T @ kernel + settings["ridge"] * own
        coefficients = np.linalg.lstsq(normal, kernel.T @ answers)[0]
    projection = axes / spread[:, None] / np.sqrt(scale)
    head.set_weights(
        [
            _filled(projection, (projection.shape[0], head.components)),
            _filled(-mean @ projection, (head.components,)),
            _filled(centres / np.sqrt(scale), (head.centres, head.components)),
            _filled(coefficients, (head.centres, head.bins)),
            offset,
        ]
    )


def principal_axes(x: np.ndarray, most: int) -> np.ndarray:
    """The axes (features, up to `most`) along which `x` (n, features) spreads most."""
    if len(x) > x.shape[1]:
        values, vectors = np.linalg.eigh(x.T @ x)
    else:
        # The same axes from the smaller matrix.
        values, vectors = np.linalg.eigh(x @ x.T)
        kept = values > 1e-9 * values[-1]
        values, vectors = values[kept], vectors[:, kept]
        vectors = x.T @ vectors / np.sqrt(values)
    return vectors[:, -most:]


def _filled(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """`array` with zeros behind it up to `shape`: a head may have more room."""
    filled: np.ndarray = np.zeros(shape)
    filled[tuple(slice(0, length) for length in array.shape)] = array
    return filled
