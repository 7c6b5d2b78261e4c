"""BRISQUE: 36 numbers of how a photo's contrast is distributed, and a regression.

Features are those of the authors' MATLAB release: zeros beyond the border, neighbours
that wrap round, the second scale by MATLAB's imresize, and the first law symmetric.
OpenCV, MATLAB's toolbox and most ports differ in at least one of these.

A regression is a dictionary of float arrays: `support_vectors` (n, 36), `coef` (n,),
`rho` (1,), `gamma` (1,), and `range_min` and `range_max` (36,), the feature values that
become -1 and 1.

Source: Mittal, Moorthy, Bovik, "No-Reference Image Quality Assessment in the Spatial
Domain", TIP 2012, and github.com/utlive/BRISQUE.
"""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iqa_zoo.errors import UsageError, WeightsError
from iqa_zoo.images import Pixels
from iqa_zoo.natural_scene.luminance import grey_levels, halved, mscn, tiles
from iqa_zoo.natural_scene.statistics import (
    FloatArray,
    check_arrays,
    fit_asymmetric,
    fit_symmetric,
    moments,
    wrapped,
)

#: The fewest pixels that the shorter and the longer side may have: at half the size the
#: window must fit.
LEAST = 14, 14

FEATURES = 36

# Where each feature of a photo stands among those of its mirror image: above left and
# above right change places.
_MIRRORED = np.array(
    [s + i for s in (0, 18) for i in (*range(10), *range(14, 18), *range(10, 14))]
)
# What `fit` tries; neighbours differ by a factor of two.
_GAMMAS = 2.0 ** np.arange(-11, -2)
_RIDGES = 2.0 ** np.arange(-10, 4)
_FEWEST = 10  # photos

_log = logging.getLogger(__name__)


def features(image: Pixels) -> FloatArray:
    """The 36 features of a photo.

    Args:
        image: uint8 (height, width, 3), RGB, or (height, width), grey; 14 pixels a side
            or more.

    Returns:
        float64 (36,), finite. At full size, then at half: shape and variance of the
        normalised luminance; then shape, mean and the variances of the left and the
        right side of its products with the neighbours to the left, above, above left
        and above right.

    Raises:
        UsageError: another type or shape.
        ImageError: `too_small`.
    """
    grey = grey_levels(image, least=LEAST)
    return np.concatenate([_of_scale(grey), _of_scale(halved(grey))])


def _of_scale(grey: NDArray[Any]) -> FloatArray:
    ring = wrapped(mscn(grey, "zero", np.float32))
    parts = [
        moments(ring[rows.start : rows.stop + 1, columns.start : columns.stop + 2])
        for rows, columns in tiles(grey.shape)
    ]
    sums = np.sum(parts, axis=0)
    products = fit_asymmetric(sums[1:])
    found = np.stack(
        [
            products.shape,
            products.mean,
            products.variance_left,
            products.variance_right,
        ],
        axis=1,
    )
    return np.concatenate([fit_symmetric(sums[0]), found.ravel()])


def score(image: Pixels, arrays: Mapping[str, NDArray[Any]]) -> float:
    """What a regression says of a photo.

    Args:
        image: as in `features`.
        arrays: a regression, as `fit` or `from_libsvm` gives it.

    Returns:
        A number on the scale of the opinions that the regression was fitted to. It is
        not cut off at the ends of that scale. For the authors' model: differential mean
        opinions, of which low ones are good.

    Raises:
        UsageError: as in `features`.
        ImageError: as in `features`.
        WeightsError: the arrays are no regression.
    """
    return float(predict(features(image)[None], arrays)[0])


