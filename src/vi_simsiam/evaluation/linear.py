"""Linear probe: converged multinomial logistic regression on frozen features."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor
from torch.nn.functional import cross_entropy

from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import replacing
from vi_simsiam.core.randomness import generator
from vi_simsiam.nn.optimisers import Lbfgs

_ITERATIONS = 2000  # of one search, at most
# Largest entry of the gradient of the mean loss at which the search stops, and at which the fit counts as converged.
_TOLERANCE = 1e-6
_CONVERGED = 1e-5
_ELEMENTS = 1 << 24  # features that are copied at once
_SMALLEST_LOSS = 1e-6  # nats, so that its logarithm is finite


@dataclass(frozen=True)
class LinearProbe:
    """p(class | features) = softmax(weight . (features - mean) / std + bias).

    Attributes:
        weight: (classes, dim); bias: (classes,); mean, std: (dim,), of the training features.
    """

    weight: Tensor
    bias: Tensor
    mean: Tensor
    std: Tensor

    def probabilities(self, features: Tensor) -> Tensor:
        """(N, dim) features to (N, classes) probabilities, on the features' device."""
        weight, bias, mean, std = (t.to(features.device) for t in (self.weight, self.bias, self.mean, self.std))
        logits = [(part.float() - mean) / std @ weight.T + bias for part in _rows(features)]
        return torch.softmax(torch.cat(logits), dim=-1)

    def save(self, path: Path) -> None:
        """Write weight, bias, mean and std as safetensors."""
        tensors = {name: getattr(self, name).cpu().contiguous() for name in ("weight", "bias", "mean", "std")}
        with replacing(path) as temporary:
            safetensors.torch.save_file(tensors, temporary)

    @classmethod
    def load(cls, path: Path) -> "LinearProbe":
        """Read what `save` wrote. Raises: Problem when the file is missing or damaged."""
        try:
            return cls(**safetensors.torch.load_file(path))
        except (OSError, SafetensorError, TypeError) as error:
            raise Problem(f"{path} cannot be used. Delete it and run the step `probe`. ({error})") from None


def no_classes(dim: int) -> LinearProbe:
    """A probe of no classes, so that a run without labels has the same files."""
    return LinearProbe(torch.zeros(0, dim), torch.zeros(0), torch.zeros(dim), torch.ones(dim))


def fit(features: Tensor, labels: Tensor, classes: int, C: float = 1.0) -> LinearProbe:
    """Minimise C sum_i CE_i + |W|^2 / 2 over standardised features by full-batch L-BFGS, on the features' device.

    The objective is scikit-learn's LogisticRegression(C=C), whose solution is unique up to a constant in the bias.

    Features of an encoder are strongly correlated, so the plain problem is slow. The Hessian of every class is
    bounded by H = X'X / 2 (Boehning 1992, Ann. Inst. Stat. Math. 44:197) plus the penalty's, so the search runs in
    V = W L, with H = L L', where it sees a sphere: a third of the steps on features of trained encoders. The products
    with X take the time: they are in single precision, everything else in double. Where rounding ends the search too
    early, as it can on few images, the search continues in double.

    Memory: one standardised copy of the features.

    Args:
        features: (N, dim).
        labels: (N,) integers in [0, classes).
        classes: number of classes, >= 2.
        C: inverse regularisation strength, > 0.
    """
    features = features.float()
    mean = torch.cat([part.mean(0, dtype=torch.float64) for part in _columns(features)])
    x = features - mean.float()
    std = torch.cat([part.square().mean(0, dtype=torch.float64) for part in _columns(x)]).sqrt()
    std = torch.where(std > 0, std, 1.0)  # a constant feature carries nothing; it becomes 0
    x /= std.float()
    n, dim = x.shape
    identity = torch.eye(dim, dtype=torch.float64, device=x.device)
    gram = (x.T @ x).double() / (2 * n)
    # With fewer images than features and a weak penalty, rounding leaves the bound without a Cholesky factor. A larger
    # bound is one too.
    rounding = torch.finfo(torch.float32).eps * gram.trace()
    bound = gram + identity * torch.clamp(rounding, min=1 / (C * n))
    unwhiten = torch.linalg.solve_triangular(torch.linalg.cholesky(bound), identity, upper=False)
    # 0 is the optimum of no data: a start that depends on nothing.
    whitened = torch.zeros(classes, dim, dtype=torch.float64, device=x.device, requires_grad=True)
    bias = torch.zeros(classes, dtype=torch.float64, device=x.device, requires_grad=True)
    for precision in (torch.float32, torch.float64):
        gradient = _search(x, precision, labels, whitened, bias, unwhiten, C)
        if gradient < _CONVERGED:
            break
    else:
        print(
            f"warning: the linear probe stopped at a gradient of {gradient:.1e} (wanted {_CONVERGED:.0e})", flush=True
        )
    weight = whitened @ unwhiten
    weight, bias, mean, std = (tensor.detach().float() for tensor in (weight, bias, mean, std))
    return LinearProbe(weight, bias, mean, std)


