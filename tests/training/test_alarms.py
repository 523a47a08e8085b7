import math
from itertools import pairwise

import pytest

from vi_simsiam.methods import method_class
from vi_simsiam.training.alarms import TrainingAlarm, check_epoch
from vi_simsiam.training.schedule import learning_rate

VI_SIMSIAM = method_class("vi_simsiam")
ALIVE = {"epoch": 5, "loss": -1.0, "expected_cosine": 0.4, "embedding_std": 0.9, "kappa_range": 0.01}


def test_a_living_run_passes():
    check_epoch(ALIVE, 0, VI_SIMSIAM)
    check_epoch(ALIVE | {"expected_cosine": None, "embedding_std": None, "kappa_range": None}, 0, VI_SIMSIAM)


@pytest.mark.parametrize(
    "broken, said",
    [
        ({"loss": math.nan}, "pretrain.lr"),
        ({"loss": math.inf}, "diverged"),
        ({"expected_cosine": 0.009}, "pretrain.vi_simsiam.objective"),
        ({"kappa_range": 0.0}, "kappa no longer tells images apart.*pretrain.weight_decay"),
        ({"embedding_std": 0.04}, "representation has collapsed"),
    ],
)
def test_a_dead_run_is_stopped_with_the_way_out(broken, said):
    with pytest.raises(TrainingAlarm, match=said) as caught:
        check_epoch(ALIVE | broken, 4, VI_SIMSIAM)
    assert "epoch 5" in str(caught.value)


@pytest.mark.parametrize(
    "method, broken, said",
    [
        ("mcinfonce", {"expected_cosine": 0.009}, "pretrain.mcinfonce.critic"),
        ("dino", {"expected_cosine": 0.009}, "Lower pretrain.lr"),
        ("temperature", {"kappa_q50": 0.009}, "1 / tau has collapsed: in epoch 5 its median is 0.009"),
        ("concentration", {"kappa_q50": 1e-7}, "kappa has collapsed"),
        (
            "concentration",
            {"kappa_q50": 2e6},
            "kappa has run away: .* 2e\\+06, as if nothing bounds it. Raise pretrain.conc",
        ),
        ("concentration", {"loss": -math.inf}, "raise pretrain.warmup_epochs. Raise pretrain.concentration.l2"),
        ("exponential", {"kappa_q50": 2e4}, "the rate has run away: .* its views are the same"),
    ],
)
def test_each_certainty_has_bounds_and_a_way_out(method, broken, said):
    alive = ALIVE | {"kappa_q50": 2.0}
    check_epoch(alive, 0, method_class(method))
    with pytest.raises(TrainingAlarm, match=said):
        check_epoch(alive | broken, 0, method_class(method))
    if "kappa_q50" in broken:
        check_epoch(alive | broken, 0, VI_SIMSIAM)  # whose kappa is read as a cosine


def test_in_the_first_epochs_only_nan_counts():
    check_epoch(ALIVE | {"expected_cosine": 0.0, "embedding_std": 0.0, "kappa_range": 0.0}, 5, VI_SIMSIAM)
    with pytest.raises(TrainingAlarm):
        check_epoch(ALIVE | {"loss": math.nan}, 5, VI_SIMSIAM)


def test_schedule():
    """Warm-up rises linearly to the peak, then half a cosine: the values at its quarters are known."""
    rates = [learning_rate(step, steps=104, warmup_steps=4, peak=2.0) for step in range(104)]
    assert rates[:4] == [0.5, 1.0, 1.5, 2.0]
    assert rates[4] == 2.0
    assert rates[29] == pytest.approx(1 + math.sqrt(0.5))
    assert rates[54] == pytest.approx(1.0)
    assert rates[79] == pytest.approx(1 - math.sqrt(0.5))
    assert all(a > b > 0 for a, b in pairwise(rates[4:]))
    assert learning_rate(0, steps=10, warmup_steps=0, peak=1.0) == 1.0
    assert learning_rate(9, steps=10, warmup_steps=10, peak=1.0) == 1.0
