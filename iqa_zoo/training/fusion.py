"""Fitting the regression of `models.fusion`: early or late, by photos left out.

Early fusion compares photos by all blocks at once; late fusion is the weighted mean of
what each block says alone. All choices (how much each block counts, widths of kernels,
ridges, and which of the two it is) are those with the least error on photos that were
left out; folds are drawn by groups where there are any.
"""

import itertools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from iqa_zoo.data.splits import IndexArray
from iqa_zoo.errors import UsageError
from iqa_zoo.models.fusion import BLOCKS, FloatArray, kernel, project, squared
from iqa_zoo.training.kernel_ridge import CENTRES, solve
from iqa_zoo.training.kernels import principal_axes

logger = logging.getLogger("iqa_zoo")

FEWEST = 20  # photos, or groups of them
FOLDS = 10
COMPONENTS = 128  # principal components of a block

_LEAST_SPREAD = 0.1  # of a feature, as a share of the median of its block
# Principal components are brought half-way to having all the same deviation.
_WHITENING = 0.5
_LEAST_VARIANCE = 1e-3  # of a component; smaller ones are not enlarged further
_START, _FACTOR = 0.25, 4.0  # of the search for kernels' widths
_LEAST, _MOST = 1e-4, 1e3
_STEPS = 20  # that the weights of late fusion are multiples of a share of


class Predictor(NamedTuple):
    """A regression on one kernel.

    Attributes:
        gammas: (blocks,), how much each block counts; see `models.fusion`.
        coefficients: (m,), of the centres.
        left_out: (n,), its answers to photos left out.
        error: their root mean square error.
    """

    gammas: FloatArray
    coefficients: FloatArray
    left_out: FloatArray
    error: float


class Fusion(NamedTuple):
    """Predictors and their weights; `error` is that on photos left out."""

    kind: str
    predictors: tuple[Predictor, ...]
    weights: FloatArray
    error: float


def drawn_folds(
    count: int, groups: Sequence[str] | None = None, seed: int = 0
) -> list[IndexArray]:
    """Rows that are left out together: whole groups, by a seeded permutation.

    Args:
        count: of the photos.
        groups: names of what each photo belongs to; None where each is its own.
        seed: of the permutation.

    Raises:
        UsageError: fewer than 20 photos or groups.
    """
    names = np.arange(count) if groups is None else np.asarray(groups)
    known, number = np.unique(names, return_inverse=True)
    if len(known) < FEWEST:
        what = "photos" if groups is None else "groups of photos"
        raise UsageError(
            f"{len(known)} {what} to train on; a fusion needs {FEWEST} or more."
        )
    fold_of = np.random.default_rng(seed).permutation(len(known)) % FOLDS
    return [np.flatnonzero(fold_of[number] == fold) for fold in range(FOLDS)]


