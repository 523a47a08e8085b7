"""Write the numbers of a study from its results in this folder: `python docs/study.py studies/digits.yaml`.

The .csv beside the study's .yaml has the mean and the standard deviation over the seeds of each variant; the site shows
it as a table. `python docs/study.py cifar10_jpeg vi_simsiam FILE` writes the monitored quantities of a training by
epoch, as means over the seeds.
"""

import re
import sys
from pathlib import Path

import pandas as pd
import yaml

from tables import OWN, names
from vi_simsiam.report.runs import Run

MEASURES = (
    "crop_knn_top1", "spearman_crop_area/kappa", "auroc_crop_correct/kappa", "auroc_crop_correct/crop_area",
    "auroc_correct/kappa", "auroc_correct/kappa_view_mean", "auroc_correct/knn_density", "r_auroc/kappa",
    "r_auroc/knn_density", "expected_cosine_mean",
)  # fmt: skip
# Of studies with another question, by their name.
MEASURES_OF = {
    "noise": (
        f"spearman_crop_area/{OWN}", f"auroc_crop_correct/{OWN}", f"auroc_correct/{OWN}", f"spearman_noise/{OWN}",
        f"spearman_blur/{OWN}", f"spearman_corruption_gaussian_noise/{OWN}", f"spearman_corruption_shot_noise/{OWN}",
        f"spearman_corruption_defocus_blur/{OWN}", f"corrupted_below_clean/{OWN}", f"auroc_corrupted_correct/{OWN}",
    ),
}  # fmt: skip
MONITORED = (
    "knn_top1", "certainty_auroc", "certainty_r_auroc", "certainty_below_clean", "mean_cosine", "expected_cosine",
    "j_align", "j_uniform", "j_kl",
)  # fmt: skip


def write_study(axes: Path) -> None:
    """Write the .csv: a row for each recipe and method of the study, also recipes outside the list of data sets."""
    about = yaml.safe_load(axes.read_text(encoding="utf-8"))
    measures = MEASURES_OF.get(axes.stem, MEASURES)
    runs = [(variant, method) for variant in about["recipes"] for method in about["methods"]]
    rows = [_row(*run, about["seeds"], measures) for run in runs]
    pd.DataFrame(rows).to_csv(axes.with_suffix(".csv"), index=False, float_format="%.4f", lineterminator="\n")


def write_epochs(dataset: str, method: str, path: str) -> None:
    """Write means over the seeds of columns of the histories, for the epochs that have a k-NN accuracy."""
    histories = [pd.read_csv(file) for file in sorted(Path("results/pretrain", dataset, method).glob("*/history.csv"))]
    mean = pd.concat(histories).groupby("epoch").mean().dropna(subset="knn_top1")[list(MONITORED)]
    mean.to_csv(path, float_format="%.3f", lineterminator="\n")


def _row(variant: str, method: str, seeds: list[int], measures: tuple[str, ...]) -> dict:
    out = {"variant": variant, "method": method, "seeds": len(seeds), "stopped": None}
    per_seed = []
    for seed in seeds:
        run = Run(variant, method, seed, Path("data/cache_views"), Path("results"))
        if not run.path("uncertainty", "metrics.json").exists():
            return out | {"stopped": f"seed {seed}: {_why(variant, method, seed)}"}
        known = {name: value.estimate for measure, value in run.measures.items() for name in names(measure)}
        accuracies = {name: run.probe[name] for name in ("knn_top1", "probe_top1")}
        per_seed.append(accuracies | {name: known[name] for name in measures if name in known})
    for name, values in pd.DataFrame(per_seed).items():
        out |= {name: values.mean(), f"{name} sd": values.std()}
    return out


def _why(variant: str, method: str, seed: int) -> str:
    """The error in the log of a training without a result."""
    log = Path(f"logs/pretrain/{variant}/{method}/seed{seed}.log")
    found = re.search(r"error: (.*?)[:.] ", log.read_text(encoding="utf-8")) if log.exists() else None
    return found[1] if found else "not run"


if __name__ == "__main__":
    if len(sys.argv) == 2:
        write_study(Path(sys.argv[1]))
    else:
        write_epochs(*sys.argv[1:])
