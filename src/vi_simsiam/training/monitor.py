"""Monitoring during training: k-NN accuracy and the certainty score, on training images only."""

import numpy as np
import torch

from vi_simsiam.data.store import TrainingImages
from vi_simsiam.evaluation import knn
from vi_simsiam.evaluation.features import batches, extract
from vi_simsiam.methods import Method
from vi_simsiam.stats.ranks import Ranked, auroc
from vi_simsiam.transforms.noise import SEEDS, with_noise

_MONITORED_IMAGES = 2000  # or up to twice as many
_BATCH = 500
_SIGMA = 0.1  # standard deviation of the noise, as in the recipes' graded augmentation


def monitor(model: Method, store: TrainingImages, device: torch.device) -> dict[str, float | None]:
    """Measure k-NN accuracy and the method's certainty score on some training images; no test image is read.

    An image is never its own neighbour.

    Returns:
        knn_top1: accuracy of the 20-NN classifier.
        certainty_auroc: AUROC of the score for images that this classifier gets right.
        certainty_r_auroc: AUROC of the score for images whose nearest image has their label (Kirchhof et al. 2023,
            arXiv 2307.03810).
        certainty_below_clean: share of images with a lower score after Gaussian noise of standard deviation .1.

        An AUROC is missing where all or no images are right. Without labels only the last is returned, without a score
        only the first.
    """
    images = store.images("train")
    # At even steps, because images may be sorted by class.
    rows = np.arange(0, len(images), max(1, len(images) // _MONITORED_IMAGES))
    score = model.certainty_scores[:1]
    labels = torch.from_numpy(store.labels("train")[rows]).to(device)
    labelled = len(labels) > 1 and not (labels < 0).any()
    if not labelled and not score:
        return {}
    outputs = extract(
        model,
        batches(images[rows], _BATCH),
        lambda f, x: {"features": f} | model.own_scores(f, x),
    )
    row: dict[str, float | None] = {}
    if labelled:
        features = outputs["features"].to(device)
        right = knn.predict(features, features, labels, k=20, temperature=0.1, leave_one_out=True) == labels
        row["knn_top1"] = right.float().mean().item()
        tasks = {"certainty_auroc": right, "certainty_r_auroc": knn.neighbour_correct(features, labels)}
        for name, target in tasks.items():
            if score and (found := auroc(Ranked(outputs[score[0]]), target.cpu())) is not None:
                row[name] = found.point
    if score:
        seeds = torch.from_numpy(rows % SEEDS).split(_BATCH)
        noisy = (
            with_noise(batch, torch.full((len(batch),), _SIGMA), seed)
            for batch, seed in zip(batches(images[rows], _BATCH), seeds, strict=True)
        )
        of_noisy = extract(model, noisy, model.own_scores)[score[0]]
        row["certainty_below_clean"] = (of_noisy < outputs[score[0]]).float().mean().item()
    return row
