"""A second network whose weights are a moving average of a trained one's, as DINO's teacher and BYOL's target."""

import math

import torch
from torch import nn


def rising(momentum: float, progress: float) -> float:
    """A momentum that rises to 1 in half a cosine.

    Args:
        momentum: in [0, 1], when training begins.
        progress: share of the training that is done, in [0, 1].
    """
    return 1 - (1 - momentum) * (1 + math.cos(math.pi * progress)) / 2


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, momentum: float) -> None:
    """Make the average's parameters `momentum` times themselves plus 1 - `momentum` times the network's.

    Buffers stay: batch norms of the average have the statistics of what it sees itself.
    """
    torch._foreach_lerp_([*average.parameters()], [*network.parameters()], 1 - momentum)
