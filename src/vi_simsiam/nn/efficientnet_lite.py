"""EfficientNet-Lite0, an encoder for CPUs (Tan and Le 2019, arXiv 1905.11946; github.com/tensorflow/tpu, its Lite0).

Its layers have the names of timm's `tf_efficientnet_lite0` and give the same features. It is defined here because
importing timm takes two seconds, longer than `vi-simsiam score` needs for a hundred photographs.
"""

import math
from collections import OrderedDict

import torch
from torch import Tensor, nn

# For each stage after the first: blocks, kernel, stride of the first block, channels.
_STAGES = ((2, 3, 2, 24), (2, 5, 2, 40), (3, 3, 2, 80), (3, 5, 1, 112), (4, 5, 2, 192), (1, 3, 1, 320))
_EXPANSION = 6
_EPSILON = 1e-3  # of batch norms, in TensorFlow


class StridedConvolution(nn.Conv2d):
    """A strided convolution with TensorFlow's padding: an odd pixel is added at the end."""

    def forward(self, images: Tensor) -> Tensor:
        sides = [self._ends(int(size)) for size in images.shape[:1:-1]]
        return super().forward(nn.functional.pad(images, sum(sides, ())))

    def _ends(self, size: int) -> tuple[int, int]:
        """Pixels to add before and after a side of `size`, so that the output has ceil(size / stride)."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        padding = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
        return padding // 2, padding - padding // 2


class Residual(nn.Sequential):
    """Layers with a shortcut: their input is added to their output."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + x


class EfficientNetLite0(nn.Module):
    """Map images to the 1,280 features that its classifier reads.

    Attributes:
        net: the layers without the classifier, with random weights.
        dim: number of features.
        head: name of the classifier's layer, which is left out.
    """

    dim = 1280
    head = ("classifier",)

    def __init__(self) -> None:
        super().__init__()
        # timm draws these random numbers for a layer that it drops. Drawing them here gives the heads, which are
        # initialised later, the weights of the recorded results.
        torch.rand(144)
        first = _block(("conv_dw", _convolution(32, 32, 3, groups=32)), ("conv_pw", _convolution(32, 16, 1)))
        stages, channels = [nn.Sequential(first)], 16
        for blocks, kernel, stride, planes in _STAGES:
            stage = [_inverted(channels, planes, kernel, stride)]
            stage += [_inverted(planes, planes, kernel, 1) for _ in range(blocks - 1)]
            stages.append(nn.Sequential(*stage))
            channels = planes
        layers = {
            "conv_stem": _convolution(3, 32, 3, stride=2),
            "bn1": nn.BatchNorm2d(32, _EPSILON),
            "act1": nn.ReLU6(inplace=True),
            "blocks": nn.Sequential(*stages),
            "conv_head": _convolution(channels, self.dim, 1),
            "bn2": nn.BatchNorm2d(self.dim, _EPSILON),
            "act2": nn.ReLU6(inplace=True),
            "pool": nn.AdaptiveAvgPool2d(1),
            "flatten": nn.Flatten(),
        }
        self.net = nn.Sequential(OrderedDict(layers))

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) standardised images to (B, 1280) features."""
        return self.net(images)


def _inverted(inputs: int, planes: int, kernel: int, stride: int) -> nn.Sequential:
    """An inverted residual block (Sandler et al. 2018, arXiv 1801.04381)."""
    wide = inputs * _EXPANSION
    convolutions = (
        ("conv_pw", _convolution(inputs, wide, 1)),
        ("conv_dw", _convolution(wide, wide, kernel, stride, groups=wide)),
        ("conv_pwl", _convolution(wide, planes, 1)),
    )
    return _block(*convolutions, residual=stride == 1 and inputs == planes)


def _block(*convolutions: tuple[str, nn.Conv2d], residual: bool = False) -> nn.Sequential:
    """Convolutions, each with a batch norm, and an activation after all but the last."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for number, (name, convolution) in enumerate(convolutions, 1):
        layers |= {name: convolution, f"bn{number}": nn.BatchNorm2d(convolution.out_channels, _EPSILON)}
        if number < len(convolutions):
            layers[f"act{number}"] = nn.ReLU6(inplace=True)
    return (Residual if residual else nn.Sequential)(layers)


def _convolution(inputs: int, planes: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """A convolution without bias, initialised as in the paper."""
    if stride == 1:
        layer = nn.Conv2d(inputs, planes, kernel, padding=kernel // 2, groups=groups, bias=False)
    else:
        layer = StridedConvolution(inputs, planes, kernel, stride, groups=groups, bias=False)
    with torch.no_grad():
        layer.weight.normal_(0, (kernel**2 * planes // groups / 2) ** -0.5)
    return layer
