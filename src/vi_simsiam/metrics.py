"""Measures of certainty scores, each with a bootstrap interval over images.

The bootstrap draws images with replacement, written as counts: a resample is a vector of how often each image was
drawn. Every statistic here is computed from values that are sorted once and such counts, so thousands of resamples
are a few array operations, and repeated images are treated exactly as ties. An image's crops or views stay together.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from vi_simsiam import randomness

_LEVEL = 0.95
_ELEMENTS = 1 << 22  # counts held at once: what of them is worked on stays near the processor


class Estimate(NamedTuple):
    """A quantity with its 95 % interval; NaN where it could not be estimated. Here n is the number of images."""

    estimate: float
    ci_low: float
    ci_high: float
    n: float


class Bootstrap:
    """Resamples of n images, the same ones for every measure, so that measures are comparable.

    Args:
        n: number of images.
        resamples: number of resamples.
        seed: of the draws.
    """

    def __init__(self, n: int, resamples: int, seed: int):
        self.n, self.resamples, self.seed = n, resamples, seed

    def counts(self, width: int | None = None) -> Iterator[NDArray[np.float64]]:
        """How often each image was drawn: arrays (r, n) whose r add up to `resamples`.

        `width` is the number of values that a resample will be spread over (by default n): it bounds r, not the draws.
        """
        rng = np.random.default_rng(randomness.seed(self.seed, "bootstrap"))
        rows = max(1, _ELEMENTS // max(self.n, width or 0))
        for start in range(0, self.resamples, rows):
            size = min(rows, self.resamples - start)
            draws = rng.integers(self.n, size=(size, self.n)) + np.arange(size)[:, None] * self.n
            yield np.bincount(draws.ravel(), minlength=size * self.n).reshape(size, self.n).astype(float)

    def auroc(self, scores: ArrayLike, positive: ArrayLike, image: ArrayLike | None = None) -> Estimate | None:
        """Area under the ROC curve: the probability that a positive has a higher score than a negative (ties: half).

        Args:
            scores: (m,) floats of any scale; no sigmoid is applied.
            positive: (m,) booleans.
            image: (m,) index in [0, n) of the image that each row belongs to; None: row i is image i.

        Returns: None where it is undefined, because all rows are positive or none is.
        """
        scores, positive = np.asarray(scores, float), np.asarray(positive, bool)
        if positive.all() or not positive.any():
            return None
        point = roc_auc_score(positive, scores)
        ties = _Ties(scores)

        def resampled(weights: NDArray) -> NDArray:
            hits, misses = ties.sums(weights * positive), ties.sums(weights * ~positive)
            below = np.cumsum(misses, axis=1) - misses / 2
            with np.errstate(invalid="ignore"):  # 0/0: a resample without positives or negatives
                return (hits * below).sum(1) / (hits.sum(1) * misses.sum(1))

        return self._estimate(point, resampled, image)

    def spearman(self, x: ArrayLike, y: ArrayLike, image: ArrayLike | None = None) -> Estimate | None:
        """Spearman's rank correlation of x and y, both (m,); `image` as in `auroc`. None if either is constant."""
        x, y = np.asarray(x, float), np.asarray(y, float)
        if np.ptp(x) == 0 or np.ptp(y) == 0:
            return None
        point = spearmanr(x, y).statistic
        ties = _Ties(x), _Ties(y)

        def resampled(weights: NDArray) -> NDArray:
            total = weights.sum(1, keepdims=True)
            a, b = (t.ranks(weights) - total / 2 for t in ties)  # the mean rank is half the total weight
            with np.errstate(invalid="ignore"):
                return (weights * a * b).sum(1) / np.sqrt((weights * a * a).sum(1) * (weights * b * b).sum(1))

        return self._estimate(point, resampled, image)

    def mean(self, values: ArrayLike, image: ArrayLike | None = None) -> Estimate:
        """Mean of values (m,); `image` as in `auroc`."""
        values = np.asarray(values, float)
        return self._estimate(values.mean(), lambda weights: weights @ values / weights.sum(1), image)

    def _estimate(self, point: float, resampled: Callable[[NDArray], NDArray], image: ArrayLike | None) -> Estimate:
        rows = np.arange(self.n) if image is None else np.asarray(image)
        values = np.concatenate([resampled(counts[:, rows]) for counts in self.counts(len(rows))])
        tail = (1 - _LEVEL) / 2
        low, high = np.nanquantile(values, [tail, 1 - tail])
        return Estimate(float(point), float(low), float(high), self.n)


class _Ties:
    """Values sorted once; equal values form a group."""

    def __init__(self, values: NDArray):
        self.order = np.argsort(values, kind="stable")
        fresh = np.diff(values[self.order], prepend=np.nan) != 0
        self.starts = np.flatnonzero(fresh)
        self.group = np.empty(len(values), int)
        self.group[self.order] = np.cumsum(fresh) - 1

    def sums(self, weights: NDArray) -> NDArray:
        """(r, m) weights to (r, groups): the weight of each group, by rising value."""
        return np.add.reduceat(weights[:, self.order], self.starts, axis=1)

    def ranks(self, weights: NDArray) -> NDArray:
        """(r, m) weights to (r, m): the mid-rank of each row among the weighted rows, less 1/2."""
        sums = self.sums(weights)
        return (np.cumsum(sums, axis=1) - sums / 2)[:, self.group]
