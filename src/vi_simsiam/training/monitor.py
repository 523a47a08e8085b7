"""What is looked at while training: a k-NN and the certainty score, on training images alone."""

import numpy as np
import torch

from vi_simsiam.data.store import TrainingImages
from vi_simsiam.methods import Method
from vi_simsiam.probing import knn
from vi_simsiam.probing.features import batches, extract
from vi_simsiam.stats.ranks import auroc

_MONITORED_IMAGES = 2000  # training images, or up to twice as many


def monitor(model: Method, store: TrainingImages, device: torch.device) -> dict[str, float | None]:
    """What some training images say, one by one left out: no test image is looked at while training.

    Returns: `knn_top1`, the 20-NN accuracy; `certainty_auroc`, how well the method's own certainty score tells the
        images that are classified right from the others (None without a score, or when all are right).
    """
    images = store.images("train")
    # At even steps, because images may be sorted by class.
    rows = np.arange(0, len(images), max(1, len(images) // _MONITORED_IMAGES))
    labels = torch.from_numpy(store.labels("train")[rows]).to(device)
    if len(labels) < 2 or (labels < 0).any():
        return {}
    own = model.certainty_scores[:1]
    outputs = extract(
        model,
        batches(images[rows], 500),
        lambda f: {"features": f} | {name: model.certainty(f)[name] for name in own},
    )
    features = outputs["features"].to(device)
    right = knn.predict(features, features, labels, k=20, temperature=0.1, leave_one_out=True) == labels
    row: dict[str, float | None] = {"knn_top1": right.float().mean().item()}
    if own and (judged := auroc(outputs[own[0]], right.cpu())) is not None:
        row["certainty_auroc"] = judged.point
    return row
