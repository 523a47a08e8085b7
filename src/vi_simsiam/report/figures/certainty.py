"""Certainty scores and right predictions: accuracy by quantile of a score, and risk against coverage."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from vi_simsiam.evaluation import scores
from vi_simsiam.evaluation.measures import measured_scores, outcomes
from vi_simsiam.report.figures.style import (
    block_title,
    blocks,
    draw_estimate,
    method_style,
    methods_legend,
    score_colour,
)
from vi_simsiam.report.runs import Run, grouped
from vi_simsiam.report.tables import (
    accuracy_in_groups,
    own_score,
    shown_score,
)
from vi_simsiam.stats.intervals import mean_over_seeds

_COLUMNS = 3  # methods beside each other
_POINTS, _FEWEST = 100, 20  # points of a risk-coverage curve, and inputs at its first one
_TABLES = {"images": "whole images", "crops": "graded crops"}
_CLASSIFIERS = {"correct": "linear probe", "knn_correct": "k-NN"}
_RANDOM, _IDEAL = {"color": "black", "linewidth": 0.6}, {"color": "black", "linewidth": 0.6, "linestyle": (0, (1, 2))}


def accuracy_by_certainty(runs: list[Run], quantiles: int) -> Figure:
    """Accuracy in groups of equal size by each method's own score, or by k-NN density where it has none."""
    datasets = list(grouped(runs, "dataset").values())
    titles = [block_title(group, f"{len(group[0].images):,} test images") for group in datasets]
    figure, legend, parts = blocks(titles, [4.0] * len(datasets), legend=0.42)
    names = {
        run.method: f"{method_style(run.method).label} by {scores.score(shown_score(run.images)).label}" for run in runs
    }
    methods_legend(legend, runs, names=names)
    for part, group in zip(parts, datasets, strict=True):
        grid = part.subplots(2, 2, sharex="row")
        for row, (name, title) in zip(grid, _TABLES.items(), strict=True):
            for axes, (column, classifier) in zip(row, _CLASSIFIERS.items(), strict=True):
                _by_quantile(axes, group, name, column, quantiles)
                axes.set(title=f"{classifier}, {title}", ylabel="accuracy")
    return figure


