"""Ranks of several quantities that are means over seeds, all measured on the same images.

Two candidates are compared by t = difference / sqrt(images^2 + seeds^2 / S): the standard error that the images cause
in the difference, and the standard deviation of the S seeds' differences. Images that are hard for both cancel out. A
candidate is compared with all others at once, so the largest |t| of its comparisons is held against the distribution
that it has where nothing differs (max-T; Westfall and Young 1993). That distribution is simulated: images are
resampled, the same for all; seeds are drawn from normal distributions with the covariances that the candidates
of a group have, and their deviations are estimated again from each draw, so the tails are Student's.
"""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vi_simsiam.core import randomness

_LEVEL = 0.95
_TINY = 1e-12  # candidates that differ by rounding alone are equal


class Candidate(NamedTuple):
    """A candidate's quantity, larger is better.

    Args:
        values: (S,) of each seed.
        resampled: (R,) the mean of the seeds on each resample of the images, which are the same for all candidates.
            NaN where it is undefined; this counts as no deviation.
        group: candidates of one group share their seeds' randomness, as scores of one training do.
    """

    values: NDArray[np.float64]
    resampled: NDArray[np.float64]
    group: Hashable


class Ranks(NamedTuple):
    """Ranks of C candidates, 1 for the largest: (C,) integers each.

    `low` to `high` are the ranks that a candidate can have by its comparisons with the others. In 95 % of runs
    they hold its true rank. Where `low` is 1, no candidate is significantly better. The truly best one is
    among these in at least 95 % of runs.
    """

    rank: NDArray[np.int64]
    low: NDArray[np.int64]
    high: NDArray[np.int64]


def ranks(candidates: Sequence[Candidate], seed: int) -> Ranks:
    """Ranks of candidates with the same seeds and images.

    Args:
        candidates: C of them, in any order; it is that of the result.
        seed: of the simulation.
    """
    values = np.array([candidate.values for candidate in candidates])
    resampled = np.array([candidate.resampled for candidate in candidates]).T
    by_images = np.nan_to_num(resampled - np.nanmean(resampled, 0))
    means, n = values.mean(1), values.shape[1]
    by_seeds = _seeds(values, [candidate.group for candidate in candidates], len(by_images), seed)
    low, high = np.ones(len(means), int), np.full(len(means), len(means))
    for c, mean in enumerate(means):
        images = (by_images - by_images[:, [c]]).var(0)
        error = np.sqrt(images + _variance(values - values[c]) / n)
        others = error > _TINY
        if not others.any():
            continue
        drawn = by_seeds[..., others] - by_seeds[..., [c]]
        noise = by_images[:, others] - by_images[:, [c]] + drawn.mean(1)
        largest = np.abs(noise / np.sqrt(images[others] + _variance(drawn, 1) / n + _TINY**2)).max(1)
        t = (means[others] - mean) / error[others]
        bound = np.quantile(largest, _LEVEL)
        low[c] += (t > bound).sum()
        high[c] -= (t < -bound).sum()
    rank = 1 + (means[None] > means[:, None] + _TINY).sum(1)
    return Ranks(rank, low, high)


def _seeds(values: NDArray, groups: Sequence[Hashable], resamples: int, seed: int) -> NDArray:
    """(resamples, S, C): deviations of S new seeds from the true means, drawn as if no candidates differed."""
    n = values.shape[1]
    deviations = values - values.mean(1, keepdims=True)
    rng = np.random.default_rng(randomness.seed(seed, "seeds"))
    out = np.zeros((resamples, n, len(values)))
    for group in dict.fromkeys(groups):
        members = [place for place, other in enumerate(groups) if other == group]
        weights = rng.normal(size=(resamples, n, n)) / max(n - 1, 1) ** 0.5
        out[..., members] = weights @ deviations[members].T
    return out


def _variance(values: NDArray, axis: int = 1) -> NDArray:
    """Variance over the seeds; 0 of one seed, where it is unknown."""
    return values.var(axis, ddof=1) if values.shape[axis] > 1 else np.zeros(np.delete(values.shape, axis))
