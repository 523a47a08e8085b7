"""Autocast on CUDA treats the methods as that of the CPU, which the pretended GPU has: the types are the same.

On torch's fake tensors, which have a device and a type but no numbers, and need no GPU as long as nothing needs a
gradient.
"""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from helpers.small import pretrain_params
from vi_simsiam.config.schema import METHODS
from vi_simsiam.methods import ImageSpec, build


def types(method, device):
    """The type of what each module gives in bf16, of the losses, of what is monitored and of the certainty scores."""
    model = build(method, pretrain_params(method), ImageSpec(12, 1, (0.5,), (0.2,))).train()
    found = []
    with FakeTensorMode(), torch.no_grad():
        for name, module in model.named_modules():
            for table in (module._parameters, module._buffers):
                for key, old in table.items():
                    if old is not None:
                        table[key] = torch.empty(old.shape, dtype=old.dtype, device=device)
            module.register_forward_hook(lambda _, inputs, out, name=name: found.append((name, out)))
        # Not torch.autocast, which wants a GPU. This is what it sets.
        torch.set_autocast_enabled(device, True)
        torch.set_autocast_dtype(device, torch.bfloat16)
        try:
            losses = model(tuple(torch.empty(8, 1, 12, 12, device=device) for _ in range(2)), 0.5)
            images = torch.empty(8, 1, 12, 12, device=device)
            features = model.features(images)
            found += [("align", losses.align), ("uniform", losses.uniform), ("kl", losses.kl)]
            found += [
                *losses.monitors.items(),
                *model.own_scores(features, images).items(),
                ("z", model.embedding(features)),
            ]
        finally:
            torch.set_autocast_enabled(device, False)
    tensors = [(name, tensor) for name, tensor in found if isinstance(tensor, torch.Tensor)]
    assert {tensor.device.type for _, tensor in tensors} == {device}
    return [(name, tensor.dtype) for name, tensor in tensors]


SOON = ("vi_simsiam", "vae")  # the others wait for `make test-slow`


@pytest.mark.parametrize(
    "method",
    [pytest.param(name, marks=() if name in SOON else pytest.mark.slow) for name in METHODS if name != "untrained"],
)
def test_types_are_the_cpus(method, monkeypatch):
    monkeypatch.setattr(torch, "_sample_dirichlet", torch.empty_like)  # which fake tensors cannot do
    on_cpu = types(method, "cpu")
    assert types(method, "cuda") == on_cpu
    of = dict(on_cpu)
    assert of["backbone.conv1"] == torch.bfloat16 and of["align"] in (torch.float32, torch.float64)
