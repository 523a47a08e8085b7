"""The precision of float32 on a GPU."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def exact_float32() -> Iterator[None]:
    """Context or decorator in which a GPU computes float32 in full precision, as a CPU does.

    By default, cuDNN rounds the inputs of convolutions to TF32 (10 bits after the point), and the environment variable
    TORCH_ALLOW_TF32_CUBLAS_OVERRIDE does the same for matrix products. Operations in bf16 under autocast stay in bf16.
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
