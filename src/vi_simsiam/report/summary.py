"""What a finished run prints: accuracies, claims, where the rest is."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

_MAIN = ("knn_top1", "probe_top1", "crop_knn_top1", "spearman_crop_area/kappa", "auroc_crop_correct/kappa")


def summary_text(summary: pd.DataFrame, claims: pd.DataFrame, doubts: Iterable[str], folder: Path) -> str:
    """The main columns of the summary table, the claims below it, what not to rely on, and where to read on.

    Args:
        summary: a row per run, see `tables.summary_table`.
        claims: a row per claim, see `claims.claims_table`; may have none.
        doubts: sentences, see `doubts.doubts`.
        folder: where the tables, the figures and the gallery lie.
    """
    main = [name for name in _MAIN if name in summary]
    cells = [["dataset", "method", "seed", *main]]
    for _, row in summary.iterrows():
        cells.append([row["dataset"], row["method"], str(row["seed"]), *(_number(row[name]) for name in main)])
    lines = aligned(cells)
    if len(claims):
        cells = [["dataset", "claim", "estimate", "95 % interval", "verdict", "corrected", "decides from"]]
        for _, row in claims.iterrows():
            interval = f"[{_number(row['ci_low'])}, {_number(row['ci_high'])}]"
            undecided = row["verdict"] == "inconclusive"
            ends = [row["verdict"], row["verdict_holm"], f"±{row['decidable']:.3f}" if undecided else ""]
            cells.append([row["dataset"], row["claim"], _number(row["estimate"]), interval, *ends])
        lines += ["", *aligned(cells)]
    for dataset, rows in summary.groupby("dataset"):
        if rows["knn_top1"].isna().all():
            lines.append(f"{dataset} has no labels: no accuracies. Its images by certainty: {folder / 'ranking.csv'}")
    lines += doubts
    lines.append(f"Images by certainty, in a browser: {folder / 'gallery.html'}; everything in one page: make report")
    lines.append(f"All measures: {folder / 'summary.csv'}; claims: docs/claims.md; figures: {folder / 'figures'}")
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    return "-" if pd.isna(value) else f"{value:.3f}"


def aligned(cells: list[list[str]]) -> list[str]:
    """Lines of a table whose columns are two spaces apart."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
