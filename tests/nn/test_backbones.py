import copy

import pytest
import torch
import torchvision

from vi_simsiam.nn.backbones import Convolution, ResNet, mlp


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50"])
def test_the_standard_width_is_torchvisions_network(name):
    torch.manual_seed(0)
    theirs = getattr(torchvision.models, name)(weights=None).eval()
    ours = ResNet(name, width=64, stem="7x7", channels=3).eval()
    missing, unexpected = ours.load_state_dict(theirs.state_dict(), strict=False)
    assert not missing and unexpected == ["fc.weight", "fc.bias"]
    theirs.fc = torch.nn.Identity()
    images = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(ours(images), theirs(images), rtol=1e-4, atol=1e-4)
    assert ours.dim == ours(images).shape[1] == (2048 if name == "resnet50" else 512)


@pytest.mark.parametrize("stem, side", [("3x3", 4), ("3x3/2", 2), ("7x7", 1)])
def test_stems_for_small_images(stem, side):
    net = ResNet("resnet10", width=8, stem=stem, channels=1).eval()
    sides = []
    net.layer4.register_forward_hook(lambda _m, _i, out: sides.append(out.shape[-1]))
    assert net(torch.zeros(2, 1, 32, 32)).shape == (2, 64)
    assert sides == [side]


def test_projector_layout():
    """SimSiam: no bias before a norm, no affine in the last norm, a bias in the predictor's last layer."""
    projector = mlp(16, 32, 8, layers=3, last_norm=True)
    kinds = [type(m).__name__ for m in projector]
    assert kinds == ["Linear", "BatchNorm1d", "ReLU", "Linear", "BatchNorm1d", "ReLU", "Linear", "BatchNorm1d"]
    assert not projector[-1].affine and projector[-2].bias is None
    predictor = mlp(8, 4, 8, layers=2)
    assert [type(m).__name__ for m in predictor] == ["Linear", "BatchNorm1d", "ReLU", "Linear"]
    assert predictor[-1].bias is not None


@pytest.mark.parametrize("width", [4, 8, 16])
def test_gradients_of_narrow_networks_are_those_of_double_precision(width):
    """oneDNN's strided 1 x 1 convolution ends the process here, or gives another gradient."""
    torch.manual_seed(0)
    images = torch.rand(8, 3, 56, 56, dtype=torch.float64)
    exact = ResNet("resnet10", width, "3x3", 3).double()
    single = copy.deepcopy(exact).float()
    exact(images).square().sum().backward()
    single(images.float().contiguous(memory_format=torch.channels_last)).square().sum().backward()
    for (name, p), q in zip(exact.named_parameters(), single.parameters(), strict=True):
        assert (p.grad - q.grad).norm() < 0.05 * p.grad.norm(), f"{name}: but for ReLUs that rounding turns"


@pytest.mark.parametrize("channels", [4, 16])
@pytest.mark.parametrize("kernel, stride", [(3, 1), (3, 2), (1, 2)])
@pytest.mark.parametrize("height, width", [(1, 1), (2, 2), (2, 1), (3, 3), (4, 3), (5, 4)])
def test_convolutions_of_few_pixels_are_torchs(height, width, kernel, stride, channels):
    torch.manual_seed(0)
    layer = Convolution(channels, 8, kernel, stride, padding=kernel // 2, bias=False).double()
    images = torch.randn(3, channels, height, width, dtype=torch.float64, requires_grad=True)
    theirs = torch.nn.functional.conv2d(images, layer.weight, stride=stride, padding=kernel // 2)
    ours = layer(images.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(ours, theirs)
    weights = torch.randn_like(theirs)
    inputs = [images, layer.weight]
    for a, b in zip(*(torch.autograd.grad((y * weights).sum(), inputs) for y in (ours, theirs)), strict=True):
        torch.testing.assert_close(a, b)
    few = theirs[0, 0].numel() <= 4
    assert ours.grad_fn.name().startswith("Permute" if few else "Convolution")