@dataclass
class Search:
    """Finds fusions of the blocks of the same photos; nothing is fitted twice.

    Args:
        features: (n, F_b) by block, NaN where there is nothing to measure.
        opinions: (n,), on any scale.
        folds: as `drawn_folds` gives them.
    """

    features: Mapping[str, FloatArray]
    opinions: FloatArray
    folds: Sequence[IndexArray]
    _known: dict[tuple[str, ...], Predictor] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.mean = self.opinions.mean()
        self._rest = self.opinions - self.mean
        self._space: dict[str, FloatArray] = {}
        self._centres, squares = [], []
        for block in BLOCKS:
            space = _space(self.features[block], block)
            z = project(self.features, space, block)
            self._space |= space
            self._centres.append(z[:CENTRES])
            squares.append(squared(z, z[:CENTRES]))
        self._squares = np.stack(squares)

    def early(self, blocks: Sequence[str]) -> Fusion:
        """One regression on all of some blocks."""
        found = self._predictor(tuple(blocks))
        return Fusion("early", (found,), np.ones(1), found.error)

    def late(self, blocks: Sequence[str]) -> Fusion:
        """The weighted mean of regressions on one block each."""
        found = tuple(self._predictor((block,)) for block in blocks)
        left_out = np.stack([each.left_out for each in found])
        # As others are fitted without the photos that they are measured on.
        rest = self._rest.copy()
        for fold in self.folds:
            others = np.setdiff1d(np.arange(len(rest)), fold)
            weights = _convex(left_out[:, others], self._rest[others])
            rest[fold] -= weights @ left_out[:, fold]
        error = float(np.sqrt(np.square(rest).mean()))
        return Fusion("late", found, _convex(left_out, self._rest), error)

    def best(self, blocks: Sequence[str] = BLOCKS) -> Fusion:
        """Early or late, whichever has less error on photos left out."""
        both = self.early(blocks), self.late(blocks)
        return min(both, key=lambda fusion: fusion.error)

    def arrays(self, fusion: Fusion) -> dict[str, FloatArray]:
        """A fusion as `models.fusion.predict` takes it."""
        return {
            "mean": np.array([self.mean]),
            "weights": fusion.weights,
            "gammas": np.stack([each.gammas for each in fusion.predictors]),
            "coefficients": np.stack([each.coefficients for each in fusion.predictors]),
            "centres": np.concatenate(self._centres, axis=1),
            **self._space,
        }

    def _predictor(self, blocks: tuple[str, ...]) -> Predictor:
        if blocks not in self._known:
            self._known[blocks] = self._searched(blocks)
            logger.info(
                "%s: %.3g off on photos left out.",
                " and ".join(blocks).replace("_", " "),
                self._known[blocks].error,
            )
        return self._known[blocks]

    def _searched(self, blocks: tuple[str, ...]) -> Predictor:
        """The kernel of some blocks that serves best, uphill from what each found."""
        chosen = np.eye(len(BLOCKS))[[BLOCKS.index(block) for block in blocks]]
        if len(blocks) == 1:
            start = _START * chosen[0]
        else:
            alone = [self._predictor((block,)).gammas for block in blocks]
            start = np.sum(alone, axis=0) / len(blocks)
        best = self._fitted(start)
        tried = {tuple(start)}
        improved = True
        while improved:
            improved = False
            for block, factor in itertools.product(chosen, (_FACTOR, 1 / _FACTOR)):
                gammas = best.gammas * factor**block
                inside = gammas[gammas > 0]
                if inside.min() < _LEAST or inside.max() > _MOST:
                    continue
                if tuple(gammas) in tried:
                    continue
                tried.add(tuple(gammas))
                found = self._fitted(gammas)
                if found.error < best.error:
                    best, improved = found, True
        return best

    def _fitted(self, gammas: FloatArray) -> Predictor:
        solution = solve(kernel(self._squares, gammas), self._rest, self.folds)
        return Predictor(
            gammas, solution.coefficients, solution.left_out, solution.error
        )


def _space(features: FloatArray, block: str) -> dict[str, FloatArray]:
    """What makes a block's features comparable: `BLOCK/offset` and `BLOCK/projection`.

    Features are standardised and projected on their principal components; the squared
    distance of two photos has the mean 1.
    """
    known = np.isfinite(features)
    offset = np.where(known, features, 0).sum(0) / np.maximum(known.sum(0), 1)
    centred = np.where(known, features - offset, 0)
    spread = centred.std(0)
    spread = np.maximum(spread, _LEAST_SPREAD * np.median(spread))
    spread[spread == 0] = 1  # says nothing of the photos
    standard = centred / spread
    axes = principal_axes(standard, COMPONENTS)
    variances = np.square(standard @ axes).mean(0)
    axes = axes / np.maximum(variances, _LEAST_VARIANCE) ** (_WHITENING / 2)
    total = 2 * np.square(standard @ axes).sum() / len(standard)
    projection = axes / spread[:, None] / np.sqrt(total or 1)
    return {f"{block}/offset": offset, f"{block}/projection": projection}


def _convex(answers: FloatArray, opinions: FloatArray) -> FloatArray:
    """The weights (k,), of 0 or more and together 1, with the least squared error.

    Args:
        answers: (k, n), of each predictor.
        opinions: (n,).
    """
    steps = itertools.product(range(_STEPS + 1), repeat=len(answers))
    weights = np.array([each for each in steps if sum(each) == _STEPS]) / _STEPS
    products, aims = answers @ answers.T, answers @ opinions
    errors = np.einsum("wi,ij,wj->w", weights, products, weights) - 2 * weights @ aims
    best: FloatArray = weights[np.argmin(errors)]
    return best
