"""Measures of certainty scores, each with a bootstrap interval over images.

The bootstrap draws images with replacement; an image's crops or views stay together. What is computed is in
`rank_statistics` and `risk_coverage`; this module draws the resamples and makes intervals of the results.
"""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vi_simsiam.stats.ranks import Auroc, FalsePositiveRate, Ranked, Spearman
from vi_simsiam.stats.resamples import Draws, Resamples, Statistic

_LEVEL = 0.95


class Estimate(NamedTuple):
    """A quantity with its 95 % interval; NaN where it could not be estimated. Here n is the number of images."""

    estimate: float
    ci_low: float
    ci_high: float
    n: float


class Bootstrap:
    """Resamples of n images, the same ones for every measure, so that measures are comparable.

    Args:
        n: number of images; several numbers for several sets of images, each of which is drawn from itself.
        resamples: number of resamples.
        seed: of the draws.
        threads: that work side by side (None: a thread per core). The results do not depend on it.
    """

    def __init__(self, n: int | Sequence[int], resamples: int, seed: int, threads: int | None = None):
        sizes = (n,) if isinstance(n, int | np.integer) else tuple(n)
        self.n, self.resamples, self.seed = sum(sizes), resamples, seed
        self.draws = Draws(sizes, resamples, seed)
        self.threads = threads or _cores()

    def estimates(self, statistics: Mapping[str, Statistic | None]) -> dict[str, Estimate]:
        """Statistics with their percentile intervals; those that are None are left out.

        Every resample is drawn once for all of them, and statistics of the same `Ranked` share its work.
        """
        known = {name: statistic for name, statistic in statistics.items() if statistic is not None}
        by_width: dict[int, list[str]] = {}
        for name, statistic in known.items():
            by_width.setdefault(statistic.width, []).append(name)

        def resampled(number: int) -> dict[str, NDArray]:
            block = self.draws.block(number)
            out: dict[str, list[NDArray]] = {name: [] for name in known}
            for width, names in by_width.items():
                for part in block.parts(width):
                    for name in names:
                        out[name].append(known[name].resampled(part))
            return {name: np.concatenate(values) for name, values in out.items()}

        with ThreadPoolExecutor(self.threads) as pool:
            blocks = list(pool.map(resampled, range(len(self.draws))))
        return {name: self._estimate(statistic, [block[name] for block in blocks]) for name, statistic in known.items()}

    def _estimate(self, statistic: Statistic, blocks: list[NDArray]) -> Estimate:
        tail = (1 - _LEVEL) / 2
        low, high = np.nanquantile(np.concatenate(blocks), [tail, 1 - tail])
        return Estimate(float(statistic.point), float(low), float(high), self.n)

    def one(self, statistic: Statistic | None) -> Estimate | None:
        """The estimate of a single statistic; None of None."""
        return self.estimates({"": statistic}).get("")

    def auroc(self, scores: ArrayLike, positive: ArrayLike, image: ArrayLike | None = None) -> Estimate | None:
        """Estimate of `auroc`, see there."""
        return self.one(auroc(scores, positive, image))

    def spearman(self, x: ArrayLike, y: ArrayLike, image: ArrayLike | None = None) -> Estimate | None:
        """Estimate of `spearman`, see there."""
        return self.one(spearman(x, y, image))

    def mean(self, values: ArrayLike, image: ArrayLike | None = None) -> Estimate:
        """Estimate of `Mean`, see there."""
        return self.one(Mean(values, image))


class Mean:
    """Mean of values (m,), any floats; `image`: (m,) index of the image of each row, None: row i is image i."""

    def __init__(self, values: ArrayLike, image: ArrayLike | None = None):
        values = np.asarray(values, float)
        image = np.arange(len(values)) if image is None else np.asarray(image)
        self.point, self.width = values.mean(), len(values)
        self._sums, self._rows = np.bincount(image, values), np.bincount(image).astype(float)

    def resampled(self, resamples: Resamples) -> NDArray:
        counts = resamples.counts[:, : len(self._rows)]
        return np.einsum("ij,j->i", counts, self._sums) / np.einsum("ij,j->i", counts, self._rows)


def auroc(
    scores: ArrayLike | Ranked, positive: ArrayLike, image: ArrayLike | None = None, fpr95: bool = False
) -> Auroc | FalsePositiveRate | None:
    """AUROC of (m,) scores against (m,) booleans, or FPR95. `image`: as of `Ranked`.

    Returns: None where it is undefined, because all rows are positive or none is.
    """
    positive = np.asarray(positive, bool)
    if positive.all() or not positive.any():
        return None
    return (FalsePositiveRate if fpr95 else Auroc)(Ranked.of(scores, image), positive)


def spearman(x: ArrayLike | Ranked, y: ArrayLike | Ranked, image: ArrayLike | None = None) -> Spearman | None:
    """Spearman's rank correlation of x and y, both (m,); `image`: as of `Ranked`. None if either is constant."""
    x, y = Ranked.of(x, image), Ranked.of(y, image)
    return None if min(len(x.first), len(y.first)) < 2 else Spearman(x, y)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