def predict(rows: FloatArray, arrays: Mapping[str, NDArray[Any]]) -> FloatArray:
    """What a regression says of photos with the features `rows` (n, 36): (n,)."""
    check_arrays(
        arrays,
        {
            "support_vectors": (-1, FEATURES),
            "coef": (-1,),
            "rho": (1,),
            "gamma": (1,),
            "range_min": (FEATURES,),
            "range_max": (FEATURES,),
        },
    )
    # Sums over small files of float32 too are sums in float64.
    exact = {name: np.asarray(array, np.float64) for name, array in arrays.items()}
    low, high = exact["range_min"], exact["range_max"]
    z = 2 * (rows - low) / (high - low) - 1
    kernel = _kernel(z, exact["support_vectors"], exact["gamma"][0])
    answers: FloatArray = kernel @ exact["coef"] - exact["rho"][0]
    return answers


def _kernel(a: FloatArray, b: FloatArray, gamma: float) -> FloatArray:
    """exp(-gamma |a - b|²) for rows of each, (len(a), len(b))."""
    squares = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * a @ b.T
    kernel: FloatArray = np.exp(-gamma * np.maximum(squares, 0))
    return kernel


def fit_photos(images: Iterable[Pixels], mos: ArrayLike) -> dict[str, FloatArray]:
    """A regression from photos and what people said of them; see `features`, `fit`."""
    return fit(np.stack([features(image) for image in images]), mos)


def fit(
    features: ArrayLike,
    mos: ArrayLike,
    *,
    gamma: float | None = None,
    ridge: float | None = None,
) -> dict[str, FloatArray]:
    """A regression from photos' features and what people said of them.

    Kernel ridge regression with the authors' kernel in place of their support vector
    regression: it has a closed form, and so has its error on each photo left out, by
    which `gamma` and `ridge` are chosen where they are not given. The kernel is the
    mean over the photo and its mirror image, so that both get the same score; every
    photo becomes two support vectors.

    Args:
        features: (n, 36), as `features` gives them, of 10 photos or more.
        mos: (n,), opinions on any scale, high or low ones good.
        gamma: of the kernel exp(-gamma |a - b|²) on standardised features. Where photos
            share a scene, one tells of the others: give both numbers then.
        ridge: what is added to the kernel's diagonal.

    Returns:
        float64 arrays, as at the top of this module.

    Raises:
        UsageError: shapes that do not fit, values that are not finite, or a number that
            is not positive.
    """
    rows, opinions = _checked(features, mos)
    for name, value in (("gamma", gamma), ("ridge", ridge)):
        if value is not None and not 0 < value < np.inf:
            raise UsageError(f"{name} is {value}; it must be more than 0.")
    both = np.concatenate([rows, rows[:, _MIRRORED]])
    low, high = _range(both)
    z, mirrored = np.split(2 * (both - low) / (high - low) - 1, 2)
    mean = opinions.mean()
    least, best = np.inf, (0.0, 0.0, opinions)
    for width in _GAMMAS if gamma is None else (gamma,):
        kernel = (_kernel(z, z, width) + _kernel(z, mirrored, width)) / 2
        values, vectors = np.linalg.eigh(kernel)
        turned = vectors.T @ (opinions - mean)
        for summand in _RIDGES if ridge is None else (ridge,):
            # Rounding makes the smallest eigenvalues negative.
            inverse = 1 / (np.maximum(values, 0) + summand)
            coef = vectors @ (inverse * turned)
            left_out = coef / (vectors**2 @ inverse)
            error = float(np.square(left_out).mean())
            if error < least:
                least, best = error, (width, summand, coef)
    _log.info("gamma %g, ridge %g: RMSE %g left out", *best[:2], least**0.5)
    return {
        "support_vectors": np.concatenate([z, mirrored]),
        "coef": np.tile(best[2] / 2, 2),
        "rho": np.array([-mean]),
        "gamma": np.array([best[0]]),
        "range_min": low,
        "range_max": high,
    }


