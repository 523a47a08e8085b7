"""A method with a second network and a score of images, from docs/extending.md, from its training to its scores."""

import json
import re
import sys
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch.nn.functional import normalize

import vi_simsiam
from helpers.models import scorer
from helpers.photographs import rank
from helpers.project import ROOT
from helpers.small import SHIPPED, merged, pretrain_params, views_of
from vi_simsiam.config.loading import resolve
from vi_simsiam.config.schema import METHOD_PARAMS, SimSiamTraining, parse
from vi_simsiam.core.record import RunRecord
from vi_simsiam.evaluation import scores
from vi_simsiam.evaluation.features import batches, extract
from vi_simsiam.evaluation.per_image import evaluate, own_scores
from vi_simsiam.models import export, reference, saved
from vi_simsiam.training import trainer

NAME = "simsiam_averaged"
PAGE = (ROOT / "docs/extending.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module", autouse=True)
def method():
    """The page's method, as if it were among the project's."""
    (block,) = re.findall(rf"^# src/vi_simsiam/methods/{NAME}\.py\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    module = ModuleType(f"vi_simsiam.methods.{NAME}")
    exec(compile(block, "docs/extending.md", "exec"), module.__dict__)
    row = scores.Score("target_cosine", "a toy", "[-1, 1]", explained="The cosine with a target.", method=NAME)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, module.__name__, module)
        patch.setitem(METHOD_PARAMS, NAME, SimSiamTraining)
        patch.setitem(scores.SCORES, row.name, row)
        patch.setattr(scores, "MEASURED", (*scores.MEASURED, row.name))
        yield module.METHOD


@pytest.fixture(scope="module")
def trained(cached):
    return pretrain(cached, knn_every=2)


@pytest.fixture(scope="module")
def folder(trained, cached, tmp_path_factory):
    """The folder that the step `pretrain` writes."""
    folder = tmp_path_factory.mktemp("model")
    network, params = trained[0], json.loads(pretrain_params(NAME).model_dump_json(exclude_none=True))
    saved.save(folder, network, saved.describe(NAME, params, network.images, dataset="digits"))
    reference.write(folder, network, cached)
    RunRecord("pretrain", params, dataset="digits").write(folder)
    return folder


def pretrain(store, features=None, **changes):
    return trainer.pretrain(NAME, pretrain_params(NAME, **changes), store, views_of(store), 0, features=features)


def expected(network, images):
    """The score, (n,), of uint8 images (n, H, W, C), computed without the method."""
    with torch.no_grad():
        standardised = (torch.from_numpy(np.array(images)).permute(0, 3, 1, 2) / 255 - network.mean) / network.std
        predicted = network.predictor(network.projector(network.backbone(standardised)))
        averaged = network.averaged_projector(network.averaged_backbone(standardised))
        return (normalize(predicted, dim=-1) * normalize(averaged, dim=-1)).sum(-1).numpy()


def test_the_average_follows_and_has_no_gradient(trained, cached):
    network, history = trained
    assert not any(p.requires_grad for name, p in network.named_parameters() if name.startswith("averaged_"))
    assert len(history) == 2 and 0 <= history[-1]["certainty_auroc"] <= 1
    assert 0 <= history[-1]["certainty_below_clean"] <= 1
    start = trainer._initialised(NAME, pretrain_params(NAME), cached, seed=0)
    moved = [
        torch.cat([(p - old).flatten() for p, old in zip(part.parameters(), start.backbone.parameters(), strict=True)])
        for part in (network.backbone, network.averaged_backbone)
    ]
    assert 0 < moved[1].norm() < 0.2 * moved[0].norm() and torch.dot(*moved) > 0


def test_the_scores_of_a_run(trained, cached):
    """Of images, of known features of images, of views, and of the training images."""
    network = trained[0].eval()
    bank, features = (extract(network, batches(cached.images(split), 64))["features"] for split in ("train", "test"))
    read = scorer(network, bank, torch.from_numpy(np.array(cached.labels("train"))))
    params = merged(resolve(SHIPPED, "uncertainty", "digits"), {"crop_areas": [0.5, 1.0], "batch_size": 16})
    made = evaluate(read, cached, features.numpy(), [cached], parse("uncertainty", params))
    target = expected(network, cached.images("test"))
    assert np.ptp(target) > 0.01
    for table in (made.images, made.crops[made.crops["area"] == 1], made.ood):
        np.testing.assert_allclose(table["target_cosine"], target[table["index"]], rtol=1e-4, atol=1e-5)
    views = cached.views("test")
    np.testing.assert_allclose(
        made.views["target_cosine"], expected(network, views.reshape(-1, *views.shape[2:])), rtol=1e-4, atol=1e-5
    )
    table = own_scores(read, cached.images("train"))
    np.testing.assert_allclose(table["target_cosine"], expected(network, cached.images("train")), rtol=1e-4, atol=1e-5)


def test_features_alone_are_refused(trained):
    with pytest.raises(ValueError, match="the scores of SimSiamAveraged need images, and only features were given"):
        trained[0].own_scores(torch.zeros(2, trained[0].backbone.dim))


def test_a_folder_of_the_model_scores_and_ranks_files(folder, cached, tmp_path):
    model, pixels = vi_simsiam.load(folder, "cpu"), cached.images("test")[:7]
    (tmp_path / "photos").mkdir()
    for i, image in enumerate(pixels):
        Image.fromarray(image[..., 0]).save(tmp_path / f"photos/{i}.png")
    target = expected(model.network, pixels)
    np.testing.assert_allclose(model.score([tmp_path / "photos"])["target_cosine"], target, rtol=1e-4, atol=1e-5)
    assert rank(tmp_path / "photos", "--run", folder, "--out", tmp_path / "r") == 0
    table = pd.read_csv(tmp_path / "r/ranking.csv").sort_values("path")
    np.testing.assert_allclose(table["target_cosine"], target, atol=0.01)  # features are stored as float16


@pytest.mark.nightly
def test_a_model_with_both_networks_becomes_onnx(folder, cached, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    model, pixels = vi_simsiam.load(folder, "cpu"), cached.images("test")[:7]
    assert export.write(model, tmp_path / "model.onnx") == ("features", "target_cosine")
    session = runtime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    (images,) = batches(pixels, 7)
    found = session.run(None, {"images": images.numpy()})[1]
    np.testing.assert_allclose(found, expected(model.network, pixels), rtol=1e-3, atol=1e-4)


def test_both_networks_share_a_frozen_encoder(weights, cached, tmp_path):
    """Its features of views are stored in files, and the training is the same as on the views."""
    frozen = {"backbone": {"weights": str(weights), "frozen": True}}
    straight, history = pretrain(cached, **frozen)
    network, again = pretrain(cached, features=tmp_path, **frozen)
    assert len(list(tmp_path.glob("*/features.bin"))) == 1
    assert not hasattr(network, "averaged_backbone") and hasattr(network, "averaged_projector")
    assert [row["loss"] for row in again] == pytest.approx([row["loss"] for row in history], rel=1e-4, abs=1e-6)
    found = [extract(each, batches(cached.images("test"), 16), each.own_scores) for each in (network, straight)]
    torch.testing.assert_close(found[0]["target_cosine"], found[1]["target_cosine"], rtol=0, atol=1e-3)
