"""The precision of float32 on a GPU."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def exact_float32() -> Iterator[None]:
    """In this block, or function as a decorator, a GPU computes convolutions of float32 in float32, as a CPU does.

    Left to itself cuDNN rounds their inputs to TF32, to 10 bits after the point; matrix products are float32 by
    default. What autocast computes in bf16 stays so.
    """
    convolution = torch.backends.cudnn.conv
    before = convolution.fp32_precision
    convolution.fp32_precision = "ieee"
    try:
        yield
    finally:
        convolution.fp32_precision = before
