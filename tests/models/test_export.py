"""ONNX: the same numbers as torch, for any number of images; a sentence without the packages."""

import sys

import numpy as np
import pytest
import torch

import vi_simsiam
from helpers.photographs import encoder, photographs
from vi_simsiam import __main__
from vi_simsiam.cli.rank import heads
from vi_simsiam.evaluation.features import batches


def call(*arguments):
    with pytest.raises(SystemExit) as ended:
        __main__.main([*map(str, arguments)])
    return ended.value.code


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    top = tmp_path_factory.mktemp("model")
    folder = photographs(top / "photos", range(8))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(heads, "_STEPS", 10)
        assert call("rank", folder, "--out", top / "out", "--encoder", encoder(top / "encoder")) == 0
    return top / "out/model"


def test_onnx_gives_the_numbers_of_torch(model, tmp_path, capsys):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    assert call("export", model, "--onnx", tmp_path / "model.onnx") == 0
    assert "images (N, 3, 16, 16) float32 in [0, 1] to features, kappa, expected_cosine" in capsys.readouterr().err
    session = runtime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == ["features", "kappa", "expected_cosine"]
    network = vi_simsiam.load(model, "cpu").network
    for count in (1, 2, 7):
        pixels = np.random.default_rng(count).integers(0, 256, (count, 16, 16, 3)).astype(np.uint8)
        (images,) = batches(pixels, count)
        with torch.no_grad():
            features = network.features(images)
            scores = network.certainty(features)
        outputs = session.run(None, {"images": images.numpy()})
        np.testing.assert_allclose(outputs[0], features, rtol=1e-3, atol=1e-4)
        for values, name in zip(outputs[1:], ("kappa", "expected_cosine"), strict=True):
            assert values.shape == (count,)
            np.testing.assert_allclose(values, scores[name], rtol=1e-3)


def test_without_the_packages_it_says_what_to_install(model, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert call("export", model, "--onnx", tmp_path / "model.onnx") == 1
    assert "needs onnx and onnxscript. Please install it: pip install 'vi-simsiam[onnx]'" in capsys.readouterr().err
    assert call("export", model, "--onnx", tmp_path / "model.pt") == 1
    assert "ends in .onnx" in capsys.readouterr().err and not list(tmp_path.iterdir())
