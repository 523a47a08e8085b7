"""What a finished run prints: accuracies, claims, where the rest is."""

import csv
import time
from pathlib import Path

STARTED = time.time()


def print_summary(table: str = "results/plot/summary.csv") -> None:
    """Print the main columns of the summary table, and the claims beside it, if this run made them."""
    path = Path(table)
    if not path.exists() or path.stat().st_mtime < STARTED:
        return
    rows = _rows(path)
    main = ["knn_top1", "probe_top1", "crop_knn_top1", "spearman_crop_area/kappa", "auroc_crop_correct/kappa"]
    main = [name for name in main if name in rows[0]]
    cells = [["dataset", "method", "seed", *main]]
    for row in rows:
        numbers = [f"{float(row[name]):.3f}" if row[name] else "-" for name in main]
        cells.append([row["dataset"], row["method"], row["seed"], *numbers])
    print("", *_aligned(cells), sep="\n")
    claims = _rows(path.with_name("claims.csv"))
    if claims:
        cells = [["dataset", "claim", "estimate", "95 % interval", "verdict"]]
        for row in claims:
            estimate, low, high = (f"{float(row[name]):.3f}" for name in ("estimate", "ci_low", "ci_high"))
            cells.append([row["dataset"], row["claim"], estimate, f"[{low}, {high}]", row["verdict"]])
        print("", *_aligned(cells), sep="\n")
    for dataset in unlabelled(rows):
        print(f"{dataset} has no labels: no accuracies. Its images by certainty: {path.with_name('ranking.csv')}")
    print(f"Images by certainty, in a browser: {path.with_name('gallery.html')}; everything in one page: make report")
    print(f"All measures: {table}; claims: docs/claims.md; figures: {path.with_name('figures')}")


def unlabelled(summary: list[dict[str, str]]) -> list[str]:
    """Data sets of the summary table of which no run has an accuracy."""
    return sorted({row["dataset"] for row in summary} - {row["dataset"] for row in summary if row["knn_top1"]})


def _rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _aligned(cells: list[list[str]]) -> list[str]:
    """Lines of a table whose columns are two spaces apart."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
