"""The last lines of a run: accuracies, each method's own certainty score, claims, and the paths of the results."""

import re
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from vi_simsiam.evaluation import scores

_ACCURACIES = ("knn_top1", "probe_top1", "crop_knn_top1")
_OF_SCORE = {"spearman_crop_area": "crop area", "auroc_crop_correct": "crop errors"}
_LEGEND = (
    "crop area: rank correlation of the method's own score with the area of crops (spearman_crop_area)",
    "crop errors: AUROC of this score for right predictions on crops (auroc_crop_correct)",
)
_NONE = pd.Series(dtype=float)


def summary_text(summary: pd.DataFrame, claims: pd.DataFrame, reliability_warnings: Iterable[str], folder: Path) -> str:
    """A table of methods and a table of claims for each data set, warnings, and the paths of the full results.

    With the names of the shipped methods and claims, no line has more than 100 characters.

    Args:
        summary: a row per run, see `tables.summary_table`.
        claims: a row per claim, see `claims.claims_table`; may have none.
        reliability_warnings: sentences, see `reliability.reliability_warnings`.
        folder: where the tables, the figures and the gallery lie.
    """
    lines = []
    for dataset, rows in summary.groupby("dataset", sort=False):
        seeds = rows.groupby("method").size()
        count = f"{seeds.min()}" if seeds.nunique() == 1 else f"{seeds.min()} to {seeds.max()}"
        lines.append(f"{dataset}, {count} seed{'s' * (count != '1')}: mean ± standard deviation")
        lines += [*aligned(_methods(rows)), *_LEGEND, ""]
        if len(of_dataset := claims[claims["dataset"] == dataset]):
            lines += [*aligned(_claims(of_dataset)), _decided(of_dataset), ""]
        if rows["knn_top1"].isna().all():
            lines.append(f"{dataset} has no labels: no accuracies. Its images by certainty: {folder / 'ranking.csv'}")
    lines += reliability_warnings
    lines.append(f"Images by certainty, in a browser: {folder / 'gallery.html'}; everything in one page: make report")
    lines.append(f"All measures: {folder / 'summary.csv'}; claims: docs/reading.md; figures: {folder / 'figures'}")
    return "\n".join(lines) + "\n"


def _methods(rows: pd.DataFrame) -> list[list[str]]:
    accuracies = [name for name in _ACCURACIES if name in rows]
    cells = [["method", *accuracies, "own score", *_OF_SCORE.values()]]
    for method, runs in rows.groupby("method", sort=False):
        line = [str(method), *(_spread(runs[name]) for name in accuracies)]
        known = (score for score in scores.OWN if runs.get(f"spearman_crop_area/{score}", _NONE).notna().any())
        own = next(known, None)
        of_score = [runs.get(f"{name}/{own}", _NONE) for name in _OF_SCORE]
        cells.append([*line, own or "-", *map(_spread, of_score)])
    return cells


def _claims(claims: pd.DataFrame) -> list[list[str]]:
    cells = [["claim", "estimate", "95 % interval", "verdict", "corrected", "decides from"]]
    for _, row in claims.iterrows():
        interval = f"[{_number(row['ci_low'])}, {_number(row['ci_high'])}]"
        undecided = row["verdict"] == "inconclusive"
        ends = [row["verdict"], row["verdict_holm"], f"±{_number(row['decidable'])}" if undecided else ""]
        cells.append([row["claim"], _number(row["estimate"]), interval, *ends])
    return cells


def _decided(claims: pd.DataFrame) -> str:
    """A sentence with the number of claims that these seeds decide."""
    decided, corrected = ((claims[column] != "inconclusive").sum() for column in ("verdict", "verdict_holm"))
    seeds = int(claims["seeds"].max())
    return (
        f"{seeds} seed{'s' * (seeds != 1)} decide{'s' * (seeds == 1)} {decided} of {len(claims)} claims, {corrected} "
        "after correction for multiple testing. More seeds decide more."
    )


def _spread(values: pd.Series) -> str:
    values = values.dropna()
    if not len(values):
        return "-"
    return f"{_number(values.mean())} ±{_number(values.std())}" if len(values) > 1 else _number(values.mean())


def _number(value: float) -> str:
    return "-" if pd.isna(value) else re.sub(r"^(-?)0\.", r"\1.", f"{value:.3f}")


def aligned(cells: list[list[str]]) -> list[str]:
    """Lines of a table whose columns are two spaces apart."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
