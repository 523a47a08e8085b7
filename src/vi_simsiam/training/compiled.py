"""Encoders that torch.compile has compiled for the steps of a training."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from vi_simsiam.core.errors import Problem
from vi_simsiam.methods import Method

Forwards = Mapping[nn.Module, Callable[[Tensor], Tensor]]


def encoders(model: Method) -> Forwards:
    """What the model's encoders compute, compiled; nothing of a frozen one, whose features are kept instead."""
    if model.frozen:
        return {}
    return {encoder: torch.compile(encoder.forward) for encoder in {model.backbone, model.trained_encoder}}


@contextmanager
def instead(forwards: Forwards) -> Iterator[None]:
    """In this block the modules compute by these functions.

    A block is a step: evaluations have batches of other sizes, each of which would be compiled anew.

    Raises: Problem where torch cannot compile.
    """
    if not forwards:
        yield
        return
    for module, forward in forwards.items():
        module.forward = forward
    try:
        yield
    except torch._dynamo.exc.TorchDynamoException as error:
        cause = getattr(error, "inner_exception", error)
        why = f"{type(cause).__name__}: {cause}".splitlines()[0]
        raise Problem(f"pretrain.compile: torch.compile fails here ({why}). Set it to false.") from error
    finally:
        for module in forwards:
            del module.forward