def cross_fitted_losses(features: Tensor, labels: Tensor, classes: int, C: float = 1.0) -> Tensor:
    """Cross-entropy of each image under a probe that was fitted without it: (N,) nats, >= 1e-6, on the CPU.

    Two probes, each fitted to a random half of the images, judge the other half. Arguments as of `fit`. A single image
    leaves none to fit a probe to: its loss is that of a guess, log(classes).
    """
    if len(labels) < 2:
        return torch.full((len(labels),), math.log(classes))
    halves = torch.randperm(len(labels), generator=generator("cross-fitting")).to(labels.device).tensor_split(2)
    losses = torch.empty(len(labels), device=labels.device)
    for judged, fitted in (halves, halves[::-1]):
        probabilities = fit(features[fitted], labels[fitted], classes, C).probabilities(features[judged])
        of_label = probabilities.gather(1, labels[judged, None])[:, 0]
        losses[judged] = -of_label.clamp_min(torch.finfo(of_label.dtype).tiny).log()
    return losses.clamp_min(_SMALLEST_LOSS).cpu()


def _rows(features: Tensor) -> tuple[Tensor, ...]:
    return features.split(max(1, _ELEMENTS // features.shape[1]))


def _columns(features: Tensor) -> tuple[Tensor, ...]:
    return features.split(max(1, _ELEMENTS // len(features)), dim=1)


class _Product(torch.autograd.Function):
    """x @ weight.T in the precision of the weight. Only a part of x is converted at once."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.x = x
        return torch.cat([part.to(weight.dtype) @ weight.T for part in _rows(x)])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        parts = _rows(ctx.x)
        products = [g.T @ part.to(g.dtype) for part, g in zip(parts, gradient.split(len(parts[0])), strict=True)]
        return None, torch.stack(products).sum(0)


def _search(
    x: Tensor, precision: torch.dtype, labels: Tensor, whitened: Tensor, bias: Tensor, unwhiten: Tensor, C: float
) -> float:
    """Improve `whitened` and `bias` in place, with products with x in the precision.

    Returns: the largest entry of the gradient for W and the bias.
    """
    optimizer = Lbfgs(
        [whitened, bias],
        max_iter=_ITERATIONS,
        tolerance_grad=_TOLERANCE,
        tolerance_change=0,
        history_size=20,
        line_search_fn="strong_wolfe",
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        weight = whitened @ unwhiten
        value = cross_entropy(_Product.apply(x, weight.to(precision)).double() + bias, labels)
        value = value + weight.square().sum() / (2 * C * len(x))
        value.backward()
        return value

    optimizer.step(loss)
    loss()
    # The chain rule backwards: whitened.grad = weight.grad @ unwhiten.T
    weight_gradient = torch.linalg.solve_triangular(unwhiten.T, whitened.grad, upper=True, left=False)
    return max(weight_gradient.abs().max().item(), bias.grad.abs().max().item())
