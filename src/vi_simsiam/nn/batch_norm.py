"""Batch norm whose statistics are those of the parts of a batch in all processes, on any device."""

from typing import Any

import torch
from torch import Tensor, nn

from vi_simsiam.core import distributed
from vi_simsiam.core.errors import Problem

_KINDS: dict[type[nn.Module], type[nn.Module]] = {}  # torch's classes, and those here in their place


def synchronise(model: nn.Module, frozen: str | None = None) -> None:
    """Let the batch norms of a model, in place, take the statistics of the whole batch, whose parts are of equal size.

    torch's SyncBatchNorm has the same mathematics, but looks which parts are empty, for which a GPU is waited for three
    times a layer, and there is none for the CPU.

    Args:
        frozen: beginning of the names of modules that stay as they are.

    Raises: Problem for a batch norm of another package.
    """
    for name, module in model.named_modules():
        if not isinstance(module, nn.modules.batchnorm._BatchNorm) or (frozen and name.startswith(frozen)):
            continue
        if type(module) not in _KINDS:
            raise Problem(
                f"pretrain.sync_batchnorm: the encoder's {type(module).__name__} cannot be synchronised. Set it to "
                "false."
            )
        module.__class__ = _KINDS[type(module)]


class _Synchronised(nn.modules.batchnorm._BatchNorm):
    def forward(self, x: Tensor) -> Tensor:
        if not self.training or distributed.count() == 1:
            return super().forward(x)
        self._check_input_dim(x)
        normalised, mean, variance = _Normalise.apply(x, self.weight, self.bias, self.eps)
        n = x.numel() // x.shape[1] * distributed.count()
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (n / (n - 1)), self.momentum)
            if self.num_batches_tracked is not None:
                self.num_batches_tracked.add_(1)
        return normalised


class SyncBatchNorm1d(_Synchronised, nn.BatchNorm1d):
    pass


class SyncBatchNorm2d(_Synchronised, nn.BatchNorm2d):
    pass


_KINDS |= {nn.BatchNorm1d: SyncBatchNorm1d, nn.BatchNorm2d: SyncBatchNorm2d}


class _Normalise(torch.autograd.Function):
    """(x - mean) / sqrt(variance + eps) * weight + bias, with mean and variance over the parts of all processes.

    Forward, one collective of 2 C numbers from each process; backward, one too (Ioffe and Szegedy 2015, sec. 3).
    Passes over x are torch's own batch norm with given statistics, whose gradient lacks what flows through these.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        # Where torch keeps running statistics; results have their precision.
        unused = x.new_zeros(x.shape[1], dtype=torch.promote_types(x.dtype, torch.float32))
        own = torch.stack(torch.batch_norm_update_stats(x, unused, unused, 0.0))  # mean and variance of this part
        means, variances = distributed.gather(own[None]).unbind(1)
        mean, variance = means.mean(0), variances.mean(0) + means.var(0, correction=0)
        ctx.save_for_backward(x, torch.ones_like(mean) if weight is None else weight, mean, variance)
        ctx.eps = eps
        ctx.mark_non_differentiable(mean, variance)
        return nn.functional.batch_norm(x, mean, variance, weight, bias, eps=eps), mean, variance

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        x, weight, mean, variance = ctx.saved_tensors
        of_x, of_weight, of_bias = torch.ops.aten.native_batch_norm_backward(
            gradient, x, weight, mean, variance, None, None, False, ctx.eps, [True, True, True]
        )
        # What all outputs send back through the mean and through the variance, for each of the inputs.
        through_mean, through_variance = distributed.mean(torch.stack([of_bias, of_weight])) * (x.shape[1] / x.numel())
        deviation = (variance + ctx.eps).rsqrt()
        slope = weight * deviation.square() * through_variance
        offset = weight * deviation * through_mean - slope * mean
        slope, offset = (t.view(1, -1, *[1] * (x.dim() - 2)) for t in (slope, offset))
        of_x = (of_x - torch.addcmul(offset, x, slope)).to(x.dtype)
        _, weighted, biased, _ = ctx.needs_input_grad
        return of_x, of_weight if weighted else None, of_bias if biased else None, None
