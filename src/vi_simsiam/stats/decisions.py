"""Decisions about a threshold by an interval over seeds: their p-values, and how often another run would agree.

All follows from the interval of `intervals.over_seeds`, at other levels than 95 %: at level 1 - a its half width is

    h(a) = sqrt((z images)^2 + (t sd / sqrt(n))^2)

with z and t the 1 - a/2 quantiles of the normal distribution and of Student's t of n - 1 degrees of freedom, `images`
the standard error that the test images cause and `sd` the standard deviation over n seeds.
"""

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaincinv, ndtr, ndtri, stdtrit

from vi_simsiam.stats.intervals import Estimate, parts

LEVEL = 0.05  # of error, two-sided
POWER = 0.8
_STEPS = 60  # of a bisection: below the resolution of floating point
_CHI_SQUARE = (np.arange(400) + 0.5) / 400  # probabilities at which the variance over seeds is evaluated


class Errors(NamedTuple):
    """The two errors of a mean over seeds.

    Args:
        images: standard error due to the choice of test images; more seeds do not reduce it.
        seeds: standard deviation of one seed's result; 0, that is unknown, of one seed.
        n: number of seeds.
    """

    images: float
    seeds: float
    n: int

    @classmethod
    def of(cls, estimates: Iterable[Estimate]) -> Self:
        """From the seeds' estimates with their 95 % intervals over test images; a mean of both sides' distances."""
        found = parts(estimates)
        return cls((found.below + found.above) / 2 / _z(LEVEL), found.seeds, found.n)

    def half_width(self, level: float = LEVEL) -> float:
        """Half the interval over seeds at level 1 - `level`."""
        return math.hypot(_z(level) * self.images, _t(self.n, level) * self.seeds / math.sqrt(self.n))

    def power(self, distance: float, level: float = LEVEL) -> float:
        """Probability that a run with these errors finds a quantity on its true side of a threshold, in [0, 1].

        Both errors are taken as normal, and the standard deviation over the seeds as one of n draws. No approximation
        but the grid over that deviation's distribution.

        Args:
            distance: of the true quantity from the threshold, >= 0.
        """
        mean = math.hypot(self.images, self.seeds / math.sqrt(self.n))
        if mean == 0:
            return float(distance > 0)
        seeds = _t(self.n, level) * self.seeds / math.sqrt(self.n)
        found = np.hypot(_z(level) * self.images, seeds * _deviations(self.n))
        return float(ndtr((distance - found) / mean).mean())

    def decidable(self) -> float:
        """Smallest distance from a threshold that a run with these errors decides with a probability of `POWER`."""
        low, high = 0.0, 1e-12 + self.half_width()
        while self.power(high) < POWER:
            high *= 2
        for _ in range(_STEPS):
            middle = (low + high) / 2
            low, high = (middle, high) if self.power(middle) < POWER else (low, middle)
        return high


def p_value(estimates: Iterable[Estimate], threshold: float) -> float:
    """Two-sided p-value of a threshold: the level of error at which the interval over seeds ends on it.

    So p < .05 where, and only where, `over_seeds` does not hold the threshold. Of the images' error one bound is known,
    that at 2.5 %: other quantiles are taken as those of a normal distribution with the same bound.

    Returns: a number in [1e-30, 1]; NaN without estimates.
    """
    found = parts(estimates)
    if not found.n:
        return math.nan
    distance = abs(found.estimate - threshold)
    side = found.below if found.estimate > threshold else found.above
    errors = Errors(side / _z(LEVEL), found.seeds, found.n)
    if distance == 0:
        return 1.0
    low, high = math.log(1e-30), 0.0  # of ln p
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if errors.half_width(math.exp(middle)) > distance else (low, middle)
    return math.exp(high)


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Holm's adjusted p-values: rejecting those below a level errs about any hypothesis at most that often.

    Holm (1979), Scandinavian Journal of Statistics 6:65; valid for any dependence between the tests. NaN stays NaN and
    does not count.
    """
    values = np.asarray(p_values, float)
    order = np.argsort(values, kind="stable")[: np.isfinite(values).sum()]
    adjusted = np.full(len(values), np.nan)
    factors = len(order) - np.arange(len(order))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(values[order] * factors))
    return adjusted


@lru_cache
def _deviations(n: int) -> NDArray[np.float64]:
    """Standard deviations of n normal draws, over the true one: an even grid in probability."""
    free = max(n - 1, 1)
    return np.sqrt(2 * gammaincinv(free / 2, _CHI_SQUARE) / free)


@lru_cache
def _z(level: float) -> float:
    return -float(ndtri(level / 2))


@lru_cache
def _t(n: int, level: float) -> float:
    return -float(stdtrit(n - 1, level / 2)) if n > 1 else 0.0
