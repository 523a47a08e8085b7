"""Kappa and accuracy of images that lose information: graded crops, and each augmentation."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vi_simsiam.evaluation.measures import outcomes
from vi_simsiam.report.figures.kappa import NO_KAPPA, kappa_groups, kappa_title
from vi_simsiam.report.figures.style import (
    block_title,
    blocks,
    draw_band,
    draw_estimate,
    interval_text,
    kappa_axis,
    legend_height,
    message,
    method_style,
    methods_legend,
)
from vi_simsiam.report.runs import Run, grouped
from vi_simsiam.report.tables import sphere_dimension
from vi_simsiam.stats.intervals import mean_over_seeds, over_seeds, wilson

_QUANTILES = [0.05, 0.25, 0.5, 0.75, 0.95]
# Axis label of each augmentation of uncertainty.graded.
_STRENGTHS = {
    "brightness": "brightness, factor 2^±x",
    "contrast": "contrast, factor 2^±x",
    "saturation": "saturation, factor 2^±x",
    "hue": "hue, ± turns",
    "grey": "grey mixed in, share",
    "blur": "blur, σ in pixels",
    "noise": "noise, σ (pixels in [0, 1])",
    "occlusion": "occlusion, share of the area",
}
_COLUMNS = 3  # panels beside each other


def crops(runs: list[Run]) -> Figure:
    """Kappa and the k-NN accuracy of every method against the area of graded crops."""
    datasets = list(grouped(runs, "dataset").values())
    titles = [block_title(group, f"{len(group[0].images):,} test images per area") for group in datasets]
    figure, legend, parts = blocks(titles, [2.4] * len(datasets), legend_height(runs))
    methods_legend(legend, runs)
    for part, group in zip(parts, datasets, strict=True):
        kappa, accuracy = part.subplots(1, 2)
        _kappa_by_area(kappa, [run for run in group if run.has_kappa])
        for method, members in grouped(group, "method").items():
            _accuracy_by_area(accuracy, members, method)
        accuracy.set(xlabel="crop area / image area", ylabel="accuracy", title="k-NN accuracy", xlim=(0, 1.03))
        if not accuracy.lines:
            accuracy.set(title="k-NN accuracy: no labelled images", ylim=(0, 1))
    return figure


def _kappa_by_area(axes: Axes, runs: Sequence[Run]) -> None:
    if not runs:
        axes.text(0.5, 0.5, NO_KAPPA, ha="center", va="center", transform=axes.transAxes)
        axes.set_axis_off()
        return
    for method, members in grouped(runs, "method").items():
        _kappa_by_strength(axes, [run.crops for run in members], "area", method)
    axes.set(xlabel="crop area / image area", ylabel="κ", title="κ: median, middle 50 % and 90 %", xlim=(0, 1.03))
    kappa_axis(axes, "y", sphere_dimension(runs[0].images))


def _kappa_by_strength(axes: Axes, tables: Sequence[pd.DataFrame], strength: str, method: str) -> None:
    """Quantiles of kappa by the column `strength`, averaged over seeds, and each seed's median as a thin line."""
    per_seed = [table.groupby(strength)["kappa"].quantile(_QUANTILES).unstack() for table in tables]
    mean = sum(per_seed) / len(per_seed)
    draw_band(axes, mean.index.to_numpy(dtype=float), mean.to_numpy(), method, marker=True)
    for table in per_seed if len(per_seed) > 1 else []:
        axes.plot(table.index, table[0.5], color=method_style(method).colour, linewidth=0.4)


def _accuracy_by_area(axes: Axes, runs: Sequence[Run], method: str) -> None:
    style = method_style(method)
    right = [outcomes(run.crops, "knn_correct").groupby("area")["knn_correct"] for run in runs]
    per_seed = [{area: wilson(values) for area, values in groups} for groups in right]
    means = {}
    for area in per_seed[0]:
        estimates = [seed[area] for seed in per_seed]
        draw_estimate(axes, area, estimates, method)
        means[area] = mean_over_seeds(estimates).estimate
    if means:
        axes.plot(list(means), list(means.values()), color=style.colour, linestyle=style.line)


def augmentations(runs: list[Run]) -> Figure:
    """Kappa of test images against the area of a crop, and against the strength of each augmentation alone."""
    groups = kappa_groups(runs)
    if not groups:
        return message(NO_KAPPA)
    augmented = [list(dict.fromkeys(group[0].graded["augmentation"])) for group in groups]
    rows = [-(-(1 + len(names)) // _COLUMNS) for names in augmented]
    titles = [f"{kappa_title(group)}, one augmentation at a time" for group in groups]
    figure, _, parts = blocks(titles, [0.2 + 1.7 * count for count in rows], legend=0)
    for part, group, names, count in zip(parts, groups, augmented, rows, strict=True):
        grid = part.subplots(count, _COLUMNS, sharey=True, squeeze=False)
        method = group[0].method
        panels = iter(grid.flat)
        axes = next(panels)
        _kappa_by_strength(axes, [run.crops for run in group], "area", method)
        axes.set(xlabel="crop area / image area", title=_correlation(group, "crop_area"))
        for name, axes in zip(names, panels, strict=False):
            tables = [run.graded[run.graded["augmentation"] == name] for run in group]
            _kappa_by_strength(axes, tables, "strength", method)
            axes.set(xlabel=_STRENGTHS[name], title=_correlation(group, name))
        for axes in panels:
            axes.set_axis_off()
        for i, axes in enumerate(grid.flat[: 1 + len(names)]):
            if i % _COLUMNS == 0:
                axes.set_ylabel("κ")
            # The panels share the scale of kappa; the second axis is at the last panel of a row.
            last = i % _COLUMNS == _COLUMNS - 1 or i == len(names)
            kappa_axis(axes, "y", sphere_dimension(group[0].images), cosine=last)
    return figure


def _correlation(runs: Sequence[Run], name: str) -> str:
    rho = over_seeds(run.estimate(f"spearman_{name}/kappa") for run in runs)
    return f"ρ = {interval_text(rho)}"
