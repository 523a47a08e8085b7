"""Moving averages of a trained network's weights, for a second network such as DINO's teacher or BYOL's target."""

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
    """Set average <- momentum * average + (1 - momentum) * network, for all parameters.

    Buffers stay: batch norms of the average have the statistics of its own inputs.
    """
    torch._foreach_lerp_([*average.parameters()], [*network.parameters()], 1 - momentum)
