"""Consistency of neighbours against sets in a loop."""

from itertools import combinations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from vi_simsiam.stats.neighbours import neighbour_consistency


def nearest(features, k):
    distance = cdist(features, features, "cosine")
    np.fill_diagonal(distance, np.inf)
    return np.argsort(distance, axis=1)[:, :k].astype(np.int32)


def by_sets(neighbours):
    k = neighbours[0].shape[1]
    pairs = list(combinations([[set(row) for row in each] for each in neighbours], 2))
    return [np.mean([len(a[i] & b[i]) / k for a, b in pairs]) for i in range(len(neighbours[0]))]


@pytest.mark.parametrize(("seeds", "k"), [(2, 1), (3, 5), (4, 29)])
def test_it_is_the_mean_overlap_of_sets(seeds, k):
    rng = np.random.default_rng(seeds)
    shared = rng.normal(size=(30, 6))
    neighbours = [nearest(np.hstack([shared, rng.normal(size=(30, 2 + s))]), k) for s in range(seeds)]
    found = neighbour_consistency(neighbours)
    np.testing.assert_allclose(found, by_sets(neighbours))
    assert (found == 1).all() == (k == 29)
    np.testing.assert_array_equal(neighbour_consistency([rng.permuted(each, axis=1) for each in neighbours]), found)
