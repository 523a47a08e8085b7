"""ONNX: the same numbers as torch, for any number of images; a sentence without the packages."""

import sys

import numpy as np
import pytest
import torch

import vi_simsiam
from helpers.models import untaught
from helpers.photographs import command
from vi_simsiam.config.schema import METHODS
from vi_simsiam.evaluation.features import batches
from vi_simsiam.methods import method_class

OTHERS = [name for name in METHODS if method_class(name).certainty_scores and name != "vi_simsiam"]


@pytest.mark.parametrize("method", ["vi_simsiam", *(pytest.param(name, marks=pytest.mark.nightly) for name in OTHERS)])
def test_onnx_gives_the_numbers_of_torch(method, store, tmp_path, capsys):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    model = untaught(tmp_path / "model", store, method)
    assert command("export", model, "--onnx", tmp_path / "model.onnx") == 0
    names = ["features", *method_class(method).certainty_scores]
    assert f"images (N, 1, 12, 12) float32 in [0, 1] to {', '.join(names)}" in capsys.readouterr().err
    session = runtime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == names
    network = vi_simsiam.load(model, "cpu").network
    for count in (1, 2, 7):
        (images,) = batches(store.images("test")[:count], count)
        with torch.no_grad():
            features = network.features(images)
            scores = network.own_scores(features, images)
        outputs = session.run(None, {"images": images.numpy()})
        np.testing.assert_allclose(outputs[0], features, rtol=1e-3, atol=1e-4)
        for values, name in zip(outputs[1:], names[1:], strict=True):
            assert values.shape == (count,)
            np.testing.assert_allclose(values, scores[name], rtol=1e-3)
    assert np.ptp(outputs[1]) > 0


def test_without_the_packages_it_says_what_to_install(store, tmp_path, capsys, monkeypatch):
    model = untaught(tmp_path / "model", store)
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert command("export", model, "--onnx", tmp_path / "model.onnx") == 1
    assert "needs onnx and onnxscript. Please install it: pip install 'vi-simsiam[onnx]'" in capsys.readouterr().err
    assert command("export", model, "--onnx", tmp_path / "model.pt") == 1
    assert "ends in .onnx" in capsys.readouterr().err and list(tmp_path.iterdir()) == [model]