def _by_quantile(axes: Axes, runs: Sequence[Run], name: str, column: str, quantiles: int) -> None:
    methods = grouped(list(runs), "method")
    step = 0.7 / max(len(methods), 2)
    for i, (method, members) in enumerate(methods.items()):
        tables = [getattr(run, name) for run in members]
        per_seed = [accuracy_in_groups(table, shown_score(members[0].images), column, quantiles) for table in tables]
        places = 1 + np.arange(quantiles) + step * (i - (len(methods) - 1) / 2)
        for g, place in enumerate(places):
            draw_estimate(axes, place, [estimates[g] for estimates in per_seed], method, markersize=3)
        style = method_style(method)
        means = [mean_over_seeds(estimates[g] for estimates in per_seed).estimate for g in range(quantiles)]
        axes.plot(places, means, color=style.colour, linestyle=style.line, linewidth=0.5)
    size = len(outcomes(getattr(runs[0], name), column)) // quantiles
    axes.set_xlabel(f"group by certainty, lowest first (about {size:,} each)" if size else "no labelled images")
    axes.set_xticks(
        range(1, quantiles + 1) if quantiles <= 12 else range(5, quantiles + 1, max(5, quantiles // 50 * 5))
    )
    axes.grid(visible=False, axis="x")


def risk_coverage(runs: list[Run]) -> Figure:
    """Error rate of the probe on the most certain share of the inputs, for every score of every method."""
    datasets = [grouped(group, "method") for group in grouped(runs, "dataset").values()]
    groups = [[run for members in methods.values() for run in members] for methods in datasets]
    titles = [block_title(group, f"{len(group[0].images):,} test images") for group in groups]
    rows = [-(-len(methods) // _COLUMNS) for methods in datasets]
    figure, legend, parts = blocks(titles, [0.2 + 2 * (0.2 + 1.55 * count) for count in rows], legend=0.42)
    _legend(legend, [name for name in scores.MEASURED if any(name in run.images for run in runs)])
    for part, methods, count in zip(parts, datasets, rows, strict=True):
        halves = part.subfigures(2, 1)
        for half, (name, title) in zip(halves, _TABLES.items(), strict=True):
            _curves(half, methods, name, count)
            half.suptitle(title)
    return figure


def _curves(part: FigureBase, methods: dict[str, list[Run]], name: str, rows: int) -> None:
    grid = part.subplots(rows, _COLUMNS, squeeze=False)
    suffix = "" if name == "images" else "_crop"
    for axes, (method, runs) in zip(grid.flat, methods.items(), strict=False):
        tables = [outcomes(getattr(run, name), "correct") for run in runs]
        _method(axes, tables)
        score = shown_score(runs[0].images)
        area = mean_over_seeds(run.estimate(f"aurc{suffix}/{score}") for run in runs)
        known = "" if np.isnan(area.estimate) else f", {scores.score(score).label}: AURC {area.estimate:.3f}"
        axes.set(title=f"{method_style(method).label}{known}", xlim=(0, 1), xlabel="coverage")
        if not len(tables[0]):
            axes.set(title=f"{method_style(method).label}: no labelled images", ylim=(0, 1))
    for axes in grid.flat[len(methods) :]:
        axes.set_axis_off()
    for row in grid:
        row[0].set_ylabel("risk (error rate)")


def _method(axes: Axes, tables: Sequence[pd.DataFrame]) -> None:
    """Mean over seeds of every score's curve, the ideal order and a random one."""
    tables = [table for table in tables if len(table)]
    if not tables:
        return
    own = own_score(tables[0])
    # The risk of a handful of images says nothing, and its leaps would stretch the axis.
    coverage = np.linspace(min(0.5, max(0.02, _FEWEST / len(tables[0]))), 1, _POINTS)
    wrong = [1 - table["correct"].to_numpy(dtype=float) for table in tables]
    axes.axhline(np.mean([w.mean() for w in wrong]), **_RANDOM)
    axes.plot(coverage, np.mean([risk_at(coverage, -w, w) for w in wrong], axis=0), **_IDEAL)
    for name in measured_scores(tables[0]):
        curves = [risk_at(coverage, table[name], w) for table, w in zip(tables, wrong, strict=True)]
        style = scores.score(name)
        width = 1.6 if name == own else 0.9
        axes.plot(coverage, np.mean(curves, axis=0), color=score_colour(style), linestyle=style.line, linewidth=width)
    axes.set_ylim(bottom=0)


def risk_at(coverage: ArrayLike, score: ArrayLike, wrong: ArrayLike) -> NDArray[np.float64]:
    """Error rate among the share `coverage` of rows with the highest score.

    Args:
        coverage: shares in (0, 1].
        score: (m,) larger is more certain. Rows of equal score count as if in every order: the expected risk.
        wrong: (m,) 1 for an error, else 0.
    """
    score, wrong = np.asarray(score, float), np.asarray(wrong, float)
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)  # last row of each group of equal scores
    taken = np.asarray(coverage, float) * len(score)
    errors = np.interp(taken, np.append(0, ends + 1), np.append(0, np.cumsum(wrong[order])[ends]))
    return errors / taken


def _legend(part: FigureBase, names: Sequence[str]) -> None:
    styles = [scores.score(name) for name in names]
    handles = [Line2D([], [], color=score_colour(s), linestyle=s.line, label=s.label) for s in styles]
    handles += [Line2D([], [], label="random order", **_RANDOM), Line2D([], [], label="ideal order", **_IDEAL)]
    part.legend(handles=handles, loc="center", ncols=-(-len(handles) // 2))
