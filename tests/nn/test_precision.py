"""float32 is exact on a GPU: in no step does cuDNN round to TF32."""

import numpy as np
import pytest
import torch

from helpers.small import pretrain_params, views_of
from vi_simsiam.evaluation.features import batches, extract
from vi_simsiam.methods import ImageSpec, build
from vi_simsiam.nn.precision import exact_float32
from vi_simsiam.training import trainer

CONVOLUTION = torch.backends.cudnn.conv


@pytest.fixture(autouse=True)
def tf32(monkeypatch):
    """torch's default."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    assert CONVOLUTION.fp32_precision == "tf32"


@pytest.fixture
def seen(monkeypatch):
    """The setting in every convolution, and in its backward pass."""
    found = []
    convolve = torch.nn.Conv2d.forward

    def looks(self, images):
        found.append(("forward", CONVOLUTION.fp32_precision))
        result = convolve(self, images)
        if result.requires_grad:
            result.register_hook(lambda _: found.append(("backward", CONVOLUTION.fp32_precision)))
        return result

    monkeypatch.setattr(torch.nn.Conv2d, "forward", looks)
    return found


def test_a_training(seen, store):
    trainer.pretrain("simsiam", pretrain_params("simsiam", epochs=1, knn_every=1), store, views_of(store), 0)
    assert set(seen) == {("forward", "ieee"), ("backward", "ieee")}
    assert CONVOLUTION.fp32_precision == "tf32"


@pytest.mark.parametrize("frozen", [False, True])
def test_features(seen, frozen):
    params = pretrain_params("simsiam")
    params = params.model_copy(update={"backbone": params.backbone.model_copy(update={"frozen": frozen})})
    model = build("simsiam", params, ImageSpec(12, 1, (0.5,), (0.2,)))
    extract(model, batches(np.zeros((3, 12, 12, 1), np.uint8), 2))
    model.encode(torch.zeros(3, 1, 12, 12))
    assert set(seen) == {("forward", "ieee")} and CONVOLUTION.fp32_precision == "tf32"


def test_matrix_products_are_exact_too_and_an_error_restores_the_old_setting():
    """TORCH_ALLOW_TF32_CUBLAS_OVERRIDE=1 has matrix products rounded."""
    products = torch.backends.cuda.matmul
    before, products.fp32_precision = products.fp32_precision, "tf32"
    try:
        with pytest.raises(ValueError, match="inside"), exact_float32():
            assert products.fp32_precision == "ieee"
            raise ValueError("inside")
        assert products.fp32_precision == CONVOLUTION.fp32_precision == "tf32"
    finally:
        products.fp32_precision = before
