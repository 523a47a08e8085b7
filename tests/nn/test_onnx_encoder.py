"""Encoders in ONNX Runtime give the features that they gave before."""

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

from vi_simsiam.nn.backbones import ResNet
from vi_simsiam.nn.onnx_encoder import PACKAGES, OnnxEncoder, in_onnx_runtime


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    encoder = ResNet("resnet10", 8, "3x3/2", 3).train()
    for _ in range(5):
        encoder(torch.randn(8, 3, 16, 16) + 1)  # its batch norms have seen something
    return encoder.eval()


def test_features_change_by_rounding_alone(encoder):
    fast = in_onnx_runtime(encoder, torch.randn(16, 3, 16, 16))
    images = torch.randn(16, 3, 16, 16)
    assert isinstance(fast, OnnxEncoder) and fast.dim == encoder.dim
    with torch.no_grad():
        torch.testing.assert_close(fast(images), encoder(images), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(fast(images.to(memory_format=torch.channels_last)), fast(images), rtol=0, atol=0)


def test_threads_encode_at_once_and_each_alone(encoder):
    """The session starts no thread of its own, and its features are those of one thread, to the bit."""
    fast = in_onnx_runtime(encoder, torch.randn(16, 3, 16, 16))
    batches = [torch.randn(16, 3, 16, 16) for _ in range(8)]
    one_by_one = [fast(batch) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(fast, batches))
    assert all(torch.equal(*pair) for pair in zip(one_by_one, together, strict=True))
    options = fast.session.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)


class Conditional(nn.Module):
    """An encoder whose computation differs from call to call, which an export cannot hold."""

    dim, calls = 2, 0

    def forward(self, images):
        self.calls += 1
        return images.mean((2, 3))[:, :2] * self.calls


class Unknown(nn.Module):
    """An encoder with an operation that ONNX does not have."""

    dim = 4

    def forward(self, images):
        return torch.linalg.eigvalsh(images.mean(1))


@pytest.mark.parametrize("stays", [Conditional(), Unknown()], ids=["differs", "cannot be exported"])
def test_an_encoder_that_cannot_be_exported_stays_as_it_is(stays):
    assert in_onnx_runtime(stays, torch.ones(16, 3, 4, 4)) is stays


@pytest.mark.parametrize("package", PACKAGES)
def test_without_a_package_the_encoder_stays_as_it_is(encoder, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    assert in_onnx_runtime(encoder, torch.ones(16, 3, 16, 16)) is encoder
