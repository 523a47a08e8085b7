"""Classes read from frozen features by a linear classifier and by the nearest neighbours, where there are labels."""

from typing import Any

import torch
from torch import Tensor

from vi_simsiam.config.schema import ProbeParams
from vi_simsiam.evaluation import knn, linear
from vi_simsiam.evaluation.linear import LinearProbe


def classify(
    features: dict[str, Tensor], labels: dict[str, Tensor], classes: int, params: ProbeParams
) -> tuple[LinearProbe, dict[str, Any], Tensor]:
    """Fit a linear probe to the labelled training images, and judge it and the k-NN on the test images.

    Args:
        features: (N, dim) of `train` and `test`, on any device.
        labels: (N,) of both; -1: no label. Accuracies are of images that have one.
        classes: number of classes; 0: none are known.

    Returns: the probe, of no classes without labels; counts and parameters, and with labels `knn_top1`, `probe_top1`
        (None where no test image has a label) and `probe_top1_train`; the loss of each training image under a probe
        that was fitted without it, (N,) nats on the CPU, NaN where there is no label.
    """
    bank, y, test, truth = features["train"], labels["train"], features["test"], labels["test"].cpu()
    if not (labelled := y >= 0).all():
        bank, y = bank[labelled], y[labelled]
    judged = truth >= 0
    results = {
        "n_train": len(labels["train"]),
        "n_train_labelled": len(y),
        "n_test": len(truth),
        "n_test_labelled": int(judged.sum()),
        "dim": test.shape[1],
        "k": params.k,
        "temperature": params.temperature,
    }
    losses = torch.full((len(labels["train"]),), torch.nan)
    if not len(y):
        return linear.no_classes(test.shape[1]), results, losses
    losses[labelled.cpu()] = linear.cross_fitted_losses(bank, y, classes, params.C)
    probe = linear.fit(bank, y, classes, params.C)
    predicted = probe.probabilities(test).argmax(-1).cpu()
    neighbours = knn.predict(test, bank, y, params.k, params.temperature).cpu()
    accuracies = {
        "knn_top1": _share(neighbours[judged] == truth[judged]),
        "probe_top1": _share(predicted[judged] == truth[judged]),
        "probe_top1_train": (probe.probabilities(bank).argmax(-1) == y).float().mean().item(),
    }
    return probe, accuracies | results, losses


def _share(right: Tensor) -> float | None:
    """Mean of booleans; None of none."""
    return right.double().mean().item() if len(right) else None
