"""Agreement of several representations of the same images about which are alike.

Park et al., "Quantifying Representation Reliability in Self-Supervised Learning Models" (2024), arXiv 2306.00206: an
image whose neighbours are others for every encoder is one whose place none of them knows.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

_ELEMENTS = 1 << 22  # cosines held at once


def nearest(features: NDArray, k: int) -> NDArray[np.int64]:
    """The k most similar other images of each in cosine, in no order: (n, dim) to (n, k), 1 <= k < n."""
    features = features.astype(np.float32)
    features = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    n = len(features)
    rows = max(1, _ELEMENTS // n)
    found = []
    for start in range(0, n, rows):
        cosines = features[start : start + rows] @ features.T
        own = np.arange(len(cosines))
        cosines[own, own + start] = -np.inf
        found.append(np.argpartition(cosines, n - k, axis=1)[:, n - k :])
    return np.concatenate(found)


def neighbour_consistency(features: Sequence[NDArray], k: int) -> NDArray[np.float64]:
    """Share of an image's k nearest other images that two representations have in common, over all pairs: (n,).

    It lies in [0, 1], and by chance is k / (n - 1). It is a certainty of a method, not of one of its models: it takes
    two seeds at least. Of a frozen encoder's features, which are the same for all seeds, it is 1 for every image and
    says nothing; take embeddings there.

    Args:
        features: (n, dim) of the same images in the same order, an array for each seed; each may have its own dim.
        k: number of neighbours, 1 <= k < n.

    Raises: ValueError for fewer than two arrays, arrays of different lengths, or a k out of its range.
    """
    sizes = {len(each) for each in features}
    if len(features) < 2 or len(sizes) > 1:
        raise ValueError(f"at least two arrays of equal length are compared, not {[len(each) for each in features]}")
    n = sizes.pop()
    if not 1 <= k < n:
        raise ValueError(f"k = {k} neighbours among {n - 1} other images")
    neighbours = [nearest(each, k) for each in features]
    places = np.arange(n)[:, None] * n  # so that neighbours of different images are different numbers
    shares = []
    for first, second in combinations([(each + places).ravel() for each in neighbours], 2):
        shares.append(np.isin(first, second).reshape(n, k).mean(1))
    return np.mean(shares, axis=0)
