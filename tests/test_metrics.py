"""The count form of every statistic against scipy and scikit-learn on materialised resamples."""

import time

import numpy as np
import pytest
from scipy.stats import bootstrap, spearmanr
from sklearn.metrics import roc_auc_score

from vi_simsiam.metrics import Bootstrap


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    x = np.round(rng.normal(size=60), 1)  # rounded: ties
    y = np.round(x + rng.normal(size=60), 1)
    return x, y, (x + rng.normal(size=60)) > 0


@pytest.mark.parametrize("clustered", [False, True])
def test_resamples_equal_the_libraries_on_repeated_rows(data, clustered):
    x, y, positive = data
    image = np.arange(60) // 3 if clustered else None
    boot = Bootstrap(20 if clustered else 60, 40, seed=3)
    counts = np.concatenate(list(boot.counts()))
    assert (counts.sum(1) == boot.n).all() and counts.std() > 0.5
    rows = [np.repeat(np.arange(60), (c[image] if clustered else c).astype(int)) for c in counts]
    for estimate, expected in (
        (boot.auroc(x, positive, image), [roc_auc_score(positive[r], x[r]) for r in rows]),
        (boot.spearman(x, y, image), [spearmanr(x[r], y[r]).statistic for r in rows]),
        (boot.mean(y, image), [y[r].mean() for r in rows]),
    ):
        low, high = np.quantile(expected, [0.025, 0.975])
        assert (estimate.ci_low, estimate.ci_high) == pytest.approx((low, high), abs=1e-12)
        assert estimate.n == boot.n
    assert boot.auroc(x, positive, image).estimate == roc_auc_score(positive, x)
    assert boot.spearman(x, y, image).estimate == spearmanr(x, y).statistic


def test_interval_agrees_with_scipys_bootstrap():
    rng = np.random.default_rng(1)
    values = rng.exponential(size=200)
    ours = Bootstrap(200, 4000, seed=0).mean(values)
    theirs = bootstrap((values,), np.mean, n_resamples=4000, method="percentile", rng=2).confidence_interval
    assert ours.ci_low == pytest.approx(theirs.low, abs=0.02)
    assert ours.ci_high == pytest.approx(theirs.high, abs=0.02)


def test_interval_covers_the_truth_as_often_as_it_says():
    """AUROC of N(1, 1) against N(0, 1) is Phi(1/sqrt 2) = .7602; 95 % intervals from 150 data sets of 200 images."""
    rng = np.random.default_rng(2)
    covered = 0
    for seed in range(150):
        positive = rng.random(200) < 0.5
        estimate = Bootstrap(200, 300, seed).auroc(rng.normal(size=200) + positive, positive)
        covered += estimate.ci_low <= 0.7602 <= estimate.ci_high
    assert 0.89 <= covered / 150 <= 0.99


def test_raw_kappa_is_not_squashed():
    """A sigmoid on raw kappa would turn all of these into 1.0 and the AUROC into .5."""
    kappa = np.linspace(100, 5000, 50)
    assert Bootstrap(50, 100, 0).auroc(kappa, kappa > 2500).estimate == 1.0


def test_undefined_measures_are_none():
    boot = Bootstrap(5, 100, 0)
    assert boot.auroc(np.arange(5), np.ones(5)) is None
    assert boot.spearman(np.arange(5), np.ones(5)) is None


def test_ten_thousand_resamples_of_ten_thousand_images_take_seconds():
    rng = np.random.default_rng(0)
    start = time.process_time()
    estimate = Bootstrap(10_000, 10_000, 0).auroc(rng.normal(size=10_000), rng.random(10_000) < 0.5)
    assert estimate.ci_high - estimate.ci_low == pytest.approx(2 * 1.96 * (1 / 12 / 2500) ** 0.5, rel=0.1)
    assert time.process_time() - start < 60
