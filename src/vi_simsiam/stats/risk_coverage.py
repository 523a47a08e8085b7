"""Risk-coverage: how often a classifier errs on the share of the images that a score is most certain about.

Where scores are equal, every order of the tied rows counts as equally likely, and the expected value is taken: of a
group of s rows with e errors, after S rows with E errors, the j-th brings the expected cumulative error to
(E + j e/s) / (S + j). Summed over j = 1..s that is e + (E - S e/s) (H(S + s) - H(S)) with harmonic numbers H.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from vi_simsiam.stats.bootstrap import Resamples
from vi_simsiam.stats.ranks import Ranked, as_it_is


class Aurc:
    """Area under the risk-coverage curve: the mean over k = 1..m of the error rate of the k most certain rows.

    Geifman, Uziel and El-Yaniv (2019), arXiv 1805.08206. In [0, 1], smaller is better: the error rate for a constant
    score.

    Args:
        scores: certainty, larger is more certain.
        correct: (m,) booleans.
    """

    def __init__(self, scores: Ranked, correct: NDArray[np.bool_]):
        self.scores, self.width = scores, len(scores)
        self._wrong = 1 - np.asarray(correct, bool)[scores.order].astype(np.int32)
        self._of_image = np.bincount(scores.columns, self._wrong)
        images = int(scores.columns.max()) + 1
        # A resample of n images has at most n times as many rows as the image with most of them.
        longest = images * int(np.bincount(scores.columns).max())
        self._harmonic = np.concatenate([[0], np.cumsum(1 / np.arange(1, longest + 1))])
        self.point = as_it_is(self, scores)

    def resampled(self, resamples: Resamples) -> NDArray:
        return resamples.once((self, "aurc"), lambda: self._areas(resamples))

    def errors(self, resamples: Resamples) -> NDArray:
        """(r,): the error rate of all rows."""
        wrong = np.einsum("ij,j->i", resamples.counts[:, : len(self._of_image)], self._of_image)
        return wrong / self.scores.cumulative(resamples)[:, -1]

    def _areas(self, resamples: Resamples) -> NDArray:
        below = self.scores.cumulative(resamples)
        wrong_below = self.scores.summed(self.scores.weights(resamples) * self._wrong)
        rows, errors = below[:, -1:], wrong_below[:, -1:]
        certain, wrong = rows - below, errors - wrong_below  # in this group or above it; the next column: above it
        size = certain[:, :-1] - certain[:, 1:]
        share = (wrong[:, :-1] - wrong[:, 1:]) / np.maximum(size, 1)
        harmonic = self._harmonic.take(certain)
        ahead = wrong[:, 1:] - certain[:, 1:] * share
        total = errors[:, 0] + np.einsum("ij,ij->i", ahead, harmonic[:, :-1] - harmonic[:, 1:])
        return total / rows[:, 0]


class ExcessAurc:
    """E-AURC: AURC less that of the best possible order, r + (1 - r) ln(1 - r) at an error rate of r (its limit for
    many images). >= 0 but for this limit.
    """

    def __init__(self, aurc: Aurc):
        self.aurc, self.width = aurc, aurc.width
        self.point = aurc.point - float(best_aurc(aurc._wrong.mean()))

    def resampled(self, resamples: Resamples) -> NDArray:
        return self.aurc.resampled(resamples) - best_aurc(self.aurc.errors(resamples))


def best_aurc(error_rate: NDArray | float) -> NDArray | float:
    """AURC of a score that ranks all errors last, for an error rate in [0, 1] and many images."""
    right = 1 - error_rate
    return error_rate + xlogy(right, right)
