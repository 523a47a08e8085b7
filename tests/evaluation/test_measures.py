"""Scores and measures against direct computations."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from helpers.models import scorer
from helpers.small import pretrain_params
from vi_simsiam.config.schema import UntrainedParams
from vi_simsiam.evaluation import features as module
from vi_simsiam.evaluation import knn, linear
from vi_simsiam.evaluation.features import batches, extract
from vi_simsiam.evaluation.measure_names import RANKED, why_unknown
from vi_simsiam.evaluation.measures import Tables, measure
from vi_simsiam.evaluation.scorer import view_mean
from vi_simsiam.methods import ImageSpec, build


@pytest.fixture
def model():
    torch.manual_seed(0)
    backbone = {"name": "resnet10", "width": 4, "stem": "3x3"}
    return build("untrained", UntrainedParams(backbone=backbone), ImageSpec(12, 1, (0.5,), (0.3,))).eval()


def images(n, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, 12, 12, 1), dtype=np.uint8)


def test_extract_does_not_depend_on_the_batch_size_nor_on_how_many_results_are_held(model, monkeypatch):
    pictures = images(11)
    whole = extract(model, batches(pictures, 11))["features"]
    monkeypatch.setattr(module, "_HELD", 1000)  # bytes: two of the three batches
    parts = extract(model, batches(pictures, 4))["features"]
    torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-5)
    expected = model.features(torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255)
    torch.testing.assert_close(whole, expected, rtol=1e-4, atol=1e-5)


def test_scores(model):
    train, test = images(40), images(9, seed=1)
    labels = torch.arange(40) % 3
    bank = extract(model, batches(train, 40))["features"]
    probe = linear.fit(bank, labels, 3)
    losses = torch.rand(40, generator=torch.Generator().manual_seed(0)) + 0.1
    scores = scorer(model, bank, labels, probe, losses).score(batches(test, 4))
    features = extract(model, batches(test, 9))["features"]
    np.testing.assert_allclose(scores["feature_norm"], features.norm(dim=-1), rtol=1e-4)
    cosines = torch.nn.functional.cosine_similarity(features[:, None], bank[None], dim=-1)
    np.testing.assert_allclose(scores["knn_density"], cosines.topk(5).values.mean(-1), rtol=1e-4)
    probabilities = probe.probabilities(features)
    np.testing.assert_allclose(scores["probe_confidence"], probabilities.max(-1).values, rtol=1e-3)
    np.testing.assert_array_equal(scores["predicted"], probabilities.argmax(-1))
    np.testing.assert_array_equal(scores["knn_predicted"], knn.predict(features, bank, labels, 5, 0.1))
    nearest = cosines.topk(5).indices
    np.testing.assert_allclose(scores["loss_prediction"], -losses[nearest].log().mean(-1), rtol=1e-4)
    assert set(scorer(model, bank).score(batches(test, 4))) == {"feature_norm", "knn_density"}
    # Some without a label: all count for the density, only the others vote.
    some = torch.where(torch.arange(40) < 25, labels, -1)
    losses[25:] = torch.nan
    mixed = scorer(model, bank, some, probe, losses).score(batches(test, 4))
    np.testing.assert_array_equal(mixed["knn_predicted"], knn.predict(features, bank[:25], labels[:25], 5, 0.1))
    np.testing.assert_array_equal(mixed["knn_density"], scores["knn_density"])
    nearest = cosines[:, :25].topk(5).indices
    np.testing.assert_allclose(mixed["loss_prediction"], -losses[nearest].log().mean(-1), rtol=1e-4)


@pytest.mark.parametrize("method", ["simsiam", "vi_simsiam", "simclr", "dino", "vae"])
def test_embedding_norm_is_the_length_of_what_the_embedding_is_the_direction_of(method):
    torch.manual_seed(0)
    net = build(method, pretrain_params(method), ImageSpec(12, 1, (0.5,), (0.3,)))
    with torch.no_grad():
        for _ in range(200):
            net.embedding(net.features(torch.rand(64, 1, 12, 12)))  # the running statistics are of random images
    net.eval()
    pictures = images(300)
    scores = scorer(net, torch.ones(1, net.backbone.dim), k=1).score(batches(pictures, 128))
    with torch.no_grad():
        features = net.features(torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255)
        if method == "vae":
            vector = net.posterior_head(features)[:, : net.posterior_head.out_features // 2]
        else:
            vector = (net.head.projector if method == "dino" else net.projector)(features)
        direction = net.embedding(features)
    np.testing.assert_allclose(scores["embedding_norm"], np.linalg.norm(vector, axis=1), rtol=1e-4)
    torch.testing.assert_close(direction * vector.norm(dim=-1, keepdim=True), vector, rtol=1e-4, atol=1e-5)
    assert not np.allclose(scores["embedding_norm"], scores["feature_norm"], rtol=0.1)
    if method != "vae":  # the last batch norm has no scale
        assert np.mean(scores["embedding_norm"] ** 2) == pytest.approx(vector.shape[1], rel=0.1)


def test_view_agreement_is_the_mean_pairwise_cosine(model):
    views = np.stack([images(6, seed) for seed in range(4)], axis=1)
    scored = scorer(model, torch.ones(1, model.backbone.dim), k=1)
    columns, agreement = scored.score_views(views, batch_size=5)
    alone = scored.score(batches(views.reshape(24, 12, 12, 1), 24))
    assert columns.keys() == alone.keys()
    for name in alone:
        np.testing.assert_allclose(columns[name], alone[name], rtol=1e-4)
    for i in range(6):
        z = extract(model, batches(views[i], 4))["features"]
        z = torch.nn.functional.normalize(z, dim=-1)
        off_diagonal = (z @ z.T)[~torch.eye(4, dtype=torch.bool)]
        assert agreement[i] == pytest.approx(off_diagonal.mean().item(), abs=1e-5)


def test_view_mean_is_geometric():
    index = np.array([0, 1, 0, 1, 2])
    np.testing.assert_allclose(view_mean(np.array([1.0, 2, 100, 8, 5]), index), [10, 4, 5])


def tables(n, areas, rng):
    kappa = rng.gamma(2, size=n)
    images = pd.DataFrame({
        "index": range(n), "kappa": kappa, "expected_cosine": kappa / (kappa + 1), "view_agreement": kappa**2,
        "correct": rng.random(n) < 0.5, "neighbour_correct": rng.random(n) < 0.5, "feature_norm": np.ones(n),
        "negative_entropy": -rng.random(n), "gradient_energy": rng.random(n), "rms_contrast": kappa,
        "label_entropy": -np.sqrt(kappa), "label": 0,
    })  # fmt: skip
    rows = {"index": np.repeat(np.arange(n), len(areas)), "area": np.tile(areas, n)}
    crops = pd.DataFrame(rows)
    crops["kappa"] = crops["area"] + rng.normal(size=len(crops))
    crops["feature_norm"] = 1.0
    crops["label"] = 0
    crops["correct"] = rng.random(len(crops)) < crops["area"]
    crops["knn_correct"] = True
    blur = pd.DataFrame({"index": np.tile(np.arange(n), 2), "augmentation": "blur", "strength": np.repeat([0.0, 1], n)})
    noise = blur.assign(augmentation="noise", kappa=-blur["strength"])
    blur["kappa"] = rng.normal(size=2 * n) - blur["strength"]
    views = pd.DataFrame({"index": np.repeat(np.arange(n), 2), "kappa": np.repeat(kappa, 2)})
    ood = pd.DataFrame({"dataset": "other", "index": range(30), "kappa": rng.gamma(1, size=30)})
    # Three of the images, two corruptions, severities 2 and 5.
    some = np.repeat([[3, 10, 20]], 6, axis=0).ravel()
    corrupted = pd.DataFrame({"index": some, "corruption": np.repeat(["fog", "snow"], 9)})
    corrupted["severity"] = np.tile(np.repeat([0, 2, 5], 3), 2)
    corrupted["kappa"] = np.where(corrupted["severity"], rng.gamma(2, size=18), kappa[some])
    corrupted["kappa"] = corrupted["kappa"].where(corrupted["corruption"] == "fog", -1.0 * corrupted["severity"])
    corrupted["label"], corrupted["correct"] = 0, np.arange(18) % 2 == 0
    return Tables(images, crops, pd.concat([blur, noise], ignore_index=True), views, ood, corrupted)


def test_measures():
    rng = np.random.default_rng(0)
    n, areas = 50, [0.1, 0.5, 1.0]
    made = tables(n, areas, rng)
    table, crops, graded, _, ood, corrupted = made
    kappa, error = table["kappa"], 1 - table["correct"].mean()
    found, resampled = measure(made, resamples=200, seed=0)
    assert not [name for name in found if why_unknown(name)]
    whole = kappa.to_numpy()[crops["index"]]
    blur = graded[graded["augmentation"] == "blur"]
    inside, both = np.arange(n + 30) < n, np.concatenate([kappa, ood["kappa"]])
    risks = (1 - table["correct"].to_numpy()[np.argsort(-kappa)]).cumsum() / np.arange(1, n + 1)
    expected = {
        "auroc_correct/kappa": roc_auc_score(table["correct"], kappa),
        "auroc_correct/negative_entropy": roc_auc_score(table["correct"], table["negative_entropy"]),
        "r_auroc/kappa": roc_auc_score(table["neighbour_correct"], kappa),
        "aurc/kappa": risks.mean(),
        "e_aurc/kappa": risks.mean() - (error + (1 - error) * np.log(1 - error)),
        "aurc/feature_norm": error,
        "auroc_crop_correct/kappa": roc_auc_score(crops["correct"], crops["kappa"]),
        "auroc_crop_correct/crop_area": roc_auc_score(crops["correct"], crops["area"]),
        "spearman_crop_area/kappa": spearmanr(crops["kappa"], crops["area"]).statistic,
        "crop_below_whole/kappa": (crops["kappa"] < whole)[crops["area"] < 1].mean(),
        "crop_below_whole/feature_norm": 0.5,
        "spearman_blur/kappa": spearmanr(blur["kappa"], blur["strength"]).statistic,
        "spearman_noise/kappa": -1.0,
        "spearman_gradient_energy/kappa": spearmanr(kappa, table["gradient_energy"]).statistic,
        "spearman_rms_contrast/kappa": 1.0,
        "spearman_label_entropy/kappa": -1.0,
        "spearman_view_agreement/kappa": 1.0,
        "expected_cosine_mean": table["expected_cosine"].mean(),
        "crop_knn_top1": 1.0,
        "crop_probe_top1": crops["correct"].mean(),
    }
    for name, value in expected.items():
        assert found[name].estimate == pytest.approx(value), name
        assert found[name].n == n, "intervals are over images, not over crops"
        if not name.startswith("e_aurc"):  # the best order's AURC bends with the error rate: no centred interval
            assert found[name].ci_low - 1e-12 <= value <= found[name].ci_high + 1e-12, name
    outside = {"ood_auroc_other/kappa": roc_auc_score(inside, both)}
    threshold = np.sort(kappa)[n - int(np.ceil(0.95 * n))]
    outside["ood_fpr95_other/kappa"] = (ood["kappa"] >= threshold).mean()
    for name, value in outside.items():
        assert found[name].estimate == pytest.approx(value), name
        assert found[name].n == n + 30 and found[name].ci_low <= value <= found[name].ci_high
    changed, fog = corrupted[corrupted["severity"] > 0], corrupted[corrupted["corruption"] == "fog"]
    of_three = {
        "spearman_corruption_fog/kappa": spearmanr(fog["kappa"], fog["severity"]).statistic,
        "spearman_corruption_snow/kappa": -1.0,
        "spearman_severity/kappa": spearmanr(corrupted["kappa"], corrupted["severity"]).statistic,
        "corrupted_below_clean/kappa": (changed["kappa"] < kappa.to_numpy()[changed["index"]]).mean(),
        "auroc_corrupted_correct/kappa": roc_auc_score(changed["correct"], changed["kappa"]),
    }
    for name, value in of_three.items():
        assert found[name].estimate == pytest.approx(value), name
        assert found[name].n == 3 and found[name].ci_low - 1e-12 <= value <= found[name].ci_high + 1e-12, name
    assert set(resampled) == {name for name in found if name.split("/")[0].startswith(RANKED)} and len(resampled) == 200
    for name, values in resampled.items():
        bounds = np.nanquantile(values, [0.025, 0.975])
        assert bounds == pytest.approx([found[name].ci_low, found[name].ci_high], abs=1e-6), name
    # a constant score ranks nothing
    assert found["auroc_correct/feature_norm"].estimate == 0.5
    assert "spearman_crop_area/feature_norm" not in found
    assert "ood_auroc_other/feature_norm" not in found, "not among the other images' scores"


def test_measures_without_anything_wrong_or_other():
    """All right: no AUROC of errors. No graded images, no other data set: no measures of them."""
    made = tables(30, [1.0], np.random.default_rng(1))
    made = made._replace(images=made.images.assign(correct=True), graded=made.graded.iloc[:0], ood=made.ood.iloc[:0])
    made = made._replace(corrupted=made.corrupted.iloc[:0])
    found = measure(made, resamples=100, seed=0).estimates
    assert "auroc_correct/kappa" not in found and found["aurc/kappa"].estimate == 0
    assert not [name for name in found if name.startswith(("spearman_blur", "ood", "crop_below", "spearman_crop"))]
    assert not [name for name in found if "corrupt" in name or "severity" in name]


def test_measures_without_labels():
    """What needs no label is the same, bit for bit; the rest is left out."""
    made = tables(40, [0.3, 1.0], np.random.default_rng(2))
    judged = ["correct", "knn_correct", "neighbour_correct"]
    bare = made._replace(
        images=made.images.drop(columns=judged, errors="ignore").assign(label=-1),
        crops=made.crops.drop(columns=judged, errors="ignore").assign(label=-1),
        corrupted=made.corrupted.drop(columns=judged, errors="ignore").assign(label=-1),
    )
    complete, found = (measure(each, resamples=100, seed=0).estimates for each in (made, bare))
    needs = ("auroc_correct", "r_auroc", "aurc", "e_aurc", "auroc_crop", "auroc_corrupted", "crop_knn", "crop_probe")
    assert {name: value for name, value in complete.items() if not name.startswith(needs)} == found
    without_labels = {
        "spearman_crop_area/kappa",
        "crop_below_whole/kappa",
        "spearman_view_agreement/kappa",
        "spearman_blur/kappa",
        "corrupted_below_clean/kappa",
        "ood_auroc_other/kappa",
        "spearman_gradient_energy/kappa",
        "expected_cosine_mean",
    }
    assert without_labels <= set(found)


def test_measures_of_partly_labelled_images():
    """Right and wrong are of the labelled images alone, in any order; the rest is of all."""
    made = tables(60, [0.3, 1.0], np.random.default_rng(3))
    hidden = np.random.default_rng(0).random(60) < 0.5
    images, crops = made.images, made.crops
    part = made._replace(
        images=images.assign(label=np.where(hidden, -1, 0)),
        crops=crops.assign(label=np.where(hidden[crops["index"]], -1, 0)),
    )
    complete, found = (measure(each, resamples=100, seed=0).estimates for each in (made, part))
    seen, cut = images[~hidden], crops[~hidden[crops["index"]]]
    expected = {
        "auroc_correct/kappa": roc_auc_score(seen["correct"], seen["kappa"]),
        "r_auroc/kappa": roc_auc_score(seen["neighbour_correct"], seen["kappa"]),
        "auroc_crop_correct/kappa": roc_auc_score(cut["correct"], cut["kappa"]),
        "auroc_crop_correct/crop_area": roc_auc_score(cut["correct"], cut["area"]),
        "crop_probe_top1": cut["correct"].mean(),
        "aurc/feature_norm": 1 - seen["correct"].mean(),
    }
    for name, value in expected.items():
        assert found[name].estimate == pytest.approx(value), name
        assert found[name].ci_low <= value <= found[name].ci_high, name
    for name in ("spearman_crop_area/kappa", "expected_cosine_mean", "spearman_blur/kappa"):
        assert found[name] == complete[name]
