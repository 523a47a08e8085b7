"""Scores and graded crops against direct computations."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score
from torchvision.transforms.functional import resized_crop

from vi_simsiam import certainty, knn, linear_probe
from vi_simsiam.features import batches, extract
from vi_simsiam.measures import measure
from vi_simsiam.methods import ImageSpec, build
from vi_simsiam.params import UntrainedParams


@pytest.fixture
def model():
    torch.manual_seed(0)
    backbone = {"name": "resnet10", "width": 4, "stem": "3x3"}
    return build("untrained", UntrainedParams(backbone=backbone), ImageSpec(12, 1, (0.5,), (0.3,))).eval()


def images(n, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, 12, 12, 1), dtype=np.uint8)


def test_extract_does_not_depend_on_the_batch_size(model):
    pictures = images(11)
    whole = extract(model, batches(pictures, 11))["features"]
    parts = extract(model, batches(pictures, 4))["features"]
    torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-5)
    expected = model.features(torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255)
    torch.testing.assert_close(whole, expected, rtol=1e-4, atol=1e-5)


def test_scores(model):
    train, test = images(40), images(9, seed=1)
    labels = torch.arange(40) % 3
    bank = extract(model, batches(train, 40))["features"]
    probe = linear_probe.fit(bank, labels, 3)
    scores = certainty.Scorer(model, probe, bank, labels, k=5, temperature=0.1).score(batches(test, 4))
    features = extract(model, batches(test, 9))["features"]
    np.testing.assert_allclose(scores["feature_norm"], features.norm(dim=-1), rtol=1e-4)
    cosines = torch.nn.functional.cosine_similarity(features[:, None], bank[None], dim=-1)
    np.testing.assert_allclose(scores["knn_density"], cosines.topk(5).values.mean(-1), rtol=1e-4)
    probabilities = probe.probabilities(features)
    np.testing.assert_allclose(scores["probe_confidence"], probabilities.max(-1).values, rtol=1e-3)
    np.testing.assert_array_equal(scores["predicted"], probabilities.argmax(-1))
    np.testing.assert_array_equal(scores["knn_predicted"], knn.predict(features, bank, labels, 5, 0.1))
    unlabelled = certainty.Scorer(model, None, bank, None, k=5, temperature=0.1).score(batches(test, 4))
    assert set(unlabelled) == {"feature_norm", "knn_density"}


def test_view_agreement_is_the_mean_pairwise_cosine(model):
    views = np.stack([images(6, seed) for seed in range(4)], axis=1)
    agreement = certainty.view_agreement(model, views, batch_size=5)
    for i in range(6):
        z = extract(model, batches(views[i], 4))["features"]
        z = torch.nn.functional.normalize(z, dim=-1)
        off_diagonal = (z @ z.T)[~torch.eye(4, dtype=torch.bool)]
        assert agreement[i] == pytest.approx(off_diagonal.mean().item(), abs=1e-5)


def test_identical_views_agree_fully(model):
    views = np.repeat(images(3)[:, None], 4, axis=1)
    np.testing.assert_allclose(certainty.view_agreement(model, views, 12), 1, atol=1e-5)


def test_graded_boxes_lie_inside_and_have_the_area():
    areas = [0.05, 0.25, 0.5, 1.0]
    boxes = certainty.graded_boxes(500, areas, size=40, seed=0)
    table = pd.DataFrame(boxes)
    assert (table["top"] >= 0).all() and (table["top"] + table["height"] <= 40).all()
    assert (table["left"] >= 0).all() and (table["left"] + table["width"] <= 40).all()
    actual = table["height"] * table["width"] / 1600
    assert (actual - table["area"]).abs().max() < 0.02
    assert table["index"].tolist() == np.repeat(np.arange(500), 4).tolist()
    # every place is as likely as any other, the last one included
    small = table[table["area"] == 0.25]
    counts = np.bincount(small["top"], minlength=21)
    assert len(counts) == 21 and counts.min() > 5
    pd.testing.assert_frame_equal(table, pd.DataFrame(certainty.graded_boxes(500, areas, 40, seed=0)))
    assert not table["top"].equals(pd.DataFrame(certainty.graded_boxes(500, areas, 40, seed=1))["top"])


def test_crop_batches_cut_the_boxes():
    pictures = images(5)
    boxes = certainty.graded_boxes(5, [0.2, 1.0], 12, seed=0)
    crops = torch.cat(list(certainty.crop_batches(pictures, boxes, batch_size=3)))
    assert crops.shape == (10, 1, 12, 12)
    for row in range(10):
        source = torch.from_numpy(pictures[boxes["index"][row]]).permute(2, 0, 1).float() / 255
        box = [int(boxes[name][row]) for name in ("top", "left", "height", "width")]
        torch.testing.assert_close(crops[row], resized_crop(source, *box, [12, 12], antialias=True), rtol=0, atol=1e-5)


def test_measures():
    rng = np.random.default_rng(0)
    n, areas = 50, [0.1, 0.5, 1.0]
    kappa = rng.gamma(2, size=n)
    table = pd.DataFrame({
        "index": range(n), "kappa": kappa, "expected_cosine": kappa / (kappa + 1), "view_agreement": kappa**2,
        "correct": rng.random(n) < 0.5, "feature_norm": np.ones(n),
    })  # fmt: skip
    crops = pd.DataFrame({"index": np.repeat(np.arange(n), 3), "area": np.tile(areas, n)})
    crops["kappa"] = crops["area"] + rng.normal(size=3 * n)
    crops["feature_norm"] = 1.0
    crops["correct"] = rng.random(3 * n) < crops["area"]
    crops["knn_correct"] = True
    views = pd.DataFrame({"index": np.repeat(np.arange(n), 2), "kappa": np.repeat(kappa, 2)})
    found = measure(table, crops, views, resamples=200, seed=0)
    expected = {
        "auroc_correct/kappa": roc_auc_score(table["correct"], kappa),
        "auroc_crop_correct/kappa": roc_auc_score(crops["correct"], crops["kappa"]),
        "auroc_crop_correct/crop_area": roc_auc_score(crops["correct"], crops["area"]),
        "spearman_crop_area/kappa": spearmanr(crops["kappa"], crops["area"]).statistic,
        "spearman_view_agreement/kappa": 1.0,
        "expected_cosine_mean": table["expected_cosine"].mean(),
        "crop_knn_top1": 1.0,
        "crop_probe_top1": crops["correct"].mean(),
    }
    for name, value in expected.items():
        assert found[name].estimate == pytest.approx(value), name
        assert found[name].n == n, "intervals are over images, not over crops"
        assert found[name].ci_low <= value <= found[name].ci_high
    # a constant score ranks nothing
    assert found["auroc_correct/feature_norm"].estimate == 0.5
    assert "spearman_crop_area/feature_norm" not in found
