"""What is looked at while training: a k-NN and the certainty score, on training images alone."""

import numpy as np
import torch

from vi_simsiam.data.store import TrainingImages
from vi_simsiam.evaluation import knn
from vi_simsiam.evaluation.features import batches, extract
from vi_simsiam.methods import Method
from vi_simsiam.stats.ranks import auroc
from vi_simsiam.transforms.noise import SEEDS, with_noise

_MONITORED_IMAGES = 2000  # training images, or up to twice as many
_BATCH = 500
_SIGMA = 0.1  # of the noise, as in the recipes' graded augmentation


def monitor(model: Method, store: TrainingImages, device: torch.device) -> dict[str, float | None]:
    """What some training images say, one by one left out: no test image is looked at while training.

    Returns: `knn_top1`, the 20-NN accuracy, and of the method's own certainty score, if it has one, `certainty_auroc`,
        how well it tells the images that are classified right from the others, `certainty_r_auroc`, those whose nearest
        image has their label from the others (Kirchhof et al. 2023, arXiv 2307.03810; None where all or no images are
        right), and `certainty_below_clean`, the share of images of which it is less certain with Gaussian noise of a
        standard deviation of .1. Without labels the last alone.
    """
    images = store.images("train")
    # At even steps, because images may be sorted by class.
    rows = np.arange(0, len(images), max(1, len(images) // _MONITORED_IMAGES))
    own = model.certainty_scores[:1]
    labels = torch.from_numpy(store.labels("train")[rows]).to(device)
    labelled = len(labels) > 1 and not (labels < 0).any()
    if not labelled and not own:
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
            if own and (found := auroc(outputs[own[0]], target.cpu())) is not None:
                row[name] = found.point
    if own:
        seeds = torch.from_numpy(rows % SEEDS).split(_BATCH)
        noisy = (
            with_noise(batch, torch.full((len(batch),), _SIGMA), seed)
            for batch, seed in zip(batches(images[rows], _BATCH), seeds, strict=True)
        )
        with_it = extract(model, noisy, model.own_scores)[own[0]]
        row["certainty_below_clean"] = (with_it < outputs[own[0]]).float().mean().item()
    return row
