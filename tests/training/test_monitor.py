"""Values monitored during training, against scikit-learn and one image at a time."""

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier

from helpers.small import pretrain_params, views_of
from vi_simsiam.training import trainer
from vi_simsiam.training.monitor import monitor
from vi_simsiam.transforms.noise import with_noise

CPU = torch.device("cpu")


def trained(method, store):
    return trainer.pretrain(method, pretrain_params(method), store, views_of(store), seed=0)[0].eval()


def left_out(features, labels, i, k):
    """True if the k nearest of the other images vote for an image's label."""
    vote = KNeighborsClassifier(k, metric="cosine", weights=lambda distance: np.exp((1 - distance) / 0.1))
    return vote.fit(np.delete(features, i, 0), np.delete(labels, i)).predict(features[i : i + 1])[0] == labels[i]


def test_monitored_values(store):
    model = trained("vi_simsiam", store)
    images = torch.from_numpy(store.images("train").copy()).permute(0, 3, 1, 2).float() / 255
    labels = store.labels("train")

    def encoded(batch):
        with torch.no_grad():
            features = model.features(batch)
            return features, model.certainty(features)["kappa"]

    features, kappa = encoded(images)
    right, alike = (np.array([left_out(features.numpy(), labels, i, k) for i in range(len(labels))]) for k in (20, 1))
    less = []
    for i, image in enumerate(images):
        noisy = with_noise(image[None], torch.tensor([0.1]), torch.tensor([i]))
        less.append((encoded(noisy)[1] < kappa[i]).item())
    found = monitor(model, store, CPU)
    expected = [right.mean(), roc_auc_score(right, kappa), roc_auc_score(alike, kappa), np.mean(less)]
    assert list(found) == ["knn_top1", "certainty_auroc", "certainty_r_auroc", "certainty_below_clean"]
    assert list(found.values()) == pytest.approx(expected, abs=1e-6)
    assert 0.1 < right.mean() < 1 and 0 < np.mean(less) < 1, "the images do not differ"


def test_without_labels_or_without_a_score(store):
    blank = dataclasses.replace(store, _arrays=store._arrays | {"labels_train.npy": np.full(96, -1)})
    model = trained("vi_simsiam", store)
    assert monitor(model, blank, CPU) == {"certainty_below_clean": monitor(model, store, CPU)["certainty_below_clean"]}
    assert list(monitor(trained("simclr", store), store, CPU)) == ["knn_top1"]
