"""Training in several processes on the CPU, and what one process must do to equal it."""

import signal
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from vi_simsiam.training import launch, trainer


def in_processes(n: int, function: Callable[..., None], *args: Any) -> None:
    """`launch.start`, after which this process has its own signal handlers again."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        launch.start(n, function, *args)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def initialised_with_halved_norms(*args: Any) -> nn.Module:
    """`trainer._initialised`, whose batch norms treat the two halves of a batch apart, as two processes do."""
    model = _initialised(*args)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            _halve(module)
    return model


_initialised = trainer._initialised


def _halve(norm: nn.Module) -> None:
    """Let a batch norm treat the two halves of a batch apart, and average what it remembers of them."""

    def forward(x):
        if not norm.training:
            return type(norm).forward(norm, x)
        halves = x.chunk(2)
        for name, found in (
            ("running_mean", [h.transpose(0, 1).flatten(1).mean(1) for h in halves]),
            ("running_var", [h.transpose(0, 1).flatten(1).var(1) for h in halves]),
        ):
            getattr(norm, name).lerp_(torch.stack(found).mean(0).detach(), norm.momentum)
        norm.num_batches_tracked += 1
        parts = [nn.functional.batch_norm(h, None, None, norm.weight, norm.bias, True, eps=norm.eps) for h in halves]
        return torch.cat(parts)

    norm.forward = forward
