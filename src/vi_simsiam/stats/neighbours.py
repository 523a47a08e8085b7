"""Agreement of several representations about the neighbours of the same images.

Park et al., "Quantifying Representation Reliability in Self-Supervised Learning Models" (2024), arXiv 2306.00206: an
image whose neighbours differ from encoder to encoder has no reliable representation.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray


def neighbour_consistency(neighbours: Sequence[NDArray]) -> NDArray[np.float64]:
    """Share of an image's k nearest other images that two representations have in common, over all pairs: (n,).

    It lies in [0, 1], and by chance is k / (n - 1). It is a certainty of a method, not of one model: it needs two
    seeds at least.

    Args:
        neighbours: (n, k) rows of the images nearest to each, in any order, each once; an array for each seed, two at
            least, of the same images in the same order.
    """
    n, k = neighbours[0].shape
    places = np.arange(n)[:, None] * n  # so that neighbours of different images are different numbers
    numbers = [(each.astype(np.int64) + places).ravel() for each in neighbours]
    shares = [np.isin(first, second).reshape(n, k).mean(1) for first, second in combinations(numbers, 2)]
    return np.mean(shares, axis=0)
