"""What happens to kappa and to accuracy as views lose information: graded crops, and each augmentation."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vi_simsiam.figures.kappa import NO_KAPPA, kappa_groups, kappa_title
from vi_simsiam.figures.style import (
    block_title,
    blocks,
    draw_band,
    draw_estimate,
    kappa_axis,
    message,
    method_style,
    methods_legend,
)
from vi_simsiam.results import Run, grouped
from vi_simsiam.summary import mean_over_seeds, outcomes, sphere_dimension, wilson

_QUANTILES = [0.05, 0.25, 0.5, 0.75, 0.95]
_COLUMNS = 4  # panels beside each other, at most
_BINS = 8  # per continuous parameter
_FEWEST = 20  # views in a bin whose quantiles are worth drawing
# Parameters of an augmentation: column -> (axis label, value when it is not applied).
_PARAMETERS = {
    "crop_area": ("crop area / image area", None),
    "brightness": ("brightness factor", 1.0),
    "contrast": ("contrast factor", 1.0),
    "saturation": ("saturation factor", 1.0),
    "hue": ("hue shift (turns)", 0.0),
    "blur_sigma": ("blur σ (pixels)", 0.0),
    "flip": ("horizontal flip", None),
    "grey": ("grey", None),
}


def crops(runs: list[Run]) -> Figure:
    """Kappa and the k-NN accuracy of every method against the area of graded crops."""
    datasets = list(grouped(runs, "dataset").values())
    titles = [block_title(group, f"{len(group[0].images):,} test images per area") for group in datasets]
    figure, legend, parts = blocks(titles, [2.4] * len(datasets))
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
        tables = [run.crops.groupby("area")["kappa"].quantile(_QUANTILES).unstack() for run in members]
        _band_over_seeds(axes, tables, method)
    axes.set(xlabel="crop area / image area", ylabel="κ", title="κ: median, middle 50 % and 90 %", xlim=(0, 1.03))
    kappa_axis(axes, "y", sphere_dimension(runs[0].images))


def _band_over_seeds(axes: Axes, tables: Sequence[pd.DataFrame], method: str) -> None:
    """Quantiles (a row per x) averaged over seeds, and each seed's median as a thin line."""
    mean = sum(tables) / len(tables)
    draw_band(axes, mean.index.to_numpy(dtype=float), mean.to_numpy(), method, marker=True)
    for table in tables if len(tables) > 1 else []:
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
    """Kappa of the cached views of test images against each parameter of the augmentation that varies."""
    groups = [group for group in kappa_groups(runs) if len(group[0].views)]
    if not groups:
        return message(NO_KAPPA)
    names = [[name for name in _PARAMETERS if group[0].views[name].nunique() > 1] for group in groups]
    rows = [max(1, -(-len(shown) // _COLUMNS)) for shown in names]
    titles = [f"{kappa_title(group)}, {len(group[0].views):,} augmented views" for group in groups]
    figure, _, parts = blocks(titles, [0.2 + 1.7 * count for count in rows], legend=False)
    for part, group, shown, count in zip(parts, groups, names, rows, strict=True):
        grid = part.subplots(count, max(1, -(-len(shown) // count)), sharey=True, squeeze=False)
        for axes, name in zip(grid.flat, shown, strict=False):
            _parameter(axes, group, name)
        for row in grid:
            row[0].set_ylabel("κ")
        for i, axes in enumerate(grid.flat):
            if i >= max(1, len(shown)):
                axes.set_axis_off()
            elif (i + 1) % grid.shape[1] == 0:
                kappa_axis(axes, "y", sphere_dimension(group[0].images))
    return figure


def _parameter(axes: Axes, runs: Sequence[Run], name: str) -> None:
    label, off = _PARAMETERS[name]
    tables = [_kappa_by_parameter(run.views[name], run.views["kappa"], off) for run in runs]
    method = runs[0].method
    found = [run.measures.get(f"spearman_view_{name}/kappa", {}) for run in runs]
    rho, low, high = (np.mean([f.get(key, np.nan) for f in found]) for key in ("estimate", "ci_low", "ci_high"))
    if runs[0].views[name].dtype == bool:
        for position, quantiles in enumerate(np.mean([t.to_numpy() for t in tables], axis=0)):
            _box(axes, position, quantiles, method)
        axes.set(xticks=range(len(tables[0])), xticklabels=["no", "yes"][: len(tables[0])], xlim=(-0.6, 1.6))
    else:
        _band_over_seeds(axes, tables, method)
    axes.set(xlabel=label, title=f"ρ = {rho:+.2f} [{low:+.2f}, {high:+.2f}]".replace("-", "−"))


def _kappa_by_parameter(value: pd.Series, kappa: pd.Series, off: float | None) -> pd.DataFrame:
    """Quantiles of kappa by the parameter's value: `off` by itself, the rest in bins of equal width."""
    if value.dtype == bool:
        return kappa.groupby(value).quantile(_QUANTILES).unstack()
    rest = value if off is None else value[value != off]
    place = value.astype(float)
    if rest.nunique() > _BINS:
        edges = np.linspace(rest.min(), rest.max(), _BINS + 1)
        which = np.clip(np.digitize(rest, edges) - 1, 0, _BINS - 1)
        place.loc[rest.index] = ((edges[1:] + edges[:-1]) / 2)[which]
    counts = place.map(place.value_counts())
    kept = counts >= min(_FEWEST, counts.max())
    return kappa[kept].groupby(place[kept]).quantile(_QUANTILES).unstack()


def _box(axes: Axes, at: float, quantiles: np.ndarray, method: str) -> None:
    """The same five quantiles as a band's, at one place."""
    style = method_style(method)
    for low, high, alpha in ((0, 4, 0.15), (1, 3, 0.3)):
        axes.fill_between([at - 0.3, at + 0.3], *quantiles[[low, high]], color=style.colour, alpha=alpha, linewidth=0)
    axes.plot([at], quantiles[2], color=style.colour, marker=style.marker)
