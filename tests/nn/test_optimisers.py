"""The optimisers are torch's to the bit, and a training and a probe on a CPU do without what takes long to import."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from helpers.project import ROOT
from helpers.small import pretrain_params
from vi_simsiam.nn.optimisers import Lbfgs, Sgd

_SGD = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}
_LBFGS = {"max_iter": 7, "line_search_fn": "strong_wolfe"}


@pytest.mark.parametrize(
    ("ours", "torchs", "options"), [(Sgd, torch.optim.SGD, _SGD), (Lbfgs, torch.optim.LBFGS, _LBFGS)]
)
def test_weights_and_state_are_those_of_torch(ours, torchs, options):
    x, found = torch.linspace(-1, 1, 24).view(8, 3), []
    for make in (torchs, ours):
        torch.manual_seed(0)
        model = nn.Linear(3, 2)
        optimizer = make(model.parameters(), **options)

        def loss(model=model, optimizer=optimizer):
            optimizer.zero_grad()
            value = (model(x) - x[:, :2].exp()).square().sum()
            value.backward()
            return value

        before = loss()
        for _ in range(3):
            optimizer.step(loss)
        assert loss() < before and model.weight.grad is not None
        optimizer.zero_grad()
        assert model.weight.grad is None and model.weight.requires_grad
        found.append((model.state_dict(), optimizer.state_dict()["state"]))
    torch.testing.assert_close(found[1], found[0], rtol=0, atol=0)


_JOBS = """
import json, sys, torch
from vi_simsiam.config.schema import parse
from vi_simsiam.methods import ImageSpec, build
from vi_simsiam.evaluation import linear
from vi_simsiam.training import trainer

class Given(list):
    def epoch(self, number):
        yield from self

params = parse("pretrain", json.loads(sys.argv[1]), "simsiam")
model = build("simsiam", params, ImageSpec(8, 1, (0.5,), (0.25,)))
views = Given([(torch.rand(8, 1, 8, 8), torch.rand(8, 1, 8, 8))] * 2)
run = trainer.Training(torch.device("cpu"), model, views, params, 0)
before = model.backbone.conv1.weight.clone()
run.epoch(1)
assert not torch.equal(before, model.backbone.conv1.weight)
linear.fit(torch.rand(20, 3), torch.arange(20) % 2, 2)
print(*{"torch._dynamo"} & set(sys.modules))
"""


def test_a_training_and_a_probe_on_a_cpu_do_not_import_dynamo():
    params = pretrain_params("simsiam", precision=32).model_dump_json()
    command = [sys.executable, "-c", _JOBS, params]
    assert subprocess.run(command, cwd=ROOT / "src", capture_output=True, text=True, check=True).stdout.split() == []
