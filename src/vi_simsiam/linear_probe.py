"""Linear probe: converged multinomial logistic regression on frozen features."""

from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor
from torch.nn.functional import cross_entropy

from vi_simsiam.errors import Problem
from vi_simsiam.files import replacing

_EVALUATIONS = 2000
# Largest entry of the gradient of the mean loss at which the fit counts as converged.
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class LinearProbe:
    """p(class | features) = softmax(weight . (features - mean) / std + bias).

    Attributes:
        weight: (classes, dim); bias: (classes,); mean, std: (dim,), of the training features.
        gradient: largest absolute entry of the loss gradient where the fit stopped.
    """

    weight: Tensor
    bias: Tensor
    mean: Tensor
    std: Tensor
    gradient: float = 0.0

    def probabilities(self, features: Tensor) -> Tensor:
        """(N, dim) features to (N, classes) probabilities, on the features' device."""
        weight, bias, mean, std = (t.to(features.device) for t in (self.weight, self.bias, self.mean, self.std))
        return torch.softmax((features.float() - mean) / std @ weight.T + bias, dim=-1)

    def save(self, path: Path) -> None:
        tensors = {name: getattr(self, name).cpu().contiguous() for name in ("weight", "bias", "mean", "std")}
        with replacing(path) as temporary:
            safetensors.torch.save_file(tensors, temporary)

    @classmethod
    def load(cls, path: Path) -> "LinearProbe":
        try:
            return cls(**safetensors.torch.load_file(path))
        except (OSError, SafetensorError, TypeError) as error:
            raise Problem(f"{path} cannot be used. Delete it and run the step `probe`. ({error})") from None


def fit(features: Tensor, labels: Tensor, classes: int, C: float = 1.0) -> LinearProbe:
    """Minimise C sum_i CE_i + |W|^2 / 2 over standardised features by full-batch L-BFGS, on the features' device.

    The objective is scikit-learn's LogisticRegression(C=C), whose solution is unique up to a constant in the bias.

    Args:
        features: (N, dim).
        labels: (N,) integers in [0, classes).
        classes: number of classes, >= 2.
        C: inverse regularisation strength, > 0.
    """
    mean = features.double().mean(0)
    std = features.double().std(0, unbiased=False)
    std = torch.where(std > 0, std, 1.0)  # a constant feature carries nothing; it becomes 0
    x = (features.double() - mean) / std
    # 0 is the optimum of no data: a start that depends on nothing.
    weight = torch.zeros(classes, x.shape[1], dtype=x.dtype, device=x.device, requires_grad=True)
    bias = torch.zeros(classes, dtype=x.dtype, device=x.device, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias],
        max_iter=_EVALUATIONS,
        tolerance_grad=_TOLERANCE,
        tolerance_change=0,
        history_size=20,
        line_search_fn="strong_wolfe",
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        penalty = weight.square().sum() / (2 * C * len(x))
        value = cross_entropy(x @ weight.T + bias, labels) + penalty
        value.backward()
        return value

    optimizer.step(loss)
    loss()
    gradient = max(weight.grad.abs().max().item(), bias.grad.abs().max().item())
    if not gradient < 100 * _TOLERANCE:
        print(
            f"warning: the linear probe stopped at a gradient of {gradient:.1e} (wanted {_TOLERANCE:.0e})", flush=True
        )
    return LinearProbe(*(t.detach().float() for t in (weight, bias, mean, std)), gradient=gradient)
