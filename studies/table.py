"""The table of a study: a row per variant (recipe), mean and standard deviation over its seeds.

Usage: python studies/table.py studies/NAME.yaml, after the runs that the file's first lines name. Writes
studies/NAME.csv and prints it as Markdown. A variant whose training was stopped by an alarm has the alarm as its row.
"""

import re
import sys
from pathlib import Path

import pandas as pd
import yaml

sys.path.insert(0, str(Path(__file__).parent.parent / "src"))

from vi_simsiam.results import Run

MEASURES = (
    "crop_knn_top1", "auroc_correct/kappa", "r_auroc/kappa", "auroc_crop_correct/kappa", "auroc_crop_correct/crop_area",
    "spearman_crop_area/kappa", "expected_cosine_mean",
)  # fmt: skip


def main(study: Path) -> None:
    axes = yaml.safe_load(study.read_text(encoding="utf-8"))
    rows = [row(variant, method, axes["seeds"]) for variant in axes["datasets"] for method in axes["methods"]]
    table = pd.DataFrame(rows)
    table.to_csv(study.with_suffix(".csv"), index=False, float_format="%.4f", lineterminator="\n")
    print(markdown(table))


def row(variant: str, method: str, seeds: list[int]) -> dict:
    """Mean and standard deviation over the seeds of every measure of one variant."""
    out = {"variant": variant, "method": method, "seeds": len(seeds), "stopped": ""}
    per_seed = []
    for seed in seeds:
        run = Run(variant, method, seed, Path("data/cache_views"), Path("results"))
        if not run.path("uncertainty", "metrics.json").exists():
            out["stopped"] = why(variant, method, seed)
            return out
        accuracies = {name: run.probe[name] for name in ("knn_top1", "probe_top1")}
        measures = {name: run.measures[name]["estimate"] for name in MEASURES if name in run.measures}
        per_seed.append(accuracies | measures)
    seeds_table = pd.DataFrame(per_seed)
    for name in seeds_table:
        out[name], out[f"{name} sd"] = seeds_table[name].mean(), seeds_table[name].std()
    return out


def why(variant: str, method: str, seed: int) -> str:
    """What the log of a training that gave no result says."""
    log = Path(f"logs/pretrain/{variant}/{method}/seed{seed}.log")
    found = re.search(r"error: (.*?)[:.] ", log.read_text(encoding="utf-8")) if log.exists() else None
    return f"seed {seed}: {found[1]}" if found else f"seed {seed}: not run"


def markdown(table: pd.DataFrame) -> str:
    names = [name for name in table if f"{name} sd" in table]
    lines = ["| variant | " + " | ".join(f"`{name}`" for name in names) + " |", "|---" * (len(names) + 1) + "|"]
    for _, row in table.iterrows():
        if row["stopped"]:
            cells = [row["stopped"]] + [""] * (len(names) - 1)
        else:
            cells = [f"{row[name]:.3f} ± {row[f'{name} sd']:.3f}" if row[name] == row[name] else "-" for name in names]
        lines.append(f"| {row['variant']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
