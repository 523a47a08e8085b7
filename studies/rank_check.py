"""When does kappa of `vi-simsiam rank` order images well? On images in a folder for each class.

    python studies/rank_check.py studies/rank_check.csv FOLDER_OR_ARCHIVE ...

`above` is the share of images with a higher kappa than their central quarters, by which `rank` decides between kappa
and `knn_density`; `error_rate` the share of images whose nearest others have another class, as in rank_training.py;
`kappa` and `knn_density` are AUROCs for errors. All are means over three seeds.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import roc_auc_score

from rank_training import CPU, SEEDS, encoded, errors, trained
from vi_simsiam.cli.rank import head_training, neighbourhood
from vi_simsiam.cli.rank.encoding import VIEWS
from vi_simsiam.core import processes

MOST = 2000  # images, at even steps


def measured(photographs: Path, folder: Path) -> dict[str, float]:
    """The row of a folder."""
    encoder, rows, classes = encoded(photographs, folder, MOST, VIEWS)
    images = head_training.Images(encoder, rows, encoder.training_views(rows))
    right = ~errors(images.array("whole")[:], classes)
    found = [trained(images, seed) for seed in SEEDS]
    return {
        "images": len(rows),
        "error_rate": 1 - right.mean(),
        "above": np.mean([each.above for each in found]),
        "kappa": np.mean([roc_auc_score(right, each.kappa) for each in found]),
        "knn_density": roc_auc_score(right, neighbourhood.density(images.array("whole"), CPU)),
    }


def main() -> None:
    out, folders = Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]]
    torch.set_num_threads(processes.cores())
    rows = {}
    for photographs in folders:
        with tempfile.TemporaryDirectory() as folder:
            rows[photographs.stem] = measured(photographs, Path(folder))
    table = pd.DataFrame.from_dict(rows, "index").rename_axis("images_of")
    table.to_csv(out, float_format="%.4f", lineterminator="\n")
    print(table.to_string())


if __name__ == "__main__":
    main()
