"""Consistency of neighbours against sets in a loop, and what it must say of cases that are known."""

from itertools import combinations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from vi_simsiam.stats import neighbours
from vi_simsiam.stats.neighbours import nearest, neighbour_consistency


def by_sets(features, k):
    sets = []
    for each in features:
        distance = cdist(each, each, "cosine")
        np.fill_diagonal(distance, np.inf)
        sets.append([set(row[:k]) for row in np.argsort(distance, axis=1)])
    pairs = list(combinations(sets, 2))
    return [np.mean([len(a[i] & b[i]) / k for a, b in pairs]) for i in range(len(features[0]))]


@pytest.mark.parametrize(("seeds", "k"), [(2, 1), (3, 5), (4, 29)])
def test_it_is_the_mean_overlap_of_sets(seeds, k, monkeypatch):
    rng = np.random.default_rng(seeds)
    shared = rng.normal(size=(30, 6))
    features = [np.hstack([shared, rng.normal(size=(30, 2 + s))]) * rng.uniform(0.1, 9, (30, 1)) for s in range(seeds)]
    found = neighbour_consistency(features, k)
    np.testing.assert_allclose(found, by_sets(features, k))
    assert (found == 1).all() == (k == 29)
    monkeypatch.setattr(neighbours, "_ELEMENTS", 70)  # piece by piece
    np.testing.assert_array_equal(neighbour_consistency(features, k), found)


def test_rotations_and_lengths_do_not_count_and_chance_is_known():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(400, 8))
    rotation = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    assert neighbour_consistency([features, 3 * features @ rotation], 10).mean() > 0.999
    unrelated = neighbour_consistency([features, rng.normal(size=(400, 8))], 20)
    assert unrelated.mean() == pytest.approx(20 / 399, abs=0.01)


def test_an_image_that_every_seed_puts_elsewhere_is_the_least_consistent():
    rng = np.random.default_rng(1)
    centres = np.repeat(np.eye(5) * 4, 12, axis=0)
    seeds = []
    for _ in range(5):
        each = centres + rng.normal(0, 0.5, centres.shape)
        each[:6] = rng.normal(size=(6, 5))  # wanders
        seeds.append(each)
    found = neighbour_consistency(seeds, 8)
    assert found[:6].max() < found[6:].min() + 0.1 and found[:6].mean() < found[6:].mean() - 0.2


def test_no_image_is_its_own_neighbour_and_nothing_is_compared_with_nothing():
    features = np.ones((6, 3))  # all at the same distance, and a row of zeros
    features[5] = 0
    assert not (nearest(features, 5) == np.arange(6)[:, None]).any()
    for arrays, k in (([features], 2), ([features, features[:5]], 2), ([features] * 2, 6), ([features] * 2, 0)):
        with pytest.raises(ValueError):
            neighbour_consistency(arrays, k)
