"""Blur: how much less gradient there is at the scale of single pixels than above it.

All natural edges and textures have more of it in the finest scale; blur takes it away,
along one direction where something moved. White noise adds a known amount to both
scales, which is taken off.
"""

import math

import numpy as np
from numpy.typing import NDArray

from iqa_zoo.diagnosis.look import Look
from iqa_zoo.diagnosis.reading import Mask, Reading
from iqa_zoo.images import opencv
from iqa_zoo.technical.noise import block_means
from iqa_zoo.technical.planes import Plane

_Kernel = NDArray[np.float32]

# Scharr's slope over three pixels, and a Gaussian of one pixel with its slope.
_FINE = np.array([[-0.5, 0, 0.5], [3 / 16, 10 / 16, 3 / 16]], np.float32)
_X = np.arange(-4, 5)
_BELL = np.exp(-(_X**2) / 2) / np.exp(-(_X**2) / 2).sum()
_COARSE = np.array([_X * _BELL, _BELL], np.float32)

_FLAT = 0.1  # squared grey levels of coarse gradient, below which there is no edge
# The noise in grey levels, and the coarse gradient over its variance, beyond which the
# error of what is taken off decides.
_NOISIEST, _DROWNED = 20, 0.005
_ONE_WAY = 0.005  # share of the gradient in the direction that has less of it
_ONE_SIDED = 0.75  # the power
_MOVED = 0.885  # blur of one direction over that of the other, at which it is motion
_TILE = 32  # pixels a side


def blurred(look: Look) -> Reading:
    """The finest gradient over the coarser one, in the direction where it is least.

    Times a power of the least over the most of all directions, so that a blur along one
    direction alone is found earlier.
    """
    plane, variance = look.copy_plane, look.copy_noise**2
    fine, coarse = (_gradients(plane, kernel) for kernel in (_FINE, _COARSE))
    near, far = (
        _tensor(*gradients, variance * gain(kernel))
        for gradients, kernel in ((fine, _FINE), (coarse, _COARSE))
    )
    edges = float(np.trace(far))
    if variance > _NOISIEST**2 or _FLAT < edges < _DROWNED * variance:
        return Reading(None, "noise hides the edges")
    if edges <= _FLAT:
        return Reading(None, "there are no edges to judge by")
    if np.linalg.eigvalsh(far)[0] < _ONE_WAY * edges:
        return Reading(None, "all edges run in one direction")
    least, most = (max(ratio, 0.0) for ratio in ratios(near, far))
    return Reading(
        least * (least / most) ** _ONE_SIDED if most else 0.0,
        f"the finest detail has {least:.2f} times the gradient of coarser detail, "
        f"{most:.2f} times across; sharp photos have about 2",
        "motion" if least < _MOVED * most else "out of focus",
        lambda: _soft_tiles(fine, coarse, variance),
    )


def gain(kernel: _Kernel) -> float:
    """What noise of variance 1 adds to the squared gradient along one axis."""
    slope, smooth = kernel
    return float((slope**2).sum() * (smooth**2).sum())


def ratios(near: NDArray[np.float64], far: NDArray[np.float64]) -> tuple[float, float]:
    """The least and the largest ratio of two gradients over all directions.

    The generalised eigenvalues of their tensors (2, 2).
    """
    # Of far^-1 near: their sum and their product.
    det = far[0, 0] * far[1, 1] - far[0, 1] ** 2
    trace = (
        near[0, 0] * far[1, 1] + near[1, 1] * far[0, 0] - 2 * near[0, 1] * far[0, 1]
    ) / det
    product = (near[0, 0] * near[1, 1] - near[0, 1] ** 2) / det
    root = math.sqrt(max(trace**2 / 4 - product, 0))
    return trace / 2 - root, trace / 2 + root


def _gradients(plane: Plane, kernel: _Kernel) -> tuple[Plane, Plane]:
    cv2 = opencv()
    slope, smooth = kernel
    return (
        cv2.sepFilter2D(plane, cv2.CV_32F, slope, smooth),
        cv2.sepFilter2D(plane, cv2.CV_32F, smooth, slope),
    )


def _tensor(across: Plane, down: Plane, noise: float) -> NDArray[np.float64]:
    """Means of the gradient's products (2, 2), less what noise adds to the squares."""
    a, d = across.ravel(), down.ravel()
    products = np.array([[a @ a, a @ d], [a @ d, d @ d]], np.float64) / a.size
    tensor: NDArray[np.float64] = products - noise * np.eye(2)
    return tensor


def _soft_tiles(
    fine: tuple[Plane, Plane], coarse: tuple[Plane, Plane], variance: float
) -> Mask:
    """The tiles that have edges, and these as soft as the photo as a whole or more."""
    near, far = (
        block_means(across**2 + down**2, _TILE) - 2 * variance * gain(kernel)
        for (across, down), kernel in ((fine, _FINE), (coarse, _COARSE))
    )
    edges = far > max(_FLAT, _DROWNED * variance, 0.1 * float(far.mean()))
    soft: Mask = edges & (near <= 1.3 * far * near[edges].sum() / far[edges].sum())
    return soft
