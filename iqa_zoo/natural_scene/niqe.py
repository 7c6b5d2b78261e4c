"""NIQE: how far a photo's blocks are, as a cloud, from those of pristine photos.

It knows no opinions and no distortions. A pristine model is a dictionary of two arrays:
`mean` (36,) and `covariance` (36, 36) of the features of sharp blocks.

Source: Mittal, Soundararajan, Bovik, "Making a 'Completely Blind' Image Quality
Analyzer", SPL 2013, and the authors' MATLAB release.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iqa_zoo.errors import ImageError, UsageError, WeightsError
from iqa_zoo.images import Pixels
from iqa_zoo.natural_scene.luminance import grey_levels, halved, local_deviation, mscn
from iqa_zoo.natural_scene.statistics import (
    FloatArray,
    check_arrays,
    fit_asymmetric,
    moments,
    wrapped,
)

BLOCK = 96  # pixels a side
FEATURES = 36

#: The fewest pixels that the shorter and the longer side may have: two blocks.
LEAST = BLOCK, 2 * BLOCK

MODEL_FILE = "modelparameters.mat"  # in the authors' release
_SHAPES = {"mu_prisparam": (FEATURES,), "cov_prisparam": (FEATURES, FEATURES)}
#: In pristine photos, blocks with at least this share of the sharpest one's contrast.
SHARP = 0.75


def features(image: Pixels) -> FloatArray:
    """The features of a photo's blocks of 96 x 96 pixels; what is left over is cut off.

    Args:
        image: uint8 (height, width, 3), RGB, or (height, width), grey; 96 x 192 pixels
            or more.

    Returns:
        float64 (blocks, 36), row after row of blocks. At full size, then at half: shape
        and mean scale of the normalised luminance; then shape, mean and the scales of
        the left and the right side of its products with the neighbours to the left,
        above, above left and above right. NaN stands where a block has nothing on one
        side, as flat ones have.

    Raises:
        UsageError: another type or shape.
        ImageError: `too_small`.
    """
    grey = _whole_blocks(image)
    return np.hstack(
        [_of_scale(grey, BLOCK), _of_scale(halved(grey), BLOCK // 2)],
    )


def _whole_blocks(image: Pixels) -> Pixels:
    grey = grey_levels(image, least=LEAST)
    height, width = (side // BLOCK * BLOCK for side in grey.shape)
    return grey[:height, :width]


def _of_scale(grey: NDArray[Any], side: int) -> FloatArray:
    normalised = mscn(grey, "replicate", np.float32)
    height, width = grey.shape
    sums = [
        moments(wrapped(normalised[top : top + side, left : left + side]))
        for top in range(0, height, side)
        for left in range(0, width, side)
    ]
    law = fit_asymmetric(np.array(sums))
    scales = np.stack([law.shape, law.mean, law.left, law.right], axis=-1)
    one_sided = np.min(np.array(sums)[..., 1:3], axis=-1) == 0
    scales[one_sided] = np.nan
    shape, _, left, right = scales[:, 0].T
    products = scales[:, 1:].reshape(len(sums), -1)
    return np.column_stack([shape, (left + right) / 2, products])


def score(image: Pixels, arrays: Mapping[str, NDArray[Any]]) -> float:
    """How far a photo is from pristine ones.

    Args:
        image: as in `features`.
        arrays: a pristine model.

    Returns:
        0 or more, lower is better. By the authors' model pristine photos have about 2
        to 4 and bad ones more than 6; a model of fewer blocks gives higher numbers.

    Raises:
        UsageError: as in `features`.
        WeightsError: the arrays are no pristine model.
        ImageError: `too_small`; `non_finite` where fewer than two blocks have contrast.
    """
    check_arrays(arrays, {"mean": (FEATURES,), "covariance": (FEATURES, FEATURES)})
    rows = features(image)
    mean, covariance = _cloud(rows, "The image")
    between = np.linalg.pinv((arrays["covariance"] + covariance) / 2)
    away = arrays["mean"] - mean
    return math.sqrt(max(float(away @ between @ away), 0))


def _cloud(rows: FloatArray, what: str) -> tuple[FloatArray, FloatArray]:
    """Mean and covariance of blocks, as the authors leave out those without values."""
    whole = rows[np.isfinite(rows).all(1)]
    if len(whole) < 2:
        raise ImageError(
            "non_finite",
            f"{what}: {len(whole)} of {len(rows)} blocks have any contrast; NIQE needs "
            "two. It cannot judge flat pictures.",
        )
    return np.nanmean(rows, 0), np.cov(whole, rowvar=False)


def fit(images: Iterable[Pixels]) -> dict[str, FloatArray]:
    """A pristine model from photos without any distortion.

    Of each photo those blocks count whose mean local deviation is at least three
    quarters of the sharpest block's.

    Args:
        images: each as in `features`; the authors took 125. They are gone through once.

    Returns:
        `mean` float64 (36,) and `covariance` float64 (36, 36).

    Raises:
        UsageError: fewer than 37 sharp blocks, which have no covariance of full rank;
            or as in `features`.
        ImageError: as in `features`.
    """
    rows = [features(image)[_sharp(image)] for image in images]
    sharp = np.concatenate([np.empty((0, FEATURES)), *rows])
    sharp = sharp[np.isfinite(sharp).all(1)]
    if len(sharp) <= FEATURES:
        raise UsageError(
            f"{len(sharp)} sharp blocks of {len(rows)} images are too few to fit a "
            f"pristine model to; {FEATURES + 1} or more are needed. Give more images, "
            "or larger ones."
        )
    return {"mean": sharp.mean(0), "covariance": np.cov(sharp, rowvar=False)}


def from_release(files: Mapping[str, NDArray[Any]]) -> dict[str, FloatArray]:
    """The pristine model in the zip archive of the authors' release.

    Args:
        files: the archive's files by name, each as uint8 (bytes,); the model is in
            `modelparameters.mat`, MATLAB's format 5.

    Raises:
        WeightsError: the file is missing, or holds something else.
    """
    from io import BytesIO

    from scipy.io import loadmat, whosmat

    if MODEL_FILE not in files:
        raise WeightsError(f"The file {MODEL_FILE} is missing; it is in the release.")
    try:
        file = BytesIO(files[MODEL_FILE].tobytes())
        # Asked first, since a compressed array may take any room.
        held = {name: (math.prod(shape), kind) for name, shape, kind in whosmat(file)}
        for name, shape in _SHAPES.items():
            if held.get(name) != (math.prod(shape), "double"):
                raise ValueError(
                    f"its {name} is no array of {math.prod(shape)} numbers"
                )
        found = loadmat(file, variable_names=list(_SHAPES))
        mean, covariance = (found[name].reshape(_SHAPES[name]) for name in _SHAPES)
        return {"mean": mean, "covariance": covariance}
    # What scipy stumbles over is of many kinds.
    except Exception as error:
        raise WeightsError(f"{MODEL_FILE} is not the release's: {error}.") from error


def _sharp(image: Pixels) -> NDArray[np.bool_]:
    """Which blocks are sharp, in the order of `features`."""
    deviation = local_deviation(_whole_blocks(image), "replicate")
    height, width = deviation.shape
    shape = height // BLOCK, BLOCK, width // BLOCK, BLOCK
    contrast = deviation.reshape(shape).mean((1, 3)).ravel()
    sharp: NDArray[np.bool_] = contrast > SHARP * contrast.max()
    return sharp
