"""Estimates with their 95 % intervals: of a proportion, and over the seeds of a run."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

_Z = 1.959963984540054  # quantile .975 of the standard normal distribution


class Estimate(NamedTuple):
    """A quantity with its 95 % interval; NaN where it could not be estimated.

    `n` is the number of images, or of observations, that it was estimated from.
    """

    estimate: float
    ci_low: float
    ci_high: float
    n: float


def wilson(correct: np.ndarray, image: np.ndarray | None = None) -> Estimate:
    """A proportion with its 95 % Wilson score interval, which stays inside [0, 1] and has a width also at 0 and 1.

    Args:
        correct: (n,) bool or 0/1.
        image: (n,) the image that each observation comes from. Observations of one image are not independent;
            the interval then uses the effective sample size n / design effect, the design effect being estimated
            from the images' totals (Franco et al. 2019, J. Survey Statistics and Methodology 7:334). None: all
            observations are independent, and the interval is scipy's `binomtest(...).proportion_ci("wilson")`.

    Returns: the estimate; `n` is the number of observations. NaN for n = 0.
    """
    correct = np.asarray(correct, dtype=float)
    n = len(correct)
    if n == 0:
        return Estimate(math.nan, math.nan, math.nan, 0)
    p = float(correct.mean())
    size = float(n) if image is None else _effective_size(correct, np.asarray(image), p)
    centre = (p + _Z**2 / (2 * size)) / (1 + _Z**2 / size)
    half = _Z / (1 + _Z**2 / size) * math.sqrt(p * (1 - p) / size + _Z**2 / (4 * size**2))
    return Estimate(p, max(0.0, centre - half), min(1.0, centre + half), n)


def _effective_size(correct: np.ndarray, image: np.ndarray, p: float) -> float:
    n = len(correct)
    _, cluster = np.unique(image, return_inverse=True)
    residuals = np.bincount(cluster, weights=correct - p)
    clusters = len(residuals)
    if clusters == n:
        return float(n)
    # No spread (all right, all wrong, or one image) shows no design effect: the number of images is a cautious size.
    variance = clusters / max(clusters - 1, 1) * float(residuals @ residuals) / n**2
    return min(n, p * (1 - p) / variance) if variance > 0 and clusters > 1 else float(clusters)


def mean_over_seeds(estimates: Iterable[Estimate]) -> Estimate:
    """Mean of the estimates, and of their bounds and sizes: the mean result and the typical interval of one seed.

    The interval says how far the test images determine one seed's result, and nothing about the spread over seeds:
    show that beside it. `over_seeds` has the interval for both. Estimates that are NaN are left out.
    """
    values = _estimated(estimates)
    return Estimate(*map(float, values.mean(axis=0))) if len(values) else Estimate(math.nan, math.nan, math.nan, 0)


def over_seeds(estimates: Iterable[Estimate]) -> Estimate:
    """Mean over seeds with a 95 % interval for the two errors it has: the test images and the training's randomness.

    All seeds are tested on the same images, so the images' error does not shrink with more seeds: it is the mean
    distance from the estimate to its bound. The seeds' error is that of a mean, t s / sqrt(n) with Student's t for n
    seeds and their standard deviation s; it is unknown with one seed, and taken as zero. The two are added in
    quadrature on each side. Estimates that are NaN are left out; n is the mean of their sizes.
    """
    found = parts(estimates)
    if not found.n:
        return Estimate(math.nan, math.nan, math.nan, 0)
    from scipy.special import stdtrit  # its import takes a seventh of a second, and `vi-simsiam score` does not need it

    seeds = stdtrit(found.n - 1, 0.975) * found.seeds / math.sqrt(found.n) if found.n > 1 else 0.0
    low, high = found.estimate - math.hypot(found.below, seeds), found.estimate + math.hypot(found.above, seeds)
    return Estimate(found.estimate, float(low), float(high), found.images)


class Parts(NamedTuple):
    """The parts that make an interval over seeds.

    Attributes:
        estimate: mean over the seeds.
        below: mean distance from a seed's estimate down to the bound of its 95 % interval over test images, >= 0.
        above: the same, up.
        seeds: standard deviation of the seeds' estimates; 0 of one seed.
        n: number of seeds that have an estimate.
        images: mean number of images of one.
    """

    estimate: float
    below: float
    above: float
    seeds: float
    n: int
    images: float


def parts(estimates: Iterable[Estimate]) -> Parts:
    """The parts of `over_seeds`; NaN and n = 0 without estimates."""
    values = _estimated(estimates)
    if not len(values):
        return Parts(math.nan, math.nan, math.nan, math.nan, 0, 0.0)
    estimate, n = values[:, 0].mean(), len(values)
    # A bootstrap interval may lie beside its estimate: that side's distance is then 0.
    below, above = (max(0.0, d) for d in (estimate - values[:, 1].mean(), values[:, 2].mean() - estimate))
    seeds = values[:, 0].std(ddof=1) if n > 1 else 0.0
    return Parts(float(estimate), float(below), float(above), float(seeds), n, float(values[:, 3].mean()))


def _estimated(estimates: Iterable[Estimate]) -> np.ndarray:
    """The estimates that are known, with their bounds and sizes: (seeds, 4)."""
    values = np.array(list(estimates), dtype=float).reshape(-1, 4)
    return values[~np.isnan(values[:, 0])]
