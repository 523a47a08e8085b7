"""Kappa of `vi-simsiam rank` by number of views, where there are few images: how much its order depends on the seed.

    python studies/rank_views.py cifar10-jpeg.zip studies/rank_views.csv

`agreement` is the rank correlation of kappa between two trainings on the same images, with other views and another
seed. `kappa` and `knn_density` are AUROCs for errors and `above` the check, as in rank_training.py. All are means over
three draws of images.
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from rank_training import CPU, SEEDS, Training, encoded, errors, trained
from vi_simsiam.cli.rank import head_training, neighbourhood
from vi_simsiam.cli.rank.encoding import Encoder
from vi_simsiam.core import processes

# Images to draw from, and of these the images of a training with its views of each; half of the views for either.
POOLS = {
    1200: [(100, 4), (100, 32), (100, 64), (200, 4), (200, 16), (200, 32), (200, 64), (400, 4), (400, 16), (400, 32)],
    4000: [(1000, 4), (1000, 8), (2000, 4), (2000, 8)],
}


def halves(encoder: Encoder, rows: np.ndarray, views: int) -> Iterator[Training]:
    """Two trainings on these rows, each with another seed and other `views` of the stored views."""
    for seed in range(2):
        features = np.array(encoder.store.array("views")[rows, seed * views : (seed + 1) * views])
        yield trained(head_training.Images(encoder, rows, features), seed)


def measured(archive: Path) -> Iterator[dict[str, float]]:
    """A row per setting and draw of images."""
    for most, settings in POOLS.items():
        with tempfile.TemporaryDirectory() as folder:
            encoder, rows, classes = encoded(archive, Path(folder), most, 2 * max(views for _, views in settings))
            for images, views in settings:
                for seed in SEEDS:
                    some = np.random.default_rng(seed).permutation(len(rows))[:images]
                    whole = encoder.store.array("whole")[rows[some]]
                    right = ~errors(whole, classes[some])
                    found = list(halves(encoder, rows[some], views))
                    yield {
                        "images": images,
                        "views": views,
                        "agreement": spearmanr(*(each.kappa for each in found)).statistic,
                        "kappa": np.mean([roc_auc_score(right, each.kappa) for each in found]),
                        "knn_density": roc_auc_score(right, neighbourhood.density(whole, CPU)),
                        "above": np.mean([each.above for each in found]),
                    }


def main() -> None:
    archive, out = Path(sys.argv[1]), Path(sys.argv[2])
    torch.set_num_threads(processes.cores())
    table = pd.DataFrame(measured(archive)).groupby(["images", "views"]).mean().reset_index()
    table.to_csv(out, index=False, float_format="%.4f", lineterminator="\n")
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
