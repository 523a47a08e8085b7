"""Kappa of `vi-simsiam rank` by numbers of views and of training steps, on images whose folders are their classes.

    python studies/rank_training.py cifar10-jpeg.zip studies/rank_training.csv

An image counts as an error if most of its five nearest others, by the encoder's features, have another class. The table
has the AUROC with which a score tells errors from the rest, mean over seeds; each seed draws other images.
"""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import roc_auc_score

from vi_simsiam.cli.rank import head_training, neighbourhood
from vi_simsiam.cli.rank.encoding import Encoder
from vi_simsiam.cli.rank.photographs import Photographs
from vi_simsiam.core import processes
from vi_simsiam.data.store import RowView
from vi_simsiam.evaluation.knn import directions, neighbours
from vi_simsiam.models import reference, saved

ENCODER = head_training.LITE
MOST = 10_000  # images
SEEDS = (0, 1, 2)
SETTINGS = [
    (300, 6, 1000), (300, 6, 1500), (300, 4, 600), (300, 4, 800), (300, 4, 1000), (300, 3, 1000),
    (1000, 6, 750), (1000, 6, 1000), (1000, 6, 1500), (1000, 4, 600), (1000, 4, 800), (1000, 4, 1000), (1000, 3, 1000),
    (4000, 6, 1000), (4000, 6, 1500), (4000, 4, 800), (4000, 4, 1000), (4000, 3, 1000),
    (10_000, 6, 1000), (10_000, 6, 2500), (10_000, 4, 1000), (10_000, 4, 1700), (10_000, 4, 2500), (10_000, 3, 2500),
    (10_000, 2, 2500),
]  # fmt: skip
"""Images, views of each, and training steps."""
NEAREST = 5
CPU = torch.device("cpu")


def say(unread: Sequence[tuple[str, str]]) -> None:
    """Name the images that could not be read."""
    for path, problem in unread:
        print(f"left out: {path}: {problem}", file=sys.stderr)


def encoded(archive: Path, folder: Path, most: int, views: int) -> tuple[Encoder, np.ndarray, np.ndarray]:
    """Encode up to `most` images at even steps. Returns: the encoder, rows of its store (N,), names of classes (N,)."""
    network = head_training.encoder(head_training.backbone(ENCODER, None), CPU, 16)
    encoder = Encoder(network, 0, folder, views)
    stream = Photographs([archive], network.images.size, network.images.channels, processes.cores())
    paths = [file.path for file in stream.files()]
    stream.only(set(paths[:: -(-len(paths) // most)]))
    files, rows = encoder.encode(stream, say)
    classes = files["path"].map(lambda path: Path(path).parent.name).to_numpy()
    rows, first = np.unique(rows, return_index=True)
    return encoder, rows, classes[first]


def errors(whole: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Images whose nearest others mostly have another class: (N,) booleans."""
    features = torch.from_numpy(whole.astype(np.float32))
    nearest = neighbours(features, directions(features), NEAREST, leave_one_out=True)[1].numpy()
    _, labels = np.unique(classes, return_inverse=True)
    votes = (labels[nearest][:, :, None] == np.arange(labels.max() + 1)).sum(1)
    return votes.argmax(1) != labels


class Training(NamedTuple):
    """Kappa (N,) of the training's images, the share of these above their central quarters, and the steps."""

    kappa: np.ndarray
    above: float
    steps: int


def trained(images: head_training.Images, seed: int, steps: int | None = None) -> Training:
    """Train heads as `rank` does."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "model"
        done = head_training.train(head_training.backbone(ENCODER, None), images, seed, CPU, folder, steps)
        network, training = saved.load(folder)[0], reference.read(folder)
    with torch.no_grad():
        kappa = network.certainty(torch.from_numpy(images.array("whole")[:]).float())["kappa"].numpy()
    return Training(kappa, training.above / training.central, done["steps"])


def aurocs(encoder: Encoder, rows: np.ndarray, classes: np.ndarray) -> Iterator[dict[str, float]]:
    """A row per setting and seed."""
    for images, views, steps in SETTINGS:
        if images > len(rows):
            continue
        for seed in SEEDS:
            some = np.random.default_rng(seed).permutation(len(rows))[:images]
            features = RowView(encoder.store.array("views")[:, :views], rows[some])
            photographs = head_training.Images(encoder, rows[some], features)
            right = ~errors(photographs.array("whole")[:], classes[some])
            found = trained(photographs, seed, steps)
            density = neighbourhood.density(photographs.array("whole"), CPU)
            yield {
                "images": images,
                "views": views,
                "steps": found.steps,
                "kappa": roc_auc_score(right, found.kappa),
                "knn_density": roc_auc_score(right, density),
                "above": found.above,
            }


def main() -> None:
    archive, out = Path(sys.argv[1]), Path(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        torch.set_num_threads(processes.cores())
        found = pd.DataFrame(aurocs(*encoded(archive, Path(folder), MOST, max(views for _, views, _ in SETTINGS))))
    table = found.groupby(["images", "views", "steps"])
    table = table.mean().join(table["kappa"].std().rename("kappa_std")).reset_index()
    table.to_csv(out, index=False, float_format="%.4f", lineterminator="\n")
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
