"""Kappa of whole test images: its distribution, and how it relates to DINO's entropy."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vi_simsiam.report.claims import dino_correlation
from vi_simsiam.report.figures.style import block_title, blocks, interval_text, kappa_axis, message, method_style
from vi_simsiam.report.runs import Run, grouped
from vi_simsiam.report.tables import sphere_dimension
from vi_simsiam.stats.intervals import Estimate, over_seeds

NO_KAPPA = "no method with kappa in this run"
_CROP_AREAS = (0.1, 0.3, 0.6)  # shown in the histogram: the nearest of uncertainty.crop_areas
_DOTS = 2000  # images that are drawn one by one; more are counted in hexagons


def kappa_groups(runs: list[Run]) -> list[list[Run]]:
    """The runs that have kappa, by (data set, method): a figure has a part for each."""
    return list(grouped([run for run in runs if run.has_kappa], "dataset", "method").values())


def kappa_title(runs: Sequence[Run]) -> str:
    label = method_style(runs[0].method).label
    return block_title(runs, f"{label}, {len(runs[0].images):,} test images")


def kappa_histogram(runs: list[Run]) -> Figure:
    """Share of images by log kappa, whole images against graded crops of some areas; seeds averaged."""
    groups = kappa_groups(runs)
    if not groups:
        return message(NO_KAPPA)
    figure, _, parts = blocks([kappa_title(group) for group in groups], [2.3] * len(groups), legend=0)
    for part, group in zip(parts, groups, strict=True):
        _histogram(part.subplots(), group)
    return figure


def _histogram(axes: Axes, runs: Sequence[Run]) -> None:
    areas = np.unique(runs[0].crops["area"])
    areas = areas[areas < 1]
    nearest = sorted({float(areas[np.abs(areas - area).argmin()]) for area in _CROP_AREAS}) if len(areas) else []
    sets = [("whole images", [run.images["kappa"] for run in runs])]
    for area in nearest:
        crops = [run.crops.loc[run.crops["area"] == area, "kappa"] for run in runs]
        sets.append((f"crops, {100 * area:g} % of the area", crops))
    pooled = np.concatenate([kappa for _, columns in sets for kappa in columns])
    low, high = np.quantile(pooled, [0.001, 0.999])
    bins = np.geomspace(max(low, 1e-6) * 0.98, max(high, 1e-6) * 1.02, 41)
    colour = method_style(runs[0].method).colour
    greys = ("#111111", "#555555", "#8c8c8c", "#b5b5b5")
    lines = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (4, 1, 1, 1)))
    for i, (label, columns) in enumerate(sets):
        shares = np.mean([np.histogram(np.clip(k, bins[0], bins[-1]), bins)[0] / len(k) for k in columns], axis=0)
        if i == 0:
            axes.stairs(100 * shares, bins, fill=True, color=colour, alpha=0.35, linewidth=0)
            axes.stairs(100 * shares, bins, color=colour, linewidth=1.2, label=label)
        else:
            axes.stairs(100 * shares, bins, color=greys[i - 1], linestyle=lines[i - 1], linewidth=1.2, label=label)
    top = axes.get_ylim()[1]
    axes.set(xlabel="κ", ylabel="% of images per bin", ylim=(0, 1.15 * top), xlim=(bins[0], bins[-1]))
    axes.legend(loc="upper center", ncols=len(sets))
    kappa_axis(axes, "x", sphere_dimension(runs[0].images))


def kappa_vs_dino(runs: list[Run]) -> Figure:
    """Kappa against minus the entropy of DINO's categorical output, of the same test images."""
    pairs = [_pairs(group) for group in grouped(runs, "dataset").values()]
    pairs = [group for group in pairs if group]
    if not pairs:
        return message("needs VI-SimSiam and DINO on the same data, with equal seeds")
    titles = [block_title([ours for ours, *_ in p], f"{len(p[0][0].images):,} test images") for p in pairs]
    figure, _, parts = blocks(titles, [2.9] * len(pairs), legend=0)
    for part, group in zip(parts, pairs, strict=True):
        _against(part.subplots(), group)
    return figure


def _pairs(runs: Sequence[Run]) -> list[tuple[Run, Run, Estimate]]:
    """Runs with kappa and runs of DINO, of equal seeds and with a score for every image, and how these correlate."""
    dino = {run.seed: run for run in runs if "negative_entropy" in run.images}
    pairs = [(run, dino[run.seed]) for run in runs if run.has_kappa and run.seed in dino]
    return [(*pair, rho) for pair in pairs if (rho := dino_correlation(*pair)) is not None]


def _against(axes: Axes, pairs: Sequence[tuple[Run, Run, Estimate]]) -> None:
    kappa = np.exp(np.mean([np.log(np.maximum(ours.images["kappa"], 1e-6)) for ours, *_ in pairs], axis=0))
    certainty = np.mean([dino.images["negative_entropy"] for _, dino, _ in pairs], axis=0)
    colour = method_style(pairs[0][0].method).colour
    if len(kappa) > _DOTS:
        axes.hexbin(
            kappa, certainty, xscale="log", gridsize=(50, 25), mincnt=1, bins="log", cmap="Oranges", linewidth=0
        )
    else:
        axes.scatter(kappa, certainty, s=6, color=colour, alpha=0.5, linewidth=0)
    seeds = ", ".join(f"{rho.estimate:+.2f} (seed {ours.seed})" for ours, _, rho in pairs).replace("-", "−")
    total = interval_text(over_seeds(rho for *_, rho in pairs))
    axes.set_title(f"Spearman's ρ = {total}" + (f"; {seeds}" if len(pairs) > 1 else ""))
    mean = " (mean over seeds)" if len(pairs) > 1 else ""
    axes.set(xlabel=f"κ of VI-SimSiam{mean}", ylabel="−entropy of DINO (nats)")
    kappa_axis(axes, "x", sphere_dimension(pairs[0][0].images))
