"""The optimisers are torch's to the bit, and import nothing that takes seconds."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from helpers.project import ROOT
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


_STEPS = """
import sys, torch
from vi_simsiam.nn.optimisers import Lbfgs, Sgd

x = torch.ones(2, requires_grad=True)
for optimizer in (Sgd([x], lr=0.1), Lbfgs([x])):
    optimizer.zero_grad()
    x.square().sum().backward()
    optimizer.step(lambda: x.square().sum())
print(x.tolist(), *{"torch._dynamo"} & set(sys.modules))
"""


def test_a_step_does_not_import_dynamo():
    done = subprocess.run([sys.executable, "-c", _STEPS], cwd=ROOT / "src", capture_output=True, text=True, check=True)
    assert "dynamo" not in done.stdout and done.stdout != "[1.0, 1.0]\n"