def _checked(features: ArrayLike, mos: ArrayLike) -> tuple[FloatArray, FloatArray]:
    rows, opinions = (np.asarray(each, np.float64) for each in (features, mos))
    fits = rows.shape == (len(opinions), FEATURES) and opinions.ndim == 1
    if not fits or len(rows) < _FEWEST:
        raise UsageError(
            f"Features {rows.shape} and opinions {opinions.shape} do not fit; give "
            f"(n, {FEATURES}) and (n,) of {_FEWEST} photos or more."
        )
    if not (np.isfinite(rows).all() and np.isfinite(opinions).all()):
        raise UsageError("A feature or an opinion is not finite; leave that photo out.")
    return rows, opinions


def _range(rows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Feature values that become -1 and 1: a deviation below and above the mean."""
    mean, deviation = rows.mean(0), rows.std(0)
    deviation[deviation == 0] = 1  # says nothing of the photos, and is 0 for all
    return mean - deviation, mean + deviation


def from_libsvm(files: Mapping[str, bytes]) -> dict[str, FloatArray]:
    """The regression in the two text files of the authors' release.

    Args:
        files: "allmodel", what libsvm's svm-train writes (an epsilon-SVR with an RBF
            kernel), and "allrange", what its svm-scale writes (to -1..1).

    Returns:
        float64 arrays, as at the top of this module.

    Raises:
        WeightsError: a file is missing, or not as these programs write it.
    """
    model, ranges = (_lines(files, name) for name in ("allmodel", "allrange"))
    try:
        head = model.index(["SV"])
        said = {line[0]: line[1:] for line in model[:head]}
        for key, value in (("svm_type", "epsilon_svr"), ("kernel_type", "rbf")):
            if said[key] != [value]:
                raise ValueError(f"its {key} is not {value}")
        vectors = model[head + 1 :]
        if [str(len(vectors))] != said["total_sv"]:
            raise ValueError(f"it has {len(vectors)} vectors, of {said['total_sv']}")
        coef = [float(line[0]) for line in vectors]
        rows = np.zeros((len(vectors), FEATURES))
        for row, line in zip(rows, vectors, strict=True):
            for cell in line[1:]:
                number, _, value = cell.partition(":")
                row[_place(number)] = float(value)
        arrays = {
            "support_vectors": rows,
            "coef": np.array(coef),
            "rho": np.array([float(said["rho"][0])]),
            "gamma": np.array([float(said["gamma"][0])]),
            **_ranges(ranges),
        }
        for name, array in arrays.items():
            if not np.isfinite(array).all():
                raise ValueError(f"{name} has a number that is not finite")
    except (ValueError, KeyError, IndexError) as error:
        raise WeightsError(
            f"allmodel and allrange are not the files of the authors' release: {error}."
        ) from error
    return arrays


def from_release(files: Mapping[str, NDArray[Any]]) -> dict[str, FloatArray]:
    """The regression in the zip archive of the authors' release, by `from_libsvm`.

    Args:
        files: the archive's files by name, each as uint8 (bytes,).
    """
    return from_libsvm({name: content.tobytes() for name, content in files.items()})


def _lines(files: Mapping[str, bytes], name: str) -> list[list[str]]:
    """The words of each line that has any."""
    if name not in files:
        raise WeightsError(f"The file {name} is missing; both are in the release.")
    text = files[name].decode("ascii", "replace")
    return [words for line in text.splitlines() if (words := line.split())]


def _ranges(lines: list[list[str]]) -> dict[str, FloatArray]:
    if lines[0] != ["x"] or [float(bound) for bound in lines[1]] != [-1, 1]:
        raise ValueError("the features are not scaled to -1..1")
    bounds = np.full((2, FEATURES), np.nan)
    for number, *cells in lines[2:]:
        bounds[:, _place(number)] = [float(cell) for cell in cells]
    return {"range_min": bounds[0], "range_max": bounds[1]}


def _place(number: str) -> int:
    """From libsvm's number of a feature, which counts from 1."""
    place = int(number) - 1
    if not 0 <= place < FEATURES:
        raise ValueError(f"there is no feature {number}")
    return place
