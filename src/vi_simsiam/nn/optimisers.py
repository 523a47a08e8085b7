"""torch's optimisers without the import of torch._dynamo, which takes two seconds: half of a short job's start.

torch wraps their methods to exclude them from compilation, and the wrappers import torch._dynamo when they are called.
The methods here are the unwrapped ones, so results are the same to the bit.
"""

import inspect

import torch
from torch.optim import Optimizer


class Sgd(torch.optim.SGD):
    """Stochastic gradient descent. Arguments as of torch.optim.SGD."""

    add_param_group = inspect.unwrap(Optimizer.add_param_group)
    zero_grad = inspect.unwrap(Optimizer.zero_grad)
    step = torch.no_grad()(inspect.unwrap(torch.optim.SGD.step))


class Lbfgs(torch.optim.LBFGS):
    """Limited-memory BFGS. Arguments as of torch.optim.LBFGS."""

    add_param_group = inspect.unwrap(Optimizer.add_param_group)
    zero_grad = inspect.unwrap(Optimizer.zero_grad)
