"""Influence of images: against the exact bootstrap, and what one image does."""

import numpy as np
import pytest

from vi_simsiam.stats import influence, ranks
from vi_simsiam.stats.bootstrap import Bootstrap, Mean

RNG = np.random.default_rng(0)
N = 400
IMAGE = np.repeat(np.arange(N), 3)  # three rows of each image, which depend on each other
CLEAR = np.repeat(RNG.normal(size=N), 3)
SCORES = np.round(CLEAR + RNG.normal(size=3 * N), 1)  # with ties
RIGHT = CLEAR + RNG.normal(size=3 * N) > -1
X, Y = np.round(RNG.normal(size=N), 1), RNG.integers(0, 4, N)
CASES = {
    "mean": (lambda: influence.mean(SCORES, IMAGE, N), Mean(SCORES, IMAGE)),
    "auroc": (lambda: influence.auroc(SCORES, RIGHT, IMAGE, N), ranks.auroc(SCORES, RIGHT, IMAGE)),
    "spearman": (lambda: influence.spearman(X + Y, Y), ranks.spearman(X + Y, Y)),
}


def test_without_two_kinds_or_values_it_is_undefined():
    assert influence.auroc(SCORES, np.ones(3 * N), IMAGE, N) is None
    assert influence.spearman(X, np.ones(N)) is None


@pytest.mark.parametrize("name", CASES)
def test_the_spread_is_that_of_the_exact_bootstrap(name):
    """2,000 resamples know their width to about 4 %."""
    make, exact = CASES[name]
    value, by_image = make()
    assert by_image.shape == (N,) and by_image.sum() == pytest.approx(0, abs=1e-12)
    found = Bootstrap(N, 2000, seed=1).one(exact)
    assert value == pytest.approx(found.estimate)
    assert 2 * 1.96 * (by_image**2).sum() ** 0.5 == pytest.approx(found.ci_high - found.ci_low, rel=0.07)


@pytest.mark.parametrize("name", CASES)
def test_an_image_that_counts_a_little_more(name):
    """The derivative: the first images once more in 200 copies of all."""
    value, by_image = CASES[name][0]()
    copies = 200
    for i in (0, 1, 7):
        if name == "spearman":
            rows = np.append(np.tile(np.arange(N), copies), i)
            moved = influence.spearman((X + Y)[rows], Y[rows]).value
        else:
            rows = np.append(np.tile(np.arange(3 * N), copies), np.flatnonzero(i == IMAGE))
            where = np.zeros(len(rows), int)
            moved = (
                influence.mean(SCORES[rows], where, 1).value
                if name == "mean"
                else influence.auroc(SCORES[rows], RIGHT[rows], where, 1).value
            )
        assert copies * (moved - value) == pytest.approx(by_image[i], rel=0.02, abs=1e-6)
