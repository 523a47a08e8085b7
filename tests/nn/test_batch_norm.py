"""Batch norm in two processes is that of one process with the whole batch."""

import copy

import pytest
import torch
from torch import nn

from helpers.pretended_gpu import GPU
from vi_simsiam.core import distributed
from vi_simsiam.core.errors import Problem
from vi_simsiam.nn.batch_norm import synchronise
from vi_simsiam.training import launch

INPUTS = {"rows": (24, 5), "planes": (8, 5, 3, 4), "plain": (24, 5)}


def network(kind):
    torch.manual_seed(3)
    if kind == "plain":
        return nn.BatchNorm1d(5, affine=False)
    norm = nn.BatchNorm1d(5) if kind == "rows" else nn.BatchNorm2d(5)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    return norm


def batches(kind):
    """Three, with channels far from 0 and of very different sizes."""
    generator = torch.Generator().manual_seed(4)
    scale = torch.tensor([1e-3, 1.0, 1e3, 1.0, 1.0]).view(1, 5, *[1] * (len(INPUTS[kind]) - 2))
    return [(3 + torch.randn(INPUTS[kind], generator=generator)) * scale for _ in range(3)]


def trained(norm, inputs, share=lambda rows: rows):
    """Outputs and gradients for each batch, and what is remembered, of a loss that looks at every output."""
    found = []
    for whole in inputs:
        x = share(whole).clone().requires_grad_()
        norm.zero_grad()
        y = norm(x)
        y.sin().square().sum().backward()
        found += [(y.detach(), x.grad), tuple(parameter.grad.clone() for parameter in norm.parameters())]
    return found, {name: tensor.clone() for name, tensor in norm.state_dict().items()}


def in_two(folder):
    torch.distributed.init_process_group("gloo")
    for kind in INPUTS:
        norm = network(kind)
        synchronise(norm)
        found = trained(norm, batches(kind), distributed.own_slice)
        evaluated = norm.eval()(batches(kind)[0])
        torch.save((*found, evaluated), folder / f"{kind}{distributed.rank()}.pt")


def test_two_processes_equal_one(tmp_path):
    launch.run_together(in_two, 2, tmp_path)
    for kind in INPUTS:
        norm = network(kind)
        expected, state = trained(norm, batches(kind))
        evaluated = norm.eval()(batches(kind)[0])
        (first, a, one), (second, b, other) = (torch.load(tmp_path / f"{kind}{rank}.pt") for rank in (0, 1))
        for i, wholes in enumerate(expected):
            for one_part, other_part, whole in zip(first[i], second[i], wholes, strict=True):
                joined = torch.cat([one_part, other_part]) if i % 2 == 0 else one_part + other_part
                torch.testing.assert_close(joined, whole, rtol=1e-4, atol=1e-5 * float(whole.abs().max()))
        torch.testing.assert_close(a, state, rtol=1e-5, atol=1e-6)
        assert all(torch.equal(a[name], b[name]) for name in state), "all remember the same"
        torch.testing.assert_close((one, other), (evaluated, evaluated), rtol=1e-4, atol=1e-5)


@pytest.fixture
def twice(monkeypatch):
    """Another process that has the same part."""
    monkeypatch.setattr(distributed, "count", lambda: 2)
    monkeypatch.setattr(distributed, "gather", lambda rows: torch.cat([rows, rows]))
    monkeypatch.setattr(distributed, "mean", lambda value: value)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_gpu_is_not_waited_for(dtype, gpu, twice):
    plain, x = network("planes"), batches("planes")[0][:, [1, 3, 4, 1, 3]].to(dtype)
    norm = copy.deepcopy(plain)
    synchronise(norm)
    whole, expected = trained(plain, [torch.cat([x, x])])
    with gpu.use() as seen:
        norm, on_gpu = norm.to(GPU), x.to(GPU)
        seen.clear()
        found, state = trained(norm, [on_gpu])
        assert not seen.waits
        found = [[tensor.cpu() for tensor in tensors] for tensors in found]
        state = {name: tensor.cpu() for name, tensor in state.items()}
    near = {"rtol": 1e-4, "atol": 1e-5} if dtype == torch.float32 else {"rtol": 2e-2, "atol": 6e-2}
    for ours, theirs in zip(found[0], whole[0], strict=True):
        assert ours.dtype == dtype
        torch.testing.assert_close(ours, theirs[: len(x)], **near)
    for ours, theirs in zip(found[1], whole[1], strict=True):
        torch.testing.assert_close(2 * ours, theirs, **near)
    torch.testing.assert_close(state, expected, rtol=1e-3, atol=1e-3)


def test_what_is_converted():
    class Own(nn.BatchNorm2d):
        pass

    model = nn.ModuleDict({"backbone": nn.Sequential(nn.BatchNorm2d(3), Own(3)), "head": nn.BatchNorm1d(4)})
    names = list(model.state_dict())
    synchronise(model, frozen="backbone.")
    assert [type(norm).__name__ for norm in (*model["backbone"], model["head"])] == [
        "BatchNorm2d", "Own", "SyncBatchNorm1d",
    ]  # fmt: skip
    assert list(model.state_dict()) == names
    with pytest.raises(Problem, match=r"sync_batchnorm: the encoder's Own cannot be synchronised\. Set it to false"):
        synchronise(model)
