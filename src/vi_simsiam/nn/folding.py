"""Encoders that are not trained any more, with their batch norms folded into the convolutions before them."""

import warnings

import torch
from torch import Tensor, nn

_TOLERANCE = 1e-3  # of the largest feature


class Folded(nn.Module):
    """A traced encoder. It takes batches of the size that it was traced with.

    Attributes:
        dim: number of features.
    """

    def __init__(self, traced: nn.Module, dim: int):
        super().__init__()
        self.traced, self.dim = traced, dim

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) standardised images to (B, dim) features."""
        return self.traced(images)


def folded(encoder: nn.Module, example: Tensor) -> nn.Module:
    """A faster encoder with the same features but for rounding, or the encoder itself where tracing changes them.

    EfficientNet-Lite0 takes half of the time on a CPU. Tracing takes as long as 120 to 250 images.

    Args:
        encoder: in evaluation mode, with an attribute `dim`.
        example: (B, C, H, W) standardised images.
    """
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit calls itself deprecated; of its successors none is as fast
        expected = encoder(example)
        traced = torch.jit.freeze(torch.jit.trace(encoder, example, check_trace=False).eval())
        same = torch.allclose(traced(example), expected, rtol=0, atol=_TOLERANCE * float(expected.abs().max()))
    return Folded(traced, encoder.dim) if same else encoder
