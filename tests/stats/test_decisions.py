"""Decisions about thresholds: p-values against scipy, the error of a family of claims and the power by simulation."""

import math

import numpy as np
import pytest
from scipy.stats import norm, t, ttest_1samp

from vi_simsiam.stats.decisions import Errors, holm, p_value
from vi_simsiam.stats.intervals import Estimate, over_seeds

Z = norm.ppf(0.975)
VALUES = (0.60, 0.66, 0.63, 0.71, 0.64)


def seeds(values, below=0.0, above=None):
    return [Estimate(v, v - below, v + (below if above is None else above), 100) for v in values]


def decided(shared, own, errors, distance):
    """Shares of runs that decide: (right, wrong). shared (runs,), own (runs, n): standard normal draws."""
    n = own.shape[1]
    values = distance + errors.images * shared[:, None] + errors.seeds * own
    half = np.hypot(Z * errors.images, t.ppf(0.975, n - 1) * values.std(1, ddof=1) / math.sqrt(n))
    return (values.mean(1) - half > 0).mean(), (values.mean(1) + half < 0).mean()


def test_p_is_students_without_an_error_of_images_and_normal_without_one_of_seeds():
    for threshold in (0.5, 0.6, 0.64, 0.66, 0.9):
        assert p_value(seeds(VALUES), threshold) == pytest.approx(ttest_1samp(VALUES, threshold).pvalue, rel=1e-9)
        alike = p_value(seeds([0.6] * 4, below=0.05 * Z), threshold)
        assert alike == pytest.approx(2 * norm.sf(abs(threshold - 0.6) / 0.05), rel=1e-9)
    assert p_value(seeds([0.6], below=0.05 * Z), 0.5) == pytest.approx(2 * norm.sf(2), rel=1e-9)
    assert p_value(seeds(VALUES), 0.648) == 1.0 and math.isnan(p_value([], 0.5))
    assert p_value(seeds([0.6, 0.6]), 0.5) < 1e-29


@pytest.mark.parametrize("below, above", [(0.02, 0.02), (0.01, 0.05), (0.0, 0.3)])
def test_p_is_below_the_level_where_the_interval_leaves_the_threshold_out(below, above):
    estimates = seeds(VALUES, below, above)
    interval = over_seeds(estimates)
    for bound, out in ((interval.ci_low, -1), (interval.ci_high, 1)):
        assert p_value(estimates, bound) == pytest.approx(0.05, rel=1e-9)
        assert p_value(estimates, bound + out * 1e-6) < 0.05 < p_value(estimates, bound - out * 1e-6)


def test_holm_by_hand():
    """.01 x 4; .02 x 3; .03 x 2 is as small as that before it; .5 x 1."""
    assert holm([0.5, 0.01, math.nan, 0.03, 0.02]) == pytest.approx([0.5, 0.04, math.nan, 0.06, 0.06], nan_ok=True)
    assert holm([0.4, 0.9]).tolist() == [0.8, 0.9] and holm([0.7, 0.6]).tolist() == [1, 1]
    assert holm([]).size == 0


@pytest.mark.parametrize(
    "errors", [Errors(1, 0, 5), Errors(0, 1, 5), Errors(1, 1, 3), Errors(0.3, 1, 10), Errors(1, 2, 2)]
)
def test_power_is_how_often_simulated_runs_decide(errors):
    rng = np.random.default_rng(0)
    shared, own = rng.normal(size=40_000), rng.normal(size=(40_000, errors.n))
    for distance in (0.0, 1.5, errors.decidable()):
        right, _ = decided(shared, own, errors, distance)
        assert errors.power(distance) == pytest.approx(right, abs=0.012)
    assert errors.power(errors.decidable()) == pytest.approx(0.8)


def test_power_of_one_seed_and_of_no_error():
    assert Errors(1, 0, 1).power(2.8016) == pytest.approx(0.8, abs=1e-4)  # z(.975) + z(.8)
    assert Errors(0, 0, 3).power(0.1) == 1 and Errors(0, 0, 3).power(0.0) == 0
    assert Errors(1, 0, 1).power(2.8016, level=0.005) == pytest.approx(norm.cdf(2.8016 - norm.ppf(0.9975)))
