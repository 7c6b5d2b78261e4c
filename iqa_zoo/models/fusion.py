"""Hand-made features and a network's, and the regression that judges by all of them.

There are three blocks of features: what a network pools, the 36 numbers of BRISQUE, and
six technical measures. A regression is a dictionary of float arrays. With f_b the
features of block b, z_b = (f_b - `BLOCK/offset` (F_b,)) @ `BLOCK/projection` (F_b, k_b)
and c_ib the part of `centres` (n, sum of k_b) that belongs to it, the score is

    mean + sum_p w_p sum_i a_pi exp(-(sum_b g_pb |z_b - c_ib|²) ** 0.5)

with `mean` (1,) and, of the predictors p, `weights` w (p,), `coefficients` a (p, n) and
`gammas` g (p, 3). One predictor that sees all blocks is early fusion, one for each
block late fusion. `training.fusion` fits them.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iqa_zoo.errors import WeightsError
from iqa_zoo.images import Pixels
from iqa_zoo.natural_scene import brisque
from iqa_zoo.natural_scene.statistics import check_arrays
from iqa_zoo.technical import (
    blockiness,
    colourfulness,
    contrast,
    exposure,
    noise,
    sharpness,
)

FloatArray = NDArray[np.float64]

BLOCKS = ("network", "natural_scene", "technical")
#: Pixels a side that the hand-made features need.
LEAST = 32

TECHNICAL = (sharpness, noise, exposure, contrast, colourfulness, blockiness)


def hand_made(image: Pixels) -> dict[str, FloatArray]:
    """The features of a photo that need no network.

    Args:
        image: uint8 RGB (height, width, 3), 32 pixels a side or more.

    Returns:
        "natural_scene", float64 (36,), see `natural_scene.brisque.features`, and
        "technical", float64 (6,): what `measure` gives of `TECHNICAL`, NaN where there
        is nothing to measure.
    """
    return {
        "natural_scene": brisque.features(image),
        "technical": np.array([float(each.measure(image)) for each in TECHNICAL]),
    }


def predict(
    features: Mapping[str, FloatArray], arrays: Mapping[str, NDArray[Any]]
) -> FloatArray:
    """What a regression says of photos, (n,).

    Args:
        features: (n, F_b) by block. What is NaN counts as the mean of the photos that
            the regression was fitted to.
        arrays: the regression, as at the top of this module.

    Raises:
        WeightsError: the arrays are no regression of such features.
    """
    check_arrays(arrays, _shapes(features, arrays))
    z = [project(features, arrays, block) for block in BLOCKS]
    ends = np.cumsum([each.shape[1] for each in z])
    centres = np.split(arrays["centres"], ends[:-1], axis=1)
    squares = np.stack([squared(*both) for both in zip(z, centres, strict=True)])
    predictors = [arrays[name] for name in ("weights", "gammas", "coefficients")]
    scores = np.full(len(z[0]), arrays["mean"].item())
    for weight, gammas, coefficients in zip(*predictors, strict=True):
        scores += weight * (kernel(squares, gammas) @ coefficients)
    return scores


def _shapes(
    features: Mapping[str, FloatArray], arrays: Mapping[str, NDArray[Any]]
) -> dict[str, tuple[int, ...]]:
    """What the arrays of a regression of these features must be like, by name."""
    try:
        predictors, centres = arrays["coefficients"].shape
        kept = {block: arrays[f"{block}/projection"].shape[-1] for block in BLOCKS}
    except (KeyError, IndexError, ValueError) as error:
        raise WeightsError(
            f"These arrays are no regression of these features: {error}."
        ) from error
    shapes: dict[str, tuple[int, ...]] = {
        "mean": (1,),
        "weights": (predictors,),
        "gammas": (predictors, len(BLOCKS)),
        "coefficients": (predictors, centres),
        "centres": (centres, sum(kept.values())),
    }
    for block in BLOCKS:
        count = features[block].shape[1]
        shapes[f"{block}/offset"] = (count,)
        shapes[f"{block}/projection"] = (count, kept[block])
    return shapes


def project(
    features: Mapping[str, FloatArray], arrays: Mapping[str, NDArray[Any]], block: str
) -> FloatArray:
    """What is compared of a block's features, (n, k)."""
    centred = features[block] - arrays[f"{block}/offset"]
    projected: FloatArray = np.nan_to_num(centred) @ arrays[f"{block}/projection"]
    return projected


def squared(a: FloatArray, b: FloatArray) -> FloatArray:
    """Squared distances (n, m) of the rows of `a` (n, k) and `b` (m, k)."""
    squares = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * a @ b.T
    return np.maximum(squares, 0)


def kernel(squares: FloatArray, gammas: FloatArray) -> FloatArray:
    """How alike photos are, (n, m), by squared distances (blocks, n, m)."""
    return np.exp(-np.sqrt(np.tensordot(gammas, squares, 1)))
