"""The other methods with a certainty: a trained model's folder scores images and becomes ONNX as VI-SimSiam's does."""

import numpy as np
import pytest
import torch
from PIL import Image

import vi_simsiam
from helpers.small import SHIPPED, digits_store, merged
from vi_simsiam.config.loading import resolve
from vi_simsiam.config.schema import AugmentationParams, parse
from vi_simsiam.core.record import RunRecord
from vi_simsiam.evaluation.features import batches
from vi_simsiam.models import export, reference, saved
from vi_simsiam.training import trainer
from vi_simsiam.transforms.views import Views

TINY = {"epochs": 2, "batch_size": 32, "knn_every": 2, "backbone": {"name": "resnet10", "width": 4, "stem": "3x3/2"}}


RIVALS = ("mcinfonce", "temperature", "concentration", "exponential")


@pytest.mark.slow
@pytest.mark.parametrize("method", RIVALS)
def test_a_folder_scores_images_and_becomes_onnx(method, tmp_path):
    store, folder = digits_store(tmp_path), tmp_path / "model"
    params = merged(resolve(SHIPPED, "pretrain", "digits", method), TINY)
    views = Views(AugmentationParams(**store.augmentation), store.size, store.channels)
    network, history = trainer.pretrain(method, parse("pretrain", params, method), store, views, seed=0)
    assert 0 <= history[-1]["certainty_auroc"] <= 1
    saved.save(folder, network, saved.describe(method, params, network.images, dataset="digits"))
    reference.write(folder, network, store)
    RunRecord("pretrain", params).write(folder)

    model, pixels = vi_simsiam.load(folder, "cpu"), store.images("test")[:7]
    (name,) = network.certainty_scores
    with torch.no_grad():
        expected = network.certainty(network.features(next(batches(pixels, 7))))[name].numpy()
    assert np.ptp(expected) > 0
    (tmp_path / "photos").mkdir()
    for i, image in enumerate(pixels):
        Image.fromarray(image[..., 0]).save(tmp_path / f"photos/{i}.png")
    table = model.score([tmp_path / "photos"])
    assert (
        table.columns.tolist() == ["path", name, "percentile", "knn_density"]
        and table["percentile"].between(0, 100).all()
    )
    np.testing.assert_allclose(table[name], expected, rtol=1e-5)

    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    assert export.write(model, tmp_path / "model.onnx") == ("features", name)
    session = runtime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    (images,) = batches(pixels, 7)
    np.testing.assert_allclose(session.run(None, {"images": images.numpy()})[1], expected, rtol=1e-3)
