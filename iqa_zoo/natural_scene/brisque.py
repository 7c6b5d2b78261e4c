"""BRISQUE: 36 numbers of how a photo's contrast is distributed, and a regression.

Features are those of the authors' MATLAB release: zeros beyond the border, neighbours
that wrap round, the second scale by MATLAB's imresize, and the first law symmetric.
OpenCV, MATLAB's toolbox and most ports differ in at least one of these.

A regression is a dictionary of float arrays. Features f become z = (f - `offset` (36,))
@ `projection` (36, k), and the score is k(z, `support_vectors` (n, k)) @ `coef` (n,) -
`rho` (1,) with the kernel k(a, b) = exp(-(`gamma` |a - b|²) ** `power`), (1,) each.

Source: Mittal, Moorthy, Bovik, "No-Reference Image Quality Assessment in the Spatial
Domain", TIP 2012, and github.com/utlive/BRISQUE.
"""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iqa_zoo.errors import UsageError
from iqa_zoo.images import Pixels
from iqa_zoo.natural_scene.libsvm import FEATURES, from_libsvm
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

# Where each feature of a photo stands among those of its mirror image: above left and
# above right change places.
_MIRRORED = np.array(
    [s + i for s in (0, 18) for i in (*range(10), *range(14, 18), *range(10, 14))]
)
# What `fit` tries.
_GAMMAS = 4.0 ** np.arange(-7, 0)
_RIDGES = 2.0 ** np.arange(-9, 3)
_FEWEST = 10  # photos
# Chosen by the error on photos left out of LIVE In the Wild, among the 744 that train
# in the first fixed split: Laplace's kernel and not Gauss's, and principal components
# half-way to having all the same deviation.
_POWER = 0.5
_WHITENING = 0.5

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
            "power": (1,),
            "offset": (FEATURES,),
            "projection": (FEATURES, FEATURES),
        },
    )
    # Sums over small files of float32 too are sums in float64.
    exact = {name: np.asarray(array, np.float64) for name, array in arrays.items()}
    z = (rows - exact["offset"]) @ exact["projection"]
    kernel = _kernel(z, exact["support_vectors"], exact["gamma"][0], exact["power"][0])
    answers: FloatArray = kernel @ exact["coef"] - exact["rho"][0]
    return answers


def _kernel(a: FloatArray, b: FloatArray, gamma: float, power: float) -> FloatArray:
    """exp(-(gamma |a - b|²) ** power) for rows of each, (len(a), len(b))."""
    squares = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * a @ b.T
    kernel: FloatArray = np.exp(-((gamma * np.maximum(squares, 0)) ** power))
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

    In place of the authors' support vector regression with a Gaussian kernel on scaled
    features: kernel ridge regression with Laplace's kernel on principal components of
    standardised features. It has a closed form, and so has its error on each photo left
    out, by which `gamma` and `ridge` are chosen where they are not given. The kernel is
    the mean over the photo and its mirror image, so that both get the same score; every
    photo becomes two support vectors.

    Args:
        features: (n, 36), as `features` gives them, of 10 photos or more.
        mos: (n,), opinions on any scale, high or low ones good.
        gamma: of the kernel. Where photos share a scene, one tells of the others: give
            both numbers then.
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
    offset = both.mean(0)
    projection = _projection(both - offset)
    z, mirrored = np.split((both - offset) @ projection, 2)
    mean = opinions.mean()
    least, best = np.inf, (0.0, 0.0, opinions)
    for width in _GAMMAS if gamma is None else (gamma,):
        kernels = (_kernel(z, each, width, _POWER) for each in (z, mirrored))
        kernel = np.mean(list(kernels), axis=0)
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
    _log.info(
        "The regression of %d photos: gamma %.3g, ridge %.3g. It misses the opinion on "
        "a photo that it was not fitted to by %.3g (root mean square, each photo left "
        "out in turn).",
        len(opinions),
        *best[:2],
        least**0.5,
    )
    return {
        "support_vectors": np.concatenate([z, mirrored]),
        "coef": np.tile(best[2] / 2, 2),
        "rho": np.array([-mean]),
        "gamma": np.array([best[0]]),
        "power": np.array([_POWER]),
        "offset": offset,
        "projection": projection,
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


def _projection(centred: FloatArray) -> FloatArray:
    """From features without their mean to partly whitened principal components."""
    deviation = centred.std(0)
    deviation[deviation == 0] = 1  # says nothing of the photos, and is 0 for all
    standardised = centred / deviation
    values, vectors = np.linalg.eigh(standardised.T @ standardised / len(centred))
    whitened = vectors / np.maximum(values, 1e-3) ** (_WHITENING / 2)
    projection: FloatArray = whitened / deviation[:, None]
    return projection


def from_release(files: Mapping[str, NDArray[Any]]) -> dict[str, FloatArray]:
    """The regression in the zip archive of the authors' release, by `from_libsvm`.

    Args:
        files: the archive's files by name, each as uint8 (bytes,).
    """
    return from_libsvm({name: content.tobytes() for name, content in files.items()})
