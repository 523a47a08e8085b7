"""Communication between the processes that train one model. A process that trains alone gets its tensors back."""

import torch
from torch import Tensor, distributed


def count() -> int:
    """Number of processes that train together."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def rank() -> int:
    """This process's number, from 0."""
    return distributed.get_rank() if count() > 1 else 0


def gather(rows: Tensor) -> Tensor:
    """(b, ...) rows of each process to (count * b, ...), in the order of the ranks.

    Differentiable: the gradient of a process's rows is the sum of what all processes' losses send to them.
    """
    return _Gather.apply(rows) if count() > 1 else rows


def mean(value: Tensor) -> Tensor:
    """Mean over processes of a tensor of one shape. Without gradient where there are several processes."""
    if count() == 1:
        return value
    value = value.detach().clone()
    distributed.all_reduce(value)
    return value / count()


def agree(number: int, device: torch.device) -> bool:
    """True if all processes have the same number. The comparison is made on `device`, that of this process."""
    if count() == 1:
        return True
    return len(gather(torch.tensor([number], device=device)).unique()) == 1


def leave() -> None:
    """Destroy the process group, after the last communication."""
    if count() > 1:
        distributed.destroy_process_group()


def own_slice(rows: Tensor) -> Tensor:
    """This process's share of (count * b, ...) rows: the inverse of `gather`."""
    share = len(rows) // count()
    return rows[rank() * share : (rank() + 1) * share]


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx, rows: Tensor) -> Tensor:
        rows = rows.contiguous()
        gathered = rows.new_empty(count() * len(rows), *rows.shape[1:])
        distributed.all_gather_into_tensor(gathered, rows)
        return gathered

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        gradient = gradient.contiguous().clone()
        distributed.all_reduce(gradient)
        return own_slice(gradient)
