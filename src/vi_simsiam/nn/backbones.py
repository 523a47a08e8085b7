"""ResNet encoders of any width (He et al. 2016, arXiv 1512.03385), with torchvision's layers and names of parameters.

The blocks are defined here because importing torchvision takes longer than a whole short job.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

_ONEDNN_BLOCK = 16  # most channels that it treats as one block (oneDNN's issue 6035)
_FEW_PIXELS = 4


class Convolution(nn.Conv2d):
    """A square convolution. If the output has few pixels, each pixel is computed as a matrix product.

    oneDNN, torch's library on CPUs, takes up to four times as long for few pixels and their gradients.
    """

    def forward(self, images: Tensor) -> Tensor:
        rows, columns = (self._taps(size) for size in images.shape[2:])
        if len(rows) * len(columns) > _FEW_PIXELS:
            return super().forward(images)
        x, weight = images.permute(0, 2, 3, 1), self.weight.permute(0, 2, 3, 1)
        pixels = [
            nn.functional.linear(x[:, seen, across].flatten(1), weight[:, taken, beside].flatten(1))
            for seen, taken in rows
            for across, beside in columns
        ]
        return torch.stack(pixels, dim=1).unflatten(1, (len(rows), len(columns))).permute(0, 3, 1, 2)

    def _taps(self, size: int) -> list[tuple[slice, slice]]:
        """For each output along a side of `size` pixels: the pixels it reads, and the part of the kernel it uses."""
        kernel, padding = self.kernel_size[0], int(self.padding[0])
        firsts = range(-padding, size + padding - kernel + 1, self.stride[0])
        spans = [(first, max(first, 0), min(first + kernel, size)) for first in firsts]
        return [(slice(start, end), slice(start - first, end - first)) for first, start, end in spans]


class _Projection(Convolution):
    """A strided 1 x 1 convolution. With few channels, a plain one of every `stride`-th pixel: the same sums.

    With few channels, oneDNN writes the weight gradient of a strided one past the end of its memory.
    """

    def forward(self, images: Tensor) -> Tensor:
        if self.in_channels >= _ONEDNN_BLOCK:
            return super().forward(images)
        step = self.stride[0]
        return nn.functional.conv2d(images[:, :, ::step, ::step], self.weight)


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions, the first with the stride, and a shortcut that adds the input to their result.

    Args:
        inputs, planes: channels of the input and of the output.
        stride: of the block.
        downsample: layer of the shortcut that gives the input the shape of the output; None if it has that shape.
    """

    expansion = 1

    def __init__(self, inputs: int, planes: int, stride: int, downsample: nn.Module | None):
        super().__init__()
        self.conv1 = Convolution(inputs, planes, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = Convolution(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class Bottleneck(nn.Module):
    """A 3 x 3 convolution with the stride between two of 1 x 1. Arguments as of `BasicBlock`; 4 x planes outputs."""

    expansion = 4

    def __init__(self, inputs: int, planes: int, stride: int, downsample: nn.Module | None):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = Convolution(planes, planes, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, planes * self.expansion, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(planes * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


_Block = type[BasicBlock] | type[Bottleneck]
_LAYOUTS: dict[str, tuple[_Block, tuple[int, ...]]] = {
    "resnet10": (BasicBlock, (1, 1, 1, 1)),
    "resnet18": (BasicBlock, (2, 2, 2, 2)),
    "resnet34": (BasicBlock, (3, 4, 6, 3)),
    "resnet50": (Bottleneck, (3, 4, 6, 3)),
}


class ResNet(nn.Module):
    """Map images to features. Parameter names are torchvision's, so its weights load at width 64 and stem 7x7.

    Args:
        name: resnet10, resnet18, resnet34 or resnet50.
        width: channels of the first stage; 64 is the standard network.
        stem: "3x3" (stride 1, for 32 px and less), "3x3/2" (stride 2), "7x7" (stride 2 and max-pool, ImageNet's).
        channels: 1 for grey images, 3 for colour.

    Attributes:
        dim: number of features, 8 x width for the basic block and 32 x width for resnet50's bottleneck.
    """

    def __init__(self, name: str, width: int, stem: str, channels: int):
        super().__init__()
        block, depths = _LAYOUTS[name]
        kernel, stride = {"3x3": (3, 1), "3x3/2": (3, 2), "7x7": (7, 2)}[stem]
        self.conv1 = nn.Conv2d(channels, width, kernel, stride, padding=kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if stem == "7x7" else nn.Identity()
        inputs = width
        for i, depth in enumerate(depths):
            planes = width * 2**i
            self.add_module(f"layer{i + 1}", _stage(block, inputs, planes, depth, stride=1 if i == 0 else 2))
            inputs = planes * block.expansion
        self.dim = inputs
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) normalised images to (B, dim) features, averaged over positions."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return x.mean(dim=(2, 3))


def _stage(block: _Block, inputs: int, planes: int, depth: int, stride: int) -> nn.Sequential:
    outputs = planes * block.expansion
    downsample = None
    if stride != 1 or inputs != outputs:
        downsample = nn.Sequential(_Projection(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
    first = block(inputs, planes, stride, downsample)
    return nn.Sequential(first, *(block(outputs, planes, 1, None) for _ in range(depth - 1)))


def mlp(inputs: int, hidden: int, outputs: int, layers: int, last_norm: bool = False) -> nn.Sequential:
    """Linear-BN-ReLU blocks and a last linear layer, as SimSiam's projector and predictor (arXiv 2011.10566, sec. 3).

    Args:
        inputs, hidden, outputs: widths.
        layers: number of linear layers, >= 1.
        last_norm: end on a batch norm without affine parameters (the projector's; the predictor has none).
    """
    widths = [inputs] + [hidden] * (layers - 1)
    modules: list[nn.Module] = []
    for before, after in pairwise(widths):
        modules += [nn.Linear(before, after, bias=False), nn.BatchNorm1d(after), nn.ReLU(inplace=True)]
    modules.append(nn.Linear(widths[-1], outputs, bias=not last_norm))
    if last_norm:
        modules.append(nn.BatchNorm1d(outputs, affine=False))
    return nn.Sequential(*modules)
