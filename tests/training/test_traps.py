"""Trainings of each method with a certainty that die and are stopped by the alarm, and what prevents that."""

import math

import pytest
import torch

from helpers.small import pretrain_params, views_of
from vi_simsiam.methods.exponential import Exponential
from vi_simsiam.training import trainer
from vi_simsiam.training.alarms import TrainingAlarm

# As the tiny problem of test_trainer.py, on which all is decided within seconds.
LONG = {"epochs": 40, "lr": 0.8}
NOTHING_CHANGES = {"crop_scale": [1.0, 1.0], "crop_ratio": [1.0, 1.0], "flip": 0.0, "jitter": 0.0, "grey": 0.0}


def pretrain(method, store, augmentation=None, **changes):
    params, views = pretrain_params(method, **LONG, **{method: changes}), views_of(store, **augmentation or {})
    return trainer.pretrain(method, params, store, views, seed=0)[1]


def test_without_its_penalty_the_concentration_runs_away(store):
    """Equal views raise it without bound. The penalty bounds it by weight / (2 l2), which nearly equal views reach."""
    with pytest.raises(TrainingAlarm, match=r"loss is (nan|-inf)|has run away") as caught:
        pretrain("concentration", store, NOTHING_CHANGES, l2=0.0)
    assert "pretrain.concentration.l2" in str(caught.value)
    little = NOTHING_CHANGES | {"crop_scale": [0.8, 1.0]}
    assert pretrain("concentration", store, little)[-1]["kappa_q50"] == pytest.approx(1, rel=0.05)


@pytest.mark.slow
def test_with_it_the_concentration_goes_where_the_cosine_is(store):
    row = pretrain("concentration", store)[-1]
    assert row["kappa_q50"] == pytest.approx(row["mean_cosine"], rel=0.4) and row["mean_cosine"] > 0.15


@pytest.mark.slow
def test_too_strong_a_concentration_pulls_the_images_together(store):
    """The pull is weight^2 / l2, to be seen beside SimCLR's 1 / temperature."""
    spread = [pretrain("concentration", store, weight=weight)[-1]["embedding_std"] for weight in (0.5, 2.0)]
    assert spread[0] > 0.95 and spread[1] < 0.7


@pytest.mark.parametrize(
    ("method", "changes", "said"),
    [
        ("mcinfonce", {"gain": 6.0}, r"kappa has collapsed.*pretrain\.mcinfonce\.gain"),
        ("temperature", {"gain": 100.0}, r"1 / tau has collapsed.*pretrain\.temperature\.gain"),
    ],
)
def test_a_certainty_that_learns_faster_than_the_views_agree_collapses(method, changes, said, store):
    """As VI-SimSiam's by the plain likelihood: noise, or flat logits, are best while the views disagree."""
    with pytest.raises(TrainingAlarm, match=said):
        pretrain(method, store, **changes)


@pytest.mark.slow
def test_at_the_gain_of_params_yaml_they_live(store):
    assert pretrain("mcinfonce", store)[-1]["expected_cosine"] > 0.05
    assert pretrain("temperature", store)[-1]["kappa_q50"] > 1
    assert pretrain("exponential", store)[-1]["kappa_q50"] > 1


@pytest.mark.slow
def test_the_rate_of_views_that_are_the_same_runs_away(store, monkeypatch):
    """Here prediction and target are exactly the same, because the predictor is left out."""
    monkeypatch.setattr(Exponential, "mu", lambda _, projection: torch.nn.functional.normalize(projection, dim=-1))
    with pytest.raises(TrainingAlarm, match=r"rate has run away.*cache_views\.augmentation"):
        pretrain("exponential", store, NOTHING_CHANGES)


@pytest.mark.slow
def test_a_predictor_that_has_to_learn_keeps_the_rate_finite(store):
    row = pretrain("exponential", store, NOTHING_CHANGES)[-1]
    assert math.isfinite(row["loss"]) and 3 < row["kappa_q50"] < 1000
