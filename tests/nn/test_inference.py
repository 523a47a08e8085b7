"""Faster encoders give the same features."""

import sys
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import Mock

import onnxruntime
import pytest
import torch
from torch import nn

from vi_simsiam.nn import inference
from vi_simsiam.nn.backbones import ResNet
from vi_simsiam.nn.efficientnet_lite import EfficientNetLite0
from vi_simsiam.nn.inference import PACKAGES, FastEncoder, fast_encoder


def seen(encoder):
    """The encoder in evaluation mode, with statistics in its batch norms."""
    torch.manual_seed(0)
    encoder.train()
    for _ in range(5):
        encoder(torch.randn(8, 3, 32, 32) + 1)
    return encoder.eval()


@pytest.fixture(scope="module")
def lite():
    return seen(EfficientNetLite0())


@pytest.fixture
def runtime(monkeypatch):
    """The class that makes sessions of ONNX Runtime; it counts them."""
    counted = Mock(wraps=onnxruntime.InferenceSession)
    monkeypatch.setattr(onnxruntime, "InferenceSession", counted)
    return counted


def check(encoder, size=32):
    fast, images = fast_encoder(encoder, torch.randn(16, 3, size, size)), torch.randn(16, 3, size, size)
    assert isinstance(fast, FastEncoder) and fast.dim == encoder.dim
    with torch.no_grad():
        torch.testing.assert_close(fast(images), encoder(images), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(fast(images.to(memory_format=torch.channels_last)), fast(images))
    return fast


@pytest.mark.parametrize("size", [32, 33, 96])  # strided convolutions pad an odd and an even side differently
def test_efficientnet_lite_in_onnx_runtime_gives_its_features_but_for_rounding(lite, runtime, size):
    check(lite, size)
    assert runtime.call_count == 1


@pytest.mark.parametrize("package", PACKAGES)
def test_without_a_package_it_is_traced(lite, runtime, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    check(lite)
    assert not runtime.called


def test_others_are_traced_and_their_batch_norms_folded(runtime):
    encoder = seen(ResNet("resnet10", 8, "3x3/2", 3))
    fast = check(encoder)
    norms = sum(isinstance(module, nn.BatchNorm2d) for module in encoder.modules())
    assert sum(node.kind() == "aten::batch_norm" for node in fast.compute.graph.nodes()) < norms
    assert not runtime.called


def test_threads_encode_at_once_to_the_bit(lite):
    fast = fast_encoder(lite, torch.randn(16, 3, 32, 32))
    batches = [torch.randn(16, 3, 32, 32) for _ in range(8)]
    one_by_one = [fast(batch) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(fast, batches))
    assert all(torch.equal(*pair) for pair in zip(one_by_one, together, strict=True))


def test_an_encoder_whose_features_would_change_stays_as_it_is(lite, monkeypatch):
    monkeypatch.setattr(inference, "_in_onnx_runtime", lambda encoder, example: lambda images: encoder(images) * 1.01)
    assert fast_encoder(lite, torch.randn(16, 3, 32, 32)) is lite
