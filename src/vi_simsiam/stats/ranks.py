"""Statistics that only look at the order of values (AUROC, FPR95, Spearman), on all resamples of a `Resamples` at once.

Ranks are those of the resampled rows: a row whose image was drawn w times counts w times, and equal values share
the mean of their ranks. A centred rank here is twice the mean rank, less (number of rows + 1): it is whole and its
mean is 0, so that all sums are exact.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vi_simsiam.stats.bootstrap import Resamples, Statistic

_PASSED = (19, 20)  # the share of positives that FPR95 lets pass, as whole numbers: 0.95 is not one in floating point


class Ranked:
    """Values sorted once, rising; equal values form a group. Statistics of the same values should share one.

    Args:
        values: (m,) floats of any scale, without NaN.
        image: (m,) index of the image that each row belongs to; None: row i is image i.

    Attributes:
        order: (m,) the rows by rising value. columns: (m,) their images.
        group: (m,) the group of each place in this order. first, last: (groups,) the places where a group is.
        group_of_row: (m,) the group of each row.
    """

    def __init__(self, values: ArrayLike, image: ArrayLike | None = None):
        self.values = np.asarray(values, float)
        self.order = np.argsort(self.values, kind="stable")
        self.columns = self.order if image is None else np.asarray(image)[self.order]
        fresh = np.diff(self.values[self.order], prepend=np.nan) != 0
        self.group = np.cumsum(fresh) - 1
        self.first = np.flatnonzero(fresh)
        self.last = np.append(self.first[1:], len(self.values)) - 1
        self.group_of_row = np.empty(len(self.values), int)
        self.group_of_row[self.order] = self.group

    def __len__(self) -> int:
        return len(self.values)

    @property
    def distinct(self) -> bool:
        """True if no two values are equal."""
        return len(self.first) == len(self.group)

    def weights(self, resamples: Resamples) -> NDArray[np.int32]:
        """(r, m): how often the row at each place was drawn."""
        return resamples.once((self, "weights"), lambda: resamples.counts.take(self.columns, axis=1))

    def cumulative(self, resamples: Resamples) -> NDArray[np.int32]:
        """(r, groups + 1): the weight below each group, and in the last column the weight of all."""
        return resamples.once((self, "cumulative"), lambda: self.summed(self.weights(resamples)))

    def summed(self, at_places: NDArray[np.int32]) -> NDArray[np.int32]:
        """(r, m) whole numbers to (r, groups + 1): their sum below each group, and in the last column of all."""
        import torch  # here: modules that import only types from this one need no torch

        sums = torch.zeros(len(at_places), len(self.group) + 1, dtype=torch.int32)
        # numpy's takes three times as long.
        torch.cumsum(torch.from_numpy(at_places), 1, dtype=torch.int32, out=sums[:, 1:])
        out: NDArray[np.int32] = sums.numpy()
        return out if self.distinct else out.take(np.append(self.first, len(self.group)), axis=1)

    def ranks(self, resamples: Resamples) -> NDArray[np.int32]:
        """(r, groups): the centred rank of each group."""

        def make() -> NDArray:
            below = self.cumulative(resamples)
            return below[:, :-1] + below[:, 1:] - below[:, -1:]

        return resamples.once((self, "ranks"), make)

    def weighted_ranks(self, resamples: Resamples) -> NDArray[np.float64]:
        """(r, m): weight times centred rank at each place."""

        def make() -> NDArray:
            ranks = self.ranks(resamples)
            at_places = ranks if self.distinct else ranks.take(self.group, axis=1)
            return (self.weights(resamples) * at_places).astype(float)

        return resamples.once((self, "weighted ranks"), make)

    def squares(self, resamples: Resamples) -> NDArray[np.float64]:
        """(r,): sum of the squared centred ranks of all rows: (rows cubed - sum of the ties' sizes cubed) / 3."""

        def make() -> NDArray:
            below = self.cumulative(resamples)
            tied = (below[:, 1:] - below[:, :-1]).astype(float)
            cubes = np.einsum("ij,ij->i", tied * tied, tied)
            return (below[:, -1].astype(float) ** 3 - cubes) / 3

        return resamples.once((self, "squares"), make)


def as_it_is(statistic: Statistic, rows: Ranked) -> float:
    """A statistic of the images themselves, each drawn once. `rows`: any of those that it looks at."""
    return float(statistic.resampled(Resamples(np.ones((1, int(rows.columns.max()) + 1), np.int32)))[0])


class Auroc:
    """Area under the ROC curve: the probability that a positive has a higher score than a negative (ties: half).

    scores: of any scale; no sigmoid is applied. positive: (m,) booleans, neither all true nor all false.
    """

    def __init__(self, scores: Ranked, positive: NDArray[np.bool_]):
        self.scores, self.width = scores, len(scores)
        self._positive = np.asarray(positive)[scores.order].astype(float)
        self._of_image = np.bincount(scores.columns, self._positive)
        self.point = as_it_is(self, scores)

    def resampled(self, resamples: Resamples) -> NDArray:
        positives = np.einsum("ij,j->i", resamples.counts[:, : len(self._of_image)], self._of_image)
        negatives = self.scores.cumulative(resamples)[:, -1] - positives
        ranks = np.einsum("ij,j->i", self.scores.weighted_ranks(resamples), self._positive)
        with np.errstate(invalid="ignore"):  # 0/0: a resample without positives or negatives
            return 0.5 + ranks / (2 * positives * negatives)


class Spearman:
    """Spearman's rank correlation of x and y, neither of them constant."""

    def __init__(self, x: Ranked, y: Ranked):
        self.x, self.y, self.width = x, y, len(x)
        self._y_at = y.group_of_row[x.order]
        self.point = as_it_is(self, x)

    def resampled(self, resamples: Resamples) -> NDArray:
        weighted, ranks = self.x.weighted_ranks(resamples), self.y.ranks(resamples)
        products = np.einsum("ij,ij->i", weighted, ranks.take(self._y_at, axis=1).astype(float))
        with np.errstate(invalid="ignore"):  # 0/0: a resample in which one is constant
            return products / np.sqrt(self.x.squares(resamples) * self.y.squares(resamples))


class FalsePositiveRate:
    """FPR95: the share of negatives with a score >= the highest threshold that 95 % of the positives reach.

    Arguments as of `Auroc`.
    """

    def __init__(self, scores: Ranked, positive: NDArray[np.bool_]):
        self.scores, self.width = scores, len(scores)
        self._positive = np.asarray(positive)[scores.order].astype(np.int32)
        self.point = as_it_is(self, scores)

    def resampled(self, resamples: Resamples) -> NDArray:
        below = self.scores.cumulative(resamples)
        positives_below = self.scores.summed(self.scores.weights(resamples) * self._positive)
        positives = positives_below[:, -1]
        numerator, denominator = _PASSED
        dropped = positives - -(-numerator * positives // denominator)  # so many may lie below the threshold
        # The threshold is the highest group with no more than that below it; the sum does not fall, so they are first.
        group = (positives_below[:, :-1] <= dropped[:, None]).sum(1) - 1
        rows = np.arange(len(group))
        negatives_below = below[rows, group] - positives_below[rows, group]
        negatives = below[:, -1] - positives
        with np.errstate(invalid="ignore"):  # 0/0: a resample without negatives
            return 1 - negatives_below / negatives


def auroc(scores: Ranked, positive: ArrayLike, fpr95: bool = False) -> Auroc | FalsePositiveRate | None:
    """AUROC of m scores against (m,) booleans, or FPR95.

    Returns: None where it is undefined, because all rows are positive or none is.
    """
    positive = np.asarray(positive, bool)
    if positive.all() or not positive.any():
        return None
    return (FalsePositiveRate if fpr95 else Auroc)(scores, positive)


def spearman(x: Ranked, y: Ranked) -> Spearman | None:
    """Spearman's rank correlation of x and y. None if either is constant."""
    return None if min(len(x.first), len(y.first)) < 2 else Spearman(x, y)
