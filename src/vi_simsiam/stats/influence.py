"""How much each image moves a statistic: a linear picture of the bootstrap over images.

Every function returns the statistic and its influence, (n,): where image i counts c_i times instead of once, the
statistic is about `value + (c - 1) @ influence`. So n images resampled thousands of times are one product of
matrices, for any number of statistics on the same images together. For an AUROC the variance that follows is that of
DeLong et al. (1988), Biometrics 44:837. The picture is good for many images and bad for a statistic that a handful of
them decide.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Linear(NamedTuple):
    """A statistic of n images and the influence of each, (n,), whose sum is 0."""

    value: float
    influence: NDArray[np.float64]


def mean(values: ArrayLike, image: ArrayLike, n: int) -> Linear:
    """Mean of (m,) values. `image`: (m,) the image of each, in 0..n-1."""
    values = np.asarray(values, float)
    value = float(values.mean())
    return Linear(value, _by_image((values - value) / len(values), image, n))


def auroc(scores: ArrayLike, positive: ArrayLike, image: ArrayLike, n: int) -> Linear | None:
    """AUROC of (m,) scores against (m,) booleans, ties half; None without positives or without negatives."""
    scores, positive = np.asarray(scores, float), np.asarray(positive, bool)
    high, low = scores[positive], scores[~positive]
    if not len(high) or not len(low):
        return None
    beaten = np.empty(len(scores))  # share of the other kind that a row is on the right side of
    beaten[positive] = _below(high, np.sort(low)) / len(low)
    beaten[~positive] = 1 - _below(low, np.sort(high)) / len(high)
    value = float(beaten[positive].mean())
    return Linear(value, _by_image((beaten - value) / np.where(positive, len(high), len(low)), image, n))


def spearman(x: ArrayLike, y: ArrayLike) -> Linear | None:
    """Spearman's rank correlation of x and y, both (n,), a value for each image; None if either is constant."""
    x, y = _shares(np.asarray(x, float)), _shares(np.asarray(y, float))
    (xy, of_xy), (xx, of_xx), (yy, of_yy) = _product(x, y), _product(x, x), _product(y, y)
    if not xx or not yy:
        return None
    value = xy / (xx * yy) ** 0.5
    return Linear(float(value), of_xy / (xx * yy) ** 0.5 - value / 2 * (of_xx / xx + of_yy / yy))


def _by_image(rows: NDArray, image: ArrayLike, n: int) -> NDArray[np.float64]:
    return np.bincount(np.asarray(image), rows, minlength=n).astype(float)


def _below(values: NDArray, others: NDArray) -> NDArray:
    """How many of the sorted `others` lie below each value; equal ones count half."""
    return (np.searchsorted(others, values, "left") + np.searchsorted(others, values, "right")) / 2


def _shares(values: NDArray) -> NDArray:
    """Share of all values below each, equal ones half, less 1/2: ranks with mean 0."""
    return _below(values, np.sort(values)) / len(values) - 0.5


def _product(x: NDArray, y: NDArray) -> tuple[float, NDArray]:
    """Mean of x y, and the influence of each image on it, through its own ranks and those of all others."""
    moved = x * y + _above(x, y) + _above(y, x)
    return float((x * y).mean()), (moved - moved.mean()) / len(x)


def _above(x: NDArray, y: NDArray) -> NDArray:
    """Mean over all images of y where x is above an image's x, half where equal: (n,)."""
    order = np.argsort(x, kind="stable")
    total = np.append(0, np.cumsum(y[order]))
    left, right = (np.searchsorted(x[order], x, side) for side in ("left", "right"))
    return (total[-1] - (total[left] + total[right]) / 2) / len(x)
