"""PIQE: which blocks of a photo are spoilt by compression or noise, learned from none.

Blocks of 16 x 16 pixels with some contrast are judged by their borders (artefacts of
blocks that are flat along an edge) and by their middle columns (noise). The values are
those of MATLAB's `piqe`, its quirks included.

Source: Venkatanath, Praneeth, Bh, Channappayya, Medasani, "Blind image quality
evaluation using perception based features", NCC 2015.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from iqa_zoo.images import Pixels, opencv
from iqa_zoo.natural_scene.luminance import luma, mscn
from iqa_zoo.natural_scene.statistics import (
    FloatArray,
)

BLOCK = 16  # pixels a side

#: The fewest pixels that the shorter and the longer side may have.
LEAST = BLOCK, BLOCK

_ACTIVE = 0.1  # variance above which a block counts
_SEGMENT = 6  # pixels of a border that are looked at together
_FLAT = 0.1  # deviation below which a segment is an artefact's

Mask = NDArray[np.bool_]


class Maps(NamedTuple):
    """The score and, pixel by pixel, the blocks that it comes from.

    Attributes:
        score: as `score` gives it.
        active: bool (height, width), blocks that have enough contrast to be judged.
        artifacts: bool (height, width), active blocks with a flat piece of border.
        noise: bool (height, width), active blocks with noise.
    """

    score: float
    active: Mask
    artifacts: Mask
    noise: Mask


def score(image: Pixels) -> float:
    """How spoilt a photo is, as a whole.

    Args:
        image: uint8 (height, width, 3), RGB, or (height, width), grey; 16 pixels a side
            or more.

    Returns:
        More than 0, lower is better: up to 20 excellent, 35 good, 50 fair, 80 poor. A
        photo without any active block, such as a flat one, gets 100; noise can lead
        beyond.

    Raises:
        UsageError: another type or shape.
        ImageError: `too_small`.
    """
    return _judge(image)[0]


def maps(image: Pixels) -> Maps:
    """Where a photo is spoilt; arguments and errors are those of `score`."""
    value, *masks = _judge(image)
    height, width = image.shape[:2]
    active, artifacts, noise = (
        mask.repeat(BLOCK, 0).repeat(BLOCK, 1)[:height, :width] for mask in masks
    )
    return Maps(value, active, artifacts, noise)


def _judge(image: Pixels) -> tuple[float, Mask, Mask, Mask]:
    """The score, and masks with one value a block."""
    grey = luma(image, least=LEAST)
    # A black photo stays black. The last summand keeps halves from going either way.
    grey *= 255 / max(grey.max(), 1e-9)
    levels = np.floor(grey + (0.5 + 1e-9), out=grey)
    below, right = (-side % BLOCK for side in levels.shape)
    cv2 = opencv()
    levels = cv2.copyMakeBorder(levels, 0, below, 0, right, cv2.BORDER_REFLECT)
    normalised = mscn(levels, "replicate")

    strips = normalised.reshape(-1, BLOCK, normalised.shape[1])
    # Of each block's columns, (down, across, 16).
    shape = len(strips), -1, BLOCK
    sums = strips.sum(1).reshape(shape)
    squares = np.einsum("ijk,ijk->ik", strips, strips).reshape(shape)
    variance = _variance(sums.sum(-1), squares.sum(-1), BLOCK**2)
    active = variance > _ACTIVE

    artifacts, noise = np.zeros_like(active), np.zeros_like(active)
    artifacts[active] = _has_flat_border(normalised, active)
    noise[active] = _is_noisy(variance[active], sums[active], squares[active])
    spoilt = (1 - variance[artifacts]).sum() + variance[noise].sum()
    return float(100 * (1 + spoilt) / (1 + active.sum())), active, artifacts, noise


def _has_flat_border(normalised: FloatArray, active: Mask) -> Mask:
    """Whether a piece of one of the four borders of each active block is flat."""
    down, across = active.shape
    blocks = normalised.reshape(down, BLOCK, across, BLOCK).swapaxes(1, 2)
    edges = (blocks[..., 0, :], blocks[..., -1, :], blocks[..., 0], blocks[..., -1])
    lines = np.stack([edge[active] for edge in edges], axis=1)  # (n, 4, 16)
    pieces = np.array(
        [lines[..., i : i + BLOCK - _SEGMENT + 1] for i in range(_SEGMENT)]
    )
    flat = _variance(pieces.sum(0), (pieces * pieces).sum(0), _SEGMENT) < _FLAT**2
    found: Mask = np.any(flat, axis=(1, 2))
    return found


def _is_noisy(variance: FloatArray, sums: FloatArray, squares: FloatArray) -> Mask:
    """Whether blocks vary as much in their middle as elsewhere.

    MATLAB's code means to take the middle columns 7 and 8 out of the rest, but deletes
    the second one when the first is gone already, which is column 9.
    """
    middle, rest = [7, 8], [i for i in range(BLOCK) if i not in (7, 9)]
    centre, surround = (
        np.sqrt(
            _variance(
                sums[:, columns].sum(1),
                squares[:, columns].sum(1),
                BLOCK * len(columns),
            )
        )
        for columns in (middle, rest)
    )
    deviation = np.sqrt(variance)
    # Neither is 0 in an active block.
    ratio = centre / np.maximum(surround, 1e-9)
    beta = np.abs(deviation - ratio) / np.maximum(deviation, ratio)
    noisy: Mask = deviation > 2 * beta
    return noisy


def _variance(sums: FloatArray, squares: FloatArray, count: int) -> FloatArray:
    """The variance (with count - 1) of `count` values, from their sums."""
    unbiased: FloatArray = np.maximum(squares - sums * sums / count, 0) / (count - 1)
    return unbiased
