"""Training curves, and the terms of the objective over training."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase

from vi_simsiam.report.figures.style import (
    block_title,
    blocks,
    draw_band,
    kappa_axis,
    legend_height,
    message,
    method_style,
    methods_legend,
)
from vi_simsiam.report.runs import Run, grouped
from vi_simsiam.report.tables import sphere_dimension

_KAPPA = ["kappa_q05", "kappa_q25", "kappa_q50", "kappa_q75", "kappa_q95"]
_CERTAINTY = {  # each is .5 for an own score without information
    "certainty_auroc": "AUROC: own score tells whether that k-NN is right",
    "certainty_r_auroc": "R-AUROC: own score tells whether the nearest is of its class",
    "certainty_below_clean": "share of images less certain with noise (σ = .1)",
}
_TERMS = {"j_align": "J_align: views agree", "j_uniform": "J_uniform: spread out", "j_kl": "J_KL: towards the prior"}


def training_curves(runs: list[Run]) -> Figure:
    """Loss (an axis per method: losses do not compare), cosines, kappa, spread, k-NN, certainty."""
    trained = [run for run in runs if len(run.history)]
    if not trained:
        return message("no method with training in this run")
    datasets = list(grouped(trained, "dataset").values())
    titles = [block_title(group, f"{group[0].store['train']:,} training images") for group in datasets]
    figure, legend, parts = blocks(titles, [6.0] * len(datasets), legend_height(trained))
    methods_legend(legend, trained)
    for part, group in zip(parts, datasets, strict=True):
        _draw(part, grouped(group, "method"))
    return figure


def _draw(part: FigureBase, methods: dict[str, list[Run]]) -> None:
    rows = part.add_gridspec(4, 1)
    losses = rows[0].subgridspec(1, len(methods)).subplots(squeeze=False)[0]
    for axes, (method, runs) in zip(losses, methods.items(), strict=True):
        _curves(axes, runs, "loss")
        axes.set(title=f"loss of {method_style(method).label}", xlabel="epoch")
    cosine, kappa, spread = rows[1].subgridspec(1, 3).subplots()
    knn, *certainty = [axes for row in (2, 3) for axes in rows[row].subgridspec(1, 2).subplots()]
    for runs in methods.values():
        _curves(cosine, runs, "mean_cosine")
        _curves(cosine, runs, "expected_cosine", linestyle=(0, (1, 1)), color="black")
        _curves(spread, runs, "embedding_std")
        _curves(knn, runs, "knn_top1", marker=True)
        for axes, column in zip(certainty, _CERTAINTY, strict=True):
            _curves(axes, runs, column, marker=True)
    _kappa(kappa, [run for runs in methods.values() for run in runs if _has(run, "kappa_q50") and run.has_kappa])
    cosine.set(title="cosine of two views", xlabel="epoch")
    if any(_has(run, "expected_cosine") for runs in methods.values() for run in runs):
        cosine.plot([], [], color="black", linestyle=(0, (1, 1)), label="expected from κ")
        cosine.legend(loc="best")
    spread.set(title="embedding std × √d", xlabel="epoch")
    spread.set_ylim(0, max(1.1, spread.get_ylim()[1]))
    knn.set(title="k-NN accuracy (leave-one-out, training images)", xlabel="epoch")
    for axes, title in zip(certainty, _CERTAINTY.values(), strict=True):
        axes.set(title=title, xlabel="epoch")
        if axes.lines:
            axes.axhline(0.5, color="black", linewidth=0.6)
        else:
            axes.set(title="own score: not measured", xticks=[], yticks=[])


def objective_terms(runs: list[Run]) -> Figure:
    """Estimates of J_align, J_uniform and J_KL by epoch: a row per method, because their scales differ."""
    trained = [run for run in runs if any(_has(run, column) for column in _TERMS)]
    if not trained:
        return message("no method with terms of the objective in this run")
    groups = list(grouped(trained, "dataset").values())
    datasets = [grouped(group, "method") for group in groups]
    titles = [block_title(group, "terms of the objective in nats") for group in groups]
    figure, legend, parts = blocks(titles, [0.3 + 1.1 * len(methods) for methods in datasets], legend_height(trained))
    methods_legend(legend, trained)
    for part, methods in zip(parts, datasets, strict=True):
        grid = part.subplots(len(methods), len(_TERMS), squeeze=False, sharex=True)
        for row, (method, members) in zip(grid, methods.items(), strict=True):
            row[0].set_ylabel(method_style(method).label)
            for axes, column in zip(row, _TERMS, strict=True):
                _curves(axes, members, column)
                if not axes.lines:
                    axes.text(0.5, 0.5, "not estimated", ha="center", va="center", transform=axes.transAxes)
                    axes.set_yticks([])
        for axes, title in zip(grid[0], _TERMS.values(), strict=True):
            axes.set_title(title)
        for axes in grid[-1]:
            axes.set_xlabel("epoch")
    return figure


def _has(run: Run, column: str) -> bool:
    return column in run.history and bool(run.history[column].notna().any())


def _curves(axes: Axes, runs: Sequence[Run], column: str, marker: bool = False, **changes) -> None:
    """The mean over seeds as a line and each seed as a thin one, in the method's style."""
    curves = [run.history.set_index("epoch")[column].dropna() for run in runs if _has(run, column)]
    if not curves:
        return
    style = method_style(runs[0].method)
    mean = pd.concat(curves, axis=1).mean(axis=1).sort_index()
    look = {"color": style.colour, "linestyle": style.line, "markersize": 3} | changes
    if marker or len(mean) < 3:  # a line through one point cannot be seen
        look["marker"] = style.marker
    axes.plot(mean.index, mean, **look)
    for curve in curves if len(curves) > 1 else []:
        axes.plot(curve.index, curve, color=look["color"], linewidth=0.4, alpha=0.7)


def _kappa(axes: Axes, runs: Sequence[Run]) -> None:
    axes.set(title="κ, expected cosine", xlabel="epoch")
    if not runs:
        axes.set(title="κ: no method has it", xticks=[], yticks=[])
        return
    for method, group in grouped(runs, "method").items():
        columns = ["epoch", *_KAPPA]
        mean = pd.concat([run.history[columns].dropna() for run in group]).groupby("epoch").mean()
        draw_band(axes, mean.index.to_numpy(), mean.to_numpy(), method, marker=len(mean) < 3)
        for run in group if len(group) > 1 else []:
            axes.plot(run.history["epoch"], run.history["kappa_q50"], color=method_style(method).colour, linewidth=0.4)
    # The panel is too narrow for a second axis's label; its title names both scales.
    kappa_axis(axes, "y", sphere_dimension(runs[0].images), label=False)
