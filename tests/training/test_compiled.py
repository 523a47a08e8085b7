"""A training whose encoder is compiled trains as one that is not, from one graph for each way it is used."""

from functools import partial

import pytest
import torch

from helpers.small import digits_store, pretrain_params
from vi_simsiam.config.schema import AugmentationParams
from vi_simsiam.core.errors import Problem
from vi_simsiam.training import devices, trainer
from vi_simsiam.transforms.views import Views

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return digits_store(tmp_path_factory.mktemp("digits"))


@pytest.fixture
def dynamo():
    distribution = torch.distributions.Distribution
    validates = distribution._validate_args
    torch._dynamo.reset()
    yield torch._dynamo
    torch._dynamo.reset()
    distribution.set_default_validate_args(validates)  # which torch.compile switches off for the whole process


def pretrain(method, store, device=CPU, **changes):
    augmentation = Views(AugmentationParams(**store.augmentation), store.size, store.channels)
    return trainer.pretrain(method, pretrain_params(method, **changes), store, augmentation, 0, device=device)


def assert_alike(found, expected, tolerance):
    (model, rows), (expected_model, expected_rows) = found, expected
    for row, expected_row in zip(rows, expected_rows, strict=True):
        assert row["loss"] == pytest.approx(expected_row["loss"], abs=tolerance)
        assert row["knn_top1"] == pytest.approx(expected_row["knn_top1"], abs=0.05)
    for name, weights in expected_model.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], weights, rtol=tolerance, atol=tolerance, msg=name)


@pytest.mark.parametrize(("method", "ways"), [("simsiam", 1), ("dino", 2)])  # DINO's teacher learns no gradient
def test_a_compiled_encoder_trains_alike_and_is_compiled_once(method, ways, store, dynamo, monkeypatch):
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return dynamo.lookup_backend("aot_eager")(graph, inputs)

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend, fullgraph=True))
    expected = pretrain(method, store, knn_every=1)
    assert not graphs
    found = pretrain(method, store, knn_every=1, compile=True)
    assert len(graphs) == ways, "neither an epoch nor an evaluation compiles it anew"
    assert_alike(found, expected, tolerance=1e-4)
    assert "forward" not in vars(found[0].backbone), "what is compiled does not leave the training"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_what_inductor_makes_trains_alike(store, dynamo):
    """On a GPU alone: for a CPU inductor compiles for a quarter of an hour."""
    run = partial(pretrain, "simsiam", store, torch.device("cuda"), knn_every=1)
    assert_alike(run(compile=True), run(), tolerance=1e-2)


def test_where_torch_cannot_compile_it_is_said(store, dynamo, monkeypatch):
    def backend(graph, inputs):
        raise FileNotFoundError("g++")

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    with pytest.raises(Problem, match=r"pretrain\.compile: torch\.compile fails here \(.*g\+\+.*\)\. Set it to false"):
        pretrain("simsiam", store, compile=True)


def test_several_devices_do_not_compile():
    with pytest.raises(Problem, match=r"pretrain\.compile is for one device"):
        devices.check_devices(pretrain_params("simsiam", compile=True, devices=2, sync_batchnorm=False), CPU)
