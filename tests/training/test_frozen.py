"""Trainings that start from weights: a frozen encoder does not change with any method, others learn at their rate."""

import pytest
import torch

from helpers.small import pretrain_params, views_of
from vi_simsiam.config.schema import METHODS
from vi_simsiam.models import saved
from vi_simsiam.training import trainer
from vi_simsiam.training.batches import ViewBatches

TRAINED = [name for name in METHODS if name != "untrained"]
CPU = torch.device("cpu")


def job(method, weights, **backbone):
    return pretrain_params(method, backbone={"weights": str(weights), **backbone})


def state(module):
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}


@pytest.mark.parametrize("method", TRAINED)
def test_a_frozen_encoder_stays_as_it_is(method, store, weights, tmp_path):
    params = job(method, weights, frozen=True)
    start = trainer._initialised(method, params, store, seed=0)
    model, history = trainer.pretrain(method, params, store, views_of(store), seed=0)
    before, after = state(start), state(model)
    of_encoder = [name for name in before if name.startswith("backbone.")]
    assert not [name for name in before if "backbone." in name[1:]], "one encoder, which nothing changes"
    assert len(history) == 2 and len(of_encoder) > 40
    assert all(torch.equal(before[name], after[name]) for name in of_encoder)
    assert any(not torch.equal(before[name], after[name]) for name in set(before) - set(of_encoder))
    images = torch.rand(100, 1, 12, 12)
    features = model.features(images)
    assert torch.equal(model.train().features(images), features) and not features.requires_grad
    model.eval()
    saved.save(tmp_path, model, saved.describe(method, params.model_dump(exclude_none=True), model.images))
    again, _ = saved.load(tmp_path)
    torch.testing.assert_close(again.embedding(features), model.embedding(features))


@pytest.mark.parametrize("method", TRAINED)
def test_all_that_is_trained_on_a_frozen_encoder_gets_a_gradient(method, store, weights):
    model = trainer._initialised(method, job(method, weights, frozen=True), store, seed=0).train()
    model(next(ViewBatches(store, views_of(store), 32, 0, CPU).epoch(1))).total.backward()
    trained = [p for p in model.parameters() if p.requires_grad]
    assert trained and all(p.grad is not None for p in trained)
    assert all(p.grad is None for p in model.backbone.parameters())


@pytest.mark.parametrize("method", TRAINED)
def test_the_encoder_learns_at_its_rate(method, store, weights):
    """One step moves the encoder by lr_factor of the way with 1, and the heads as far as with 1."""
    moved = {}
    for factor in (1.0, 0.25):
        params = job(method, weights, lr_factor=factor).model_copy(update={"weight_decay": 0.0, "epochs": 3})
        model = trainer._initialised(method, params, store, seed=0)
        before = {name: p.detach().clone() for name, p in model.named_parameters()}
        views = ViewBatches(store, views_of(store), 96, 0, CPU)  # one step an epoch
        run = trainer.Training(CPU, model, views, params, seed=0)
        run.epoch(1)
        moved[factor] = {name: (p - before[name]).detach() for name, p in model.named_parameters() if p.requires_grad}
    encoder = set(model.trained_encoder.parameters())
    names = [name for name, p in model.named_parameters() if p in encoder]
    assert len(names) > 20 and set(names) <= set(moved[1.0])
    for name, whole in moved[1.0].items():
        factor = 0.25 if name in names else 1.0
        torch.testing.assert_close(moved[0.25][name], factor * whole, rtol=1e-3, atol=1e-6)
    assert any(moved[1.0][name].abs().max() > 1e-4 for name in names)
