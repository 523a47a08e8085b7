"""The precision of float32 on a GPU."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def exact_float32() -> Iterator[None]:
    """In this block, or function as a decorator, a GPU computes with float32 in float32, as a CPU does.

    Left to itself cuDNN rounds the inputs of convolutions to TF32, to 10 bits after the point, and the environment
    (TORCH_ALLOW_TF32_CUBLAS_OVERRIDE) can have those of matrix products rounded. What autocast computes in bf16 stays
    so.
    """
    kinds = torch.backends.cudnn.conv, torch.backends.cuda.matmul
    before = [kind.fp32_precision for kind in kinds]
    for kind in kinds:
        kind.fp32_precision = "ieee"
    try:
        yield
    finally:
        for kind, precision in zip(kinds, before, strict=True):
            kind.fp32_precision = precision
