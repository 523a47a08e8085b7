"""Intervals of proportions and over seeds: against scipy, by hand, and how often they hold the truth."""

import math

import numpy as np
import pytest
from scipy.stats import binomtest, t

from vi_simsiam.stats.intervals import Estimate, mean_over_seeds, over_seeds, wilson


@pytest.mark.parametrize("right, n", [(0, 30), (30, 30), (17, 30), (1, 1), (379, 397)])
def test_wilson_agrees_with_scipy(right, n):
    correct = np.arange(n) < right
    expected = binomtest(right, n).proportion_ci(0.95, method="wilson")
    assert wilson(correct) == pytest.approx((right / n, expected.low, expected.high, n), abs=1e-12)


def test_wilson_of_copies_is_that_of_the_originals():
    correct = np.random.default_rng(0).random(400) < 0.7
    copies = wilson(np.repeat(correct, 5), image=np.repeat(np.arange(400), 5))
    single = wilson(correct)
    assert copies.estimate == single.estimate and copies.n == 2000
    # n_eff is n - 1 here, because the variance over images is the unbiased one
    assert copies.ci_high - copies.ci_low == pytest.approx(single.ci_high - single.ci_low, rel=2e-3)
    assert wilson(np.ones(50), image=np.repeat(np.arange(10), 5)).ci_low == wilson(np.ones(10)).ci_low


def test_wilson_covers_when_the_rows_of_an_image_are_dependent():
    rng = np.random.default_rng(1)
    chance = rng.beta(2, 1, size=(500, 60))  # mean 2/3; the chance of an image makes its 8 rows dependent
    images = np.repeat(np.arange(60), 8)
    hits = {"clustered": 0, "naive": 0}
    for of_images in chance:
        correct = rng.random(480) < np.repeat(of_images, 8)
        for name, estimate in {"clustered": wilson(correct, images), "naive": wilson(correct)}.items():
            hits[name] += estimate.ci_low <= 2 / 3 <= estimate.ci_high
    assert 0.92 <= hits["clustered"] / 500 <= 0.98
    assert hits["naive"] / 500 < 0.85


def test_what_is_undefined_is_left_out():
    seeds = [Estimate(0.5, 0.4, 0.7, 10), Estimate(0.7, 0.6, 0.9, 20)]
    undefined = [Estimate(math.nan, math.nan, math.nan, 0), Estimate(math.nan, 0.0, 1.0, 5)]
    assert mean_over_seeds(seeds + undefined) == pytest.approx((0.6, 0.5, 0.8, 15))
    one = Estimate(0.7, 0.66, 0.75, 100)
    assert over_seeds([one, *undefined]) == pytest.approx(one), "one seed: the interval of its images"
    for nothing in (mean_over_seeds(undefined), over_seeds(undefined), wilson(np.array([]))):
        assert math.isnan(nothing.estimate) and nothing.n == 0


def test_interval_over_seeds_by_hand():
    """Three seeds: images .03 below and .05 above on average; s = .02; t(2) = 4.3027."""
    seeds = [Estimate(0.70, 0.66, 0.75, 100), Estimate(0.72, 0.69, 0.76, 100), Estimate(0.74, 0.72, 0.80, 100)]
    found = over_seeds(seeds)
    error = 4.302652729911275 * 0.02 / math.sqrt(3)
    assert found.estimate == pytest.approx(0.72) and found.n == 100
    assert found.ci_low == pytest.approx(0.72 - math.sqrt(0.03**2 + error**2))
    assert found.ci_high == pytest.approx(0.72 + math.sqrt(0.05**2 + error**2))


def test_an_interval_beside_its_estimate_takes_nothing_off():
    found = over_seeds([Estimate(0.5, 0.51, 0.6, 10), Estimate(0.5, 0.52, 0.6, 10)])
    assert (found.ci_low, found.ci_high) == pytest.approx((0.5, 0.6))


@pytest.mark.parametrize(
    ("images", "seeds", "n"),
    [(1, 0.2, 3), (0.2, 1, 5)]
    + [pytest.param(*case, marks=pytest.mark.slow) for case in ((1, 0, 3), (0, 1, 3), (1, 1, 5))],
)
def test_interval_over_seeds_holds_the_truth_as_often_as_it_says(images, seeds, n):
    """The images' error is shared by the seeds, each seed adds another; 4,000 draws: 95 % +- .7 %, or a bit more."""
    rng = np.random.default_rng(0)
    shared, own = images * rng.normal(size=(4000, 1)), seeds * rng.normal(size=(4000, n))
    half, covered, naive = 1.959964 * images, 0, 0
    for row in shared + own:
        found = over_seeds([Estimate(value, value - half, value + half, 1) for value in row])
        covered += found.ci_low <= 0 <= found.ci_high
        naive += abs(row.mean()) <= t.ppf(0.975, n - 1) * row.std(ddof=1) / math.sqrt(n)
    assert 0.94 <= covered / 4000 <= 0.99
    if seeds < 1:
        assert naive / 4000 < 0.7  # the seeds' spread alone misses what the images do to all of them
