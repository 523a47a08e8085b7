"""The pretended GPU does what a real one does: `make gpu-check` runs this on a real one."""

import numpy as np
import pytest
import torch

from helpers.pretended_gpu import GPU


def test_the_gpu_refuses_mixed_devices_and_notes_what_waits(gpu):
    cpu = torch.rand(4, 3)
    with gpu.use() as seen:
        x, index = cpu.to(GPU), torch.arange(2, device=GPU)
        assert x.device == GPU and x.is_cuda and x[1:].T.device == GPU and not cpu.is_cuda
        for refused in (
            lambda: x + cpu,
            lambda: torch.cat([x, cpu]),
            lambda: torch.stack([x.sum(), torch.tensor(0.0)]),
            lambda: cpu[index],
            lambda: x.numpy(),
            lambda: np.asarray(x),
            lambda: x.pin_memory(),
            lambda: torch.rand(3, device=GPU, generator=torch.Generator()),
            lambda: torch.nn.Linear(3, 2)(x),
        ):
            with pytest.raises((RuntimeError, TypeError)):
                refused()
        pinned, nothing = cpu.pin_memory(), torch.empty(4, 3, device=GPU)
        seen.clear()
        for quick in (
            lambda: x + 1.0,
            lambda: x * torch.tensor(2.0),
            lambda: pinned.to(GPU, non_blocking=True),
            lambda: nothing.copy_(pinned, non_blocking=True),
            lambda: x[index],
            lambda: x.new_full((), 1.0),
            lambda: torch.where(x > 0.5, x, 0.0),
            lambda: x.to("cuda"),
        ):
            assert quick().device == GPU and not seen.waits
        for slow in (
            lambda: float(x.sum()),
            lambda: bool((x > 0).any()),
            lambda: x.tolist(),
            lambda: x.nonzero(),
            lambda: x[x > 0.5],
            lambda: x.cpu(),
            lambda: cpu.to(GPU),
            lambda: nothing.copy_(cpu),
            lambda: cpu.copy_(x),
            lambda: x.new_tensor([1.0]),
            lambda: torch.tensor(1.0, device=GPU),
            lambda: x[torch.tensor([0])],
        ):
            seen.clear()
            slow()
            assert len(seen.waits) == 1 or (not gpu.pretended and seen.waits)
            assert seen.waits[0].where.startswith("tests/test_pretended_gpu.py:")
