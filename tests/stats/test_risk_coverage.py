"""AURC and E-AURC against closed forms, the naive loop over all orders, and materialised resamples."""

from itertools import permutations

import numpy as np
import pytest

from vi_simsiam.stats.bootstrap import Bootstrap
from vi_simsiam.stats.ranks import Ranked
from vi_simsiam.stats.risk_coverage import Aurc, ExcessAurc, best_aurc


def naive(scores, correct):
    """The mean over k of the error rate of the k most certain rows, at the given order of equal scores."""
    order = np.argsort(-np.asarray(scores, float), kind="stable")
    right = np.asarray(correct, bool)[order]
    return np.mean([1 - right[:k].mean() for k in range(1, len(right) + 1)])


def over_all_orders(scores, correct):
    """The naive value averaged over every order of the rows, hence over every order of equal scores."""
    rows = [list(order) for order in permutations(range(len(scores)))]
    return np.mean([naive(scores[r], correct[r]) for r in rows])


def test_ties_are_the_mean_over_their_orders():
    scores = np.array([1.0, 1, 1, 2, 2, 0])
    correct = np.array([1, 0, 0, 1, 0, 1], bool)
    assert Aurc(Ranked(scores), correct).point == pytest.approx(over_all_orders(scores, correct), abs=1e-12)


def test_closed_forms():
    """Perfect order: sum over k > right of (k - right) / k / n. Worst: all errors first. All tied: the error rate."""
    n, errors = 1000, 300
    correct = np.arange(n) >= errors
    k = np.arange(1, n + 1)
    perfect = Aurc(Ranked(np.arange(n)), correct)
    assert perfect.point == pytest.approx((np.maximum(k - 700, 0) / k).mean(), abs=1e-12)
    # the integral (1/n) int_{n-e}^n (k - (n-e))/k dk = r + (1-r) ln(1-r): E-AURC vanishes like 1/n
    assert 0 <= ExcessAurc(perfect).point < 1 / n
    assert best_aurc(0.3) == pytest.approx(0.3 + 0.7 * np.log(0.7))
    worst = Aurc(Ranked(-np.arange(n)), correct)
    assert worst.point == pytest.approx((np.minimum(k, errors) / k).mean(), abs=1e-12)
    assert Aurc(Ranked(np.zeros(n)), correct).point == pytest.approx(0.3, abs=1e-12)
    for value in (np.zeros(n, bool), np.ones(n, bool)):
        assert Aurc(Ranked(np.arange(n)), value).point == pytest.approx(1 - value[0], abs=1e-12)
        assert ExcessAurc(Aurc(Ranked(np.arange(n)), value)).point == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("clustered", [False, True])
def test_a_resample_is_a_data_set_of_the_repeated_rows(clustered):
    rng = np.random.default_rng(0)
    image = np.arange(40) // 2 if clustered else np.arange(40)
    scores, correct = rng.normal(size=40).round(1), rng.random(40) < 0.6
    aurc = Aurc(Ranked(scores, image), correct)
    excess = ExcessAurc(aurc)
    block = Bootstrap(20 if clustered else 40, 60, seed=0).block(0)
    for counts, area, above_best in zip(block.counts, aurc.resampled(block), excess.resampled(block), strict=True):
        rows = np.repeat(np.arange(40), counts[image])
        assert area == pytest.approx(Aurc(Ranked(scores[rows]), correct[rows]).point, abs=1e-12)
        r = 1 - correct[rows].mean()
        assert above_best == pytest.approx(area - (r + (1 - r) * np.log(1 - r)), abs=1e-12)
