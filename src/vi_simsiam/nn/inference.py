"""Faster inference on CPUs, for encoders that are not trained again."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vi_simsiam.nn.efficientnet_lite import EfficientNetLite0, Residual, StridedConvolution

PACKAGES = ("onnx", "onnxruntime")
_INPUT = "images"
_TOLERANCE = 1e-3  # of the largest feature


class FastEncoder(nn.Module):
    """An encoder for inference only. It takes batches of one fixed size, from any thread.

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
    """A faster encoder whose features differ by rounding only; the encoder itself if they would change.

    EfficientNet-Lite0 runs in ONNX Runtime if that is installed, in a third of the CPU time that torch needs. Other
    encoders are traced, with batch norms folded into convolutions: for ResNets and vision transformers, ONNX Runtime
    takes up to twice torch's time. The size of a batch is fixed.

    Args:
        encoder: in evaluation mode, with an attribute `dim`.
        example: (B, C, H, W) standardised images.
    """
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit calls itself deprecated
        expected = encoder(example)
        compute = None
        if isinstance(encoder, EfficientNetLite0):
            compute = _in_onnx_runtime(encoder, example)
        if compute is None:
            compute = torch.jit.freeze(torch.jit.trace(encoder, example, check_trace=False).eval())
        same = torch.allclose(compute(example), expected, rtol=0, atol=_TOLERANCE * float(expected.abs().max()))
    return FastEncoder(compute, encoder.dim) if same else encoder


def _in_onnx_runtime(encoder: EfficientNetLite0, example: Tensor) -> Callable[[Tensor], Tensor] | None:
    """Compute features in a session that starts no threads. Returns: None if a package is missing."""
    try:
        import onnxruntime

        graph = onnx_graph(encoder.net, example.shape)
    except ImportError:
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return lambda images: torch.from_numpy(session.run(None, {_INPUT: images.contiguous().numpy()})[0])


def onnx_graph(network: nn.Module, shape: Sequence[int]) -> bytes:
    """The ONNX file of a network of EfficientNet-Lite's layers, in evaluation mode.

    Torch's exporter takes half a second, and its separate padding before each strided convolution makes ONNX Runtime a
    third slower.

    Args:
        network: a sequence of layers, some of them in `Residual` blocks.
        shape: of the input, (B, C, H, W).

    Raises: ImportError without the package onnx.
    """
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[Any] = []
    weights: list[Any] = []

    def constant(tensor: Tensor) -> str:
        weights.append(numpy_helper.from_array(tensor.detach().contiguous().numpy(), f"weight{len(weights)}"))
        return weights[-1].name

    def node(operator: str, *inputs: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(operator, inputs, [f"value{len(nodes)}"], **attributes))
        return nodes[-1].output[0]

    def layer(module: nn.Module, x: str) -> str:
        if isinstance(module, nn.Sequential):
            y = x
            for child in module:
                y = layer(child, y)
            return node("Add", y, x) if isinstance(module, Residual) else y
        if isinstance(module, nn.Conv2d):
            same = isinstance(module, StridedConvolution)
            padding = {"auto_pad": "SAME_UPPER"} if same else {"pads": [module.padding[0]] * 4}
            return node("Conv", x, constant(module.weight), strides=module.stride, group=module.groups, **padding)
        if isinstance(module, nn.BatchNorm2d):
            numbers = (module.weight, module.bias, module.running_mean, module.running_var)
            return node("BatchNormalization", x, *map(constant, numbers), epsilon=module.eps)
        if isinstance(module, nn.ReLU6):
            return node("Clip", x, *bounds)
        return node({nn.AdaptiveAvgPool2d: "GlobalAveragePool", nn.Flatten: "Flatten"}[type(module)], x)

    bounds = constant(torch.tensor(0.0)), constant(torch.tensor(6.0))
    output = helper.make_tensor_value_info(layer(network, _INPUT), TensorProto.FLOAT, None)
    images = helper.make_tensor_value_info(_INPUT, TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, "encoder", [images], [output], weights)
    # Versions of 2022: by default onnx writes the newest ones, which an older runtime refuses.
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    file: bytes = model.SerializeToString()
    return file
