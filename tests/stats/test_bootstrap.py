"""The count form of every statistic against scipy and scikit-learn on materialised resamples."""

import time

import numpy as np
import pytest
import torch
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
        (auroc(Ranked(x, image), positive), lambda r: roc_auc_score(positive[r], x[r])),
        (auroc(Ranked(x, image), positive, fpr95=True), lambda r: fpr95(positive[r], x[r])),
        (spearman(Ranked(x, image), Ranked(y, image)), lambda r: spearmanr(x[r], y[r]).statistic),
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
        statistic = auroc(Ranked(x), inside, fpr95=rate)
        found, counts = resampled(boot, statistic)
        assert (counts[:, :25].sum(1) == 25).all() and (counts[:, 25:].sum(1) == 35).all()
        rows = [np.repeat(np.arange(60), c) for c in counts]
        expected = [(fpr95 if rate else roc_auc_score)(inside[r], x[r]) for r in rows]
        np.testing.assert_allclose(found, expected, atol=1e-12)
        assert statistic.point == pytest.approx((fpr95 if rate else roc_auc_score)(inside, x))
    assert boot.one(auroc(Ranked(x), inside)).n == 60


def test_no_block_repeats_the_resamples_of_another():
    boot = Bootstrap(5000, 200, seed=0)
    assert boot.blocks > 2
    counts = np.concatenate([boot.block(number).counts for number in range(boot.blocks)])
    assert len(np.unique(counts, axis=0)) == len(counts) == 200


def test_fpr95_of_known_scores():
    """20 positives 1..20: 19 of them reach 2. Of the negatives 0, 1, 2, 3 two do (equal counts), and not 1.99."""
    scores = np.array([*range(1, 21), 0, 1, 2, 3, 1.99])
    assert auroc(Ranked(scores), np.arange(25) < 20, fpr95=True).point == pytest.approx(2 / 5)


def test_statistics_that_share_a_ranking_equal_those_alone(data):
    x, y, positive = data
    boot, shared, other = Bootstrap(60, 150, 0), Ranked(x), Ranked(y)
    statistics = {"a": auroc(shared, positive), "b": spearman(shared, other), "c": spearman(other, shared)}
    alone = auroc(Ranked(x), positive), spearman(Ranked(x), Ranked(y)), spearman(Ranked(y), Ranked(x))
    together = boot.resampled(statistics | {"none": None})
    assert together.keys() == statistics.keys()
    for values, statistic in zip(together.values(), alone, strict=True):
        np.testing.assert_array_equal(values, boot.resampled({"": statistic})[""])


def test_the_number_of_threads_changes_nothing():
    rng = np.random.default_rng(0)
    x, y = (Ranked(rng.normal(size=9000), np.arange(9000) // 3) for _ in range(2))
    boot, before = Bootstrap(3000, 400, 0), torch.get_num_threads()
    assert boot.blocks > 3
    found = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        found.append(boot.one(spearman(x, y)))
    torch.set_num_threads(before)
    assert found[0] == found[1]


def test_undefined_measures_are_none():
    rising = Ranked(np.arange(5))
    assert Bootstrap(5, 100, 0).one(auroc(rising, np.ones(5))) is None
    assert auroc(rising, np.zeros(5), fpr95=True) is None
    assert spearman(rising, Ranked(np.ones(5))) is None


@pytest.mark.nightly
def test_ten_thousand_resamples_of_ten_thousand_images_take_seconds():
    rng = np.random.default_rng(0)
    start = time.process_time()
    estimate = Bootstrap(10_000, 10_000, 0).one(auroc(Ranked(rng.normal(size=10_000)), rng.random(10_000) < 0.5))
    assert estimate.ci_high - estimate.ci_low == pytest.approx(2 * 1.96 * (1 / 12 / 2500) ** 0.5, rel=0.1)
    assert time.process_time() - start < 20
