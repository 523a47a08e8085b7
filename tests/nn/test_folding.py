"""Folded encoders give the features that they gave before."""

import torch
from torch import nn

from vi_simsiam.nn.backbones import ResNet
from vi_simsiam.nn.folding import Folded, folded


def test_folding_changes_features_by_rounding_alone():
    torch.manual_seed(0)
    encoder = ResNet("resnet10", 8, "3x3/2", 3).train()
    for _ in range(5):
        encoder(torch.randn(8, 3, 16, 16) + 1)  # its batch norms have seen something
    encoder.eval()
    fast = folded(encoder, torch.randn(16, 3, 16, 16))
    images = torch.randn(16, 3, 16, 16)
    assert isinstance(fast, Folded) and fast.dim == encoder.dim
    with torch.no_grad():
        torch.testing.assert_close(fast(images), encoder(images), rtol=1e-4, atol=1e-4)
    norms = sum(isinstance(module, nn.BatchNorm2d) for module in encoder.modules())
    assert sum(node.kind() == "aten::batch_norm" for node in fast.traced.graph.nodes()) < norms


class Conditional(nn.Module):
    """An encoder whose computation differs from call to call, which a trace cannot hold."""

    dim, calls = 2, 0

    def forward(self, images):
        self.calls += 1
        return images.mean((2, 3))[:, :2] * self.calls


def test_an_encoder_that_tracing_changes_stays_as_it_is():
    encoder = Conditional()
    assert folded(encoder, torch.ones(16, 3, 4, 4)) is encoder
