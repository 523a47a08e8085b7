"""The count form of every statistic against scipy and scikit-learn on materialised resamples."""

import time

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score, roc_curve

from vi_simsiam.stats.bootstrap import Bootstrap, Mean
from vi_simsiam.stats.ranks import Ranked, auroc, spearman


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    x = np.round(rng.normal(size=60), 1)  # rounded: ties
    y = np.round(x + rng.normal(size=60), 1)
    return x, y, (x + rng.normal(size=60)) > 0


def resampled(boot, statistic):
    """The statistic on every resample, and the counts of these."""
    blocks = [boot.block(number) for number in range(boot.blocks)]
    values = [statistic.resampled(part) for block in blocks for part in block.parts(statistic.width)]
    return np.concatenate(values), np.concatenate([block.counts for block in blocks])


def fpr95(positive, scores):
    """By scikit-learn, literally: false positives at the first threshold that 95 % of the positives reach."""
    false, true, _ = roc_curve(positive, scores, drop_intermediate=False)
    return false[np.flatnonzero(true >= 0.95 - 1e-12)[0]]


@pytest.mark.parametrize("distinct", [False, True])
@pytest.mark.parametrize("clustered", [False, True])
def test_resamples_equal_the_libraries_on_repeated_rows(data, clustered, distinct):
    x, y, positive = data
    if distinct:
        x, y = (values + np.linspace(0, 1e-3, 60) for values in (x, y))
    image = np.arange(60) // 3 if clustered else None
    boot = Bootstrap(20 if clustered else 60, 40, seed=3)
    for statistic, by_rows in (
        (auroc(x, positive, image), lambda r: roc_auc_score(positive[r], x[r])),
        (auroc(x, positive, image, fpr95=True), lambda r: fpr95(positive[r], x[r])),
        (spearman(x, y, image), lambda r: spearmanr(x[r], y[r]).statistic),
        (Mean(y, image), lambda r: y[r].mean()),
    ):
        found, counts = resampled(boot, statistic)
        assert (counts.sum(1) == boot.n).all() and counts.std() > 0.5
        rows = [np.repeat(np.arange(60), c[image] if clustered else c) for c in counts]
        expected = [by_rows(r) for r in rows]
        np.testing.assert_allclose(found, expected, atol=1e-12)
        estimate = boot.one(statistic)
        low, high = np.quantile(expected, [0.025, 0.975])
        assert (estimate.ci_low, estimate.ci_high) == pytest.approx((low, high), abs=1e-12)
        assert estimate.estimate == pytest.approx(by_rows(slice(None)), abs=1e-12)
        assert estimate.n == boot.n


def test_two_sets_of_images_are_each_drawn_from_themselves(data):
    x = data[0]
    inside = np.arange(60) < 25
    boot = Bootstrap((25, 35), 50, seed=1)
    for rate in (False, True):
        statistic = auroc(x, inside, fpr95=rate)
        found, counts = resampled(boot, statistic)
        assert (counts[:, :25].sum(1) == 25).all() and (counts[:, 25:].sum(1) == 35).all()
        rows = [np.repeat(np.arange(60), c) for c in counts]
        expected = [(fpr95 if rate else roc_auc_score)(inside[r], x[r]) for r in rows]
        np.testing.assert_allclose(found, expected, atol=1e-12)
        assert statistic.point == pytest.approx((fpr95 if rate else roc_auc_score)(inside, x))
    assert boot.one(auroc(x, inside)).n == 60


def test_no_block_repeats_the_resamples_of_another():
    boot = Bootstrap(5000, 200, seed=0)
    assert boot.blocks > 2
    counts = np.concatenate([boot.block(number).counts for number in range(boot.blocks)])
    assert len(np.unique(counts, axis=0)) == len(counts) == 200


def test_fpr95_of_known_scores():
    """20 positives 1..20: 19 of them reach 2. Of the negatives 0, 1, 2, 3 two do (equal counts), and not 1.99."""
    scores = np.array([*range(1, 21), 0, 1, 2, 3, 1.99])
    assert auroc(scores, np.arange(25) < 20, fpr95=True).point == pytest.approx(2 / 5)


def test_statistics_that_share_a_ranking_equal_those_alone(data):
    x, y, positive = data
    boot, shared, other = Bootstrap(60, 150, 0), Ranked(x), Ranked(y)
    statistics = {
        "a": auroc(shared, positive), "b": spearman(shared, other), "c": spearman(other, shared), "none": None,
    }  # fmt: skip
    together = {name: boot.estimate(statistics[name], values) for name, values in boot.resampled(statistics).items()}
    assert together == {"a": boot.one(auroc(x, positive)), "b": boot.one(spearman(x, y)), "c": boot.one(spearman(y, x))}


def test_the_number_of_threads_changes_nothing():
    rng = np.random.default_rng(0)
    x, y, image = rng.normal(size=9000), rng.normal(size=9000), np.arange(9000) // 3
    one, three = (Bootstrap(3000, 400, 0, threads).one(spearman(x, y, image)) for threads in (1, 3))
    assert Bootstrap(3000, 400, 0).blocks > 3
    assert one == three


def test_interval_covers_the_truth_as_often_as_it_says():
    """AUROC of N(1, 1) against N(0, 1) is Phi(1/sqrt 2) = .7602; 95 % intervals from 150 data sets of 200 images."""
    rng = np.random.default_rng(2)
    covered = 0
    for seed in range(150):
        positive = rng.random(200) < 0.5
        estimate = Bootstrap(200, 300, seed).one(auroc(rng.normal(size=200) + positive, positive))
        covered += estimate.ci_low <= 0.7602 <= estimate.ci_high
    assert 0.89 <= covered / 150 <= 0.99


def test_raw_kappa_is_not_squashed():
    """A sigmoid on raw kappa would turn all of these into 1.0 and the AUROC into .5."""
    kappa = np.linspace(100, 5000, 50)
    assert Bootstrap(50, 100, 0).one(auroc(kappa, kappa > 2500)).estimate == 1.0


def test_undefined_measures_are_none():
    boot = Bootstrap(5, 100, 0)
    assert boot.one(auroc(np.arange(5), np.ones(5))) is None
    assert auroc(np.arange(5), np.zeros(5), fpr95=True) is None
    assert boot.one(spearman(np.arange(5), np.ones(5))) is None


@pytest.mark.nightly
def test_ten_thousand_resamples_of_ten_thousand_images_take_seconds():
    rng = np.random.default_rng(0)
    start = time.process_time()
    estimate = Bootstrap(10_000, 10_000, 0).one(auroc(rng.normal(size=10_000), rng.random(10_000) < 0.5))
    assert estimate.ci_high - estimate.ci_low == pytest.approx(2 * 1.96 * (1 / 12 / 2500) ** 0.5, rel=0.1)
    assert time.process_time() - start < 20
