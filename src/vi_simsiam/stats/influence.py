"""Influence of each image on a statistic: a linear approximation of the bootstrap over images.

Every function returns a statistic and the influence of each image, (n,). If a resample draws image i c_i times, its
statistic is about `value + (c - 1) @ influence`. Thousands of resamples are therefore one matrix product, for all
statistics of the same images together. The variance of an AUROC approaches that of DeLong et al. (1988), Biometrics
44:837, as the images increase. The approximation is poor where a few images decide the statistic.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Linear(NamedTuple):
    """A statistic of n images and the influence of each, (n,) float64, with sum 0."""

    value: float
    influence: NDArray[np.float64]


def mean(values: ArrayLike, image: ArrayLike, n: int) -> Linear:
    """Mean of values (m,). `image`: (m,) index of each value's image, in 0..n-1."""
    values = np.asarray(values, float)
    value = float(values.mean())
    return Linear(value, _by_image((values - value) / len(values), image, n))


def auroc(scores: ArrayLike, positive: ArrayLike, image: ArrayLike, n: int) -> Linear | None:
    """AUROC in [0, 1] of scores (m,) for booleans (m,), ties half; None if all or none are true."""
    scores, positive = np.asarray(scores, float), np.asarray(positive, bool)
    high, low = scores[positive], scores[~positive]
    if not len(high) or not len(low):
        return None
    placement = np.empty(len(scores))  # share of the other class that a row is ordered correctly against
    placement[positive] = _below(high, np.sort(low)) / len(low)
    placement[~positive] = 1 - _below(low, np.sort(high)) / len(high)
    value = float(placement[positive].mean())
    return Linear(value, _by_image((placement - value) / np.where(positive, len(high), len(low)), image, n))


def spearman(x: ArrayLike, y: ArrayLike) -> Linear | None:
    """Spearman's rank correlation in [-1, 1] of x and y, (n,) with a value per image; None if either is constant."""
    x, y = _centred_ranks(np.asarray(x, float)), _centred_ranks(np.asarray(y, float))
    (xy, of_xy), (xx, of_xx), (yy, of_yy) = _product(x, y), _product(x, x), _product(y, y)
    if not xx or not yy:
        return None
    value = xy / (xx * yy) ** 0.5
    return Linear(float(value), of_xy / (xx * yy) ** 0.5 - value / 2 * (of_xx / xx + of_yy / yy))


def _by_image(rows: NDArray, image: ArrayLike, n: int) -> NDArray[np.float64]:
    return np.bincount(np.asarray(image), rows, minlength=n).astype(float)


def _below(values: NDArray, others: NDArray) -> NDArray:
    """Number of the sorted `others` below each value; equal ones count half."""
    return (np.searchsorted(others, values, "left") + np.searchsorted(others, values, "right")) / 2


def _centred_ranks(values: NDArray) -> NDArray:
    """Ranks with mean 0: the share of all values below each, equal ones half, minus 1/2."""
    return _below(values, np.sort(values)) / len(values) - 0.5


def _product(x: NDArray, y: NDArray) -> tuple[float, NDArray]:
    """Mean of x y and the influence of each image on it, by its own ranks and by the ranks of the others."""
    change = x * y + _above(x, y) + _above(y, x)
    return float((x * y).mean()), (change - change.mean()) / len(x)


def _above(x: NDArray, y: NDArray) -> NDArray:
    """For each image, the sum of y over images with a larger x, half where x is equal, divided by n: (n,)."""
    order = np.argsort(x, kind="stable")
    total = np.append(0, np.cumsum(y[order]))
    left, right = (np.searchsorted(x[order], x, side) for side in ("left", "right"))
    return (total[-1] - (total[left] + total[right]) / 2) / len(x)
