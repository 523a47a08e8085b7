"""Encoders that are not trained again, made faster on a CPU."""

import io
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from vi_simsiam.nn.efficientnet_lite import EfficientNetLite0

PACKAGES = ("onnx", "onnxruntime")  # torch's exporter needs the first
_TOLERANCE = 1e-3  # of the largest feature


class FastEncoder(nn.Module):
    """An encoder for inference alone. It takes batches of the size that it was made with, from any thread.

    Attributes:
        compute: (B, C, H, W) standardised images to (B, dim) features.
        dim: number of features.
    """

    def __init__(self, compute: Callable[[Tensor], Tensor], dim: int):
        super().__init__()
        self.compute, self.dim = compute, dim

    def forward(self, images: Tensor) -> Tensor:
        return self.compute(images)


def fast_encoder(encoder: nn.Module, example: Tensor) -> nn.Module:
    """A faster encoder with the same features but for rounding, or the encoder itself where they would change.

    EfficientNet-Lite0 runs in ONNX Runtime where that is installed: it takes 40 % of its CPU time in torch, and the
    export takes a second. Other encoders are traced, with batch norms folded into convolutions, because ONNX Runtime
    takes up to twice torch's time for ResNets and vision transformers. The size of a batch is fixed: with any size
    EfficientNet-Lite0 takes half as long again.

    Args:
        encoder: in evaluation mode, with an attribute `dim`.
        example: (B, C, H, W) standardised images.
    """
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit and the exporter call themselves deprecated
        expected = encoder(example)
        compute = None
        if isinstance(encoder, EfficientNetLite0):
            compute = _in_onnx_runtime(encoder, example)
        if compute is None:
            compute = torch.jit.freeze(torch.jit.trace(encoder, example, check_trace=False).eval())
        same = torch.allclose(compute(example), expected, rtol=0, atol=_TOLERANCE * float(expected.abs().max()))
    return FastEncoder(compute, encoder.dim) if same else encoder


def _in_onnx_runtime(encoder: nn.Module, example: Tensor) -> Callable[[Tensor], Tensor] | None:
    """Features by a session that starts no thread of its own. Returns: None where a package is missing."""
    try:
        import onnx  # noqa: F401
        import onnxruntime
    except ImportError:
        return None
    file = io.BytesIO()
    torch.onnx.export(encoder, (example.contiguous(),), file, dynamo=False)  # the newer one takes ten times as long
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(file.getvalue(), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: torch.from_numpy(session.run(None, {name: images.contiguous().numpy()})[0])
